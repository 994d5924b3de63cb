//! The server as its neighbours in this process see it.

use bytes::{Buf as _, BytesMut};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic,
};
use kafka_protocol::messages::{
    GroupId, MetadataRequest, OffsetCommitRequest, OffsetFetchRequest, RequestHeader,
    ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{
    self, Decodable as _, HeaderVersion as _, StrBytes, encode_request_header_into_buffer,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::fetch::consumer::{FetchCommand, Protocol, Verified, consume, shares};
use crate::fetch::log::{Log, MakeLog, Topics, make};
use crate::fetch::socket::Address;
use crate::fetch::wire::{Fetch, SIZE};
use crate::transfer::{Layer, TransferSpec};

#[test]
fn a_consumer_that_leaves_in_mid_transfer_harms_no_other() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("orders-0");
    // Larger than any pair of socket buffers, so that the server is in the middle of it.
    make(&path, &MakeLog { bytes: 12 << 20, ..MakeLog::default() }).expect("a log");
    let log = Log::open(&path).expect("an intact log");
    let broker = Arc::new(Broker::new(Topics::open(&path).expect("a topic"), None));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        for row in TransferSpec::possible().filter(|row| row.layer == Layer::Plain) {
            let listener = anywhere().listen().expect("a free port");
            let address = listener.address.internet();
            let server = tokio::spawn(serve(vec![(row, listener)], Arc::clone(&broker)));
            let fetch = Fetch {
                correlation_id: 0,
                topic: "orders".to_owned(),
                partition: 0,
                offset: 0,
                max_bytes: i32::MAX,
            };
            let mut leaver = TcpStream::connect(address).await.expect("connects");
            leaver.write_all(&fetch.encode().expect("encodes")).await.expect("sent");
            leaver.read_exact(&mut [0; 1000]).await.expect("an answer has begun");
            drop(leaver);
            let outcome = consume(FetchCommand {
                address: address.into(),
                protocol: Protocol::Kafka { topic: "orders".to_owned(), partition: 0 },
                mode: "copy".to_owned(),
                certificate: None,
                rounds: 1,
                shares: shares(&log, 2, u64::MAX, 1 << 20).expect("readable"),
            })
            .await;
            assert_eq!((outcome.error, outcome.verified), (None, Verified::Right), "{}", row.name);
            assert!(outcome.seconds > 0.0);
            assert!(!server.is_finished(), "{}: the server goes on", row.name);
            server.abort();
        }
    });
}

/// A port of the kernel's choice.
fn anywhere() -> Address {
    SocketAddr::from(([127, 0, 0, 1], 0)).into()
}

#[test]
fn a_busy_port_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log_dir = folder.path().join("orders-0");
    make(&log_dir, &MakeLog { bytes: 1, ..MakeLog::default() }).expect("a log");
    let busy = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = busy.local_addr().expect("bound");
    let options = ServerOptions { log_dir, listeners: vec![("sendfile".into(), address.into())] };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = runtime.expect("a runtime").block_on(async { run::set_up(&options) });
    let error = format!("{:#}", ended.expect_err("refused"));
    assert!(error.contains(&address.to_string()) && error.contains("--listen"), "{error}");
}

/// Time is let go by, where everybody waits for it.
#[test]
fn clients_that_say_or_take_nothing_are_left_in_the_end() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("orders-0");
    make(&path, &MakeLog { bytes: 12 << 20, ..MakeLog::default() }).expect("a log");
    let broker = Arc::new(Broker::new(Topics::open(&path).expect("a topic"), None));
    let fetch = Fetch {
        correlation_id: 0,
        topic: "orders".to_owned(),
        partition: 0,
        offset: 0,
        max_bytes: i32::MAX,
    };
    let fetch = fetch.encode().expect("encodes");
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        for row in TransferSpec::possible().filter(|row| row.layer == Layer::Plain) {
            let listener = anywhere().listen().expect("a free port");
            let address = listener.address.internet();
            let server = tokio::spawn(serve(vec![(row, listener)], Arc::clone(&broker)));
            let start = tokio::time::Instant::now();
            let mut silent = TcpStream::connect(address).await.expect("connects");
            let ended = silent.read(&mut [0]).await.expect("closed in peace");
            assert!(ended == 0 && start.elapsed() >= Duration::from_mins(10), "{}", row.name);
            let mut slow = TcpStream::connect(address).await.expect("connects");
            slow.write_all(&fetch).await.expect("sent");
            tokio::time::sleep(Duration::from_mins(11)).await;
            let mut received = Vec::new();
            // Reset or closed, but without what was not taken in time.
            let _ = slow.read_to_end(&mut received).await;
            assert!(received.len() < 12 << 20, "{}: {}", row.name, received.len());
            server.abort();
        }
    });
}

/// Else a small request would have an enormous answer: a topic has many partitions, and what was
/// said with an offset is up to four kilobytes long.
#[test]
fn what_is_asked_for_twice_is_answered_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("orders-0");
    make(&path, &MakeLog { bytes: 1, ..MakeLog::default() }).expect("a log");
    let broker = Broker::new(Topics::open(&path).expect("a topic"), None);
    let name = || TopicName(StrBytes::from_static_str("orders"));
    let group = || GroupId(StrBytes::from_static_str("g"));

    let wanted = MetadataRequestTopic::default().with_name(Some(name()));
    let request = MetadataRequest::default().with_topics(Some(vec![wanted; 3]));
    assert_eq!(ask(&broker, 12, &request).topics.len(), 1);

    let partition = OffsetCommitRequestPartition::default().with_committed_offset(7);
    let topic =
        OffsetCommitRequestTopic::default().with_name(name()).with_partitions(vec![partition]);
    let commit = OffsetCommitRequest::default().with_group_id(group()).with_topics(vec![topic]);
    assert_eq!(ask(&broker, 8, &commit).topics[0].partitions[0].error_code, 0);

    let topic =
        OffsetFetchRequestTopic::default().with_name(name()).with_partition_indexes(vec![0, 0, 1]);
    let request = OffsetFetchRequest::default()
        .with_group_id(group())
        .with_topics(Some(vec![topic.clone(), topic]));
    let topics = ask(&broker, 7, &request).topics;
    let offsets = topics.iter().flat_map(|topic| &topic.partitions);
    let offsets: Vec<_> = offsets.map(|p| (p.partition_index, p.committed_offset)).collect();
    assert_eq!(offsets, [(0, 7), (1, -1)]);

    let all = OffsetFetchRequestGroup::default().with_group_id(group()).with_topics(None);
    let groups = ask(&broker, 8, &OffsetFetchRequest::default().with_groups(vec![all; 3])).groups;
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0].topics[0].partitions[0].committed_offset, 7);
}

fn ask<T: protocol::Request>(broker: &Broker, version: i16, body: &T) -> T::Response {
    let header =
        RequestHeader::default().with_request_api_key(T::KEY).with_request_api_version(version);
    let mut frame = BytesMut::new();
    encode_request_header_into_buffer(&mut frame, &header).expect("encodes");
    body.encode(&mut frame, version).expect("encodes");
    let local = SocketAddr::from(([127, 0, 0, 1], 9092));
    let Answer::Now(reply) = broker.answer(frame.freeze(), local).expect("an answer") else {
        panic!("nobody is to be waited for")
    };
    let mut answer = reply.frame.encoded;
    answer.advance(SIZE);
    ResponseHeader::decode(&mut answer, T::Response::header_version(version)).expect("a header");
    T::Response::decode(&mut answer, version).expect("decodes")
}
