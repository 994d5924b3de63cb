//! The requests of consumer groups.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::offset_commit_request::OffsetCommitRequestPartition;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{
    GroupId, HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, LeaveGroupResponse, OffsetCommitRequest, OffsetCommitResponse,
    OffsetFetchRequest, OffsetFetchResponse, SyncGroupRequest, SyncGroupResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::groups::{Groups, Joining};
use crate::fetch::log::{Topic, Topics};
use crate::fetch::wire::Request;

/// Most that may be said with a committed offset, in bytes: Kafka's
/// `offset.metadata.max.bytes`.
const MOST_METADATA: usize = 4096;

/// Where OffsetFetch knows of no offset.
const NO_OFFSET: i64 = -1;

fn error_code<T>(result: &Result<T, ResponseError>) -> i16 {
    result.as_ref().map_or_else(ResponseError::code, |_| 0)
}

/// The one member leads, so it is told who the members are: itself.
pub(super) fn join(
    groups: &mut Groups,
    request: &Request,
    body: &JoinGroupRequest,
    now: Instant,
) -> JoinGroupResponse {
    let joined = body.protocols.first().ok_or(ResponseError::InconsistentGroupProtocol);
    let session = u64::try_from(body.session_timeout_ms).unwrap_or(0);
    let joining = Joining {
        member: &body.member_id,
        instance: body.group_instance_id.as_deref(),
        client: request.client_id.as_deref().unwrap_or("consumer"),
        session: Duration::from_millis(session),
    };
    let joined = joined.and_then(|protocol| {
        groups.join(&body.group_id, joining, now).map(|member| (protocol, member))
    });
    let response = JoinGroupResponse::default().with_error_code(error_code(&joined));
    let Ok((protocol, (id, generation))) = joined else {
        // Before version 7 null was no name.
        let none = (request.version < 7).then(StrBytes::default);
        let refused = response.with_generation_id(-1).with_protocol_name(none);
        return refused.with_member_id(body.member_id.clone());
    };
    let id = StrBytes::from_string(id);
    let member = JoinGroupResponseMember::default()
        .with_member_id(id.clone())
        .with_group_instance_id(body.group_instance_id.clone())
        .with_metadata(protocol.metadata.clone());
    let kind = (request.version >= 7).then(|| body.protocol_type.clone());
    response
        .with_generation_id(generation)
        .with_protocol_type(kind)
        .with_protocol_name(Some(protocol.name.clone()))
        .with_leader(id.clone())
        .with_member_id(id)
        .with_members(vec![member])
}

/// The member is told what it has assigned to itself.
pub(super) fn sync(
    groups: &mut Groups,
    version: i16,
    body: &SyncGroupRequest,
    now: Instant,
) -> SyncGroupResponse {
    let heard = groups.hear(&body.group_id, &body.member_id, body.generation_id, now);
    let response = SyncGroupResponse::default().with_error_code(error_code(&heard));
    if heard.is_err() {
        return response;
    }
    let own = body.assignments.iter().find(|given| given.member_id == body.member_id);
    let named = |name: &Option<StrBytes>| name.clone().filter(|_| version >= 5);
    response
        .with_protocol_type(named(&body.protocol_type))
        .with_protocol_name(named(&body.protocol_name))
        .with_assignment(own.map_or_else(Bytes::new, |given| given.assignment.clone()))
}

pub(super) fn heartbeat(
    groups: &mut Groups,
    body: &HeartbeatRequest,
    now: Instant,
) -> HeartbeatResponse {
    let heard = groups.hear(&body.group_id, &body.member_id, body.generation_id, now);
    HeartbeatResponse::default().with_error_code(error_code(&heard))
}

pub(super) fn leave(
    groups: &mut Groups,
    version: i16,
    body: &LeaveGroupRequest,
    now: Instant,
) -> LeaveGroupResponse {
    if version < 3 {
        let left = groups.leave(&body.group_id, &body.member_id, None, now);
        return LeaveGroupResponse::default().with_error_code(error_code(&left));
    }
    let members = body.members.iter().map(|member| {
        let instance = member.group_instance_id.as_deref();
        let left = groups.leave(&body.group_id, &member.member_id, instance, now);
        MemberResponse::default()
            .with_member_id(member.member_id.clone())
            .with_group_instance_id(member.group_instance_id.clone())
            .with_error_code(error_code(&left))
    });
    LeaveGroupResponse::default().with_members(members.collect())
}

