//! Which partition a request is about, and Kafka's word for why it cannot be had.

use kafka_protocol::ResponseError;

use crate::fetch::log::{Log, LogError, LookupError, PartitionState, Topic};

/// The log of a partition that is served. `unknown` is the word where there is no such topic.
pub(super) fn served(
    topic: Option<&Topic>,
    partition: i32,
    unknown: ResponseError,
) -> Result<&Log, ResponseError> {
    let partition = topic.ok_or(unknown)?.partitions.get(&partition);
    match partition.ok_or(ResponseError::UnknownTopicOrPartition)?.state() {
        Some(PartitionState::Served(log)) => Ok(log),
        Some(PartitionState::LeftOut(error)) => Err(left_out(error)),
        // It is being verified: a client asks for metadata again, and then for this.
        None => Err(ResponseError::NotLeaderOrFollower),
    }
}

fn left_out(error: &LogError) -> ResponseError {
    match error {
        LogError::Damaged { .. } | LogError::Index { .. } | LogError::Missing { .. } => {
            ResponseError::CorruptMessage
        }
        LogError::Read { .. } => ResponseError::KafkaStorageError,
        LogError::Format { .. } => ResponseError::UnsupportedForMessageFormat,
        LogError::Name(_) | LogError::Empty(_) => ResponseError::UnknownTopicOrPartition,
    }
}

/// What a client is told of a look-up that failed.
pub(super) fn failed(log: &Log, error: &LookupError) -> ResponseError {
    log::warn!("{}: {error}", log.folder().display());
    match error {
        LookupError::Read(_) => ResponseError::KafkaStorageError,
        LookupError::Decode(_) => ResponseError::CorruptMessage,
    }
}

/// The epoch in which this broker leads: that of the last leader, or the first one there is.
pub(super) fn leader_epoch(log: &Log) -> i32 {
    log.epochs().latest().unwrap_or(0)
}

/// Whether a client believes in this leader's epoch; -1 is no belief.
pub(super) fn check_epoch(log: &Log, believed: i32) -> Result<(), ResponseError> {
    match believed.cmp(&leader_epoch(log)) {
        _ if believed < 0 => Ok(()),
        std::cmp::Ordering::Less => Err(ResponseError::FencedLeaderEpoch),
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(ResponseError::UnknownLeaderEpoch),
    }
}
