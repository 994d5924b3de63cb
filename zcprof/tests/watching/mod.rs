//! `zcprof watch` by what it says and leaves: exit codes, what the command gets, what is left behind.
//! The command is a transfer of zcprof's own, which is nobody's workload here.

mod datagrams;
mod ending;
mod held;
mod live;
mod long;
mod ports;
mod queued;
mod scale;
mod targets;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use nix::mount::{MsFlags, mount};
use zcprof_common::sites::Site;
use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary::Instrument;
use zcprof_judge::run::Doubt;
use zcprof_judge::stacks::top::functions;
use zcprof_judge::syscall::InSyscall;
use zcprof_judge::watch::Watch;
use zcprof_judge::watch::objects::PeerCalls;
use zcprof_judge::watch::record::{Charged, WatchedCount};

use super::{code, loaded_programs, text, wait_until, zcprof};

/// Watches, with these words.
fn watch(words: &[&str]) -> Output {
    zcprof(&["watch"]).args(words).output().expect("zcprof runs")
}

/// A transfer of a log that is there already: two processes, of which one serves and the other
/// consumes.
fn timed(transfer: &str) -> Vec<String> {
    let program = std::env::var("ZCPROF").expect("ZCPROF names the program under test");
    let words = ["time", "--transfer", transfer, "--bytes=8MiB", "--rounds=2"];
    let files = ["--log-dir=/data/watched-log", "--out=/dev/null"];
    let command = [&program as &str].into_iter().chain(words).chain(files);
    let command: Vec<String> = command.map(str::to_owned).collect();
    // What is written in the window may be what is sent from it.
    let made = Command::new(&command[0]).args(&command[1..]).output();
    assert!(made.expect("zcprof runs").status.success());
    command
}

/// A server that copies what it sends from this port twice, and hands over what it sends from the next one;
/// and who fetches from it, on and on. `begun_by` are the words that start it.
fn serving(program: &Path, port: u16, begun_by: &[&str]) -> Child {
    serving_by("read_write,sendfile", program, port, begun_by)
}

/// The same by other transfers, each from a port of its own.
pub(crate) fn serving_by(transfers: &str, program: &Path, port: u16, begun_by: &[&str]) -> Child {
    let mut command = timed(transfers);
    command.retain(|word| !word.starts_with("--rounds"));
    command[0] = program.display().to_string();
    let listen = format!("--listen=127.0.0.1:{port}");
    let words = begun_by.iter().map(|word| (*word).to_owned()).chain(command);
    let words: Vec<String> = words.chain(["--rounds=100000".to_owned(), listen]).collect();
    let mut serving = Command::new(&words[0]);
    serving.args(&words[1..]).stdout(Stdio::null()).stderr(Stdio::null());
    serving.spawn().expect("it starts")
}

/// Where the tests have control groups.
pub(crate) const GROUPS: &str = "/sys/fs/cgroup";

/// A control group of this name.
pub(crate) fn control_group(name: &str) -> PathBuf {
    if !Path::new(GROUPS).join("cgroup.procs").exists() {
        let kind = Some("cgroup2");
        mount(kind, GROUPS, kind, MsFlags::empty(), None::<&str>).expect("control groups");
    }
    let group = Path::new(GROUPS).join(name);
    fs::create_dir_all(&group).expect("a group");
    group
}

/// A number of bytes in `/proc/PID/status`.
fn status(pid: u32, field: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
}

/// A window that missed no run of a probe, of three. On a kernel that preempts probes some are missed now
/// and then, which zcprof says: then the window is had again, as a pass of `measure` is made again.
pub(crate) fn unmissed<T>(window: impl FnMut() -> (T, Watch)) -> (T, Watch) {
    let (seen, record) = of_three(window);
    assert_eq!(missed(&record), 0, "a window of three that missed nothing");
    (seen, record)
}

/// The first of three windows that missed no run of a probe, or the last.
fn of_three<T>(mut window: impl FnMut() -> (T, Watch)) -> (T, Watch) {
    (0..2).map(|_| window()).find(|(_, record)| missed(record) == 0).unwrap_or_else(window)
}

/// Runs that probes missed, as the record says.
fn missed(record: &Watch) -> u64 {
    let runs = |doubt: &Doubt| if let Doubt::Missed { runs, .. } = doubt { *runs } else { 0 };
    record.doubts.iter().map(runs).sum()
}

/// What a window recorded in a folder.
fn record(out: impl AsRef<Path>) -> Watch {
    let read = fs::read(out.as_ref().join("watch.json")).expect("a record");
    zcprof_judge::record::read(&read).expect("a record")
}

/// The same; if it recorded nothing, what zcprof said.
pub(crate) fn recorded(out: impl AsRef<Path>, output: &Output) -> Watch {
    // Who fails records nothing, and what is there is another window's.
    assert_ne!(code(output), 2, "{}", text(output));
    let read = fs::read(out.as_ref().join("watch.json"));
    let read = read.unwrap_or_else(|error| panic!("{error}: {}", text(output)));
    zcprof_judge::record::read(&read).expect("a record")
}

