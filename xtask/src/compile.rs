//! Builds zcprof and its guest tests as static programs, which run in any guest.

use std::env;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::setup::Ready;
use crate::{process, tree};

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// A cargo command that can build the eBPF programs.
pub(crate) fn cargo(ready: &Ready) -> Result<Command> {
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(ready.linker.iter().cloned().chain(env::split_paths(&path)))
        .context("a folder in PATH has a colon in its name")?;
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(tree::root()).env("PATH", path);
    if ready.compiles_ebpf {
        command.env("ZCPROF_BPF_TOOLCHAIN", &ready.toolchain);
        if let Some(home) = &ready.rustup_home {
            command.env("ZCPROF_RUSTUP_HOME", home);
        }
    }
    // A signal that ends cargo must end the compilers too.
    command.process_group(0);
    // Set for the cargo inside the build script (see .cargo/config.toml); this one shows progress.
    command.env_remove("CARGO_TERM_QUIET");
    // aya-ebpf uses one unstable feature; this opens it for that crate alone.
    command.env("RUSTC_BOOTSTRAP", "aya_ebpf");
    Ok(command)
}

/// How much a build is optimised.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Optimised {
    /// As little as a newcomer should wait for: cargo's profile `quick`.
    Quickly,
    /// For what is timed.
    Fully,
}

impl Optimised {
    /// Cargo's profile, which is its folder's name too.
    const fn profile(self) -> &'static str {
        match self {
            Self::Quickly => "quick",
            Self::Fully => "release",
        }
    }
}

/// Builds zcprof; returns where it is. What is compiled the first time takes minutes, which is said.
pub(crate) fn zcprof(ready: &Ready, optimised: Optimised) -> Result<PathBuf> {
    let profile = optimised.profile();
    let folder =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| tree::root().join("target"), PathBuf::from);
    if !folder.join(TARGET).join(profile).join("zcprof").is_file() {
        let programs = if ready.compiles_ebpf { ", its eBPF programs" } else { "" };
        eprintln!(
            "building zcprof{programs} and the crates that it uses: minutes this time, seconds \
             from now on"
        );
    }
    let mut command = static_cargo(ready)?;
    command.args(["build", "--profile", profile, "--package", "zcprof", "--bin", "zcprof"]);
    artifact(&mut command, "zcprof")?.context("cargo built no zcprof")
}

/// Programs that are tested, and that test.
#[derive(Debug)]
pub(crate) struct Tested {
    /// zcprof, with what its tests' dependencies ask of its own ones (one feature of tokio).
    pub(crate) zcprof: PathBuf,
    /// The tests that run in guests.
    pub(crate) guest_tests: PathBuf,
    /// The eBPF programs.
    pub(crate) ebpf: PathBuf,
}

/// Builds zcprof and every test of zcprof's own crates, all at once, so that nothing is compiled
/// twice.
pub(crate) fn tested(ready: &Ready) -> Result<Tested> {
    let of_host = ["test", "--no-run", "--lib", "--bins", "--tests", MESSAGES];
    // Beside `--tests` cargo takes no test by name, and that leaves this one out (`test = false`).
    let of_guests = ["test", "--no-run", "--test=guest", MESSAGES];
    let of_host = reports(&mut on_our_crates(ready, &of_host)?, "the tests")?;
    let of_guests = reports(&mut on_our_crates(ready, &of_guests)?, "the guests' tests")?;
    let zcprof = find_artifact(&of_host, "zcprof", false).context("cargo built no zcprof")?;
    let guest_tests = find_artifact(&of_guests, "guest", true);
    let guest_tests = guest_tests.context("cargo built no guest tests")?;
    Ok(Tested { zcprof, guest_tests, ebpf: find_ebpf(&of_host).context(NO_EBPF)? })
}

const NO_EBPF: &str = "cargo says of no eBPF programs where they are";

/// Builds the eBPF programs, and the library around them; returns where they are.
pub(crate) fn ebpf(ready: &Ready) -> Result<PathBuf> {
    let mut command = static_cargo(ready)?;
    command.args(["build", "--release", "--package", "zcprof", "--lib"]);
    command.args(["--target", TARGET, MESSAGES]);
    find_ebpf(&reports(&mut command, "the eBPF programs")?).context(NO_EBPF)
}

/// Where the build script of zcprof put the eBPF programs.
fn find_ebpf(reports: &str) -> Option<PathBuf> {
    let is_zcprof = |id: &str| {
        let name = id.rsplit('/').next().unwrap_or_default();
        name.starts_with("zcprof#") || name.starts_with("zcprof@")
    };
    parsed(reports)
        .filter(|report| report["reason"] == "build-script-executed")
        .filter(|report| report["package_id"].as_str().is_some_and(is_zcprof))
        .find_map(|report| Some(PathBuf::from(report["out_dir"].as_str()?).join("zcprof")))
}

