//! Every request in every version that is advertised, and conversations as clients hold them.

use std::ops::RangeInclusive;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::find_coordinator_request::FindCoordinatorRequest;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, BrokerId, FetchRequest, GroupId, HeartbeatRequest,
    JoinGroupRequest, LeaveGroupRequest, ListOffsetsRequest, MetadataRequest, OffsetCommitRequest,
    OffsetFetchRequest, OffsetForLeaderEpochRequest, ProduceRequest, RequestHeader,
    SyncGroupRequest, TopicName,
};
use kafka_protocol::protocol::{Request, StrBytes, encode_request_header_into_buffer};
use uuid::Uuid;
use zcprof::fetch::log::Topics;
use zcprof::fetch::wire::advertised;

use super::{CLIENT, LOG, MEMBER, PARTITION, TOPIC, TRANSACTIONS};

/// Named seeds.
///
/// # Panics
/// A request cannot be encoded.
#[must_use]
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let topics = Topics::open(&LOG.1).expect("an intact log");
    let id = topics.named(TOPIC).expect("it is there").id;
    let mut seeds = Vec::new();
    for api in advertised() {
        let key = ApiKey::try_from(api.api_key).expect("a known key");
        for version in api.min_version..=api.max_version {
            // Versions that are advertised and not spoken have no encoding either.
            if let Some(frame) = request(key, version, id) {
                let joined = joining(key).then(|| request(ApiKey::JoinGroup, 3, id)).flatten();
                let frames = [joined.unwrap_or_default(), frame].concat();
                seeds.push((format!("{key:?}-{version}"), frames));
            }
        }
    }
    for (name, conversation) in CONVERSATIONS {
        let frames = conversation.iter().filter_map(|(key, version)| request(*key, *version, id));
        seeds.push(((*name).to_owned(), frames.collect::<Vec<_>>().concat()));
    }
    seeds
}

/// Whether a request is one of a group's member.
fn joining(key: ApiKey) -> bool {
    use ApiKey::{Heartbeat, LeaveGroup, OffsetCommit, SyncGroup};
    matches!(key, SyncGroup | Heartbeat | LeaveGroup | OffsetCommit)
}

/// What clients ask one after the other.
const CONVERSATIONS: &[(&str, &[(ApiKey, i16)])] = &[
    (
        "reader",
        &[
            (ApiKey::ApiVersions, 3),
            (ApiKey::Metadata, 12),
            (ApiKey::ListOffsets, 7),
            (ApiKey::Fetch, 17),
            (ApiKey::Fetch, 11),
        ],
    ),
    (
        "member",
        &[
            (ApiKey::FindCoordinator, 4),
            (ApiKey::JoinGroup, 9),
            (ApiKey::JoinGroup, 3),
            (ApiKey::SyncGroup, 5),
            (ApiKey::OffsetFetch, 8),
            (ApiKey::OffsetCommit, 8),
            (ApiKey::OffsetFetch, 8),
            (ApiKey::OffsetFetch, 5),
            (ApiKey::Heartbeat, 4),
            (ApiKey::LeaveGroup, 5),
        ],
    ),
];

/// A frame that the broker answers well, if there is such a version.
fn request(key: ApiKey, version: i16, id: Uuid) -> Option<Vec<u8>> {
    match key {
        ApiKey::Produce => encode(version, &produce()),
        ApiKey::Fetch => encode(version, &fetch(version, id)),
        ApiKey::ListOffsets => encode(version, &list_offsets()),
        ApiKey::Metadata => encode(version, &metadata()),
        ApiKey::OffsetForLeaderEpoch => encode(version, &offset_for_leader_epoch()),
        ApiKey::OffsetCommit => encode(version, &offset_commit()),
        ApiKey::OffsetFetch => encode(version, &offset_fetch(version)),
        ApiKey::FindCoordinator => encode(version, &find_coordinator(version)),
        ApiKey::JoinGroup => encode(version, &join_group()),
        ApiKey::Heartbeat => encode(version, &heartbeat()),
        ApiKey::LeaveGroup => encode(version, &leave_group(version)),
        ApiKey::SyncGroup => encode(version, &sync_group()),
        ApiKey::ApiVersions => encode(version, &ApiVersionsRequest::default()),
        other => panic!("{other:?} is advertised, and there is no seed for it"),
    }
}

fn encode<T: Request>(version: i16, body: &T) -> Option<Vec<u8>> {
    let spoken: RangeInclusive<i16> = T::VERSIONS.min..=T::VERSIONS.max;
    if !spoken.contains(&version) {
        return None;
    }
    let header = RequestHeader::default()
        .with_request_api_key(T::KEY)
        .with_request_api_version(version)
        .with_correlation_id(4711)
        .with_client_id(Some(text(CLIENT)));
    let mut frame = BytesMut::new();
    encode_request_header_into_buffer(&mut frame, &header).expect("a header");
    body.encode(&mut frame, version).expect("a request");
    let size = u32::try_from(frame.len()).expect("a short request");
    Some([&size.to_be_bytes(), &frame[..]].concat())
}

