//! Sets up, builds, runs and tests zcprof.
//!
//! It drives cargo, apt and QEMU. Of the crates that it builds, it links only zcprof-common.

mod bench;
mod cache;
mod compile;
mod docs;
mod ebpf;
mod exit;
mod fuzz;
mod guest;
mod interrupt;
mod kernels;
mod libraries;
mod manifest;
mod matrix;
mod phases;
#[path = "../../zcprof/build/prebuilt.rs"]
mod prebuilt;
mod process;
mod programs;
mod progress;
mod reports;
mod run;
mod scratch;
mod setup;
mod test;
mod tree;
mod vm;
mod words;
mod zcprof;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::exit::Exit;

/// Sets up, builds, runs and tests zcprof.
///
/// Exit codes: 0 every claim holds; 1 a claim is refuted or a test failed; 2 wrong usage or a
/// run-time error; 3 inconclusive; 4 something is missing here (the message says what, and how to
/// get it); 130, 143 and 129 a signal ended the command (SIGINT, SIGTERM, SIGHUP).
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
    /// Measure the copies per byte: on this kernel if it shows every copy, else in a guest.
    Run(run::Options),
    /// Run the tests on this host, and the claims on Debian kernels in guests.
    Test(test::Options),
    /// Time the transfers and nginx, or what watching costs.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Feed the broker, the log opener and the judge with what a fuzzer finds.
    Fuzz(fuzz::Options),
    /// Run any command in a guest.
    Vm(guest::Options),
    /// Measure over kernels, file systems, CPUs and networks, and compare with what is known
    /// beforehand.
    Matrix(matrix::Options),
    /// Render the committed reports again from their records, or publish what was measured.
    Reports(reports::Options),
    /// Compare the prebuilt eBPF programs with their sources, or compile them anew.
    Ebpf(ebpf::Options),
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
        Command::Ebpf(options) => ebpf::command(&options),
        Command::Zcprof(options) => zcprof::command(&options),
    });
    interrupt::say();
    // Even if all was done when it came: the sender was told that this stops.
    let interrupted = interrupt::code();
    let exit = done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        Exit::of_error(&error)
    });
    interrupted.map_or_else(|| exit.into(), ExitCode::from)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::Cli;

    /// Wrong words, and what the answer must have: each is refused while it is parsed, so that
    /// nothing was installed, fetched, built or written.
    const CASES: &[(&str, &[&str])] = &[
        ("", &["Usage"]),
        ("matrx", &["matrix", "similar"]),
        ("run --nope", &["--nope"]),
        ("run --transfer sendfil", &["similar", "sendfile"]),
        ("run --transfer", &["--transfer"]),
        ("run --kernel jessie", &["bookworm", "trixie", "all"]),
        ("run --kernel trixe", &["similar", "trixie"]),
        ("run --native --kernel trixie", &["--native", "--kernel"]),
        ("run --bytes lots", &["64MiB"]),
        ("run --bytes 0", &["above zero"]),
        ("run --fetch-size 1MX", &["64MiB"]),
        ("run --connections 0", &["1.."]),
        ("run --connections many", &["--connections"]),
        ("run --network veth-nosg", &["similar", "veth-no-sg"]),
        ("run --cache tepid", &["warm", "cold"]),
        ("run --claim sendfile", &["TRANSFER=CLAIM"]),
        ("run --claim sendfile=fast", &["zero-copy"]),
        ("run --without luck", &["audit", "callers"]),
        ("run --yes --no-install", &["--yes", "--no-install"]),
        ("matrix --cpus 0", &["--cpus", "1..=64"]),
        ("matrix --cpus 65", &["1..=64"]),
        ("matrix --file-system ntfs", &["ext4"]),
        ("matrix --network avian", &["virtio"]),
        ("matrix --transfer teleport", &["sendfile"]),
        ("matrix --daily --kernel trixie", &["--daily"]),
        ("matrix --bytes x", &["64MiB"]),
        ("bench", &["fetch"]),
        ("bench fetch --nope", &["--nope"]),
        ("bench fetch --rounds 0", &["1.."]),
        ("bench fetch --consumer telepathy", &["discard"]),
        ("bench fetch --placement here", &["apart", "free"]),
        ("bench watch --rounds 0", &["1.."]),
        ("bench watch --kernel jessie", &["bookworm"]),
        ("bench watch --fetch-sizes x", &["64MiB"]),
        ("setup --for moon", &["run", "test", "bench"]),
        ("setup --check --dry-run", &["--check", "--dry-run"]),
        ("setup --kernel jessie", &["bookworm"]),
        ("test --kernel jessie", &["bookworm"]),
        ("test --bytes x", &["64MiB"]),
        ("test --quick --kernel trixie", &["--quick"]),
        ("vm --smp 0 -- true", &["1..=64"]),
        ("vm --kernel trixie", &["COMMAND"]),
        ("vm --disk 0 -- true", &["1..=1024"]),
        ("vm --file nowhere -- true", &["HERE:THERE"]),
        ("reports --check --publish", &["--check", "--publish"]),
        ("reports --from x", &["--publish"]),
    ];

    #[test]
    fn wrong_words_are_answered_with_the_right_ones() {
        for (typed, words) in CASES {
            let all = ["cargo xtask"].into_iter().chain(typed.split_whitespace());
            let error = Cli::try_parse_from(all).err().unwrap_or_else(|| panic!("{typed}: taken"));
            let said = error.to_string();
            assert!(words.iter().all(|word| said.contains(word)), "{typed}: {said}");
            assert!(typed.is_empty() || error.exit_code() == 2, "{typed}: {said}");
        }
    }

    #[test]
    fn right_words_are_taken() {
        for typed in [
            "run",
            "run --kernel all --transfer all -vv --yes",
            "run --transfer sendfile,wrapped_sendfile --claim sendfile=zero-copy",
            "matrix --kernel trixie --file-system xfs --bytes 8MiB --cpus 1,4",
            "setup --check --for run --kernel trixie,bookworm",
            "zcprof report -v measured/trixie --print",
            "vm --smp 2 --kernel trixie -- sh -c true",
            "reports --publish",
        ] {
            let all = ["cargo xtask"].into_iter().chain(typed.split_whitespace());
            let taken = Cli::try_parse_from(all);
            assert!(taken.is_ok(), "{typed}: {:?}", taken.err().map(|error| error.to_string()));
        }
    }
}