/// What makes the compiler count which edges of the code are taken and tell what is compared
/// there, as libFuzzer reads it. These are what cargo-fuzz passes; a stable compiler takes them.
const COVERAGE: &[&str] = &[
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// Builds a target of the fuzzer, which is a workspace of its own.
pub(crate) fn fuzz_target(ready: &Ready, name: &str) -> Result<PathBuf> {
    let mut command = cargo(ready)?;
    // Only for what is built for the target: build scripts have no counters to report to, and
    // aya-build sets the flags of the eBPF programs itself.
    command.env("RUSTFLAGS", COVERAGE.join(" "));
    command.args(["build", "--release", "--manifest-path", "fuzz/Cargo.toml", "--bin", name]);
    artifact(&mut command, name)?.with_context(|| format!("cargo built no {name}"))
}

/// Builds a program that tests watch, which is a workspace of its own.
pub(crate) fn watched(ready: &Ready, folder: &str, name: &str) -> Result<PathBuf> {
    let mut command = static_cargo(ready)?;
    let manifest = format!("{folder}/Cargo.toml");
    command.args(["build", "--release", "--locked", "--manifest-path", &manifest]);
    // Beside everything else that is built of this tree.
    command.args(["--target-dir", "target/watched", "--bin", name]);
    artifact(&mut command, name)?.with_context(|| format!("cargo built no {name}"))
}

/// A cargo command for what is linked statically, so that it runs in any guest.
fn static_cargo(ready: &Ready) -> Result<Command> {
    let mut command = cargo(ready)?;
    command.env("RUSTFLAGS", "-C target-feature=+crt-static");
    if let Some(commit) = commit() {
        command.env("ZCPROF_COMMIT", commit);
    }
    Ok(command)
}

/// What git calls this tree, for `zcprof --version`.
fn commit() -> Option<String> {
    let mut git = Command::new("git");
    git.current_dir(tree::root()).args(["describe", "--always", "--dirty", "--exclude=*"]);
    Some(process::output(&mut git).ok()?.trim().to_owned())
}

/// Runs a cargo verb on zcprof's own crates in the form in which they travel into guests, so
/// that everything is compiled once.
pub(crate) fn on_our_crates(ready: &Ready, words: &[&str]) -> Result<Command> {
    let mut command = static_cargo(ready)?;
    let (verb, rest) = words.split_first().context("a cargo command without a verb")?;
    if *verb == "clippy" {
        // It runs build scripts of its own, which would compile the eBPF programs once more, for
        // nothing that is linted.
        command.env_remove("ZCPROF_BPF_TOOLCHAIN");
    }
    // Installing nginx may start a server, so that tests use one that is there and want none.
    let nginx = process::find("nginx");
    let programs =
        [("ZCPROF_KCAT", &ready.kcat), ("ZCPROF_PYTHON", &ready.python), ("ZCPROF_NGINX", &nginx)];
    for (variable, client) in programs {
        if let Some(client) = client {
            command.env(variable, client);
        }
    }
    command.args([verb, "--profile", Optimised::Quickly.profile(), "--target", TARGET]);
    for package in ["zcprof", "zcprof-common", "zcprof-judge"] {
        command.args(["--package", package]);
    }
    command.args(rest);
    Ok(command)
}

/// Builds, and finds the program that the target `name` became in what cargo reports.
fn artifact(command: &mut Command, name: &str) -> Result<Option<PathBuf>> {
    command.args(["--target", TARGET, MESSAGES]);
    Ok(find_artifact(&reports(command, name)?, name, false))
}

/// Has cargo say what it made of what, a line of JSON each.
const MESSAGES: &str = "--message-format=json-render-diagnostics";

/// Builds, and returns what cargo reports.
fn reports(command: &mut Command, name: &str) -> Result<String> {
    let mut child = command.stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
    let stdout = child.stdout.take().context("cargo has no output")?;
    let reports = std::thread::spawn(move || std::io::read_to_string(stdout));
    let status = process::wait(child)?;
    let reports = reports.join().ok().context("reading what cargo said")??;
    if !status.success() {
        bail!("building {name} failed");
    }
    Ok(reports)
}

/// Each of cargo's reports; other lines are not.
fn parsed(reports: &str) -> impl DoubleEndedIterator<Item = Value> {
    reports.lines().filter_map(|line| serde_json::from_str(line).ok())
}

/// The program that a target became, or the test program.
fn find_artifact(reports: &str, name: &str, tests: bool) -> Option<PathBuf> {
    parsed(reports)
        .filter(|report| report["target"]["name"] == name && report["profile"]["test"] == tests)
        .filter_map(|report| report["executable"].as_str().map(PathBuf::from))
        .next_back()
}

#[cfg(test)]
mod tests {
    use super::{find_artifact, find_ebpf};

    #[test]
    fn the_programs_are_found_where_the_build_script_put_them() {
        let reports = r#"{"reason":"build-script-executed","package_id":"path+file:///w/zcprof-judge#0.1.0","out_dir":"/t/j"}
{"reason":"build-script-executed","package_id":"path+file:///w/zcprof#0.1.0","out_dir":"/t/z"}"#;
        assert_eq!(find_ebpf(reports), Some("/t/z/zcprof".into()));
        assert_eq!(find_ebpf("{}"), None);
    }

    #[test]
    fn the_executable_is_found_among_cargos_reports() {
        let reports = r#"{"reason":"compiler-artifact","target":{"name":"zcprof"},"executable":null}
not json
{"target":{"name":"zcprof"},"profile":{"test":false},"executable":"/t/zcprof"}
{"target":{"name":"zcprof"},"profile":{"test":true},"executable":"/t/zcprof-tests"}
{"target":{"name":"other"},"profile":{"test":false},"executable":"/t/other"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(find_artifact(reports, "zcprof", false), Some("/t/zcprof".into()));
        assert_eq!(find_artifact(reports, "zcprof", true), Some("/t/zcprof-tests".into()));
        assert_eq!(find_artifact(reports, "guest", true), None);
    }
}
