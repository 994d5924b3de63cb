//! Offsets that groups have committed, for as long as the process lives.

use std::collections::HashSet;
use std::time::Instant;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_commit_request::OffsetCommitRequestPartition;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{
    GroupId, OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse,
    TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::coordinator::error_code;
use super::group::Who;
use super::groups::Groups;
use crate::fetch::log::{Topic, Topics};

/// Most that may be said with a committed offset, in bytes: Kafka's
/// `offset.metadata.max.bytes`.
const MOST_METADATA: usize = 4096;

/// Where OffsetFetch knows of no offset.
const NO_OFFSET: i64 = -1;

/// Remembers offsets until the process ends. Who assigns partitions to itself and joins nothing
/// may commit too, to a group that nobody has joined.
pub(super) fn commit(
    groups: &mut Groups,
    topics: &Topics,
    body: &OffsetCommitRequest,
    now: Instant,
) -> OffsetCommitResponse {
    let who = Who {
        member: &body.member_id,
        instance: body.group_instance_id.as_deref(),
        generation: body.generation_id_or_member_epoch,
    };
    let mut group = groups
        .group(&body.group_id, now)
        .and_then(|group| group.may_commit(&who, now).map(|()| group));
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