fn offset_for_leader_epoch() -> OffsetForLeaderEpochRequest {
    let partition = OffsetForLeaderPartition::default()
        .with_partition(PARTITION)
        .with_current_leader_epoch(-1)
        .with_leader_epoch(3);
    let topic = OffsetForLeaderTopic::default()
        .with_topic(topic())
        .with_partitions(vec![partition.clone(), partition.with_partition(TRANSACTIONS)]);
    OffsetForLeaderEpochRequest::default().with_topics(vec![topic])
}

fn text(text: &'static str) -> StrBytes {
    StrBytes::from_static_str(text)
}

fn topic() -> TopicName {
    TopicName(text(TOPIC))
}

fn group() -> GroupId {
    GroupId(text("g"))
}

fn produce() -> ProduceRequest {
    let data = PartitionProduceData::default()
        .with_index(PARTITION)
        .with_records(Some(Bytes::from_static(b"records")));
    let topic = TopicProduceData::default().with_name(topic()).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(1).with_timeout_ms(1000).with_topic_data(vec![topic])
}

fn fetch(version: i16, id: Uuid) -> FetchRequest {
    let partition =
        FetchPartition::default().with_partition(PARTITION).with_partition_max_bytes(1 << 20);
    let other = partition.clone().with_partition(TRANSACTIONS);
    let wanted = FetchTopic::default().with_partitions(vec![partition, other]);
    let wanted = if version >= 13 { wanted.with_topic_id(id) } else { wanted.with_topic(topic()) };
    FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(500)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_isolation_level(1)
        .with_topics(vec![wanted])
}

fn list_offsets() -> ListOffsetsRequest {
    let at = |timestamp| {
        ListOffsetsPartition::default().with_partition_index(PARTITION).with_timestamp(timestamp)
    };
    let topic = ListOffsetsTopic::default()
        .with_name(topic())
        .with_partitions([-1, -2, -3, -4, -5, 0].map(at).into());
    ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic])
}

fn metadata() -> MetadataRequest {
    let wanted = MetadataRequestTopic::default().with_name(Some(topic()));
    MetadataRequest::default().with_topics(Some(vec![wanted]))
}

fn offset_commit() -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition::default()
        .with_partition_index(PARTITION)
        .with_committed_offset(3)
        .with_committed_metadata(Some(text("so far")));
    let topic =
        OffsetCommitRequestTopic::default().with_name(topic()).with_partitions(vec![partition]);
    OffsetCommitRequest::default()
        .with_group_id(group())
        .with_generation_id_or_member_epoch(1)
        .with_member_id(text(MEMBER))
        .with_topics(vec![topic])
}

fn offset_fetch(version: i16) -> OffsetFetchRequest {
    if version < 8 {
        let topic = OffsetFetchRequestTopic::default()
            .with_name(topic())
            .with_partition_indexes(vec![PARTITION, PARTITION + 1]);
        return OffsetFetchRequest::default().with_group_id(group()).with_topics(Some(vec![topic]));
    }
    let topic = OffsetFetchRequestTopics::default()
        .with_name(topic())
        .with_partition_indexes(vec![PARTITION, PARTITION + 1]);
    let some = OffsetFetchRequestGroup::default().with_group_id(group());
    let all = some.clone().with_topics(None);
    OffsetFetchRequest::default().with_groups(vec![some.with_topics(Some(vec![topic])), all])
}

fn find_coordinator(version: i16) -> FindCoordinatorRequest {
    let key = text("g");
    let request = FindCoordinatorRequest::default();
    if version < 4 { request.with_key(key) } else { request.with_coordinator_keys(vec![key]) }
}

fn join_group() -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(text("range"))
        .with_metadata(Bytes::from_static(b"topics"));
    JoinGroupRequest::default()
        .with_group_id(group())
        .with_session_timeout_ms(60_000)
        .with_rebalance_timeout_ms(60_000)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol])
}

fn heartbeat() -> HeartbeatRequest {
    HeartbeatRequest::default()
        .with_group_id(group())
        .with_generation_id(1)
        .with_member_id(text(MEMBER))
}

fn leave_group(version: i16) -> LeaveGroupRequest {
    let request = LeaveGroupRequest::default().with_group_id(group());
    if version < 3 {
        return request.with_member_id(text(MEMBER));
    }
    request.with_members(vec![MemberIdentity::default().with_member_id(text(MEMBER))])
}

fn sync_group() -> SyncGroupRequest {
    let assignment = SyncGroupRequestAssignment::default()
        .with_member_id(text(MEMBER))
        .with_assignment(Bytes::from_static(b"everything"));
    SyncGroupRequest::default()
        .with_group_id(group())
        .with_generation_id(1)
        .with_member_id(text(MEMBER))
        .with_assignments(vec![assignment])
}
