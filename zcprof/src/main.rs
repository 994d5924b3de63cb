//! What was typed is done, and one place decides how the process ends.

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};
use zcprof::cli::Cli;
use zcprof::verdict::Exit;
use zcprof::{commands, measure, terminal};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The commit that it was built from, if the build said so.
const COMMIT: Option<&str> = option_env!("ZCPROF_COMMIT");

/// Who compiled the eBPF programs, and whether that was for this build.
const EBPF: &str = env!("ZCPROF_BPF_BUILT_BY");

fn main() -> ExitCode {
    let (version, commit) = (env!("CARGO_PKG_VERSION"), COMMIT.unwrap_or("commit unknown"));
    let version = format!("{version} ({commit})\neBPF programs: {EBPF}");
    let matches = Cli::command().version(version.leak() as &str).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let level = match cli.verbose {
        0 => log::LevelFilter::Warn,
        1 => log::LevelFilter::Debug,
        _ => log::LevelFilter::Trace,
    };
    env_logger::Builder::new()
        .filter_level(log::LevelFilter::Warn)
        .filter_module("zcprof", level)
        .format_timestamp(None)
        .target(env_logger::Target::Pipe(Box::new(terminal::Messages)))
        .init();
    let ended = commands::run(&cli);
    terminal::clear();
    let failed = ended.as_ref().err().map(|error| eprintln!("error: {error:#}")).is_some();
    match (measure::interrupt::code().filter(|_| failed), ended) {
        (Some(code), _) => code.into(),
        (None, ended) => ended.unwrap_or_else(|_| Exit::Error.into()),
    }
}
