//! Kafka's protocol, as far as fetching needs it: Fetch version 11 of one partition. The
//! encoding is kafka-protocol's; here are the frames, and the split between a response's header
//! and its records, which leave by the transfer.

mod counts;

use bytes::{BufMut as _, Bytes, BytesMut};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::{
    ApiKey, BrokerId, FetchRequest, FetchResponse, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{
    Decodable as _, Encodable as _, HeaderVersion as _, StrBytes,
    decode_request_header_from_buffer, encode_request_header_into_buffer,
};

/// The only version of Fetch that is spoken.
const VERSION: i16 = 11;

/// Longest request in bytes; a fetch of one partition needs about a hundred.
pub const MAX_REQUEST: usize = 64 << 10;

/// Bytes of the size in front of every frame.
pub const SIZE: usize = 4;

/// Kafka's error code for an offset that no batch holds.
pub const OFFSET_OUT_OF_RANGE: i16 = 1;

/// Kafka's error code for a topic or partition that is not here.
pub const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;

/// Why bytes are not what was expected.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The frame is longer than any that is answered.
    #[error("a frame of {0} bytes is announced, and {MAX_REQUEST} is the most")]
    Oversized(i64),
    /// Another request than Fetch 11.
    #[error("request {key} version {version} is not spoken, only Fetch version {VERSION}")]
    Unsupported {
        /// The API key.
        key: i16,
        /// Its version.
        version: i16,
    },
    /// Not one topic with one partition.
    #[error("a fetch of {0} partitions, and one is spoken")]
    Partitions(usize),
    /// An array that is longer than the frame which holds it.
    #[error("malformed: the frame ends before its arrays do")]
    Counts,
    /// The codec's own.
    #[error("malformed: {0}")]
    Malformed(String),
}

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
pub struct Answer {
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

/// Length of a frame from its first four bytes.
///
/// # Errors
/// Negative, or longer than [`MAX_REQUEST`].
pub fn request_size(size: [u8; SIZE]) -> Result<usize, WireError> {
    let announced = i32::from_be_bytes(size);
    let size = usize::try_from(announced).ok().filter(|size| *size <= MAX_REQUEST);
    size.ok_or(WireError::Oversized(i64::from(announced)))
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
        frame(&body, 0)
    }

    /// Reads a frame without its size.
    ///
    /// # Errors
    /// Anything that is not a fetch of one partition in the spoken version.
    pub fn decode(mut frame: Bytes) -> Result<Self, WireError> {
        // The codec's peek at the key and version panics on fewer bytes than a header has.
        let [k0, k1, v0, v1, _, _, _, _, _, _, ..] = frame[..] else {
            return Err(WireError::Malformed("the request is too short".to_owned()));
        };
        let (key, version) = (i16::from_be_bytes([k0, k1]), i16::from_be_bytes([v0, v1]));
        if (key, version) != (ApiKey::Fetch as i16, VERSION) {
            return Err(WireError::Unsupported { key, version });
        }
        counts::in_request(&frame).ok_or(WireError::Counts)?;
        let header = decode_request_header_from_buffer(&mut frame).map_err(malformed)?;
        let request = FetchRequest::decode(&mut frame, VERSION).map_err(malformed)?;
        let partitions = request.topics.iter().map(|topic| topic.partitions.len()).sum();
        let ([topic], 1) = (&request.topics[..], partitions) else {
            return Err(WireError::Partitions(partitions));
        };
        let partition = &topic.partitions[0];
        Ok(Self {
            correlation_id: header.correlation_id,
            topic: topic.topic.to_string(),
            partition: partition.partition,
            offset: partition.fetch_offset,
            max_bytes: partition.partition_max_bytes.min(request.max_bytes),
        })
    }
}

impl Answer {
    /// The frame up to its records, which are the frame's tail: the two lengths that cover them
    /// are patched in.
    ///
    /// # Errors
    /// The codec's own.
    pub fn encode(&self) -> Result<Bytes, WireError> {
        let mut body = self.body(Bytes::new())?;
        let at = body.len() - SIZE;
        body[at..].copy_from_slice(&self.record_bytes.to_be_bytes());
        frame(&body, self.record_bytes)
    }

    fn body(&self, records: Bytes) -> Result<BytesMut, WireError> {
        let data = PartitionData::default()
            .with_partition_index(self.partition)
            .with_error_code(self.error_code)
            .with_high_watermark(self.high_watermark)
            .with_last_stable_offset(self.high_watermark)
            .with_records(Some(records));
        let topic = FetchableTopicResponse::default()
            .with_topic(topic_name(&self.topic))
            .with_partitions(vec![data]);
        let response = FetchResponse::default().with_responses(vec![topic]);
        let header = ResponseHeader::default().with_correlation_id(self.correlation_id);
        let mut body = BytesMut::new();
        let version = FetchResponse::header_version(VERSION);
        header.encode(&mut body, version).map_err(malformed)?;
        response.encode(&mut body, VERSION).map_err(malformed)?;
        Ok(body)
    }

