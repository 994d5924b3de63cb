//! `cargo xtask run`: sets up, builds, measures here or in a guest, brings the reports back.
//! What was typed is checked whole before any of that.

mod measure;
pub(crate) mod publish;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::cache::CacheFolder;
use crate::compile::{self, Optimised};
use crate::exit::Exit;
use crate::interrupt;
use crate::kernels::{self, GuestKernel};
use crate::phases::Phases;
use crate::setup::{self, Ready, Wants};
use crate::words;

/// The four classic transfers.
const CLASSICS: &str = "read_write,mmap_write,sendfile,splice";

/// Where reports go unless another folder is named; git ignores it.
pub(crate) const MEASURED: &str = "measured";

/// Options of `run`. Those that are not about where to measure are zcprof's own and go to it as
/// they are.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option that is given or not")]
pub(crate) struct Options {
    /// Measure on the running kernel, even if it does not show every copy.
    #[arg(long, conflicts_with = "kernel")]
    native: bool,
    /// Measure in a guest with this kernel; `all` for each tested one in turn.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = words::kernel())]
    kernel: Vec<String>,
    /// Transfers, comma-separated, or `all`, which takes minutes under emulation.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = words::transfer(),
          default_value = CLASSICS)]
    transfer: Vec<String>,
    /// Payload of each pass.
    #[arg(long, value_name = "SIZE", value_parser = words::size, default_value = "64MiB")]
    bytes: String,
    /// Most record bytes in one fetch.
    #[arg(long, value_name = "SIZE", value_parser = words::size)]
    fetch_size: Option<String>,
    /// Connections fetching at once.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    connections: Option<u32>,
    /// The network between server and consumer.
    #[arg(long, value_name = "NAME", value_parser = words::network())]
    network: Option<String>,
    /// State of the page cache when a pass begins.
    #[arg(long, value_name = "STATE", value_parser = words::cache())]
    cache: Option<String>,
    /// Rounds of timing each transfer with the probes and without, 1 by default in a guest and 3 here.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// Judge a transfer by another claim, as TRANSFER=CLAIM.
    #[arg(long, value_name = "T=C", value_parser = words::claim)]
    claim: Vec<String>,
    /// Withhold instruments, comma-separated.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = words::instrument())]
    without: Vec<String>,
    /// Keep the stacks of copies: who copied, in zcprof and in the kernel (flamegraph.svg).
    #[arg(long)]
    stacks: bool,
    /// Folder of the reports, with a folder for each kernel.
    #[arg(long, value_name = "DIR", default_value = MEASURED)]
    out: PathBuf,
    /// Print every column of the table.
    #[arg(long)]
    wide: bool,
    /// Keep the guest's work folder: initramfs, disk images, logs.
    #[arg(long)]
    keep: bool,
    /// Say more: every number, its evidence, and how long each phase took.
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
}

/// Does `cargo xtask run`.
pub(crate) fn command(options: &Options) -> Result<Exit> {
    words::agree(&options.transfer, &options.claim)?;
    words::room(&options.bytes)?;
    let cache = CacheFolder::open()?;
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
    let program = phases.time("build", || compile::zcprof(&ready, Optimised::Quickly))?;
    if !measure::understands(options, &program)? {
        return Ok(Exit::Error);
    }
    let place = choose(options, named, &program)?;
    let Environment::Guests(kernels) = place else {
        return measure::native(options, &program, &mut phases);
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
        phases = Phases::start();
        worst = worst.max(exit);
    }
    Ok(worst)
}