/// Remembers offsets until the process ends. Who assigns partitions to itself and joins nothing
/// may commit too, to a group that nobody has joined.
pub(super) fn commit(
    groups: &mut Groups,
    topics: &Topics,
    body: &OffsetCommitRequest,
    now: Instant,
) -> OffsetCommitResponse {
    let generation = body.generation_id_or_member_epoch;
    let mut group = if generation < 0 && body.member_id.is_empty() {
        groups.group(&body.group_id, now).and_then(|group| {
            let vacant = group.is_vacant(now);
            vacant.then_some(group).ok_or(ResponseError::UnknownMemberId)
        })
    } else {
        groups.hear(&body.group_id, &body.member_id, generation, now)
    };
    let topics = body.topics.iter().map(|wanted| {
        let topic = topics.named(&wanted.name);
        let partitions = wanted.partitions.iter().map(|partition| {
            let committed = committable(topic, partition);
            let committed = match &mut group {
                Ok(group) => committed.map(|metadata| {
                    let at = (wanted.name.to_string(), partition.partition_index);
                    group.offsets.insert(at, (partition.committed_offset, metadata));
                }),
                Err(error) => Err(*error),
            };
            OffsetCommitResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(error_code(&committed))
        });
        OffsetCommitResponseTopic::default()
            .with_name(wanted.name.clone())
            .with_partitions(partitions.collect())
    });
    OffsetCommitResponse::default().with_topics(topics.collect())
}

/// What is said with an offset that can be committed.
fn committable(
    topic: Option<&Topic>,
    partition: &OffsetCommitRequestPartition,
) -> Result<String, ResponseError> {
    let known = topic.is_some_and(|t| t.partitions.contains_key(&partition.partition_index));
    let metadata = partition.committed_metadata.as_deref().unwrap_or_default();
    match (known, metadata.len()) {
        (false, _) => Err(ResponseError::UnknownTopicOrPartition),
        (true, 0..=MOST_METADATA) => Ok(metadata.to_owned()),
        (true, _) => Err(ResponseError::OffsetMetadataTooLarge),
    }
}

/// A topic's committed offsets, as OffsetFetch tells them: partition, offset, metadata.
type Committed = (TopicName, Vec<(i32, i64, StrBytes)>);

pub(super) fn committed(
    groups: &mut Groups,
    version: i16,
    body: &OffsetFetchRequest,
) -> OffsetFetchResponse {
    if version < 8 {
        let wanted = body.topics.as_ref();
        let wanted = wanted.map(|topics| topics.iter().map(|t| (&t.name, &t.partition_indexes)));
        let topics = offsets(groups, &body.group_id, wanted).into_iter().map(|(name, offsets)| {
            let partitions = offsets.into_iter().map(|(index, offset, metadata)| {
                OffsetFetchResponsePartition::default()
                    .with_partition_index(index)
                    .with_committed_offset(offset)
                    .with_metadata(Some(metadata))
            });
            let topic = OffsetFetchResponseTopic::default().with_name(name);
            topic.with_partitions(partitions.collect())
        });
        return OffsetFetchResponse::default().with_topics(topics.collect());
    }
    // Each may be answered with all that is committed.
    let mut told = HashSet::new();
    let first = body.groups.iter().filter(|group| told.insert(&group.group_id));
    let answers = first.map(|group| {
        let wanted = group.topics.as_ref();
        let wanted = wanted.map(|topics| topics.iter().map(|t| (&t.name, &t.partition_indexes)));
        let topics = offsets(groups, &group.group_id, wanted).into_iter().map(|(name, offsets)| {
            let partitions = offsets.into_iter().map(|(index, offset, metadata)| {
                OffsetFetchResponsePartitions::default()
                    .with_partition_index(index)
                    .with_committed_offset(offset)
                    .with_metadata(Some(metadata))
            });
            let topic = OffsetFetchResponseTopics::default().with_name(name);
            topic.with_partitions(partitions.collect())
        });
        let answer = OffsetFetchResponseGroup::default().with_group_id(group.group_id.clone());
        answer.with_topics(topics.collect())
    });
    OffsetFetchResponse::default().with_groups(answers.collect())
}

/// Committed offsets of the partitions that are wanted, each once, or all of them.
fn offsets<'a>(
    groups: &mut Groups,
    group: &GroupId,
    wanted: Option<impl Iterator<Item = (&'a TopicName, &'a Vec<i32>)>>,
) -> Vec<Committed> {
    let group = groups.known(group);
    let known = group.map(|group| &group.offsets);
    if let Some(wanted) = wanted {
        let offset = |name: &TopicName, index: i32| {
            let found = known.and_then(|known| known.get(&(name.to_string(), index)));
            let (offset, metadata) = found.cloned().unwrap_or((NO_OFFSET, String::new()));
            (index, offset, StrBytes::from_string(metadata))
        };
        // What was said with an offset may be long.
        let mut told = HashSet::new();
        let topic = |(name, indexes): (&'a TopicName, &'a Vec<i32>)| {
            let first = indexes.iter().filter(|index| told.insert((name, **index)));
            (name.clone(), first.map(|index| offset(name, *index)).collect())
        };
        return wanted.map(topic).collect();
    }
    let mut topics: Vec<Committed> = Vec::new();
    for ((name, index), (offset, metadata)) in known.into_iter().flatten() {
        let entry = (*index, *offset, StrBytes::from_string(metadata.clone()));
        match topics.last_mut() {
            Some((last, offsets)) if last.as_str() == name => offsets.push(entry),
            _ => topics.push((TopicName(StrBytes::from_string(name.clone())), vec![entry])),
        }
    }
    topics
}
