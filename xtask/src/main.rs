//! Sets up, builds, runs and tests zcprof.
//!
//! It drives cargo, apt and QEMU, and links none of the crates that it builds.

mod bench;
mod cache;
mod compile;
mod exit;
mod fuzz;
mod guest;
mod interrupt;
mod kernels;
mod libraries;
mod manifest;
mod matrix;
mod phases;
mod process;
mod progress;
mod reports;
mod run;
mod scratch;
mod setup;
mod test;
mod vm;
mod words;
mod zcprof;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::exit::Exit;

/// Sets up, builds, runs and tests zcprof.
///
/// Exit codes: 0 every claim holds; 1 a claim is refuted or a test failed; 2 wrong usage or a
/// run-time error; 3 inconclusive; 4 something is missing here (it says what and how to get it);
/// 130, 143 and 129 a signal ended it (SIGINT, SIGTERM, SIGHUP).
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(flatten)]
    consent: setup::consent::Options,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Find or install what the other commands need.
    Setup(setup::Options),
    /// Measure the copies per byte: on this kernel if it shows everything, else in a guest.
    Run(run::Options),
    /// Run the tests on this host, and the claims on Debian kernels in guests.
    Test(test::Options),
    /// Time the transfers, and nginx, on this host's kernel.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Feed the broker and the log opener with what a fuzzer finds.
    Fuzz(fuzz::Options),
    /// Run any command in a guest.
    Vm(guest::Options),
    /// Measure over kernels, file systems, CPUs and networks, and compare with what is known.
    Matrix(matrix::Options),
    /// Render the committed reports again from their records, or publish what was measured.
    Reports(reports::Options),
    /// Build zcprof and run it with these words: `cargo xtask zcprof explain ZC106`.
    Zcprof(zcprof::Options),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    setup::consent::say(cli.consent);
    let done = interrupt::install().and_then(|()| match cli.command {
        Command::Setup(options) => setup::command(&options),
        Command::Run(options) => run::command(&options),
        Command::Test(options) => test::command(&options),
        Command::Bench(bench) => bench::command(&bench),
        Command::Fuzz(options) => fuzz::command(&options),
        Command::Vm(options) => guest::command(&options),
        Command::Matrix(options) => matrix::command(&options),
        Command::Reports(options) => reports::command(&options),
        Command::Zcprof(options) => zcprof::command(&options),
    });
    let interrupted = interrupt::code().filter(|_| !matches!(done, Ok(Exit::Holds)));
    let exit = done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        Exit::of_error(&error)
    });
    interrupted.map_or_else(|| exit.into(), ExitCode::from)
}
