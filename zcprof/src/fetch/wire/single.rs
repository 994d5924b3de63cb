//! The consumer's side: Fetch version 11 of one partition, and its response up to the records.

use bytes::{BufMut as _, Bytes, BytesMut};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::{
    ApiKey, BrokerId, FetchRequest, FetchResponse, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{
    Decodable as _, Encodable as _, HeaderVersion as _, StrBytes, encode_request_header_into_buffer,
};

use super::{ResponseFrame, SIZE, WireError, counts, malformed};

/// The only version of Fetch that the consumer speaks.
const VERSION: i16 = 11;

/// One fetch of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// Echoed in the response.
    pub correlation_id: i32,
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset of the first record wanted.
    pub offset: i64,
    /// Most record bytes wanted.
    pub max_bytes: i32,
}

/// What a response says before its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchHeader {
    /// Of the request.
    pub correlation_id: i32,
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Kafka's error code; zero for none.
    pub error_code: i16,
    /// Offset after the last record of the log.
    pub high_watermark: i64,
    /// Record bytes that follow.
    pub record_bytes: u32,
}

impl Fetch {
    /// The whole frame.
    ///
    /// # Errors
    /// The codec's own.
    pub fn encode(&self) -> Result<Bytes, WireError> {
        let header = RequestHeader::default()
            .with_request_api_key(ApiKey::Fetch as i16)
            .with_request_api_version(VERSION)
            .with_correlation_id(self.correlation_id)
            .with_client_id(Some(StrBytes::from_static_str("zcprof")));
        let partition = FetchPartition::default()
            .with_partition(self.partition)
            .with_fetch_offset(self.offset)
            .with_partition_max_bytes(self.max_bytes);
        let topic = FetchTopic::default()
            .with_topic(topic_name(&self.topic))
            .with_partitions(vec![partition]);
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(500)
            .with_min_bytes(1)
            .with_max_bytes(self.max_bytes)
            .with_session_epoch(-1)
            .with_topics(vec![topic]);
        let mut body = BytesMut::new();
        encode_request_header_into_buffer(&mut body, &header).map_err(malformed)?;
        request.encode(&mut body, VERSION).map_err(malformed)?;
        let size = i32::try_from(body.len()).map_err(|_| WireError::TooLong)?;
        let mut frame = BytesMut::with_capacity(SIZE + body.len());
        frame.put_i32(size);
        frame.put_slice(&body);
        Ok(frame.freeze())
    }
}

impl FetchHeader {
    /// Bytes of a frame before its records, size included.
    ///
    /// # Errors
    /// The codec's own.
    pub fn header_bytes(topic: &str) -> Result<usize, WireError> {
        let topic = FetchableTopicResponse::default()
            .with_topic(topic_name(topic))
            .with_partitions(vec![PartitionData::default()]);
        let response = FetchResponse::default().with_responses(vec![topic]);
        Ok(ResponseFrame::encode(0, VERSION, &response)?.encoded.len())
    }

    /// Reads a frame up to its records, as [`FetchHeader::header_bytes`] long.
    ///
    /// # Errors
    /// Anything that is not a response for one partition whose lengths agree.
    pub fn decode(header: &[u8]) -> Result<Self, WireError> {
        let short = || WireError::Malformed("the response is too short".to_owned());
        let at = header.len().checked_sub(SIZE).filter(|at| *at >= SIZE).ok_or_else(short)?;
        let word = |at: usize| header[at..at + SIZE].try_into().map(u32::from_be_bytes);
        let announced = word(0).map_err(malformed)?;
        let record_bytes = word(at).map_err(malformed)?;
        let expected = u64::from(record_bytes) + (header.len() - SIZE) as u64;
        if u64::from(announced) != expected {
            let text = format!("the response announces {announced} bytes and holds {expected}");
            return Err(WireError::Malformed(text));
        }
        let mut body = BytesMut::from(&header[SIZE..]);
        let at = body.len() - SIZE;
        body[at..].fill(0);
        let mut body = body.freeze();
        counts::in_response(&body[SIZE..]).ok_or(WireError::Counts)?;
        let version = FetchResponse::header_version(VERSION);
        let head = ResponseHeader::decode(&mut body, version).map_err(malformed)?;
        let response = FetchResponse::decode(&mut body, VERSION).map_err(malformed)?;
        let topic = response.responses.first().ok_or(WireError::Partitions(0))?;
        let data = topic.partitions.first().ok_or(WireError::Partitions(0))?;
        Ok(Self {
            correlation_id: head.correlation_id,
            topic: topic.topic.to_string(),
            partition: data.partition_index,
            error_code: data.error_code.max(response.error_code),
            high_watermark: data.high_watermark,
            record_bytes,
        })
    }
}

fn topic_name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}
