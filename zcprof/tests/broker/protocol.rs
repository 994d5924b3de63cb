//! Requests frame by frame: every one in every version that is advertised, and those that are
//! not.

use std::io::Write as _;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, FetchRequest, FindCoordinatorRequest,
    HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, ListOffsetsRequest, MetadataRequest,
    OffsetCommitRequest, OffsetFetchRequest, OffsetForLeaderEpochRequest, ProduceRequest,
    ResponseHeader, SyncGroupRequest,
};
use kafka_protocol::protocol::{Decodable as _, StrBytes};
use nix::sys::signal::Signal;

use crate::client::{Client, fetch, only, topic_name};
use crate::topic::{BrokerProcess, EPOCH, PARTITIONS, TOPIC, make, served};

#[test]
fn every_request_is_answered_in_every_version() {
    let (_folder, broker) = served("sendfile");
    let mut client = Client::connect(broker.address);
    let versions = client.call(4, &ApiVersionsRequest::default());
    assert_eq!(versions.error_code, 0);
    let mut answered = 0;
    for api in versions.api_keys {
        let key = ApiKey::try_from(api.api_key).expect("a request of Kafka");
        // See wire/schema.rs: the versions before are advertised for librdkafka alone.
        let first = if key == ApiKey::Produce { 3 } else { api.min_version };
        for v in first..=api.max_version {
            answered += 1;
            match key {
                ApiKey::Produce => drop(client.call(v, &produce())),
                ApiKey::Fetch => drop(client.call(v, &FetchRequest::default())),
                ApiKey::ListOffsets => drop(client.call(v, &ListOffsetsRequest::default())),
                ApiKey::Metadata => drop(client.call(v, &MetadataRequest::default())),
                ApiKey::OffsetCommit => drop(client.call(v, &OffsetCommitRequest::default())),
                ApiKey::OffsetFetch => drop(client.call(v, &OffsetFetchRequest::default())),
                ApiKey::OffsetForLeaderEpoch => {
                    drop(client.call(v, &OffsetForLeaderEpochRequest::default()));
                }
                ApiKey::FindCoordinator => drop(client.call(v, &FindCoordinatorRequest::default())),
                ApiKey::JoinGroup => drop(client.call(v, &JoinGroupRequest::default())),
                ApiKey::Heartbeat => drop(client.call(v, &HeartbeatRequest::default())),
                ApiKey::LeaveGroup => drop(client.call(v, &LeaveGroupRequest::default())),
                ApiKey::SyncGroup => drop(client.call(v, &SyncGroupRequest::default())),
                ApiKey::ApiVersions => drop(client.call(v, &ApiVersionsRequest::default())),
                other => panic!("{other:?} is advertised, and this test does not know it"),
            }
        }
    }
    assert!(answered > 80, "{answered}");
}

#[test]
fn a_newer_client_learns_which_versions_there_are() {
    let (_folder, broker) = served("sendfile");
    let mut client = Client::connect(broker.address);
    // ApiVersions version 99, in a form that nobody knows yet.
    client.stream.write_all(&[0, 0, 0, 10, 0, 18, 0, 99, 0, 0, 0, 5, 9, 9]).expect("sent");
    let mut frame = client.receive_frame().expect("a response");
    let header = ResponseHeader::decode(&mut frame, 0).expect("a header");
    let response = ApiVersionsResponse::decode(&mut frame, 0).expect("version 0");
    assert_eq!(header.correlation_id, 5);
    assert_eq!(response.error_code, ResponseError::UnsupportedVersion.code());
    assert_eq!((response.api_keys[0].api_key, response.api_keys[0].max_version), (18, 4));
    Client::connect(broker.address).call(0, &ApiVersionsRequest::default());
}

