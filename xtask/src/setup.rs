//! `cargo xtask setup`: finds or installs what the other commands need.

mod clients;
pub(crate) mod consent;
mod found;
pub(crate) mod go;
mod install;
pub(crate) mod kafka;
mod needs;
mod plan;
mod toolchain;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};

use self::found::Found;
use self::needs::{NEEDS, Need, World};
use crate::cache::CacheFolder;
use crate::exit::{Exit, Unmet};
use crate::interrupt;
use crate::kernels::{self, GuestKernel};
use crate::prebuilt;
use crate::tree;
use crate::words;

/// Options of `setup`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Only list each need, the version found, and whether it suffices; exit 4 if one is missing.
    #[arg(long)]
    check: bool,
    /// Only print what would be installed, and what would not be removed afterwards.
    #[arg(long, conflicts_with = "check")]
    dry_run: bool,
    /// Command to set up for.
    #[arg(long = "for", value_enum, value_name = "COMMAND", default_value = "test")]
    purpose: Purpose,
    /// Fetch the kernels anew, even kernels that are there.
    #[arg(long, conflicts_with_all = ["check", "dry_run"])]
    refresh: bool,
    /// Kernels to have: names, or `all` for the kernels that the tests use (default: the kernels
    /// that the command needs).
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = words::kernel())]
    kernel: Vec<String>,
}

/// Which command to set up for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Purpose {
    /// `cargo xtask run`, in a guest if need be.
    Run,
    /// `cargo xtask test`, with foreign clients and other file systems.
    Test,
    /// `cargo xtask bench`, with nginx.
    Bench,
}

impl Purpose {
    /// What that command wants, with these kernels or its own.
    fn wants(self, kernels: &[String]) -> Result<Wants> {
        let own = match self {
            Self::Run => kernels::DEFAULT,
            Self::Test => words::ALL,
            Self::Bench => return Ok(Wants { build: true, nginx: true, ..Wants::default() }),
        };
        let own = [own.to_owned()];
        let kernels = kernels::choose(if kernels.is_empty() { &own } else { kernels })?;
        let test = self == Self::Test;
        let wants = Wants { build: true, guests: true, kernels, ..Wants::default() };
        Ok(Wants { ebpf: test, clients: test, matrix: test, ..wants })
    }
}

/// What a command is about to do.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a part of the table of needs")]
pub(crate) struct Wants {
    /// Build zcprof.
    pub(crate) build: bool,
    /// Compile its eBPF programs in any case, and not only if the prebuilt ones are of other sources.
    pub(crate) ebpf: bool,
    /// Boot guests.
    pub(crate) guests: bool,
    /// Let foreign Kafka clients read.
    pub(crate) clients: bool,
    /// Time nginx beside the transfers.
    pub(crate) nginx: bool,
    /// Give guests other file systems and networks.
    pub(crate) matrix: bool,
    /// With these kernels.
    pub(crate) kernels: Vec<&'static GuestKernel>,
}

impl Wants {
    /// The same, with the eBPF programs compiled if the prebuilt ones are of other sources. This reads and
    /// hashes all of them.
    fn resolved(&self) -> Self {
        let ebpf = self.build && (self.ebpf || prebuilt::in_step(&tree::root()).is_err());
        Self { ebpf, ..self.clone() }
    }
}

/// What setup found that later steps must know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ready {
    /// Whether the eBPF programs are compiled, and not taken as they lie in the repository.
    pub(crate) compiles_ebpf: bool,
    /// What builds for BPF: the compiler's and the linker's versions.
    pub(crate) compiler: String,
    /// The rustup name of the toolchain that builds for BPF.
    pub(crate) toolchain: String,
    /// The folder of rustup's that has it, if that is not the user's own.
    pub(crate) rustup_home: Option<PathBuf>,
    /// The folder of the bpf-linker that suits it, unless that is in PATH.
    pub(crate) linker: Option<PathBuf>,
    /// A foreign client, if it is there.
    pub(crate) kcat: Option<PathBuf>,
    /// A Python that has two more, if it is there.
    pub(crate) python: Option<PathBuf>,
}

