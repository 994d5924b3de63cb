//! Signals while setup works: a package manager is let finish, however often somebody presses Ctrl-C,
//! and nothing begins after it. What is installed here is a script's idea.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};

/// Stands for apt-get: it says when it begins to install, takes a while, and says that it has ended.
const APT: &str = r#"#!/bin/sh
case "$*" in *install*)
    : > "$STUB/installing"; /bin/sleep 2; : > "$STUB/installed";;
esac
"#;

fn script(path: &Path, text: &str) {
    fs::write(path, text).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("executable");
}

#[test]
fn a_package_manager_is_let_finish_and_nothing_follows() {
    if !geteuid().is_root() {
        return; // nothing would be installed, and the commands printed instead
    }
    let folder = tempfile::tempdir().expect("a folder");
    let stub = folder.path();
    script(&stub.join("apt-get"), APT);
    script(&stub.join("apt-cache"), "#!/bin/sh\necho Candidate: 1\n");
    let child = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["setup", "--for", "run", "--yes"])
        .env("PATH", stub)
        .env("STUB", stub)
        .env("ZCPROF_CACHE", stub.join("cache"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("xtask starts");
    let start = Instant::now();
    while !stub.join("installing").exists() {
        assert!(start.elapsed() < Duration::from_mins(1), "it installs nothing");
        std::thread::sleep(Duration::from_millis(10));
    }
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("an id"));
    for _ in 0..3 {
        kill(pid, Signal::SIGINT).expect("it runs");
        std::thread::sleep(Duration::from_millis(300));
    }
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(stub.join("installed").exists(), "it was not let finish: {said}");
    for words in ["SIGINT: stopping", "letting apt-get finish", "apt-get install"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!said.contains("building bpf-linker ..."), "something followed: {said}");
}

/// Commands that are interrupted at random, with the longest time that is waited before; `LOG` is a folder
/// of their own. What each needs is set up and built already.
const COMMANDS: &[(&[&str], u64)] = &[
    (&["run", "--no-install", "--bytes", "16MiB", "--out", "LOG"], 60),
    (&["bench", "fetch", "--no-install", "--bytes", "64MiB", "--out", "LOG"], 30),
    (&["zcprof", "make-log", "LOG/log", "--topic", "t", "--records", "4000000"], 8),
    (&["setup", "--for", "run", "--no-install"], 3),
];

/// Variable by which a command's processes are known, even those that its children start.
const MARK: &str = "ZCPROF_INTERRUPTED";

/// Where logs are made that nobody named a place for.
const LOGS: &str = "/var/tmp";

/// Processes that have the mark in their environment.
fn marked(mark: &str) -> Vec<String> {
    let wanted = format!("{MARK}={mark}");
    let processes = fs::read_dir("/proc").expect("readable").filter_map(Result::ok);
    let has = |path: &Path| {
        let said = fs::read(path.join("environ")).unwrap_or_default();
        said.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
    };
    let found = processes.map(|item| item.path()).filter(|path| has(path));
    found.map(|path| fs::read_to_string(path.join("comm")).unwrap_or_default()).collect()
}

/// Folders in /var/tmp that nobody holds, and files in the folder for temporary ones.
fn leftovers(before: &BTreeSet<PathBuf>, temporary: &Path) -> Vec<PathBuf> {
    let abandoned = |path: &PathBuf| {
        !before.contains(path) && fs::File::open(path).is_ok_and(|file| file.try_lock().is_ok())
    };
    let logs = logs().into_iter().filter(abandoned);
    let others = fs::read_dir(temporary).expect("readable").filter_map(Result::ok);
    logs.chain(others.map(|item| item.path())).collect()
}

fn logs() -> BTreeSet<PathBuf> {
    let items = fs::read_dir(LOGS).expect("readable").filter_map(Result::ok);
    let ours = items.filter(|item| item.file_name().to_string_lossy().starts_with("zcprof"));
    ours.map(|item| item.path()).collect()
}

/// What the kernel has mounted below a folder.
fn mounts(below: &Path) -> usize {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("readable");
    mounts.lines().filter(|line| line.contains(below.to_str().expect("text"))).count()
}

/// Twenty times a command is interrupted at a random moment: it says so within a second, ends by itself
/// with the signal's exit code, and leaves no process, mount or file. One that has ended before is no
/// failure, and is counted.
#[test]
#[ignore = "it needs what the commands need, and takes minutes"]
fn at_any_moment_a_signal_ends_everything() {
    let seed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time");
    let mut random = u64::try_from(seed.as_nanos() & u128::from(u64::MAX)).expect("64 bits") | 1;
    let mut next = move || {
        // Marsaglia's xorshift; which moments it finds is printed.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let mut ended_before = 0;
    for number in 0..20 {
        let (words, longest) = COMMANDS[number % COMMANDS.len()];
        let delay = Duration::from_millis(next() % (longest * 1000));
        let folder = tempfile::tempdir_in(LOGS).expect("a folder");
        let temporary = tempfile::tempdir_in(LOGS).expect("a folder");
        let place = folder.path().to_str().expect("text");
        let words: Vec<_> = words.iter().map(|word| word.replace("LOG", place)).collect();
        let mark = format!("{}-{number}", std::process::id());
        let before = logs();
        let mut child = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(&words)
            .env(MARK, &mark)
            .env("TMPDIR", temporary.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("xtask starts");
        let errors = BufReader::new(child.stderr.take().expect("a pipe"));
        let said = std::thread::spawn(move || {
            let stamped = |line: std::io::Result<String>| (Instant::now(), line.expect("text"));
            errors.lines().map(stamped).collect::<Vec<_>>()
        });
        std::thread::sleep(delay);
        let early = child.try_wait().expect("a child").is_some();
        let sent = Instant::now();
        if !early {
            kill(Pid::from_raw(i32::try_from(child.id()).expect("an id")), Signal::SIGINT).ok();
        }
        let status = child.wait().expect("it ends");
        let took = sent.elapsed();
        let said = said.join().expect("read");
        let told = said.iter().find(|(_, line)| line.contains("SIGINT")).map(|(at, _)| *at - sent);
        println!("{number:>2} {words:?} after {delay:?}: {status}, said {told:?}, ended {took:?}");
        if early {
            ended_before += 1;
        } else {
            let last: Vec<_> = said.iter().rev().take(9).rev().map(|(_, line)| line).collect();
            assert_eq!(status.code(), Some(130), "{words:?} after {delay:?}: {last:#?}");
            let told = told.unwrap_or_else(|| panic!("{words:?}: no word of it: {last:#?}"));
            assert!(told < Duration::from_secs(1), "{words:?}: said after {told:?}");
            assert!(took < Duration::from_secs(15), "{words:?}: ended after {took:?}: {last:#?}");
        }
        assert_eq!(marked(&mark), [""; 0], "{words:?} after {delay:?} left processes");
        let left = leftovers(&before, temporary.path());
        assert!(left.is_empty(), "{words:?} after {delay:?} left {left:?}");
        assert_eq!(mounts(folder.path()) + mounts(temporary.path()), 0, "{words:?} left a mount");
        let audit = Command::new("dpkg").arg("--audit").output();
        assert!(audit.is_ok_and(|said| said.stdout.is_empty()), "dpkg is not whole");
    }
    println!("{ended_before} of 20 had ended before the signal");
    assert!(ended_before < 15, "hardly any was interrupted");
}
