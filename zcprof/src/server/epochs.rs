//! OffsetForLeaderEpoch: where a client whose last record is of an older leader's time goes on.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use kafka_protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};

use super::broker::Broker;
use super::partitions;
use crate::fetch::log::Topic;

/// What is said of an epoch that is not known.
const UNDEFINED: (i32, i64) = (-1, -1);

pub(super) fn ends(
    broker: &Broker,
    request: &OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.iter().map(|wanted| {
        let topic = broker.topics.named(&wanted.topic);
        let partitions = wanted.partitions.iter().map(|wanted| {
            let answer = EpochEndOffset::default().with_partition(wanted.partition);
            match end(topic, wanted) {
                Ok((epoch, offset)) => answer.with_leader_epoch(epoch).with_end_offset(offset),
                Err(error) => answer.with_error_code(error.code()),
            }
        });
        OffsetForLeaderTopicResult::default()
            .with_topic(wanted.topic.clone())
            .with_partitions(partitions.collect())
    });
    OffsetForLeaderEpochResponse::default().with_topics(topics.collect())
}

fn end(
    topic: Option<&Topic>,
    wanted: &OffsetForLeaderPartition,
) -> Result<(i32, i64), ResponseError> {
    let unknown = ResponseError::UnknownTopicOrPartition;
    let log = partitions::served(topic, wanted.partition, unknown)?;
    partitions::check_epoch(log, wanted.current_leader_epoch)?;
    let end = log.epochs().end(wanted.leader_epoch, log.end_offset());
    Ok(end.map_or(UNDEFINED, |(epoch, offset)| (epoch, offset.cast_signed())))
}