/// What the need of Kafka's clients for Python is called.
const CLIENTS: &str = "Kafka clients (Python)";

/// Does `cargo xtask setup`.
pub(crate) fn command(options: &Options) -> Result<Exit> {
    let cache = CacheFolder::open()?;
    let wants = options.purpose.wants(&options.kernel)?.resolved();
    if options.dry_run {
        let missing = unmet(&wants, &World::look(&cache, true));
        let steps = install::plan(&missing);
        let nothing = "nothing is missing\n".to_owned();
        let text = if steps.is_empty() { nothing } else { plan::text(&steps, &cache.name()) };
        print!("{text}");
        return Ok(Exit::Holds);
    }
    if options.check {
        let world = World::look(&cache, true);
        let mut all = true;
        for (need, found) in findings(&wants, &world) {
            all &= matches!(found, Found::Ready(_));
            println!("{}", row(&need.name(), &need.least(), &found));
        }
        return Ok(if all { Exit::Holds } else { Exit::Missing });
    }
    if options.refresh {
        let _lock = cache.lock()?;
        for kernel in &wants.kernels {
            if let Err(error) = install::fetch_kernel(&cache, kernel) {
                interrupt::check()?;
                // The one in the cache, if there is one, stays and is looked at below.
                eprintln!("setup: {error:#}");
            }
        }
    }
    prepare(&cache, &wants, true)?;
    for (need, found) in findings(&wants, &World::look(&cache, false)) {
        println!("{}", row(&need.name(), &need.least(), &found));
    }
    Ok(Exit::Holds)
}

/// Makes sure of everything that `wants` names. Silent if nothing is missing.
pub(crate) fn ensure(cache: &CacheFolder, wants: &Wants) -> Result<Ready> {
    prepare(cache, &wants.resolved(), false)
}

fn prepare(cache: &CacheFolder, wants: &Wants, all_bytes: bool) -> Result<Ready> {
    let world = World::look(cache, all_bytes);
    let missing = unmet(wants, &world);
    if missing.is_empty() {
        return Ok(world.ready(wants.ebpf));
    }
    let _lock = cache.lock()?;
    // Another clone may have met them while this one waited.
    let missing = unmet(wants, &World::look(cache, all_bytes));
    for (need, found) in &missing {
        eprintln!("setup: {}: {found}", need.name());
    }
    plan::agree(&install::plan(&missing), &cache.name(), consent::said())?;
    install::install(cache, &missing)?;
    let world = World::look(cache, all_bytes);
    let missing = unmet(wants, &world);
    if missing.is_empty() {
        return Ok(world.ready(wants.ebpf));
    }
    let remedies: Vec<String> = missing
        .iter()
        .map(|(need, found)| format!("\n  {}: {found}\n    get it: {}", need.name(), need.remedy()))
        .collect();
    Err(Unmet(format!("still missing:{}", remedies.concat())).into())
}

/// The needs of a command: rows of the table, and one for each kernel.
fn findings(wants: &Wants, world: &World) -> Vec<(Need, Found)> {
    let rows = NEEDS.iter().filter(|tool| tool.needed_for.is_wanted(wants)).map(Need::Tool);
    let kernels = wants.kernels.iter().filter(|_| wants.guests).map(|kernel| Need::Kernel(kernel));
    rows.chain(kernels).map(|need| (need, need.look(world))).collect()
}

fn unmet(wants: &Wants, world: &World) -> Vec<(Need, Found)> {
    let mut all = findings(wants, world);
    all.retain(|(_, found)| !matches!(found, Found::Ready(_)));
    all
}

fn row(name: &str, least: &str, found: &Found) -> String {
    format!("{name:<24} {least:<16} {found}")
}