fn watched(claims: &[&str], transfer: &str, out: &str) -> (Output, Watch) {
    unmissed(|| watched_once(claims, transfer, out))
}

fn watched_once(claims: &[&str], transfer: &str, out: &str) -> (Output, Watch) {
    let folder = format!("/data/{out}");
    let command = timed(transfer);
    let mut words = vec!["--out", &folder];
    words.extend(claims.iter().flat_map(|claim| ["--claim", claim]));
    words.push("--");
    words.extend(command.iter().map(String::as_str));
    let output = watch(&words);
    let record = recorded(&folder, &output);
    (output, record)
}

#[test]
fn a_command_that_hands_pages_over_holds_and_one_that_copies_is_refuted() {
    let (output, record) = watched(&["zero-copy"], "sendfile", "handed-over");
    assert_eq!(code(&output), 0, "{}", text(&output));
    assert_eq!(record.verdict.as_deref(), Some("holds"));
    let sent = record.results[0].sent;
    assert!((16 << 20..17 << 20).contains(&sent), "{sent}");
    assert!(record.counts.iter().all(|count| count.bytes > 0 || count.calls > 0));
    is_told_by_file_peer_and_size(&record);

    let (output, record) = watched(&["zero-copy"], "read_write", "copied");
    assert_eq!(code(&output), 1, "{}", text(&output));
    let outcome = &record.results[0];
    assert!(outcome.codes.contains(&"ZC102".to_owned()), "{outcome:?}");
    assert!((outcome.copies.least - 1.0).abs() < 0.001, "{outcome:?}");
    // Judged again without privileges it is the same.
    let again = zcprof(&["judge", "/data/copied"]).output().expect("zcprof runs");
    assert_eq!(code(&again), 1, "{}", text(&again));
}

/// What sendfile moved is there again by file, by peer and by size.
fn is_told_by_file_peer_and_size(record: &Watch) {
    let is_sendfile = |syscall: InSyscall| syscall == Syscall::Sendfile;
    let results = record.counts.iter().filter(|count| count.site == "sys_exit");
    let results: Vec<_> = results.filter(|count| is_sendfile(count.syscall)).collect();
    let said: u64 = results.iter().map(|count| count.bytes).sum();
    assert!(said >= 16 << 20, "{results:?}");
    let files: Vec<_> = record.files.iter().filter(|calls| is_sendfile(calls.syscall)).collect();
    assert_eq!(files.iter().map(|calls| calls.bytes).sum::<u64>(), said, "{files:?}");
    for calls in files {
        let file = calls.file.as_ref().expect("each file is told apart");
        let path = Path::new(&file.path);
        assert_eq!(path.extension().and_then(|end| end.to_str()), Some("log"), "{file:?}");
        assert!(file.inode > 0 && file.path.matches('/').count() >= 2, "{file:?}");
    }
    let peers: Vec<_> = record.peers.iter().filter(|calls| is_sendfile(calls.syscall)).collect();
    assert_eq!(peers.iter().map(|calls| calls.bytes).sum::<u64>(), said, "{peers:?}");
    let is_told =
        |calls: &&&PeerCalls| calls.family == "tcp" && calls.peer.as_deref() == Some("127.0.0.1");
    assert_eq!(peers.iter().filter(is_told).count(), peers.len(), "{peers:?}");
    for count in &record.counts {
        assert_eq!(count.sizes.iter().sum::<u64>(), count.calls, "{count:?}");
        // Of others the largest call may have been before the window.
        if matches!(count.charged, Charged::Program(_)) {
            let longest = (u64::BITS - count.largest.leading_zeros()) as usize;
            assert_eq!(count.sizes.len(), longest.min(31) + 1, "{count:?}");
        }
    }
}

/// The same in a pid namespace of its own, as in a container: who serves there is a child of the command's.
#[test]
fn children_in_a_pid_namespace_are_followed() {
    let program = std::env::var("ZCPROF").expect("ZCPROF names the program under test");
    for (transfer, expected) in [("sendfile", "holds"), ("read_write", "refuted")] {
        let command = timed(transfer);
        let (output, record) = unmissed(|| {
            let out = "/data/in-a-namespace";
            let mut apart = Command::new("/bin/busybox");
            apart.args(["unshare", "-m", "-p", "-f", "--mount-proc", &program, "watch"]);
            apart.args(["--out", out, "--claim", "zero-copy", "--"]).args(&command);
            let output = apart.output().expect("unshare runs");
            let record = recorded(out, &output);
            (output, record)
        });
        assert_eq!(record.verdict.as_deref(), Some(expected), "{}", text(&output));
        let sent = record.results[0].sent;
        assert!((16 << 20..17 << 20).contains(&sent), "{sent}");
    }
}

