//! How a window ends: what its end does to the command and to what the command has left behind, what a
//! signal does, and whose the reports are.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Child;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::super::{code, folder, text, wait_until, zcprof};
use super::{record, recorded, watch};

/// A number that a script wrote into a file.
fn number(file: &Path) -> i32 {
    let written = || fs::read_to_string(file).ok().filter(|text| text.ends_with('\n'));
    wait_until("a number is written", || written().is_some());
    written().expect("a number").trim().parse().expect("a number")
}

/// Whether that process lives, and sleeps so long.
fn sleeps(pid: i32, seconds: &str) -> bool {
    let line = fs::read_to_string(format!("/proc/{pid}/cmdline"));
    line.is_ok_and(|line| line.split('\0').any(|word| word == seconds))
}

#[test]
fn a_command_that_the_window_ends_is_no_failure() {
    let out = folder("ended-by-the-window");
    let words = ["--out", &out.display().to_string(), "--while", "true", "--", "sleep", "100000"];
    let output = watch(&words);
    assert_eq!(code(&output), 0, "{}", text(&output));
    let command = recorded(&out, &output).command.expect("a command");
    assert_eq!((command.status, command.ended_by_us), (Some(128 + 15), true));
    // One that has ended by itself by then has its own code.
    let output = watch(&["--while", "sleep 3", "--", "sh", "-c", "exit 7"]);
    assert_eq!(code(&output), 7, "{}", text(&output));
}

#[test]
fn a_daemon_of_the_command_ends_with_the_window_and_one_of_the_load_does_not() {
    let folder = folder("daemons");
    let [daemon, left, zombies] = ["daemon", "left", "zombies"].map(|name| folder.join(name));
    // Its own process ends at once, and so do ten orphans, which zcprof inherits.
    let command = format!(
        "for i in 0 1 2 3 4 5 6 7 8 9; do (sleep 1 &); done; \
         sleep 100001 > /dev/null 2>&1 & echo $! > {}; exit 7",
        daemon.display()
    );
    let load = format!(
        "sleep 100002 > /dev/null 2>&1 & echo $! > {left}; sleep 3; \
         of_it() {{ grep -l \"^PPid:.$PPID$\" /proc/[0-9]*/status | xargs grep '^State:.Z'; }}; \
         for i in 0 1 2 3 4 5 6 7 8 9; do of_it > /dev/null || break; sleep 1; done; \
         of_it > {zombies} 2> /dev/null; test -s {daemon}",
        left = left.display(),
        zombies = zombies.display(),
        daemon = daemon.display()
    );
    let output = watch(&["--while", &load, "--", "sh", "-c", &command]);
    assert_eq!(code(&output), 7, "{}", text(&output));
    let [daemon, left] = [daemon, left].map(|file| number(&file));
    assert!(!sleeps(daemon, "100001"), "the daemon has outlived the window");
    assert!(sleeps(left, "100002"), "what the load has left is not the command's");
    kill(Pid::from_raw(left), Signal::SIGKILL).expect("it runs");
    assert_eq!(fs::read_to_string(zombies).expect("written"), "", "nobody waited for orphans");
}

/// A command that takes its time to end, and says so; its folder, and zcprof, which watches it.
fn slow_to_end(name: &str) -> (std::path::PathBuf, Child) {
    let out = folder(name);
    let script = "trap 'echo 1 > $0/asked; sleep 8; echo 1 > $0/ended; exit' TERM; \
                  echo 1 > $0/runs; while :; do sleep 1; done";
    let folder = out.display().to_string();
    let words = ["watch", "--out", &folder, "--", "sh", "-c", script, &folder];
    let watching = zcprof(&words).spawn().expect("zcprof starts");
    number(&out.join("runs"));
    (out, watching)
}

fn send(watching: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(watching.id()).expect("a pid")), signal).expect("it runs");
}

#[test]
fn a_signal_ends_the_window_and_the_report_is_written() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let (out, mut watching) = slow_to_end("one-signal");
        send(&watching, signal);
        assert_eq!(watching.wait().expect("waited for").code(), Some(0));
        assert!(out.join("watch.json").exists() && out.join("ended").exists());
    }
}

/// The key ends the command too.
#[test]
fn a_key_that_ends_the_window_is_no_failure_of_the_command() {
    let out = folder("by-key");
    let script = "echo 1 > $0/runs; exec sleep 100000";
    let folder = out.display().to_string();
    let mut zcprof = zcprof(&["watch", "--out", &folder, "--", "sh", "-c", script, &folder]);
    let mut watching = zcprof.process_group(0).spawn().expect("zcprof starts");
    number(&out.join("runs"));
    let group = Pid::from_raw(i32::try_from(watching.id()).expect("a pid"));
    nix::sys::signal::killpg(group, Signal::SIGINT).expect("it runs");
    assert_eq!(watching.wait().expect("waited for").code(), Some(0));
    assert!(record(out).command.expect("a command").ended_by_us);
}

#[test]
fn a_second_signal_waits_for_nobody() {
    let (out, mut watching) = slow_to_end("two-signals");
    send(&watching, Signal::SIGINT);
    number(&out.join("asked"));
    send(&watching, Signal::SIGTERM);
    assert_eq!(watching.wait().expect("waited for").code(), Some(128 + 15));
    assert!(!out.join("watch.json").exists(), "it was aborted");
    assert!(!out.join("ended").exists(), "zcprof waited for the command");
}

#[test]
fn reports_and_the_command_are_of_the_user_who_called_sudo() {
    const USER: (u32, u32) = (1234, 1235);
    let owner = |path: &Path| {
        let found = fs::symlink_metadata(path).expect("there");
        (found.uid(), found.gid())
    };
    let (foreign, home) = (folder("foreign"), folder("home"));
    fs::set_permissions(&home, fs::Permissions::from_mode(0o777)).expect("root may");
    let (out, said) = (foreign.join("new/inner"), home.join("said"));
    let script = "(id -u; id -g; id -G; env | grep -c ^SUDO_) > $0";
    let watched = || {
        let mut zcprof = zcprof(&["watch", "--out"]);
        zcprof.arg(&out).args(["--", "sh", "-c", script]).arg(&said);
        zcprof.env("SUDO_UID", "1234").env("SUDO_GID", "1235").env("SUDO_USER", "nobody-here");
        let output = zcprof.output().expect("zcprof starts");
        recorded(&out, &output);
    };
    watched();
    assert_eq!(fs::read_to_string(&said).expect("written"), "1234\n1235\n1235\n0\n");
    let made = fs::read_dir(&out).expect("a folder").flatten().map(|entry| entry.path());
    let made: Vec<_> = made.chain([out.clone(), foreign.join("new"), said.clone()]).collect();
    assert!(made.contains(&out.join("report.html")), "{made:?}");
    for path in &made {
        assert_eq!(owner(path), USER, "{}", path.display());
    }
    assert_eq!(owner(&foreign), (0, 0), "it was there before");

    // A link that has a report's name is replaced; what it names is nobody else's, and stays what it is.
    let (secret, report) = (foreign.join("secret"), out.join("watch.json"));
    fs::write(&secret, "root's").expect("written");
    fs::remove_file(&report).expect("it was there");
    std::os::unix::fs::symlink(&secret, &report).expect("a link");
    watched();
    assert_eq!(fs::read_to_string(&secret).expect("there"), "root's");
    assert_eq!((owner(&secret), owner(&report)), ((0, 0), USER));
    assert!(fs::symlink_metadata(&report).expect("there").is_file());
    fs::remove_dir_all(&foreign).expect("root may");
}
