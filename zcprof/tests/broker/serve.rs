//! The command: what it says, what it refuses, how it ends.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use nix::sys::signal::Signal;

use crate::topic::{BrokerProcess, PARTITIONS, TOPIC, command, contents, make, served};

fn refused(folder: &Path, options: &[&str], words: &[&str]) {
    let output = command(folder, options).output().expect("zcprof starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(output.stdout.is_empty() && !said.contains("panicked"), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is missing: {said}");
    }
}

#[test]
fn it_says_what_it_serves_and_ends_by_a_signal() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let (folder, broker) = served("splice");
        let records: u64 = contents(folder.path()).values().map(|content| content.records).sum();
        let words =
            ["by splice", "1 topic,", &format!("{PARTITIONS} part"), &format!("{records} records")];
        for word in words {
            assert!(broker.line.contains(word), "{word:?} is missing: {}", broker.line);
        }
        let (code, said) = broker.end(signal);
        assert_eq!((code, said.as_str()), (Some(0), ""));
    }
}

/// It parses what anybody sends; nothing of root's may be left for what goes wrong there.
#[test]
fn it_serves_without_a_capability_and_as_nobody_where_anybody_may_read() {
    use std::os::unix::fs::PermissionsExt as _;
    if !nix::unistd::Uid::effective().is_root() {
        println!("skipped: only root has anything to give up");
        return;
    }
    for open in [false, true] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        make(folder.path());
        let mode = fs::Permissions::from_mode(if open { 0o755 } else { 0o700 });
        fs::set_permissions(folder.path(), mode).expect("it is ours");
        let owner = |uid| std::os::unix::fs::chown(folder.path(), Some(uid), Some(uid));
        owner(0).expect("it is root's");
        let broker = BrokerProcess::start(folder.path(), "sendfile");
        let status =
            fs::read_to_string(format!("/proc/{}/status", broker.child.id())).expect("there");
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.expect("it is said").split_whitespace().next().expect("a number").to_owned()
        };
        for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
            let left = u64::from_str_radix(&of(set), 16).expect("hexadecimal");
            // CAP_IPC_LOCK, where this process may not raise the limit of locked memory.
            assert_eq!(left & !(1 << 14), 0, "{set} {left:x}");
        }
        assert_eq!(of("NoNewPrivs:"), "1");
        assert_eq!(of("Uid:") == "0", !open, "uid {} of a folder open: {open}", of("Uid:"));
    }
}

#[test]
fn one_partition_is_served_by_its_own_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    make(folder.path());
    let partition = folder.path().join(format!("{TOPIC}-2"));
    let broker = BrokerProcess::start(&partition, "sendfile");
    assert!(broker.line.contains("1 topic, 1 partition,"), "{}", broker.line);
}

#[test]
fn whoever_opens_it_to_others_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    make(folder.path());
    let broker = BrokerProcess::start_with(folder.path(), &["--listen", "0.0.0.0:0"]);
    let (code, said) = broker.end(Signal::SIGTERM);
    assert_eq!(code, Some(0));
    assert!(said.contains("everybody who can reach 0.0.0.0"), "{said}");
}

#[test]
fn what_cannot_be_served_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let here = ["--listen", "127.0.0.1:0"];
    refused(&folder.path().join("nowhere"), &here, &["nowhere", "cannot read"]);
    refused(folder.path(), &here, &["neither segments nor", "orders-0"]);
    make(folder.path());
    refused(folder.path(), &["--transfer", "teleport"], &["teleport", "sendfile"]);
    refused(folder.path(), &["--advertise", "here"], &["HOST:PORT"]);
    let busy = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = busy.local_addr().expect("bound").to_string();
    refused(folder.path(), &["--listen", &address], &[&address, "--listen", "in use"]);
    let segment = folder.path().join(format!("{TOPIC}-1/{:020}.log", 0));
    let file = fs::OpenOptions::new().write(true).open(&segment).expect("a segment");
    file.write_all_at(&[0xff; 4], 100).expect("written");
    let strict = ["--listen", "127.0.0.1:0", "--strict"];
    refused(folder.path(), &strict, &["orders-1", "CRC-32C", "damaged at byte 0"]);
}
