//! Clients that read the partition 0 of a topic to its end, and which offsets they get.

use std::path::Path;
use std::process::Command;

/// What `tests/clients/offsets.py` can read with.
pub(crate) const LIBRARIES: [&str; 3] = ["confluent-kafka", "kafka-python", "aiokafka"];

pub(crate) fn kcat(program: &str, broker: &str, topic: &str, isolation: &str) -> Vec<u64> {
    let output = Command::new(program)
        .args(["-C", "-e", "-q", "-o", "beginning", "-f", "%o\n", "-t", topic, "-b", broker])
        .args(["-X", &format!("isolation.level={isolation}"), "-X", "check.crcs=true"])
        .output()
        .expect("kcat starts");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("numbers");
    text.lines().map(|line| line.parse().expect("an offset")).collect()
}

pub(crate) fn python(
    program: &str,
    library: &str,
    broker: &str,
    topic: &str,
    isolation: &str,
) -> Vec<u64> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/offsets.py");
    let output = Command::new(program)
        .arg(&script)
        .args([library, broker, topic, isolation])
        .output()
        .expect("python starts");
    assert!(output.status.success(), "{library}: {output:?}");
    serde_json::from_slice(&output.stdout).expect("offsets")
}
