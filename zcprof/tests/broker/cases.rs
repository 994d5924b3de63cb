//! Folders as brokers leave them, over the wire. What they hold is in `tests/data/README.md`.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::{
    ApiKey, FetchRequest, ListOffsetsRequest, MetadataRequest, OffsetForLeaderEpochRequest,
};
use nix::sys::signal::Signal;

use crate::client::{Client, only, topic_name};
use crate::offsets::{self, LIBRARIES};
use crate::real::program;
use crate::topic::{BrokerProcess, command, served};

const HERE: [&str; 2] = ["--listen", "127.0.0.1:0"];

/// Offsets that a case gives to who reads committed records, and to who reads all.
pub(crate) const CASES: [(&str, &[u64], &[u64]); 5] = [
    ("txnaborted", &[4, 5, 7], &[0, 1, 2, 4, 5, 7]),
    ("compactgap", &[0, 1, 2, 6, 7, 8, 9, 10], &[0, 1, 2, 6, 7, 8, 9, 10]),
    ("compactseg", &[0, 1, 2, 3, 4, 5, 11, 12], &[0, 1, 2, 3, 4, 5, 11, 12]),
    ("zerotail", &[0, 1, 2], &[0, 1, 2]),
    ("orphanidx", &[0, 1, 2], &[0, 1, 2]),
];

pub(crate) fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn fetch(client: &mut Client, topic: &str, offset: i64, committed: bool) -> PartitionData {
    let partition =
        FetchPartition::default().with_fetch_offset(offset).with_partition_max_bytes(1 << 20);
    let topic =
        FetchTopic::default().with_topic(topic_name(topic)).with_partitions(vec![partition]);
    let request = FetchRequest::default()
        .with_max_bytes(1 << 20)
        .with_isolation_level(i8::from(committed))
        .with_topics(vec![topic]);
    only(client.call(12, &request))
}

fn list(client: &mut Client, topic: &str, timestamp: i64, committed: bool) -> (i16, i64, i32) {
    let wanted = ListOffsetsPartition::default().with_timestamp(timestamp);
    let topic =
        ListOffsetsTopic::default().with_name(topic_name(topic)).with_partitions(vec![wanted]);
    let request = ListOffsetsRequest::default()
        .with_isolation_level(i8::from(committed))
        .with_topics(vec![topic]);
    let mut response = client.call(9, &request);
    let found = response.topics.remove(0).partitions.remove(0);
    (found.error_code, found.offset, found.leader_epoch)
}

#[test]
fn who_reads_committed_records_is_told_what_was_aborted_and_nobody_else_is() {
    let broker = BrokerProcess::start(&data("cases"), "sendfile");
    let mut client = Client::connect(broker.address);
    let committed = fetch(&mut client, "txnaborted", 0, true);
    let aborted = committed.aborted_transactions.expect("a list");
    assert_eq!(aborted.len(), 1);
    assert_eq!((aborted[0].producer_id.0, aborted[0].first_offset), (1000, 0));
    assert_eq!((committed.high_watermark, committed.last_stable_offset), (8, 8));
    let all = fetch(&mut client, "txnaborted", 0, false);
    assert_eq!(all.aborted_transactions, None);
    assert_eq!((all.records, all.high_watermark), (committed.records, 8));
    let behind = fetch(&mut client, "txnaborted", 4, true);
    assert_eq!(behind.aborted_transactions, Some(vec![]));
}

/// The first two batches of `txnaborted`, without the record that ends its first transaction.
#[test]
fn records_of_an_open_transaction_are_held_back() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("open-0");
    std::fs::create_dir(&path).expect("made");
    let name = format!("{:020}.log", 0);
    let whole = std::fs::read(data("cases/txnaborted-0").join(&name)).expect("readable");
    // Offsets 4 and 5 belong to a transaction that the batch at byte 289 commits.
    std::fs::write(path.join(&name), &whole[..289]).expect("written");
    let broker = BrokerProcess::start(folder.path(), "sendfile");
    let mut client = Client::connect(broker.address);
    let committed = fetch(&mut client, "open", 0, true);
    assert_eq!((committed.last_stable_offset, committed.high_watermark), (4, 6));
    assert_eq!(committed.records.map(|records| records.len()), Some(190));
    let waiting = fetch(&mut client, "open", 4, true);
    assert_eq!((waiting.error_code, waiting.records.map(|r| r.len())), (0, Some(0)));
    let all = fetch(&mut client, "open", 0, false);
    assert_eq!(all.records.map(|records| records.len()), Some(289));
    assert_eq!(list(&mut client, "open", -1, true), (0, 4, 3));
    assert_eq!(list(&mut client, "open", -1, false), (0, 6, 3));
    let late = 1_700_000_000_004;
    assert_eq!(list(&mut client, "open", late, true).1, -1, "it is not there yet");
    assert_eq!(list(&mut client, "open", late, false).1, 4);
}

