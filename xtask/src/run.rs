//! `cargo xtask run`: sets up, builds, measures here or in a guest, brings the reports back.

mod measure;
pub(crate) mod publish;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::cache::Cache;
use crate::compile;
use crate::exit::Exit;
use crate::interrupt;
use crate::kernels::{self, Kernel};
use crate::phases::Phases;
use crate::setup::{self, Ready, Wants};

/// The four classic transfers.
const CLASSICS: &str = "read_write,mmap_write,sendfile,splice";

/// Word for every transfer that the kernel can make, which is what zcprof measures when it is told
/// none.
const ALL: &str = "all";

/// Options of `run`. Those that are not about where to measure are zcprof's own and go to it as
/// they are.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Measure on the running kernel, whatever it shows.
    #[arg(long, conflicts_with = "kernel")]
    native: bool,
    /// Measure in a guest with this kernel; `all` for each tested one in turn.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    kernel: Vec<String>,
    /// Transfers, comma-separated, or `all`, which takes minutes under emulation.
    #[arg(long, value_name = "NAMES", default_value = CLASSICS)]
    transfer: String,
    /// Payload of each pass.
    #[arg(long, value_name = "SIZE", default_value = "64MiB")]
    bytes: String,
    /// Most record bytes in one fetch.
    #[arg(long, value_name = "SIZE")]
    fetch_size: Option<String>,
    /// Connections fetching at once.
    #[arg(long, value_name = "N")]
    connections: Option<String>,
    /// The way between server and consumer, as `zcprof measure --help` lists them.
    #[arg(long, value_name = "NAME")]
    network: Option<String>,
    /// State of the page cache when a pass begins.
    #[arg(long, value_name = "warm|cold|both")]
    cache: Option<String>,
    /// Judge a transfer by another claim, as TRANSFER=CLAIM.
    #[arg(long, value_name = "T=C")]
    claim: Vec<String>,
    /// Withhold instruments, comma-separated.
    #[arg(long, value_name = "NAMES")]
    without: Option<String>,
    /// Folder of the reports; each kernel has a folder in it.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    out: PathBuf,
    /// Keep the guest's work folder: initramfs, disk images, logs.
    #[arg(long)]
    keep: bool,
    /// Say more.
    #[arg(short, long)]
    verbose: bool,
}

/// Does `cargo xtask run`.
pub(crate) fn command(options: &Options) -> Result<Exit> {
    let cache = Cache::open()?;
    let named = kernels::choose(&options.kernel)?;
    publish::check(&measure::folder(options))?;
    let mut phases = Phases::start();
    let build = Wants {
        build: true,
        guests: !named.is_empty(),
        matrix: options.needs_wire(),
        kernels: named.clone(),
        ..Wants::default()
    };
    let ready = phases.time("setup", || setup::ensure(&cache, &build))?;
    let program = phases.time("build", || compile::zcprof(&ready))?;
    if !measure::understands(options, &program)? {
        return Ok(Exit::Error);
    }
    let place = choose(options, named, &program)?;
    let Place::Guests(kernels) = place else {
        let exit = measure::native(options, &program, &mut phases)?;
        println!("{}", phases.line());
        return Ok(exit);
    };
    let wants = Wants {
        build: true,
        guests: true,
        matrix: options.needs_wire(),
        kernels: kernels.clone(),
        ..Wants::default()
    };
    let _: Ready = phases.time("guest setup", || setup::ensure(&cache, &wants))?;
    let mut worst = Exit::Holds;
    for kernel in kernels {
        interrupt::check()?;
        let exit = measure::in_guest(options, &cache, kernel, &program, &mut phases)
            .with_context(|| format!("on kernel {}", kernel.name))?;
        println!("{}", phases.line());
        phases = Phases::start();
        worst = worst.max(exit);
    }
    Ok(worst)
}

/// Where to measure.
enum Place {
    Native,
    Guests(Vec<&'static Kernel>),
}

/// Chooses, and says why.
fn choose(options: &Options, named: Vec<&'static Kernel>, program: &Path) -> Result<Place> {
    if options.native {
        println!("measuring on the running kernel: --native");
        return Ok(Place::Native);
    }
    if !named.is_empty() {
        return Ok(Place::Guests(named));
    }
    let output = Command::new(program).arg("doctor").output().context("starting zcprof doctor")?;
    if output.status.success() {
        println!("measuring on the running kernel: zcprof doctor says that it shows everything");
        return Ok(Place::Native);
    }
    let kernel =
        Kernel::find(kernels::DEFAULT).context("the default kernel is not in the table")?;
    println!(
        "measuring in a guest with kernel {}: the running kernel cannot show all",
        kernel.name
    );
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    // The first paragraph says what matters, the others show it.
    let shown = |line: &&str| options.verbose || !line.trim().is_empty();
    for line in said.lines().take_while(shown) {
        println!("  {line}");
    }
    println!("  (--native measures here all the same)");
    Ok(Place::Guests(vec![kernel]))
}

impl Options {
    /// Whether a guest needs two devices that a wire joins.
    fn needs_wire(&self) -> bool {
        self.network.as_ref().is_some_and(|network| network.starts_with("virtio"))
    }

    /// The words about the workload, which `zcprof time` and `zcprof measure` share.
    fn workload(&self) -> Vec<String> {
        let mut words = vec!["--bytes".to_owned(), self.bytes.clone()];
        if self.transfer != ALL {
            words.extend(["--transfer".to_owned(), self.transfer.clone()]);
        }
        for (name, value) in
            [("--fetch-size", &self.fetch_size), ("--connections", &self.connections)]
        {
            if let Some(value) = value {
                words.extend([name.to_owned(), value.clone()]);
            }
        }
        if self.verbose {
            words.push("--verbose".to_owned());
        }
        words
    }

    /// The words of `zcprof measure`.
    fn measurement(&self) -> Vec<String> {
        let mut words = self.workload();
        let claims = self.claim.iter().map(|claim| ("--claim", claim));
        let single =
            [("--cache", &self.cache), ("--network", &self.network), ("--without", &self.without)];
        let single = single.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
        for (name, value) in claims.chain(single) {
            words.extend([name.to_owned(), value.clone()]);
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::Options;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: Options,
    }

    fn parse(words: &[&str]) -> Options {
        Cli::parse_from([&["run"], words].concat()).options
    }

    #[test]
    fn zcprofs_options_go_through() {
        let words = ["--claim", "a=b", "--claim", "c=d", "--without", "audit", "-v"];
        let options = parse(&[&words[..], &["--transfer", "all"]].concat());
        assert_eq!(options.workload(), ["--bytes", "64MiB", "--verbose"]);
        let wanted = "--bytes 64MiB --verbose --claim a=b --claim c=d --without audit";
        assert_eq!(options.measurement().join(" "), wanted);
        let options = parse(&["--transfer", "splice", "--bytes", "1MiB", "--cache", "cold"]);
        let wanted = "--bytes 1MiB --transfer splice --cache cold";
        assert_eq!(options.measurement().join(" "), wanted);
        let wanted = "--bytes 64MiB --transfer read_write,mmap_write,sendfile,splice";
        assert_eq!(parse(&[]).measurement().join(" "), wanted);
    }
}
