//! How much of what is in a response to Fetch.

use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{ApiVersionsRequest, FetchRequest};
use zcprof::fetch::log::Log;
use zcprof::transfer::{Layer, TransferSpec};

use crate::client::{Client, fetch, only};
use crate::topic::{PARTITIONS, TOPIC, served};

fn records(data: kafka_protocol::messages::fetch_response::PartitionData) -> Bytes {
    assert_eq!(data.error_code, 0);
    data.records.expect("records, if none")
}

#[test]
fn a_slice_begins_with_the_batch_of_the_offset_and_ends_anywhere_in_its_segment() {
    for row in TransferSpec::possible().filter(|row| row.layer == Layer::Plain) {
        let (folder, broker) = served(row.name);
        let log = Log::open(&folder.path().join(format!("{TOPIC}-0"))).expect("an intact log");
        let segments: Vec<_> = log
            .segments()
            .iter()
            .map(|segment| std::fs::read(&segment.path).expect("readable"))
            .collect();
        let mut client = Client::connect(broker.address);
        for (index, batch) in log.each_batch().expect("readable").iter().enumerate() {
            let segment = &segments[batch.segment];
            let from = usize::try_from(batch.position).expect("small");
            let length = usize::try_from(batch.length).expect("small");
            let offset = i64::try_from(batch.next_offset - 1).expect("small");
            // A whole batch at least, exactly what is asked, and never the next segment.
            for (most, expected) in [
                (0, length),
                (1, length),
                (length, length),
                (length + 7, length + 7),
                (1 << 20, segment.len()),
            ] {
                let got = records(client.fetch(offset, i32::try_from(most).expect("small")));
                let end = segment.len().min(from + expected);
                assert!(got == segment[from..end], "{}: batch {index}, {most}", row.name);
            }
        }
    }
}

#[test]
fn several_partitions_share_the_bytes_of_a_response() {
    for row in TransferSpec::possible().filter(|row| row.layer == Layer::Plain) {
        let (folder, broker) = served(row.name);
        let bytes = |partition: i32| {
            let path = folder.path().join(format!("{TOPIC}-{partition}/{:020}.log", 0));
            std::fs::read(path).expect("readable")
        };
        let mut client = Client::connect(broker.address);
        let every: Vec<_> = (0..PARTITIONS).map(|partition| (partition, 0, 10_000)).collect();
        for version in [4, 11, 12] {
            let response = client.call(version, &fetch(&every, i32::MAX));
            assert_eq!(response.responses[0].partitions.len(), 3);
            for data in response.responses[0].partitions.clone() {
                let expected = bytes(data.partition_index);
                assert_eq!(data.high_watermark, 480);
                assert_eq!(data.last_stable_offset, 480);
                assert_eq!(data.aborted_transactions, None, "nobody asked");
                assert!(records(data) == expected[..10_000], "{} {version}", row.name);
            }
            // The first partition gets what it asks, the second the rest, cut, the third nothing.
            let response = client.call(version, &fetch(&every, 15_000));
            let lengths = response.responses[0].partitions.clone().into_iter().map(records);
            let lengths: Vec<_> = lengths.map(|records| records.len()).collect();
            assert_eq!(lengths, [10_000, 5_000, 0], "{} {version}", row.name);
            // Only the first that has any gets more than is asked.
            let every: Vec<_> = [(0, 480, 1), (1, 0, 1), (2, 0, 1)].into_iter().collect();
            let response = client.call(version, &fetch(&every, 1));
            let lengths = response.responses[0].partitions.clone().into_iter().map(records);
            let lengths: Vec<_> = lengths.map(|records| records.len()).collect();
            let log = Log::open(&folder.path().join(format!("{TOPIC}-1"))).expect("intact");
            let whole =
                usize::try_from(log.each_batch().expect("readable")[0].length).expect("small");
            assert_eq!(lengths, [0, whole, 0], "{} {version}", row.name);
        }
    }
}

#[test]
fn errors_are_kafkas() {
    let (_folder, broker) = served("sendfile");
    let mut client = Client::connect(broker.address);
    for offset in [-1, 481, i64::MAX] {
        let data = client.fetch(offset, 1000);
        assert_eq!(data.error_code, ResponseError::OffsetOutOfRange.code());
        assert_eq!((data.high_watermark, data.log_start_offset), (-1, -1));
    }
    let mut wanted = fetch(&[(PARTITIONS, 0, 1000)], 1000).with_max_wait_ms(60_000);
    let unknown = ResponseError::UnknownTopicOrPartition.code();
    assert_eq!(only(client.call(11, &wanted)).error_code, unknown, "at once");
    wanted.topics[0].topic = crate::client::topic_name("other");
    assert_eq!(only(client.call(11, &wanted)).error_code, unknown);
    let session = FetchRequest::default().with_session_id(7).with_session_epoch(1);
    let response = client.call(11, &session);
    assert_eq!(response.error_code, ResponseError::FetchSessionIdNotFound.code());
}

#[test]
fn who_asks_for_what_is_not_there_waits_and_nobody_else_does() {
    let (_folder, broker) = served("sendfile");
    let mut waiting = Client::connect(broker.address);
    let mut other = Client::connect(broker.address);
    let start = Instant::now();
    waiting.send(11, &fetch(&[(0, 480, 1000)], 1000).with_max_wait_ms(1000));
    other.call(3, &ApiVersionsRequest::default());
    assert!(start.elapsed() < Duration::from_millis(900), "the other is answered meanwhile");
    let data = only(waiting.receive::<FetchRequest>(11));
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert_eq!((data.error_code, data.high_watermark), (0, 480));
    assert_eq!(data.records, Some(Bytes::new()));
    // More than there is: what there is comes, when the time is up.
    let start = Instant::now();
    let more = fetch(&[(0, 475, 100)], 1000).with_max_wait_ms(300).with_min_bytes(1 << 30);
    assert!(!records(only(waiting.call(11, &more))).is_empty());
    assert!(start.elapsed() >= Duration::from_millis(300));
}

#[test]
fn a_wait_ends_when_the_client_leaves() {
    let (_folder, broker) = served("sendfile");
    let sockets = || {
        let path = format!("/proc/{}/fd", broker.child.id());
        let links = std::fs::read_dir(path).expect("it runs").filter_map(Result::ok);
        let links = links.filter_map(|entry| std::fs::read_link(entry.path()).ok());
        links.filter(|link| link.to_string_lossy().starts_with("socket:")).count()
    };
    let before = sockets();
    let mut waiting = Client::connect(broker.address);
    waiting.send(11, &fetch(&[(0, 480, 1000)], 1000).with_max_wait_ms(i32::MAX));
    let start = Instant::now();
    while sockets() == before {
        assert!(start.elapsed() < Duration::from_secs(20), "it was never accepted");
    }
    drop(waiting);
    while sockets() > before {
        assert!(start.elapsed() < Duration::from_secs(20), "its connection is still open");
        std::thread::sleep(Duration::from_millis(5));
    }
}
