//! `cargo xtask bench watch`: what watching costs, in a guest that has the other tracers too.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::cache::CacheFolder;
use crate::compile::{self, Optimised};
use crate::exit::Exit;
use crate::guest::{self, Guest};
use crate::kernels;
use crate::phases::Phases;
use crate::run::{MEASURED, publish};
use crate::setup::{self, Wants};
use crate::{process, programs, tree, vm, words};

/// Mounts the tracers as a root whose devices and kernel are the guest's, and begins.
const SCRIPT: &str = r#"mkdir /tools && mount -t squashfs /dev/vdc /tools &&
for folder in proc sys dev tmp; do mount --rbind "/$folder" "/tools/$folder" || exit 2; done &&
exec /bin/zcprof bench watch --through 'chroot /tools' --log-dir /data/log --out /out "$@""#;

/// Options of `bench watch`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Kernels, one after the other.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = words::kernel(),
          default_value = kernels::DEFAULT)]
    kernel: Vec<String>,
    /// Folder of the reports; the command writes into its folders `cost-KERNEL`.
    #[arg(long, value_name = "DIR", default_value = MEASURED)]
    out: PathBuf,
    /// What is timed; these go to `zcprof bench watch` as they are.
    #[command(flatten)]
    timed: Timed,
}

/// Options of `zcprof bench watch`.
#[derive(Args, Debug)]
struct Timed {
    /// Payload of each transfer.
    #[arg(long, value_name = "SIZE", value_parser = words::size)]
    bytes: Option<String>,
    /// Most record bytes in one fetch, comma-separated.
    #[arg(long, value_name = "SIZES", value_delimiter = ',', value_parser = words::size)]
    fetch_sizes: Vec<String>,
    /// Rounds; with fewer than 15 the table says nothing of the bounds.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// Begin no round after this time: 30m, 2h.
    #[arg(long = "for", value_name = "TIME")]
    time: Option<String>,
    /// Watchers to time, comma-separated (default: all).
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    watchers: Vec<String>,
    /// Mode in which the consumer receives.
    #[arg(long, value_name = "MODE", value_parser = words::mode())]
    consumer: Option<String>,
}

impl Timed {
    /// As zcprof reads them.
    fn words(&self) -> Vec<String> {
        let list = |items: &[String]| Some(items.join(",")).filter(|list| !list.is_empty());
        let options = [
            ("--bytes", self.bytes.clone()),
            ("--fetch-sizes", list(&self.fetch_sizes)),
            ("--rounds", self.rounds.map(|rounds| rounds.to_string())),
            ("--for", self.time.clone()),
            ("--watchers", list(&self.watchers)),
            ("--consumer", self.consumer.clone()),
        ];
        let typed = options.into_iter().filter_map(|(name, value)| Some([name.to_owned(), value?]));
        typed.flatten().collect()
    }
}

/// Does `cargo xtask bench watch`.
pub(super) fn command(options: &Options) -> Result<Exit> {
    let cache = CacheFolder::open()?;
    let out = tree::root().join(&options.out);
    publish::check(&out)?;
    let kernels = kernels::choose(&options.kernel)?;
    let mut phases = Phases::start();
    let wants = Wants { build: true, guests: true, kernels: kernels.clone(), ..Wants::default() };
    let ready = phases.time("setup", || setup::ensure(&cache, &wants))?;
    let program = phases.time("build", || compile::zcprof(&ready, Optimised::Fully))?;
    let tracers = phases.time("tracers", || programs::tracers(&cache))?;
    let words = ["/bin/busybox", "sh", "-c", SCRIPT, "sh"].map(str::to_owned).to_vec();
    let words = [words, options.timed.words()].concat();
    for kernel in kernels {
        let guest = Guest::choose(&cache, kernel)?;
        let files = vec![(program.clone(), "/bin/zcprof".to_owned())];
        let mut spec = guest.spec(files, words.clone());
        spec.image = Some(tracers.clone());
        let fresh = cache.work_folder("cost")?;
        let code = guest::run_one(&cache, &spec, false, &mut guest::mention, |report, work| {
            let code = guest::code(&report.outcome)?;
            vm::collect(work, fresh.path())?;
            Ok(code)
        })?;
        let record = fresh.path().join("cost.json");
        if !record.is_file() {
            bail!("no record (exit code {code})");
        }
        let place = out.join(format!("cost-{}", kernel.name));
        let mut report = Command::new(&program);
        report.args(["bench", "report"]).arg(&record).arg("--out").arg(&place);
        let status = process::run(&mut report).context("rendering the record")?;
        eprintln!("reports in {}", place.display());
        if !status.success() {
            return Ok(Exit::of_code(status.code()));
        }
    }
    eprintln!("{}", phases.line());
    Ok(Exit::Holds)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn zcprofs_options_go_through() {
        let words = ["watch", "--rounds", "3", "--fetch-sizes", "64KiB,1MiB", "--for", "30m"];
        let options = Cli::parse_from(words).options;
        let wanted = ["--fetch-sizes", "64KiB,1MiB", "--rounds", "3", "--for", "30m"];
        assert_eq!(options.timed.words(), wanted);
        assert!(Cli::parse_from(["watch"]).options.timed.words().is_empty());
    }
}