#[test]
fn what_is_not_spoken_closes_the_connection_and_is_logged() {
    let (_folder, broker) = served("sendfile");
    for head in [[0, 0, 0, 2], [0, 1, 0, 3], [0, 1, 0, 18], [0, 19, 0, 7], [0x7f, 0, 0, 0]] {
        let mut client = Client::connect(broker.address);
        client.stream.write_all(&[0, 0, 0, 10]).expect("sent");
        client.stream.write_all(&head).expect("sent");
        client.stream.write_all(&[0, 0, 0, 5, 0xff, 0xff]).expect("sent");
        assert!(client.receive_frame().is_none(), "{head:?}");
    }
    let (code, said) = broker.end(Signal::SIGTERM);
    assert_eq!(code, Some(0));
    for words in
        ["request 0 (Produce) version 2 is not spoken", "request 1 (Fetch) version 3", "127.0.0.1:"]
    {
        assert!(said.contains(words), "{words:?} is missing: {said}");
    }
    assert_eq!(said.matches("(Fetch)").count(), 1, "the same trouble is said once: {said}");
}

fn produce() -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(1);
    let topic = TopicProduceData::default()
        .with_name(topic_name(TOPIC))
        .with_partition_data(vec![data.with_records(Some(Bytes::from_static(b"batch")))]);
    ProduceRequest::default().with_acks(-1).with_topic_data(vec![topic])
}

#[test]
fn producers_are_refused_and_told_why() {
    let (_folder, broker) = served("sendfile");
    let mut client = Client::connect(broker.address);
    for version in 3..=9 {
        let response = client.call(version, &produce());
        let refused = &response.responses[0].partition_responses[0];
        assert_eq!(refused.error_code, ResponseError::PolicyViolation.code());
        let said = refused.error_message.as_ref().map(|said| said.contains("only read from"));
        assert_eq!(said, (version >= 8).then_some(true));
    }
    client.send(9, &produce().with_acks(0));
    assert!(client.receive_frame().is_none(), "it wants no answer, so the connection is closed");
}

#[test]
fn metadata_leads_every_client_back_to_where_it_came() {
    let (folder, broker) = served("sendfile");
    let mut client = Client::connect(broker.address);
    let all = client.call(12, &MetadataRequest::default().with_topics(None));
    assert_eq!(all.brokers[0].host.as_str(), "127.0.0.1");
    assert_eq!(all.brokers[0].port, i32::from(broker.address.port()));
    let topic = &all.topics[0];
    assert_eq!(topic.name, Some(topic_name(TOPIC)));
    let indexes: Vec<_> = topic.partitions.iter().map(|p| p.partition_index).collect();
    assert_eq!(indexes, (0..PARTITIONS).collect::<Vec<_>>());

    let wanted =
        |topic: MetadataRequestTopic| MetadataRequest::default().with_topics(Some(vec![topic]));
    let by_id = MetadataRequestTopic::default().with_name(None).with_topic_id(topic.topic_id);
    let found = client.call(12, &wanted(by_id.clone()));
    assert_eq!(found.topics[0].name, topic.name);
    let nobody = client.call(12, &wanted(by_id.with_topic_id(uuid::Uuid::from_u128(7))));
    assert_eq!(nobody.topics[0].error_code, ResponseError::UnknownTopicId.code());
    let other = MetadataRequestTopic::default().with_name(Some(topic_name("other")));
    let unknown = client.call(4, &wanted(other));
    assert_eq!(unknown.topics[0].error_code, ResponseError::UnknownTopicOrPartition.code());
    let none = MetadataRequest::default();
    assert_eq!(client.call(0, &none).topics.len(), 1, "none meant all");
    assert_eq!(client.call(1, &none).topics.len(), 0);

    let elsewhere = ["--advertise", "kafka.example:19092", "--listen", "127.0.0.1:0"];
    let broker = BrokerProcess::start_with(folder.path(), &elsewhere);
    let mut client = Client::connect(broker.address);
    let told = client.call(12, &MetadataRequest::default().with_topics(None));
    assert_eq!((told.brokers[0].host.as_str(), told.brokers[0].port), ("kafka.example", 19092));
    assert_eq!(told.topics[0].topic_id, topic.topic_id, "an id is for ever");
    let keys = vec![StrBytes::from_static_str("group")];
    let found = client.call(4, &FindCoordinatorRequest::default().with_coordinator_keys(keys));
    assert_eq!(found.coordinators[0].host.as_str(), "kafka.example");
}