/// Two functions read an attribute in text, of which one calls the other: its bytes are counted once, at
/// the outer one. Files of procfs have the inner one alone.
#[test]
fn what_two_functions_read_within_each_other_is_counted_once() {
    const OUTER: &str = "kernfs_fop_read_iter";
    const INNER: &str = "seq_read_iter";
    for (file, by, not_by) in
        [("/sys/kernel/uevent_seqnum", OUTER, INNER), ("/proc/version", INNER, OUTER)]
    {
        let from = format!("if={file}");
        let command = ["/bin/busybox", "dd", &from, "of=/dev/null"];
        let (_, record) = unmissed(|| {
            let out = "/data/attribute";
            let output = watch(&[&["--out", out, "--"], &command[..]].concat());
            let record = recorded(out, &output);
            (output, record)
        });
        let length = fs::read(file).expect("readable").len() as u64;
        let sum = |by: &dyn Fn(&WatchedCount) -> bool| -> u64 {
            let of_it = |count: &&WatchedCount| {
                let by_it = matches!(&count.charged, Charged::Program(name) if name == "busybox");
                by_it && count.syscall == Syscall::Read && by(count)
            };
            record.counts.iter().filter(of_it).map(|count| count.bytes).sum()
        };
        let bytes = |site: &str| sum(&|count| count.site == site);
        // Which leaf it is depends on the kernel.
        let is_leaf = |count: &WatchedCount| {
            Site::find(&count.site).is_some_and(|(_, site)| site.instrument == Instrument::Audit)
        };
        assert_eq!([bytes(by), bytes(not_by), sum(&is_leaf)], [length, 0, length], "{file}");
    }
}

/// Stacks are kept where nothing is claimed, and some function has each copied byte; kernels that are too
/// old keep none.
#[test]
fn stacks_say_which_function_copied() {
    let (output, record) = watched_once(&[], "read_write", "by-stack");
    assert_eq!(code(&output), 0, "{}", text(&output));
    let Some(stacks) = &record.stacks else {
        let release = &record.kernel.release;
        assert!(release.starts_with("5.10."), "{release} keeps no stacks");
        return;
    };
    let functions = functions(stacks);
    let names: Vec<_> = functions.iter().map(|top| top.frame.name.as_str()).collect();
    let copied: u128 = functions.iter().map(|top| top.bytes).sum();
    assert!(copied > 32 << 20, "{copied} bytes were copied: {names:?}");
}

#[test]
fn the_exit_code_is_the_commands_where_nothing_is_claimed() {
    for (script, expected) in [("exit 7", 7), ("kill -TERM $$", 128 + 15), ("true", 0)] {
        let output = watch(&["--", "sh", "-c", script]);
        assert_eq!(code(&output), expected, "{script}: {}", text(&output));
        if script.starts_with("kill") {
            let said = "the command was killed by SIGTERM (15)";
            assert!(text(&output).contains(said), "{}", text(&output));
        }
    }
    // A claim that nothing was sent for is no pass.
    let output = watch(&["--claim", "zero-copy", "--", "true"]);
    assert_eq!(code(&output), 3, "{}", text(&output));
}

#[test]
fn who_cannot_be_watched_is_said_before_anything_is_attached() {
    let wrong: [(&[&str], &str); 6] = [
        (&["--pid", "4194300"], "there is no process 4194300"),
        (&[], "nobody to watch"),
        (&["--", "/no/such/program"], "/no/such/program"),
        (&["--cgroup", "/no/such/group"], "no control group"),
        (&["--user", "nobody-has-this-name", "--", "true"], "has no user nobody-has-this-name"),
        (&["--claim", "zero-copi", "--", "true"], "zero-copi"),
    ];
    for (words, said) in wrong {
        let output = watch(words);
        assert_eq!(code(&output), 2, "{words:?}: {}", text(&output));
        assert!(text(&output).contains(said), "{words:?}: {}", text(&output));
    }
}

/// What its shell would have given it: signals, limits, descriptors, user.
#[test]
fn the_command_gets_what_a_shell_would_have_given_it() {
    // Two signals above 31 are the C library's own, and differ by how it starts a process.
    let script = "grep -E '^(Sig(Blk|Ign|Cgt)|NoNewPrivs|Cap(Prm|Eff|Bnd)|Uid|Gid|Groups)' \
                  /proc/self/status | sed -E 's/^(SigIgn:.)[0-9a-f]{8}/\\1/' > $0; ulimit -a >> $0; ls /proc/self/fd >> $0; pwd >> $0; \
                  env | grep -v ^_= | sort >> $0";
    let got = |by: &str| fs::read_to_string(format!("/data/{by}")).expect("written");
    let output = watch(&["--", "sh", "-c", script, "/data/by-zcprof"]);
    assert_eq!(code(&output), 0, "{}", text(&output));
    let mut shell = Command::new("sh");
    let done = shell.args(["-c", script, "/data/by-shell"]).stdout(std::process::Stdio::piped());
    assert!(done.output().expect("sh runs").status.success());
    assert_eq!(got("by-zcprof"), got("by-shell"));
}

#[test]
fn a_watch_that_is_killed_leaves_nothing_attached() {
    let before = loaded_programs();
    let mut watching = zcprof(&["watch", "--", "sleep", "3"]).spawn().expect("zcprof runs");
    // Those of a test before this may be on their way out still.
    let new = || loaded_programs().iter().filter(|program| !before.contains(program)).count();
    wait_until("programs are loaded", || new() > 0);
    watching.kill().expect("killed");
    watching.wait().expect("waited for");
    wait_until("nothing is attached", || new() == 0);
}