#[test]
fn what_cannot_be_served_is_left_out_and_named_to_who_asks_for_it() {
    let broker = BrokerProcess::start(&data("cases"), "sendfile");
    let mut client = Client::connect(broker.address);
    let all = client.call(12, &MetadataRequest::default().with_topics(None));
    let mut names: Vec<_> =
        all.topics.iter().filter_map(|t| Some(t.name.as_ref()?.to_string())).collect();
    names.sort();
    let expected = ["compactgap", "compactseg", "gz2", "orphanidx", "txnaborted", "zerotail"];
    assert_eq!(names, expected);
    let old = ResponseError::UnsupportedForMessageFormat.code();
    assert_eq!(fetch(&mut client, "magic1", 0, false).error_code, old);
    assert_eq!(list(&mut client, "magic1", -1, false).0, old);
    assert_eq!(list(&mut client, "gz2", 1_700_000_000_100, false).1, 10);
    let (_, said) = broker.end(Signal::SIGTERM);
    for word in ["magic1-0 is left out", "message format v1", "zeros follow", "has no segment"] {
        assert_eq!(said.matches(word).count(), 1, "{word}: {said}");
    }
}

#[test]
fn check_prints_what_would_be_served() {
    let run = |options: &[&str]| {
        let output = command(&data("cases"), options).output().expect("zcprof starts");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, table) = run(&["--check"]);
    assert_eq!(code, Some(0));
    let line = |name: &str| {
        let line = table.lines().find(|line| line.starts_with(name));
        line.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    assert_eq!(line("txnaborted-0").as_deref(), Some("txnaborted-0 0 8 8 443 served"));
    assert_eq!(line("magic1-0").as_deref(), Some("magic1-0 - - - - left out, see below"));
    assert!(table.contains("message format v1"), "{table}");
    assert_eq!(run(&["--check", "--strict"]).0, Some(2));
}

#[test]
fn deleted_records_are_out_of_range() {
    let broker = BrokerProcess::start(&data("log-start"), "sendfile");
    let mut client = Client::connect(broker.address);
    let gone = fetch(&mut client, "t", 1, false);
    assert_eq!(gone.error_code, ResponseError::OffsetOutOfRange.code());
    let there = fetch(&mut client, "t", 2, false);
    assert_eq!((there.log_start_offset, there.records.map(|r| r.len())), (2, Some(94)));
    assert_eq!(list(&mut client, "t", -2, false), (0, 2, 3));
    let capped =
        BrokerProcess::start_with(&data("log-start"), &[&HERE[..], &["--high-watermark"]].concat());
    let mut client = Client::connect(capped.address);
    assert_eq!(list(&mut client, "t", -1, false).1, 2);
}

#[test]
fn epochs_are_those_of_the_batches() {
    let broker = BrokerProcess::start(&data("cases"), "sendfile");
    let mut client = Client::connect(broker.address);
    let mut end = |current: i32, epoch: i32| {
        let wanted = OffsetForLeaderPartition::default()
            .with_current_leader_epoch(current)
            .with_leader_epoch(epoch);
        let topic = OffsetForLeaderTopic::default()
            .with_topic(topic_name("txnaborted"))
            .with_partitions(vec![wanted]);
        let request = OffsetForLeaderEpochRequest::default().with_topics(vec![topic]);
        let answer = client.call(4, &request).topics.remove(0).partitions.remove(0);
        (answer.error_code, answer.leader_epoch, answer.end_offset)
    };
    assert_eq!(end(3, 3), (0, 3, 8));
    assert_eq!(end(-1, 1), (0, 1, 0), "before all that are known");
    assert_eq!(end(-1, 4), (0, -1, -1));
    assert_eq!(end(2, 3).0, ResponseError::FencedLeaderEpoch.code());
    assert_eq!(end(4, 3).0, ResponseError::UnknownLeaderEpoch.code());
}

#[test]
fn a_segment_that_is_cut_under_the_server_is_an_error_and_not_its_end() {
    let (folder, broker) = served("sendfile");
    let mut client = Client::connect(broker.address);
    let segment = folder.path().join(format!("orders-0/{:020}.log", 0));
    let file = std::fs::OpenOptions::new().write(true).open(segment).expect("writable");
    file.set_len(10).expect("cut");
    client.send(11, &crate::client::fetch(&[(0, 0, 1 << 20)], 1 << 20));
    assert!(client.stream.read_to_end(&mut Vec::new()).is_ok(), "the connection is closed");
    let mut again = Client::connect(broker.address);
    assert_eq!(again.fetch(0, 1 << 20).error_code, ResponseError::KafkaStorageError.code());
    let other = again.call(11, &crate::client::fetch(&[(1, 0, 1 << 20)], 1 << 20));
    assert_eq!(only(other).error_code, 0, "and harms no other partition");
    let (code, said) = broker.end(Signal::SIGTERM);
    assert_eq!((code, said.matches("cannot be served any more").count()), (Some(0), 1), "{said}");
}

#[test]
fn strangers_are_recognised_and_said_once() {
    let (_folder, broker) = served("sendfile");
    for front in [&[0x16, 3, 1, 2, 0, 1, 0][..], b"GET / HTTP/1.1\r\n\r\n"] {
        for _ in 0..5 {
            let mut stream = TcpStream::connect(broker.address).expect("connects");
            stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
            stream.write_all(front).expect("sent");
            let _ = stream.read_to_end(&mut Vec::new());
        }
    }
    let (_, said) = broker.end(Signal::SIGTERM);
    for word in ["speaks TLS", "speaks HTTP"] {
        assert_eq!(said.matches(word).count(), 1, "{word}: {said}");
    }
}

#[test]
fn the_newer_group_protocol_is_declined() {
    let (_folder, broker) = served("sendfile");
    let mut client = Client::connect(broker.address);
    let key = (ApiKey::ConsumerGroupHeartbeat as i16).to_be_bytes();
    // Version 1, correlation id 9, no client id; nobody reads what follows.
    let rest = [0, 1, 0, 0, 0, 9, 0xff, 0xff, 0];
    let request = [&[0, 0, 0, 11][..], &key, &rest].concat();
    client.stream.write_all(&request).expect("sent");
    let frame = client.receive_frame().expect("an answer");
    // Correlation id, no tags, no throttling, and the error.
    let error = ResponseError::UnsupportedVersion.code().to_be_bytes();
    assert_eq!(frame[..11], [&[0, 0, 0, 9, 0, 0, 0, 0, 0][..], &error].concat());
}

#[test]
fn names_are_resolved_and_what_is_no_host_is_refused() {
    let (folder, _broker) = served("sendfile");
    let broker = BrokerProcess::start_with(folder.path(), &["--listen", "localhost:0"]);
    assert!(broker.address.ip().is_loopback(), "{}", broker.line);
    for advertised in ["a b:9092", "a/b:9092", "[x]:9092"] {
        let output = command(folder.path(), &["--advertise", advertised]).output().expect("starts");
        assert_eq!(output.status.code(), Some(2), "{advertised}");
    }
}

/// What foreign clients find in every case, and whether they know the newest offsets of it.
fn clients_read_every_case(read: impl Fn(&str, &str, &str) -> Vec<u64>) {
    let broker = BrokerProcess::start(&data("cases"), "sendfile");
    let address = broker.address.to_string();
    for (topic, committed, all) in CASES {
        assert_eq!(read(&address, topic, "read_committed"), committed, "{topic}");
        assert_eq!(read(&address, topic, "read_uncommitted"), all, "{topic}");
    }
    let broker = BrokerProcess::start(&data("log-start"), "sendfile");
    assert_eq!(read(&broker.address.to_string(), "t", "read_committed"), [2]);
}

#[test]
fn kcat_reads_every_case() {
    let Some(kcat) = program("ZCPROF_KCAT", "kcat_reads_every_case") else { return };
    clients_read_every_case(|broker, topic, level| offsets::kcat(&kcat, broker, topic, level));
}

#[test]
fn clients_for_python_read_every_case() {
    let Some(python) = program("ZCPROF_PYTHON", "clients_for_python_read_every_case") else {
        return;
    };
    for library in LIBRARIES {
        clients_read_every_case(|broker, topic, level| {
            offsets::python(&python, library, broker, topic, level)
        });
    }
}
