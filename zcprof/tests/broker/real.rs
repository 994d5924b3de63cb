//! Clients as they are installed: kcat, confluent-kafka and kafka-python read whole topics, and
//! every record is compared.

use std::collections::BTreeMap;
use std::env;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use zcprof::transfer::{Layer, TransferSpec};

use crate::topic::{
    BrokerProcess, Contents, Digesting, TOPIC, contents, contents_without_nulls, served,
};

/// The program that a variable names, or a word that the test is skipped.
pub(crate) fn program(variable: &str, test: &str) -> Option<String> {
    let named = env::var(variable).ok().filter(|program| !program.is_empty());
    if named.is_none() {
        // Not by `eprintln`, which the harness keeps to itself where a test passes.
        let word = format!("skipped: {test}, for {variable} names no program\n");
        let _ = std::io::stderr().write_all(word.as_bytes());
    }
    named
}

fn succeeded(what: &str, output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {}: {said}", output.status);
}

#[test]
fn kcat_reads_every_record_of_every_transfer() {
    let Some(kcat) = program("ZCPROF_KCAT", "kcat_reads_every_record_of_every_transfer") else {
        return;
    };
    for row in TransferSpec::possible().filter(|row| row.layer == Layer::Plain) {
        let (folder, broker) = served(row.name);
        assert!(self::kcat(&kcat, &broker, 20_000) == contents(folder.path()), "{}", row.name);
    }
}

/// What kcat finds in the topic.
pub(crate) fn kcat(program: &str, broker: &BrokerProcess, fetch_size: u32) -> Contents {
    // Lengths first, then the bytes they count: whatever is in these, it is unambiguous.
    let output = Command::new(program)
        .args(["-C", "-e", "-q", "-o", "beginning", "-X", "check.crcs=true"])
        .args(["-X", &format!("fetch.message.max.bytes={fetch_size}"), "-t", TOPIC])
        .args(["-b", &broker.address.to_string(), "-f", "%p %o %K %S\n%k%s\n"])
        .output()
        .expect("kcat starts");
    succeeded("kcat", &output);
    parsed(&output.stdout)
}

/// What kcat printed.
fn parsed(mut output: &[u8]) -> Contents {
    let mut partitions: BTreeMap<i32, (i64, Digesting)> = BTreeMap::new();
    while !output.is_empty() {
        let end = output.iter().position(|byte| *byte == b'\n').expect("a line");
        let line = std::str::from_utf8(&output[..end]).expect("numbers");
        let numbers: Vec<i64> =
            line.split(' ').map(|number| number.parse().expect("a number")).collect();
        let [partition, offset, key, value] = numbers[..] else { panic!("{line:?}") };
        output = &output[end + 1..];
        let mut field = |length: i64| {
            let length = usize::try_from(length).ok()?;
            let (field, rest) = output.split_at(length);
            output = rest;
            Some(field)
        };
        let (key, value) = (field(key), field(value));
        output = output.strip_prefix(b"\n").expect("the end of a record");
        let partition = i32::try_from(partition).expect("a partition");
        let (next, digest) = partitions.entry(partition).or_default();
        assert_eq!(offset, *next, "the next record of partition {partition}");
        *next += 1;
        digest.take(key, value);
    }
    partitions.into_iter().map(|(index, (_, digest))| (index, digest.content())).collect()
}

#[test]
fn confluent_kafka_reads_every_record_of_every_transfer() {
    python("confluent-kafka", "confluent_kafka_reads_every_record_of_every_transfer");
}

#[test]
fn kafka_python_reads_every_record_of_every_transfer() {
    python("kafka-python", "kafka_python_reads_every_record_of_every_transfer");
}

/// By assigning partitions to itself, and as the member of a group.
fn python(library: &str, test: &str) {
    let Some(python) = program("ZCPROF_PYTHON", test) else { return };
    for row in TransferSpec::possible().filter(|row| row.layer == Layer::Plain) {
        let (folder, broker) = served(row.name);
        for how in ["assign", "subscribe"] {
            let what = format!("{library}, {how}, {}", row.name);
            assert!(consumed(&python, library, how, &broker) == contents(folder.path()), "{what}");
        }
    }
}

/// ZCPROF_GO is what `go build` makes of `tests/clients/go`.
#[test]
fn clients_for_go_read_every_record_of_every_transfer() {
    let test = "clients_for_go_read_every_record_of_every_transfer";
    let Some(consume) = program("ZCPROF_GO", test) else { return };
    for row in TransferSpec::possible().filter(|row| row.layer == Layer::Plain) {
        let (folder, broker) = served(row.name);
        for library in ["sarama", "franz-go", "kafka-go"] {
            let output = Command::new(&consume)
                .args([library, &broker.address.to_string(), TOPIC])
                .output()
                .expect("it starts");
            let what = format!("{library}, {}", row.name);
            succeeded(&what, &output);
            let expected = match library {
                "kafka-go" => contents_without_nulls(folder.path()),
                _ => contents(folder.path()),
            };
            assert!(parsed_json(&output.stdout) == expected, "{what}");
        }
    }
}

/// Contents by partition, as clients that are no kcat print them.
fn parsed_json(output: &[u8]) -> Contents {
    let contents: BTreeMap<String, crate::topic::Content> =
        serde_json::from_slice(output).expect("a line of JSON");
    let number = |index: String| index.parse().expect("a partition");
    contents.into_iter().map(|(index, content)| (number(index), content)).collect()
}

pub(crate) fn consumed(python: &str, library: &str, how: &str, broker: &BrokerProcess) -> Contents {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/consume.py");
    let output = Command::new(python)
        .arg(script)
        .args([library, how, &broker.address.to_string(), TOPIC])
        .output()
        .expect("python starts");
    succeeded(&format!("{library} {how}"), &output);
    parsed_json(&output.stdout)
}
