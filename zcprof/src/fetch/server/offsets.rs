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
use crate::fetch::log::Log;
use crate::fetch::wire::Request;

/// ListOffsets' word for the offset after the last record.
const LATEST: i64 = -1;

/// ListOffsets' word for the offset of the first record.
const EARLIEST: i64 = -2;

/// ListOffsets' word for the offset of the latest record, since version 7.
const MAX_TIMESTAMP: i64 = -3;

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
            let log = topic.and_then(|topic| topic.partitions.get(&wanted.partition_index));
            let found = log
                .ok_or(ResponseError::UnknownTopicOrPartition)
                .and_then(|log| offset(log, version, wanted));
            let answer = ListOffsetsPartitionResponse::default()
                .with_partition_index(wanted.partition_index);
            match found {
                Ok((offset, timestamp)) => answer.with_offset(offset).with_timestamp(timestamp),
                Err(error) => answer.with_error_code(error.code()),
            }
        });
        ListOffsetsTopicResponse::default()
            .with_name(wanted.name.clone())
            .with_partitions(partitions.collect())
    });
    ListOffsetsResponse::default().with_topics(topics.collect())
}

/// Offset and timestamp; -1 for what is not there.
fn offset(
    log: &Log,
    version: i16,
    wanted: &ListOffsetsPartition,
) -> Result<(i64, i64), ResponseError> {
    let signed = |offset| i64::try_from(offset).map_err(|_| ResponseError::UnknownServerError);
    let at = |timestamp| match log.offset_at_time(timestamp) {
        Some((offset, timestamp)) => Ok((signed(offset)?, timestamp)),
        None => Ok((-1, -1)),
    };
    match wanted.timestamp {
        LATEST => Ok((signed(log.end_offset())?, -1)),
        EARLIEST => Ok((signed(log.start_offset())?, -1)),
        MAX_TIMESTAMP if version >= 7 => {
            let latest = log.batches().iter().map(|batch| batch.max_timestamp).max();
            latest.map_or(Ok((-1, -1)), at)
        }
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
