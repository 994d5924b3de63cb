//! Fetch, with Kafka's rules of how much of which partition is in a response.

use std::ops::Range;
use std::time::Duration;

use anyhow::Result;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::{FetchRequest, FetchResponse};

use super::broker::{Broker, Reply};
use crate::fetch::log::{Log, Segment, Topic};
use crate::fetch::wire::{self, Frame, Request};

/// Record bytes of a response are never more, so that its frame has a size.
const MOST: u64 = (1 << 31) - (wire::MAX_REQUEST as u64) * 16;

/// Longest time in milliseconds that a client is kept waiting, whatever it says.
const LONGEST_WAIT: u64 = 10 * 60 * 1000;

/// The session id of clients that ask for everything each time.
const NO_SESSION: i32 = 0;

/// Records of one partition in a response: bytes of one segment.
#[derive(Debug)]
pub struct Slice<'a> {
    /// Which segment.
    pub segment: &'a Segment,
    /// Positions in the segment.
    pub range: Range<u64>,
    /// Where they begin in the row of all records of the response.
    pub from: usize,
}

/// A response as it is put together.
struct Plan<'a> {
    slices: Vec<Slice<'a>>,
    /// Record bytes so far.
    bytes: u64,
    /// Most record bytes.
    limit: u64,
    /// Some partition's answer is an error.
    failed: bool,
}

pub(super) fn answer<'a>(broker: &'a Broker, request: &Request) -> Result<Reply<'a>> {
    let body: FetchRequest = request.body()?;
    let limit = u64::try_from(body.max_bytes).unwrap_or(0).min(MOST);
    let mut plan = Plan { slices: Vec::new(), bytes: 0, limit, failed: false };
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
        frame: Frame::encode(request.correlation_id, request.version, &response)?,
        slices: plan.slices,
        delay: (!at_once).then_some(Duration::from_millis(wait)),
    })
}

impl<'a> Plan<'a> {
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
        let unknown_partition = ResponseError::UnknownTopicOrPartition;
        let log = match topic.map(|topic| topic.partitions.get(&wanted.partition)) {
            Some(Some(log)) => log,
            Some(None) => return Ok(self.error(data, unknown_partition)),
            None => return Ok(self.error(data, unknown)),
        };
        let offset = u64::try_from(wanted.fetch_offset).ok();
        let Some(offset) = offset.filter(|o| (log.start_offset()..=log.end_offset()).contains(o))
        else {
            return Ok(self.error(data, ResponseError::OffsetOutOfRange));
        };
        let end = i64::try_from(log.end_offset())?;
        let mut data = data
            .with_high_watermark(end)
            .with_last_stable_offset(end)
            .with_log_start_offset(i64::try_from(log.start_offset())?);
        let most = u64::try_from(wanted.partition_max_bytes).unwrap_or(0);
        if let Some((segment, range)) = self.slice(log, offset, most) {
            let bytes = range.end - range.start;
            let from = usize::try_from(self.bytes)?;
            data.records = Some(wire::records(from..from + usize::try_from(bytes)?)?);
            self.bytes += bytes;
            self.slices.push(Slice { segment, range, from });
        }
        Ok(data)
    }

    /// From the batch that holds the offset on, as many bytes of its segment as are wanted and
    /// left, so that the last batch may be cut. The first batch of a response comes whole, or
    /// nobody could get past a large one; behind it, what holds no whole batch is not sent.
    fn slice(&self, log: &'a Log, offset: u64, most: u64) -> Option<(&'a Segment, Range<u64>)> {
        let batch = &log.batches()[log.batch_at(offset)?];
        let segment = &log.segments()[batch.segment];
        let mut bytes = most.min(self.limit.saturating_sub(self.bytes));
        if bytes < batch.length {
            if self.bytes > 0 {
                return None;
            }
            bytes = batch.length;
        }
        let end = segment.length.min(batch.position + bytes);
        Some((segment, batch.position..end))
    }

    fn error(&mut self, data: PartitionData, error: ResponseError) -> PartitionData {
        self.failed = true;
        data.with_error_code(error.code())
    }
}
