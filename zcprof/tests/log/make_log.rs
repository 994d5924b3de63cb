//! `zcprof make-log` as a user meets it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use zcprof::fetch::log::Log;
use zcprof::fetch::log::digest::RecordDigest;

use super::records;

fn make_log(directory: &Path, more: &[&str]) -> Command {
    let mut command = typed(directory, "orders", "3", "1000");
    command.args(more);
    command
}

fn typed(directory: &Path, topic: &str, partitions: &str, records: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zcprof"));
    command.arg("make-log").arg(directory).args(["--topic", topic, "--partitions", partitions]);
    command.args(["--records", records]).env("RUST_BACKTRACE", "0");
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn succeeded(command: &mut Command) -> Output {
    let output = command.output().expect("zcprof starts");
    assert!(output.status.success(), "{}", text(&output.stderr));
    output
}

#[test]
fn what_is_printed_is_what_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    for codec in ["none", "zstd"] {
        let sizes = ["--segment-bytes", "64KiB", "--record-bytes", "300", "--batch-bytes", "4KiB"];
        let more = [&["--codec", codec, "--seed", "9"], &sizes[..]].concat();
        let (one, other) = (folder.path().join(codec), folder.path().join([codec, "2"].concat()));
        let table = text(&succeeded(&mut make_log(&one, &more)).stdout);
        let json = succeeded(make_log(&other, &more).arg("--json")).stdout;
        let json: Value = serde_json::from_slice(&json).expect("JSON");
        assert_eq!((&json["topic"], &json["records"]), (&"orders".into(), &1000.into()));
        assert!(table.contains(json["sha256"].as_str().expect("a digest")), "{table}");
        for (number, records_there) in [334, 333, 333].into_iter().enumerate() {
            let made = &json["partitions"][number];
            let log = Log::open(&one.join(format!("orders-{number}"))).expect("an intact log");
            let mut digest = RecordDigest::default();
            for record in records(&log) {
                digest.add(&record);
            }
            assert_eq!(digest.records(), records_there);
            assert_eq!(made["records"], records_there);
            assert_eq!(made["end_offset"], log.end_offset());
            assert_eq!(made["segments"], log.segments().len());
            assert_eq!(made["bytes"], log.bytes());
            assert_eq!(made["sha256"], digest.finish().to_string(), "the seed makes it again");
            let line = table.lines().find(|line| line.starts_with(&format!("orders-{number} ")));
            let line = line.expect("a line for the partition");
            let words: Vec<_> = line.split_ascii_whitespace().skip(1).collect();
            let expected =
                ["records", "end_offset", "segments", "bytes"].map(|w| made[w].to_string());
            assert_eq!(words[..4], expected);
            assert_eq!(words[4], digest.finish().to_string());
        }
        assert_eq!(fs::read_dir(&one).expect("readable").count(), 3);
    }
}

/// As the help says it, with the tools of any system: SHA-256 of key and value with their lengths.
#[test]
fn the_digest_is_computed_from_what_the_help_says() {
    use sha2::{Digest as _, Sha256};
    let help = Command::new(env!("CARGO_BIN_EXE_zcprof")).args(["make-log", "--help"]).output();
    let help = text(&help.expect("zcprof starts").stdout);
    assert!(help.contains("SHA-256") && help.contains("big-endian"), "{help}");
    let folder = tempfile::tempdir().expect("a folder");
    let directory = folder.path().join("log");
    let json = succeeded(make_log(&directory, &["--codec", "lz4"]).arg("--json")).stdout;
    let json: Value = serde_json::from_slice(&json).expect("JSON");
    let mut total = Sha256::new();
    for number in 0..3 {
        let log = Log::open(&directory.join(format!("orders-{number}"))).expect("an intact log");
        let mut bytes = Vec::new();
        for record in records(&log) {
            for field in [record.key.expect("a key"), record.value.expect("a value")] {
                bytes.extend(i32::try_from(field.len()).expect("small").to_be_bytes());
                bytes.extend(field);
            }
        }
        let digest = Sha256::digest(&bytes);
        total.update(digest);
        assert_eq!(json["partitions"][number]["sha256"], hex(&digest));
    }
    assert_eq!(json["sha256"], hex(&total.finalize()));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Exit code 2, these words, and nothing made.
fn refused(command: &mut Command, directory: &Path, words: &[&str]) {
    let entries = || fs::read_dir(directory).map(Iterator::count).ok();
    let before = entries();
    let output = command.output().expect("zcprof starts");
    let text = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(!text.contains("panicked") && output.stdout.is_empty(), "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is missing: {text}");
    }
    assert_eq!(entries(), before, "{text}");
}