#[test]
fn offsets_are_found_by_their_time() {
    let (_folder, broker) = served("sendfile");
    let mut client = Client::connect(broker.address);
    let mut list = |version, partition, timestamp| {
        let wanted = ListOffsetsPartition::default()
            .with_partition_index(partition)
            .with_timestamp(timestamp);
        let topic =
            ListOffsetsTopic::default().with_name(topic_name(TOPIC)).with_partitions(vec![wanted]);
        let mut response =
            client.call(version, &ListOffsetsRequest::default().with_topics(vec![topic]));
        let found = response.topics.remove(0).partitions.remove(0);
        (found.error_code, found.offset)
    };
    for version in 1..=10 {
        assert_eq!(list(version, 0, -1), (0, 480), "the latest");
        assert_eq!(list(version, 0, -2), (0, 0), "the earliest");
        assert_eq!(list(version, 0, EPOCH), (0, 0));
        assert_eq!(list(version, 0, EPOCH + 1_000_000), (0, -1), "after the last");
        let unknown = ResponseError::UnknownTopicOrPartition.code();
        assert_eq!(list(version, PARTITIONS, -1), (unknown, -1));
    }
    assert_eq!(list(7, 0, -3).0, 0);
    assert_eq!(list(8, 0, -4), (0, 0), "the earliest on this disk");
    assert_eq!(list(9, 0, -5), (0, -1), "nothing is in remote storage");
    assert_eq!(list(8, 0, -5).0, ResponseError::UnsupportedVersion.code());
    assert_eq!(list(6, 0, -3).0, ResponseError::UnsupportedVersion.code());
    let (error, offset) = list(7, 0, EPOCH + 100_500);
    assert!(error == 0 && (96..=101).contains(&offset), "its record or its batch: {offset}");
}

#[test]
fn what_comes_at_once_is_answered_in_order() {
    let (_folder, broker) = served("sendfile");
    let mut client = Client::connect(broker.address);
    let waits = fetch(&[(0, 480, 1000)], 1000).with_max_wait_ms(300);
    let mut all = Vec::new();
    for _ in 0..20 {
        all.extend_from_slice(&client.frame(11, &fetch(&[(0, 0, 100_000)], i32::MAX)));
        all.extend_from_slice(&client.frame(12, &MetadataRequest::default()));
    }
    all.extend_from_slice(&client.frame(11, &waits));
    all.extend_from_slice(&client.frame(3, &ApiVersionsRequest::default()));
    client.stream.write_all(&all).expect("sent");
    for _ in 0..20 {
        let data = only(client.receive::<FetchRequest>(11));
        assert!(data.records.is_some_and(|records| !records.is_empty()));
        client.receive::<MetadataRequest>(12);
    }
    let start = Instant::now();
    assert!(only(client.receive::<FetchRequest>(11)).records.is_some_and(|r| r.is_empty()));
    client.receive::<ApiVersionsRequest>(3);
    assert!(start.elapsed() >= Duration::from_millis(200), "it waited for the fetch before it");
}

#[test]
fn topics_are_fetched_by_their_id() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    make(folder.path());
    let broker = BrokerProcess::start(folder.path(), "sendfile");
    let mut client = Client::connect(broker.address);
    let all = client.call(12, &MetadataRequest::default().with_topics(None));
    for version in 13..=17 {
        let mut fetch_of = |topic_id| {
            let wanted = FetchPartition::default().with_partition(1).with_partition_max_bytes(9000);
            let topic = FetchTopic::default().with_topic_id(topic_id).with_partitions(vec![wanted]);
            let request = FetchRequest::default().with_max_bytes(9000).with_topics(vec![topic]);
            only(client.call(version, &request))
        };
        let data = fetch_of(all.topics[0].topic_id);
        assert_eq!((data.error_code, data.high_watermark), (0, 480));
        assert_eq!(data.records.map(|records| records.len()), Some(9000));
        let unknown = fetch_of(uuid::Uuid::from_u128(7));
        assert_eq!(unknown.error_code, ResponseError::UnknownTopicId.code());
    }
}
