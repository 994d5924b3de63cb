//! A topic as large as real ones, read whole by real clients: `make-log` says what they must
//! find. It takes minutes, so it runs when it is asked for:
//! `cargo xtask test --clients`.

use std::path::Path;
use std::process::Command;

use zcprof::transfer::{Layer, TransferSpec};

use crate::real::{consumed, kcat, program};
use crate::topic::{BrokerProcess, Contents, PARTITIONS, TOPIC};

/// Records in all partitions.
const RECORDS: &str = "1000000";

/// A segment holds a part of a partition.
const SEGMENT: &str = "8MiB";

/// What `make-log` says.
#[derive(serde::Deserialize)]
struct MakeLogOutput {
    partitions: Vec<crate::topic::Content>,
}

fn made(folder: &Path, codec: &str) -> Contents {
    let output = Command::new(env!("CARGO_BIN_EXE_zcprof"))
        .arg("make-log")
        .arg(folder)
        .args(["--topic", TOPIC, "--partitions", &PARTITIONS.to_string()])
        .args(["--records", RECORDS, "--record-bytes", "100", "--segment-bytes", SEGMENT])
        .args(["--codec", codec, "--json"])
        .output()
        .expect("zcprof starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let made: MakeLogOutput = serde_json::from_slice(&output.stdout).expect("JSON");
    let segments = std::fs::read_dir(folder.join(format!("{TOPIC}-0"))).expect("made");
    assert!(segments.count() >= 2 * 3, "several segments, with their indexes");
    (0..).zip(made.partitions).collect()
}

#[test]
#[ignore = "takes minutes; `cargo xtask test --clients` runs it"]
fn a_million_records_reach_kcat_and_a_subscriber_by_every_transfer() {
    let test = "a_million_records_reach_kcat_and_a_subscriber_by_every_transfer";
    let (Some(kcat_program), Some(python)) =
        (program("ZCPROF_KCAT", test), program("ZCPROF_PYTHON", test))
    else {
        return;
    };
    for codec in ["none", "zstd"] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let log = folder.path().join("log");
        let expected = made(&log, codec);
        for row in TransferSpec::possible().filter(|row| row.layer == Layer::Plain) {
            let broker = BrokerProcess::start(&log, row.name);
            let what = format!("{}, codec {codec}", row.name);
            assert!(kcat(&kcat_program, &broker, 1 << 20) == expected, "kcat: {what}");
            let found = consumed(&python, "confluent-kafka", "subscribe", &broker);
            assert!(found == expected, "a subscriber: {what}");
            println!("{what}: {RECORDS} records right, by kcat and by a subscriber");
        }
    }
}
