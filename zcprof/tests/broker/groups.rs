//! A consumer group, request by request.

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    GroupId, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
    OffsetCommitRequest, OffsetFetchRequest, SyncGroupRequest,
};
use kafka_protocol::protocol::StrBytes;

use crate::client::{Client, topic_name};
use crate::topic::{PARTITIONS, TOPIC, served};

fn group() -> GroupId {
    GroupId(StrBytes::from_static_str("readers"))
}

fn join(member: &StrBytes) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(StrBytes::from_static_str("range"))
        .with_metadata(Bytes::from_static(b"subscription"));
    JoinGroupRequest::default()
        .with_group_id(group())
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(10_000)
        .with_member_id(member.clone())
        .with_protocol_type(StrBytes::from_static_str("consumer"))
        .with_protocols(vec![protocol])
}

#[test]
fn a_member_joins_reads_its_assignment_commits_and_leaves() {
    let (_folder, broker) = served("sendfile");
    let mut client = Client::connect(broker.address);
    let (id, joined) = joined(&mut client);
    assert_eq!((joined.error_code, joined.members.len()), (0, 1));
    assert!(!id.is_empty() && joined.leader == id, "it leads itself");
    assert_eq!(&joined.members[0].metadata[..], b"subscription");

    let assignment = SyncGroupRequestAssignment::default()
        .with_member_id(id.clone())
        .with_assignment(Bytes::from_static(b"everything"));
    let sync = SyncGroupRequest::default()
        .with_group_id(group())
        .with_generation_id(joined.generation_id)
        .with_member_id(id.clone())
        .with_assignments(vec![assignment]);
    for version in 0..=5 {
        let synced = client.call(version, &sync);
        assert_eq!((synced.error_code, &synced.assignment[..]), (0, &b"everything"[..]));
    }
    let beat = |generation: i32| {
        HeartbeatRequest::default()
            .with_group_id(group())
            .with_generation_id(generation)
            .with_member_id(id.clone())
    };
    assert_eq!(client.call(4, &beat(joined.generation_id)).error_code, 0);
    let old = client.call(4, &beat(joined.generation_id - 1)).error_code;
    assert_eq!(old, ResponseError::IllegalGeneration.code());

    commits(&mut client, &id, joined.generation_id);
    let leaving = MemberIdentity::default().with_member_id(id.clone());
    let leave = LeaveGroupRequest::default().with_group_id(group()).with_members(vec![leaving]);
    assert_eq!(client.call(5, &leave).members[0].error_code, 0);
    let gone = client.call(4, &beat(joined.generation_id)).error_code;
    assert_eq!(gone, ResponseError::UnknownMemberId.code());
}

/// Joins, by the id that it is given first.
fn joined(client: &mut Client) -> (StrBytes, JoinGroupResponse) {
    let asked = client.call(9, &join(&StrBytes::default()));
    assert_eq!(asked.error_code, ResponseError::MemberIdRequired.code());
    let id = asked.member_id;
    (id.clone(), client.call(9, &join(&id)))
}

fn sync(id: &StrBytes, generation: i32, given: &[(&StrBytes, &'static str)]) -> SyncGroupRequest {
    let given = given.iter().map(|(id, text)| {
        SyncGroupRequestAssignment::default()
            .with_member_id((*id).clone())
            .with_assignment(Bytes::from_static(text.as_bytes()))
    });
    SyncGroupRequest::default()
        .with_group_id(group())
        .with_generation_id(generation)
        .with_member_id(id.clone())
        .with_assignments(given.collect())
}

#[test]
fn two_members_share_and_one_takes_over_when_the_other_is_gone() {
    let (_folder, broker) = served("sendfile");
    let [mut first, mut second] = [(); 2].map(|()| Client::connect(broker.address));
    let (a, alone) = joined(&mut first);
    assert_eq!(alone.members.len(), 1);
    first.call(5, &sync(&a, alone.generation_id, &[(&a, "all")]));

    let b = second.call(9, &join(&StrBytes::default())).member_id;
    second.send(9, &join(&b));
    let beat = |generation| {
        let beat = HeartbeatRequest::default().with_group_id(group()).with_member_id(a.clone());
        beat.with_generation_id(generation)
    };
    let rebalancing = ResponseError::RebalanceInProgress.code();
    while first.call(4, &beat(alone.generation_id)).error_code != rebalancing {}
    let leads = first.call(9, &join(&a));
    let follows = second.receive::<JoinGroupRequest>(9);
    assert_eq!((leads.members.len(), follows.members.len()), (2, 0));
    assert_eq!((&leads.leader, &follows.leader), (&a, &a));
    second.send(5, &sync(&b, follows.generation_id, &[]));
    let left = first.call(5, &sync(&a, leads.generation_id, &[(&a, "left"), (&b, "right")]));
    let right = second.receive::<SyncGroupRequest>(5);
    assert_eq!((&left.assignment[..], &right.assignment[..]), (&b"left"[..], &b"right"[..]));

    // The second one is killed; its session is over after ten seconds.
    drop(second);
    let start = std::time::Instant::now();
    while first.call(4, &beat(leads.generation_id)).error_code != rebalancing {
        assert!(start.elapsed() < std::time::Duration::from_secs(15), "it is still waited for");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(first.call(9, &join(&a)).members.len(), 1);
}

fn commits(client: &mut Client, id: &StrBytes, generation: i32) {
    let offset = |partition| {
        OffsetCommitRequestPartition::default()
            .with_partition_index(partition)
            .with_committed_offset(77)
            .with_committed_metadata(Some(StrBytes::from_static_str("half")))
    };
    let topic = OffsetCommitRequestTopic::default()
        .with_name(topic_name(TOPIC))
        .with_partitions(vec![offset(1), offset(PARTITIONS)]);
    let commit = OffsetCommitRequest::default()
        .with_group_id(group())
        .with_generation_id_or_member_epoch(generation)
        .with_member_id(id.clone())
        .with_topics(vec![topic]);
    let response = client.call(8, &commit);
    let codes: Vec<_> = response.topics[0].partitions.iter().map(|p| p.error_code).collect();
    assert_eq!(codes, [0, ResponseError::UnknownTopicOrPartition.code()]);
    let stranger =
        commit.with_member_id(StrBytes::default()).with_generation_id_or_member_epoch(-1);
    let refused = client.call(8, &stranger).topics[0].partitions[0].error_code;
    assert_eq!(refused, ResponseError::UnknownMemberId.code(), "the group has a member");

    let topic = OffsetFetchRequestTopic::default()
        .with_name(topic_name(TOPIC))
        .with_partition_indexes(vec![0, 1]);
    let some = OffsetFetchRequest::default().with_group_id(group()).with_topics(Some(vec![topic]));
    let found = client.call(7, &some);
    let offsets: Vec<_> = found.topics[0].partitions.iter().map(|p| p.committed_offset).collect();
    assert_eq!(offsets, [-1, 77]);
    let all = OffsetFetchRequestGroup::default().with_group_id(group()).with_topics(None);
    let found = client.call(8, &OffsetFetchRequest::default().with_groups(vec![all]));
    let offsets = &found.groups[0].topics[0].partitions;
    assert_eq!((offsets.len(), offsets[0].partition_index), (1, 1));
    assert_eq!((offsets[0].committed_offset, offsets[0].metadata.as_deref()), (77, Some("half")));
}
