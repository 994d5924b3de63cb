//! Fetch, with Kafka's rules of how much of which partition is in a response.

use std::io;
use std::ops::Range;
use std::time::Duration;

use anyhow::Result;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::{
    AbortedTransaction, FetchableTopicResponse, PartitionData,
};
use kafka_protocol::messages::{FetchRequest, FetchResponse, ProducerId};

use super::answer::{Reply, Slice};
use super::broker::Broker;
use super::partitions;
use crate::fetch::log::{BatchLocation, Log, Topic};
use crate::fetch::wire::{self, Request, ResponseFrame};

/// Record bytes of a response are never more, so that its frame has a size.
const MOST: u64 = (1 << 31) - (wire::MAX_REQUEST as u64) * 16;

/// Longest time in milliseconds that a client is kept waiting, whatever it says.
const LONGEST_WAIT: u64 = 10 * 60 * 1000;

/// The session id of clients that ask for everything each time.
const NO_SESSION: i32 = 0;

/// The isolation level of consumers that want committed records only.
pub(super) const READ_COMMITTED: i8 = 1;

/// A response as it is put together.
struct ResponseBuilder<'a> {
    slices: Vec<Slice<'a>>,
    /// Record bytes so far.
    bytes: u64,
    /// Most record bytes.
    limit: u64,
    /// Some partition's answer is an error.
    failed: bool,
    /// Only committed records are wanted.
    committed: bool,
}

pub(super) fn answer<'a>(broker: &'a Broker, request: &Request) -> Result<Reply<'a>> {
    let body: FetchRequest = request.body()?;
    let limit = u64::try_from(body.max_bytes).unwrap_or(0).min(MOST);
    let committed = body.isolation_level == READ_COMMITTED;
    let mut plan =
        ResponseBuilder { slices: Vec::new(), bytes: 0, limit, failed: false, committed };
    let mut response = FetchResponse::default();
    if body.session_id == NO_SESSION {
        for topic in &body.topics {
            response.responses.push(plan.topic(broker, topic, request.version)?);
        }
    } else {
        // Nobody was ever given a session.
        plan.failed = true;
        response.error_code = ResponseError::FetchSessionIdNotFound.code();
    }
    // Nothing is ever appended, so what is not here now will not come: the client is only kept
    // from asking again at once.
    let enough = plan.bytes >= u64::try_from(body.min_bytes).unwrap_or(0);
    let wait = u64::try_from(body.max_wait_ms).unwrap_or(0).min(LONGEST_WAIT);
    let at_once = enough || plan.failed || body.topics.is_empty() || wait == 0;
    Ok(Reply {
        frame: ResponseFrame::encode(request.correlation_id, request.version, &response)?,
        slices: plan.slices,
        delay: (!at_once).then_some(Duration::from_millis(wait)),
    })
}

impl<'a> ResponseBuilder<'a> {
    fn topic(
        &mut self,
        broker: &'a Broker,
        wanted: &FetchTopic,
        version: i16,
    ) -> Result<FetchableTopicResponse> {
        let by_id = version >= 13;
        let (found, unknown) = if by_id {
            (broker.topics.with_id(wanted.topic_id), ResponseError::UnknownTopicId)
        } else {
            (broker.topics.named(&wanted.topic), ResponseError::UnknownTopicOrPartition)
        };
        let answer = FetchableTopicResponse::default()
            .with_topic(wanted.topic.clone())
            .with_topic_id(wanted.topic_id);
        let partitions = wanted.partitions.iter();
        let partitions = partitions.map(|wanted| self.partition(found, unknown, wanted));
        Ok(answer.with_partitions(partitions.collect::<Result<_>>()?))
    }

    fn partition(
        &mut self,
        topic: Option<&'a Topic>,
        unknown: ResponseError,
        wanted: &FetchPartition,
    ) -> Result<PartitionData> {
        let data =
            PartitionData::default().with_partition_index(wanted.partition).with_high_watermark(-1);
        let log = match partitions::served(topic, wanted.partition, unknown) {
            Ok(log) => log,
            Err(error) => return Ok(self.error(data, error)),
        };
        if let Err(error) = partitions::check_epoch(log, wanted.current_leader_epoch) {
            return Ok(self.error(data, error));
        }
        let offset = u64::try_from(wanted.fetch_offset).ok();
        let Some(offset) = offset.filter(|o| (log.start_offset()..=log.end_offset()).contains(o))
        else {
            return Ok(self.error(data, ResponseError::OffsetOutOfRange));
        };
        let mut data = data
            .with_high_watermark(i64::try_from(log.high_watermark())?)
            .with_last_stable_offset(i64::try_from(log.last_stable_offset())?)
            .with_log_start_offset(i64::try_from(log.start_offset())?)
            .with_aborted_transactions(self.committed.then(Vec::new));
        let most = u64::try_from(wanted.partition_max_bytes).unwrap_or(0);
        let found = match self.slice(log, offset, most) {
            Ok(found) => found,
            Err(error) => {
                log::warn!("{}: {error}", log.folder().display());
                return Ok(self.error(data, ResponseError::KafkaStorageError));
            }
        };
        if let Some((place, range)) = found {
            if place.segment.has_failed() {
                return Ok(self.error(data, ResponseError::KafkaStorageError));
            }
            if self.committed {
                let end = log.offset_behind(place.number, range.end);
                let aborted = log.transactions().aborted(offset, end).map(|aborted| {
                    AbortedTransaction::default()
                        .with_producer_id(ProducerId(aborted.producer_id))
                        .with_first_offset(aborted.first_offset.cast_signed())
                });
                data.aborted_transactions = Some(aborted.collect());
            }
            let bytes = range.end - range.start;
            let from = usize::try_from(self.bytes)?;
            data.records = Some(wire::records(from..from + usize::try_from(bytes)?)?);
            self.bytes += bytes;
            self.slices.push(Slice { segment: place.segment, range, from });
        }
        Ok(data)
    }

    /// From the batch that holds the offset on, as many bytes of its segment as are wanted and
    /// left, so that the last batch may be cut. The first batch of a response comes whole, or
    /// nobody could get past a large one; behind it, what holds no whole batch is not sent.
    fn slice(
        &self,
        log: &'a Log,
        offset: u64,
        most: u64,
    ) -> io::Result<Option<(BatchLocation<'a>, Range<u64>)>> {
        let limit = if self.committed { log.last_stable_offset() } else { log.high_watermark() };
        if offset >= limit {
            return Ok(None);
        }
        let mut bytes = most.min(self.limit.saturating_sub(self.bytes));
        let Some(place) = log.find_within(offset, bytes)? else { return Ok(None) };
        let mut behind = place.segment.length;
        if limit < log.end_offset()
            && let Some(first_withheld) = log.find_within(limit, u64::MAX)?
            && first_withheld.number <= place.number
        {
            behind = first_withheld.position;
            if behind <= place.position {
                return Ok(None);
            }
        }
        if bytes < place.length {
            if self.bytes > 0 {
                return Ok(None);
            }
            bytes = place.length;
        }
        let range = place.position..behind.min(place.position + bytes);
        Ok(Some((place, range)))
    }

    fn error(&mut self, data: PartitionData, error: ResponseError) -> PartitionData {
        self.failed = true;
        data.with_error_code(error.code())
    }
}