/// Where to measure.
enum Environment {
    Native,
    Guests(Vec<&'static GuestKernel>),
}

/// Chooses, and says why.
fn choose(
    options: &Options,
    named: Vec<&'static GuestKernel>,
    program: &Path,
) -> Result<Environment> {
    if options.native {
        eprintln!("measuring on the running kernel: --native");
        return Ok(Environment::Native);
    }
    if !named.is_empty() {
        return Ok(Environment::Guests(named));
    }
    let output = Command::new(program).arg("doctor").output().context("starting zcprof doctor")?;
    if output.status.success() {
        eprintln!("measuring on the running kernel: zcprof doctor says that it shows everything");
        return Ok(Environment::Native);
    }
    let kernel =
        GuestKernel::find(kernels::DEFAULT).context("the default kernel is not in the table")?;
    eprintln!(
        "measuring in a guest with kernel {}, because the running kernel cannot show every copy \
         (cargo xtask zcprof doctor says why; --native measures here all the same)",
        kernel.name
    );
    if options.verbose > 0 {
        let said = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&said).lines().for_each(|line| eprintln!("  {line}"));
    }
    Ok(Environment::Guests(vec![kernel]))
}

impl Options {
    /// Whether a guest needs two devices that a wire joins.
    fn needs_wire(&self) -> bool {
        self.network.as_ref().is_some_and(|network| network.starts_with("virtio"))
    }

    /// The words about the workload, which `zcprof time` and `zcprof measure` share.
    fn workload(&self) -> Vec<String> {
        let mut words = vec!["--bytes".to_owned(), self.bytes.clone()];
        if self.transfer != [words::ALL] {
            words.extend(["--transfer".to_owned(), self.transfer.join(",")]);
        }
        let connections = self.connections.map(|connections| connections.to_string());
        for (name, value) in [("--fetch-size", &self.fetch_size), ("--connections", &connections)] {
            if let Some(value) = value {
                words.extend([name.to_owned(), value.clone()]);
            }
        }
        words.extend((0..self.verbose).map(|_| "--verbose".to_owned()));
        words
    }

    /// The words of `zcprof measure`.
    fn measurement(&self) -> Vec<String> {
        let mut words = self.workload();
        let claims = self.claim.iter().map(|claim| ("--claim", claim));
        let without = Some(self.without.join(",")).filter(|names| !names.is_empty());
        let rounds = self.rounds.map(|rounds| rounds.to_string());
        let single = [
            ("--cache", &self.cache),
            ("--network", &self.network),
            ("--without", &without),
            ("--rounds", &rounds),
        ];
        let single = single.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
        for (name, value) in claims.chain(single) {
            words.extend([name.to_owned(), value.clone()]);
        }
        words.extend(self.stacks.then(|| "--stacks".to_owned()));
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
    fn what_zcprof_would_refuse_is_refused_before_it_is_built() {
        for (words, answer) in [
            (&["--transfer", "sendfil"][..], "sendfile"),
            (&["--network", "veth-nosg"], "veth-no-sg"),
            (&["--cache", "lukewarm"], "warm"),
            (&["--without", "luck"], "callers"),
            (&["--bytes", "lots"], "64MiB"),
            (&["--connections", "0"], "1.."),
            (&["--claim", "sendfile=fast"], "zero-copy"),
            (&["--kernel", "jessie"], "bookworm"),
            (&["--nope"], "--nope"),
        ] {
            let said = Cli::try_parse_from([&["run"], words].concat()).err();
            let said = said.map(|error| error.to_string()).unwrap_or_default();
            assert!(said.starts_with("error: ") && said.contains(answer), "{words:?}: {said}");
        }
    }

    #[test]
    fn zcprofs_options_go_through() {
        let words = ["--claim", "tls=replica", "--claim", "splice=one-copy"];
        let words = [&words[..], &["--without", "audit", "--stacks", "-v"]].concat();
        let options = parse(&[&words[..], &["--transfer", "all"]].concat());
        assert_eq!(options.workload(), ["--bytes", "64MiB", "--verbose"]);
        let wanted = "--bytes 64MiB --verbose --claim tls=replica --claim splice=one-copy \
                      --without audit --stacks";
        assert_eq!(options.measurement().join(" "), wanted);
        let options = parse(&["--transfer", "splice", "--bytes", "1MiB", "--cache", "cold"]);
        let wanted = "--bytes 1MiB --transfer splice --cache cold";
        assert_eq!(options.measurement().join(" "), wanted);
        let wanted = "--bytes 64MiB --transfer read_write,mmap_write,sendfile,splice";
        assert_eq!(parse(&[]).measurement().join(" "), wanted);
    }
}
