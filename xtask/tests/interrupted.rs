//! Signals while setup works: a package manager is let finish, however often somebody presses Ctrl-C,
//! and nothing begins after it. What is installed here is a script's idea.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
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