#[test]
fn what_makes_no_log_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let new = folder.path().join("new");
    for (more, words) in [
        (&["--codec", "rar"][..], &["rar", "snappy"][..]),
        (&["--record-bytes", "0"], &["--record-bytes", "above zero"]),
        (&["--batch-bytes", "many"], &["--batch-bytes", "many"]),
        (&["--segment-bytes", "3GiB"], &["3221225472", "2147483647"]),
        (&["--segment-bytes", "16KiB"], &["does not fit", "16384"]),
        (&["--batch-bytes", "17MiB"], &["batches of 17825792 bytes", "larger segments"]),
        (&["--record-bytes", "16EiB"], &["--record-bytes"]),
        (&["--record-bytes", "8EiB"], &["records of", "larger segments"]),
    ] {
        refused(&mut make_log(&new, more), &new, words);
    }
    refused(&mut typed(&new, "a/b", "1", "1"), &new, &["--topic", "letters"]);
    refused(&mut typed(&new, "..", "1", "1"), &new, &["--topic", ".."]);
    refused(&mut typed(&new, "", "1", "1"), &new, &["--topic"]);
    refused(&mut typed(&new, &"t".repeat(250), "1", "1"), &new, &["--topic", "249"]);
    refused(&mut typed(&new, "t", "0", "1"), &new, &["--partitions"]);
    refused(&mut typed(&new, "t", "1", "0"), &new, &["--records"]);
    assert!(!new.exists());
    fs::write(folder.path().join("file"), "").expect("written");
    refused(&mut make_log(folder.path(), &[]), folder.path(), &["not empty", "file"]);
    let file = folder.path().join("file");
    refused(&mut make_log(&file, &[]), folder.path(), &["file", "cannot read"]);
    fs::remove_file(file).expect("removed");
    fs::create_dir(folder.path().join("lost+found")).expect("made");
    succeeded(&mut make_log(folder.path(), &[]));
}

/// A limit on the size of files stands in for a disk that is full.
#[test]
fn a_disk_that_is_full_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let directory = folder.path().join("new/log");
    let script = "trap '' XFSZ; ulimit -f 100; exec \"$0\" \"$@\"";
    let mut command = Command::new("sh");
    let made = make_log(&directory, &[]);
    command.args(["-c", script]).arg(made.get_program()).args(made.get_args());
    refused(&mut command, folder.path(), &["00000000000000000000.log", "too large"]);
}

#[test]
fn a_signal_leaves_nothing_and_kill_9_nothing_that_opens() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, signal) in [("term", "-TERM"), ("kill", "-KILL")] {
        let directory = folder.path().join(name);
        let mut command = typed(&directory, "orders", "3", "100000000");
        let mut child = command.spawn().expect("zcprof starts");
        while !directory.exists() {
            assert!(child.try_wait().expect("it is a child").is_none(), "it has ended");
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
        let mut kill = Command::new("kill");
        assert!(kill.args([signal, &child.id().to_string()]).status().expect("kill").success());
        let status = child.wait().expect("it ends");
        assert_eq!(status.code(), (signal == "-TERM").then_some(143));
        assert_eq!(directory.exists(), signal == "-KILL");
    }
    let left = fs::read_dir(folder.path().join("kill")).expect("readable");
    for left in left.map(|entry| entry.expect("an entry").path()) {
        let inside = fs::read_dir(&left).expect("readable");
        let inside = inside.map(|entry| entry.expect("an entry").path()).collect::<Vec<_>>();
        assert!(!inside.is_empty(), "it had begun");
        for path in inside.iter().chain([&left]) {
            assert!(Log::open(path).is_err(), "{} opens", path.display());
        }
    }
}
