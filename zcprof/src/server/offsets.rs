//! ListOffsets, and why nothing can be appended: Produce.

use anyhow::{Result, ensure};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_offsets_request::ListOffsetsPartition;
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::produce_request::TopicProduceData;
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{
    ListOffsetsRequest, ListOffsetsResponse, ProduceRequest, ProduceResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::broker::Broker;
use super::fetch::READ_COMMITTED;
use super::partitions;
use crate::fetch::log::Log;
use crate::fetch::wire::Request;

/// ListOffsets' word for the offset after the last record.
const LATEST: i64 = -1;

/// ListOffsets' word for the offset of the first record.
const EARLIEST: i64 = -2;

/// ListOffsets' word for the offset of the latest record, since version 7.
const MAX_TIMESTAMP: i64 = -3;

/// ListOffsets' word for the first offset that is on this broker's own disk, since version 8.
const EARLIEST_LOCAL: i64 = -4;

/// ListOffsets' word for the last offset that is in remote storage, since version 9.
const LATEST_TIERED: i64 = -5;

/// Offset, timestamp or epoch of what is not there.
const NONE: i64 = -1;

/// What a producer is told, in versions that can tell.
const READ_ONLY: &str = "this broker is only read from: its logs are files that it never writes";

pub(super) fn list(
    broker: &Broker,
    version: i16,
    request: &ListOffsetsRequest,
) -> ListOffsetsResponse {
    let topics = request.topics.iter().map(|wanted| {
        let topic = broker.topics.named(&wanted.name);
        let partitions = wanted.partitions.iter().map(|wanted| {
            let unknown = ResponseError::UnknownTopicOrPartition;
            let found = partitions::served(topic, wanted.partition_index, unknown)
                .and_then(|log| offset(log, version, request.isolation_level, wanted));
            let answer = ListOffsetsPartitionResponse::default()
                .with_partition_index(wanted.partition_index);
            match found {
                Ok((offset, timestamp, epoch)) => {
                    let answer = answer.with_offset(offset).with_timestamp(timestamp);
                    if version >= 4 { answer.with_leader_epoch(epoch) } else { answer }
                }
                Err(error) => answer.with_error_code(error.code()),
            }
        });
        ListOffsetsTopicResponse::default()
            .with_name(wanted.name.clone())
            .with_partitions(partitions.collect())
    });
    ListOffsetsResponse::default().with_topics(topics.collect())
}

/// Offset, timestamp and leader's epoch; -1 for what is not there.
fn offset(
    log: &Log,
    version: i16,
    isolation: i8,
    wanted: &ListOffsetsPartition,
) -> Result<(i64, i64, i32), ResponseError> {
    partitions::check_epoch(log, wanted.current_leader_epoch)?;
    let end =
        if isolation == READ_COMMITTED { log.last_stable_offset() } else { log.high_watermark() };
    let at = |timestamp| match log.offset_at_time(timestamp) {
        Ok(Some((offset, timestamp))) if offset < end => {
            Ok((offset.cast_signed(), timestamp, log.epochs().at(offset).unwrap_or(-1)))
        }
        Ok(_) => Ok((NONE, NONE, -1)),
        Err(error) => Err(partitions::failed(log, &error)),
    };
    let first = log.start_offset();
    match wanted.timestamp {
        LATEST => Ok((end.cast_signed(), NONE, partitions::leader_epoch(log))),
        EARLIEST => Ok((first.cast_signed(), NONE, log.epochs().at(first).unwrap_or(-1))),
        MAX_TIMESTAMP if version >= 7 => {
            let latest = log.batches().iter().map(|batch| batch.max_timestamp).max();
            latest.map_or(Ok((NONE, NONE, -1)), at)
        }
        // Everything is on this disk, and nothing in remote storage.
        EARLIEST_LOCAL if version >= 8 => {
            Ok((first.cast_signed(), NONE, log.epochs().at(first).unwrap_or(-1)))
        }
        LATEST_TIERED if version >= 9 => Ok((NONE, NONE, -1)),
        timestamp @ 0.. => at(timestamp),
        _ => Err(ResponseError::UnsupportedVersion),
    }
}

/// The answer to a producer.
///
/// # Errors
/// It wants no answer.
pub(super) fn refuse(request: &Request) -> Result<ProduceResponse> {
    let body: ProduceRequest = request.body()?;
    // Kafka too closes the connection then: there is no other way to say no.
    ensure!(body.acks != 0, "a producer that wants no answer; {READ_ONLY}");
    let partition = |index| {
        let refused = PartitionProduceResponse::default()
            .with_index(index)
            .with_base_offset(-1)
            .with_error_code(ResponseError::PolicyViolation.code());
        let word = (request.version >= 8).then(|| StrBytes::from_static_str(READ_ONLY));
        refused.with_error_message(word)
    };
    let topic = |topic: &TopicProduceData| {
        let partitions = topic.partition_data.iter().map(|data| partition(data.index));
        TopicProduceResponse::default()
            .with_name(topic.name.clone())
            .with_partition_responses(partitions.collect())
    };
    let topics = body.topic_data.iter().map(topic).collect();
    Ok(ProduceResponse::default().with_responses(topics))
}