    /// Bytes of a frame before its records, size included.
    ///
    /// # Errors
    /// The codec's own.
    pub fn header_bytes(topic: &str) -> Result<usize, WireError> {
        let empty = Self {
            correlation_id: 0,
            topic: topic.to_owned(),
            partition: 0,
            error_code: 0,
            high_watermark: 0,
            record_bytes: 0,
        };
        Ok(empty.encode()?.len())
    }

    /// Reads a frame up to its records, as [`Answer::header_bytes`] long.
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
        counts::in_response(&body).ok_or(WireError::Counts)?;
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

/// A frame: the size of the body and of what follows it, and the body.
fn frame(body: &[u8], following: u32) -> Result<Bytes, WireError> {
    let size = u32::try_from(body.len()).map_err(malformed)?.checked_add(following);
    let size = size.filter(|size| i32::try_from(*size).is_ok());
    let size = size.ok_or_else(|| WireError::Malformed("a frame of 2 GiB or more".to_owned()))?;
    let mut frame = BytesMut::with_capacity(SIZE + body.len());
    frame.put_u32(size);
    frame.put_slice(body);
    Ok(frame.freeze())
}

fn topic_name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

#[expect(clippy::needless_pass_by_value, reason = "it is the shape that map_err takes")]
fn malformed(error: impl ToString) -> WireError {
    WireError::Malformed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Answer {
        Answer {
            correlation_id: 7,
            topic: "orders".to_owned(),
            partition: 3,
            error_code: 0,
            high_watermark: 4711,
            record_bytes: 10,
        }
    }

    #[test]
    fn header_and_records_are_the_whole_response() {
        let records = Bytes::from_static(b"0123456789");
        let whole = frame(&answer().body(records.clone()).expect("encodes"), 0).expect("frames");
        let header = answer().encode().expect("encodes");
        assert_eq!(whole, [&header[..], &records[..]].concat());
        assert_eq!(header.len(), Answer::header_bytes("orders").expect("encodes"));
    }

    #[test]
    fn answers_and_fetches_survive_the_wire() {
        assert_eq!(Answer::decode(&answer().encode().expect("encodes")).ok(), Some(answer()));
        let fetch = Fetch {
            correlation_id: 9,
            topic: "orders".to_owned(),
            partition: 3,
            offset: 12,
            max_bytes: 1 << 20,
        };
        let frame = fetch.encode().expect("encodes");
        let size = request_size(frame[..SIZE].try_into().expect("four bytes")).expect("small");
        assert_eq!(size, frame.len() - SIZE);
        assert_eq!(Fetch::decode(frame.slice(SIZE..)).ok(), Some(fetch));
    }

    #[test]
    fn hostile_frames_are_refused() {
        assert!(matches!(request_size([0x7f, 0xff, 0xff, 0xff]), Err(WireError::Oversized(_))));
        assert!(matches!(request_size([0xff; 4]), Err(WireError::Oversized(-1))));
        let produce = Bytes::from_static(&[0, 0, 0, 9, 0, 0, 0, 1, 0xff, 0xff]);
        let error = Fetch::decode(produce);
        assert!(matches!(error, Err(WireError::Unsupported { key: 0, version: 9 })), "{error:?}");
        let whole = Fetch {
            correlation_id: 1,
            topic: "t".to_owned(),
            partition: 0,
            offset: 0,
            max_bytes: 1,
        };
        let frame = whole.encode().expect("encodes").slice(SIZE..);
        for end in 0..frame.len() {
            assert!(Fetch::decode(frame.slice(..end)).is_err(), "cut at {end}");
        }
        let header = answer().encode().expect("encodes");
        for end in 0..header.len() {
            assert!(Answer::decode(&header[..end]).is_err(), "cut at {end}");
        }
    }

    /// Whatever four bytes are made an enormous length, nothing is reserved for it.
    #[test]
    fn enormous_arrays_are_refused_before_they_are_reserved() {
        let whole = Fetch {
            correlation_id: 1,
            topic: "orders".to_owned(),
            partition: 0,
            offset: 0,
            max_bytes: 1,
        };
        let frame = whole.encode().expect("encodes");
        let mut refused = 0;
        for at in SIZE + 4..=frame.len() - 4 {
            let mut hostile = BytesMut::from(&frame[SIZE..]);
            let at = at - SIZE;
            hostile[at..at + 4].copy_from_slice(&i32::MAX.to_be_bytes());
            refused += u32::from(matches!(Fetch::decode(hostile.freeze()), Err(WireError::Counts)));
        }
        assert!(refused >= 3, "topics, partitions and forgotten topics: {refused}");
        let header = answer().encode().expect("encodes");
        for at in SIZE..=header.len() - 2 * SIZE {
            let mut hostile = BytesMut::from(&header[..]);
            hostile[at..at + 4].copy_from_slice(&i32::MAX.to_be_bytes());
            let _ = Answer::decode(&hostile);
        }
    }
}
