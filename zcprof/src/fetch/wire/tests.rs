//! Every request that is spoken, in every version, whole and broken; and responses with gaps.

use bytes::{BufMut as _, Bytes, BytesMut};
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, FetchRequest, FetchResponse, FindCoordinatorRequest,
    HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, ListOffsetsRequest, MetadataRequest,
    OffsetCommitRequest, OffsetFetchRequest, OffsetForLeaderEpochRequest, ProduceRequest,
    ResponseHeader, SyncGroupRequest, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion as _, StrBytes};

use super::heap::largest;
use super::schema::{APIS, Api, CLIENT_ID, Field, Form};
use super::{
    Fetch, FetchHeader, RecordGap, Request, ResponseFrame, SIZE, WireError, records, request_size,
};

/// More than any element of these frames needs, and less than any enormous array.
const MUCH: usize = 16 << 10;

/// A request made from its table: two elements in each array, every tagged field present.
struct SampleRequest {
    frame: BytesMut,
    version: i16,
    compact: bool,
}

impl SampleRequest {
    fn request(api: &Api, version: i16) -> Bytes {
        let mut sample = Self { frame: BytesMut::new(), version, compact: false };
        sample.frame.put_i16(api.key as i16);
        sample.frame.put_i16(version);
        sample.frame.put_i32(4711);
        for field in CLIENT_ID {
            sample.value(&field.form);
        }
        sample.compact = version >= api.flexible;
        sample.tagged(&[]);
        sample.fields(api.fields);
        sample.frame.freeze()
    }

    fn fields(&mut self, fields: &[Field]) {
        let version = self.version;
        for field in fields.iter().filter(|f| f.tag.is_none() && f.is_in(version)) {
            self.value(&field.form);
        }
        self.tagged(fields);
    }

    /// The known ones, and one that nobody knows.
    fn tagged(&mut self, fields: &[Field]) {
        if !self.compact {
            return;
        }
        let known: Vec<_> =
            fields.iter().filter(|f| f.tag.is_some() && f.is_in(self.version)).collect();
        self.frame.put_u8(u8::try_from(known.len() + 1).expect("few"));
        for field in known {
            let mut inner =
                Self { frame: BytesMut::new(), version: self.version, compact: self.compact };
            inner.value(&field.form);
            self.frame.put_u8(u8::try_from(field.tag.expect("tagged")).expect("small"));
            self.frame.put_u8(u8::try_from(inner.frame.len()).expect("short"));
            self.frame.put_slice(&inner.frame);
        }
        self.frame.put_slice(&[99, 3, 1, 2, 3]);
    }

    fn length(&mut self, length: u8, wide: bool) {
        match (self.compact, wide) {
            (true, _) => self.frame.put_u8(length + 1),
            (false, true) => self.frame.put_i32(length.into()),
            (false, false) => self.frame.put_i16(length.into()),
        }
    }

    fn value(&mut self, form: &Form) {
        match form {
            Form::Fixed(bytes) => self.frame.put_bytes(1, *bytes),
            Form::Text | Form::Bytes => {
                self.length(3, matches!(form, Form::Bytes));
                self.frame.put_slice(b"abc");
            }
            Form::Struct(fields) => self.fields(fields),
            Form::Structs(fields) => {
                self.length(2, true);
                self.fields(fields);
                self.fields(fields);
            }
            Form::Values(form) => {
                self.length(2, true);
                self.value(form);
                self.value(form);
            }
        }
    }
}

/// Every request in every version that is answered.
fn samples() -> impl Iterator<Item = (&'static Api, i16, Bytes)> {
    APIS.iter().flat_map(|api| {
        (api.answered_from..=api.max).map(move |v| (api, v, SampleRequest::request(api, v)))
    })
}

/// Reads and decodes a frame, and encodes the body again.
fn read(frame: Bytes) -> Result<Bytes, WireError> {
    fn again<T: Decodable + Encodable>(request: &Request) -> Result<Bytes, WireError> {
        let mut bytes = BytesMut::new();
        let body: T = request.body()?;
        // What cannot be encoded again was decoded all the same.
        let _ = body.encode(&mut bytes, request.version);
        Ok(bytes.freeze())
    }
    let request = Request::read(frame)?;
    match request.key {
        ApiKey::Produce => again::<ProduceRequest>(&request),
        ApiKey::Fetch => again::<FetchRequest>(&request),
        ApiKey::ListOffsets => again::<ListOffsetsRequest>(&request),
        ApiKey::Metadata => again::<MetadataRequest>(&request),
        ApiKey::OffsetCommit => again::<OffsetCommitRequest>(&request),
        ApiKey::OffsetFetch => again::<OffsetFetchRequest>(&request),
        ApiKey::OffsetForLeaderEpoch => again::<OffsetForLeaderEpochRequest>(&request),
        ApiKey::FindCoordinator => again::<FindCoordinatorRequest>(&request),
        ApiKey::JoinGroup => again::<JoinGroupRequest>(&request),
        ApiKey::Heartbeat => again::<HeartbeatRequest>(&request),
        ApiKey::LeaveGroup => again::<LeaveGroupRequest>(&request),
        ApiKey::SyncGroup => again::<SyncGroupRequest>(&request),
        ApiKey::ApiVersions => again::<ApiVersionsRequest>(&request),
        other => panic!("{other:?} is spoken, and this test does not know it"),
    }
}

#[test]
fn the_tables_are_those_of_the_codec() {
    for (api, version, frame) in samples() {
        let what = format!("{:?} {version}", api.key);
        let again = read(frame.clone()).expect(&what);
        assert!(frame.ends_with(&again), "{what}: {again:?} is not at the end of {frame:?}");
        let body = Request::read(frame).expect(&what).body;
        assert_eq!(body.len(), again.len(), "{what}: nothing is left over");
        let flexible = api.key.request_header_version(version) == 2;
        assert_eq!(flexible, version >= api.flexible, "{what}");
    }
}

#[test]
fn no_prefix_of_a_request_is_a_request() {
    for (api, version, frame) in samples() {
        for end in 0..frame.len() {
            let (bytes, result) = largest(|| read(frame.slice(..end)));
            assert!(result.is_err(), "{:?} {version} cut at {end}", api.key);
            assert!(bytes < MUCH, "{:?} {version} cut at {end} reserves {bytes}", api.key);
        }
    }
}

/// Whatever bytes are made an enormous length, nothing is reserved for it.
#[test]
fn enormous_lengths_are_refused_before_they_are_reserved() {
    let lengths: &[&[u8]] = &[
        &[0x7f, 0xff, 0xff, 0xff],
        &[0x00, 0xff, 0xff, 0xff],
        &[0x00, 0x01, 0x00, 0x00],
        &[0x80, 0, 0, 0],
        &[0xff, 0xff, 0xff, 0xff],
        &[0xff, 0xff, 0xff, 0xff, 0x0f],
        &[0xff, 0xff, 0xff, 0xff, 0x7f],
        &[0xff, 0xff, 0x7f],
        &[0x7f],
        &[0],
        &[1],
        &[2],
    ];
    let mut refused = 0;
    for (api, version, frame) in samples() {
        for (at, length) in (8..frame.len()).flat_map(|at| lengths.iter().map(move |l| (at, *l))) {
            let mut overwritten = BytesMut::from(&frame[..]);
            let end = (at + length.len()).min(frame.len());
            overwritten[at..end].copy_from_slice(&length[..end - at]);
            let instead = [&frame[..at], length, &frame[at + 1..]].concat();
            for hostile in [overwritten.freeze(), instead.into()] {
                let (bytes, result) = largest(|| read(hostile.clone()));
                let what = format!("{:?} {version}, {length:x?} at {at}", api.key);
                assert!(bytes < MUCH, "{what}: {bytes} bytes are reserved");
                refused += u32::from(matches!(result, Err(WireError::Counts)));
            }
        }
    }
    assert!(refused > 10_000, "{refused}");
}

#[test]
fn more_elements_than_memory_is_for_are_refused() {
    let mut frame = BytesMut::new();
    frame.put_slice(&[0, 3, 0, 9, 0, 0, 0, 1, 0xff, 0xff, 0]);
    frame.put_slice(&[0xff, 0xff, 0x07]); // 131,070 topics, each two bytes long
    frame.put_bytes(1, 2 * 131_070);
    let result = Request::read(frame.freeze());
    assert!(matches!(result, Err(WireError::Counts)), "{result:?}");
}

#[test]
fn what_is_not_spoken_is_named() {
    assert!(matches!(request_size([0x7f, 0xff, 0xff, 0xff]), Err(WireError::Oversized(_))));
    assert!(matches!(request_size([0xff; 4]), Err(WireError::Oversized(-1))));
    for (key, version) in [(0, 2), (0, 10), (1, 3), (1, 18), (18, 5), (3, -1), (42, 0), (-7, 0)] {
        let mut frame = BytesMut::new();
        frame.put_i16(key);
        frame.put_i16(version);
        frame.put_slice(&[0, 0, 0, 9, 0xff, 0xff]);
        let error = Request::read(frame.freeze()).expect_err("refused");
        let WireError::Unsupported { key: k, version: v, correlation_id: 9 } = error else {
            panic!("{error}");
        };
        assert_eq!((k, v), (key, version));
    }
}

/// The brief of `frame.rs`: with the records in its gaps, a frame is what the codec alone makes.
#[test]
fn frames_and_their_records_are_the_plain_encoding() {
    let records: Vec<Bytes> =
        [1000, 0, 1, 70_000].map(|bytes| (0..=250).cycle().take(bytes).collect()).into();
    for version in [4, 5, 7, 11, 12, 13, 16, 17] {
        for partitions in 1..=records.len() {
            let plain = response(version, &records[..partitions]);
            let mut expected = BytesMut::zeroed(SIZE);
            let header = ResponseHeader::default().with_correlation_id(7);
            header.encode(&mut expected, FetchResponse::header_version(version)).expect("encodes");
            plain.encode(&mut expected, version).expect("encodes");
            let size = i32::try_from(expected.len() - SIZE).expect("short");
            expected[..SIZE].copy_from_slice(&size.to_be_bytes());

            let mut from = 0;
            let stand_in = |bytes: &Bytes| {
                from += bytes.len();
                super::records(from - bytes.len()..from).expect("address space")
            };
            let stand_ins: Vec<_> = records[..partitions].iter().map(stand_in).collect();
            let frame =
                ResponseFrame::encode(7, version, &response(version, &stand_ins)).expect("encodes");
            let mut whole = Vec::new();
            let mut done = 0;
            let all = records.concat();
            for RecordGap { at, from, bytes } in frame.gaps.iter().copied() {
                whole.extend_from_slice(&frame.encoded[done..at]);
                whole.extend_from_slice(&all[from..from + bytes]);
                done = at;
            }
            whole.extend_from_slice(&frame.encoded[done..]);
            assert!(whole == expected, "version {version}, {partitions} partitions");
            let trailer = frame.encoded.len() - frame.gaps[0].at;
            if partitions == 1 {
                assert_eq!(trailer, if version < 12 { 0 } else { 3 }, "version {version}");
            }
        }
    }
}

#[test]
fn records_of_two_gigabytes_are_refused() {
    let error = records(1 << 30..(1 << 31) + 1).expect_err("refused");
    assert!(matches!(error, WireError::TooLong), "{error}");
    let all = [records(0..(1 << 31) - 1).expect("address space")];
    let error = ResponseFrame::encode(1, 11, &response(11, &all)).expect_err("refused");
    assert!(matches!(error, WireError::TooLong), "{error}");
}

fn response(version: i16, records: &[Bytes]) -> FetchResponse {
    let data = |(index, records): (usize, &Bytes)| {
        PartitionData::default()
            .with_partition_index(i32::try_from(index).expect("few"))
            .with_high_watermark(4711)
            .with_records(Some(records.clone()))
    };
    let mut topic = FetchableTopicResponse::default()
        .with_partitions(records.iter().enumerate().map(data).collect());
    if version < 13 {
        topic.topic = TopicName(StrBytes::from_static_str("orders"));
    }
    FetchResponse::default().with_responses(vec![topic])
}

#[test]
fn what_the_consumer_says_is_understood_and_what_it_hears_too() {
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
    let request = Request::read(frame.slice(SIZE..)).expect("spoken");
    assert_eq!((request.key, request.version, request.correlation_id), (ApiKey::Fetch, 11, 9));
    let body: FetchRequest = request.body().expect("decodes");
    let partition = &body.topics[0].partitions[0];
    assert_eq!((partition.partition, partition.fetch_offset), (3, 12));

    let header = heard();
    assert_eq!(header.len(), FetchHeader::header_bytes("orders").expect("encodes"));
    let answer = FetchHeader::decode(&header).expect("decodes");
    assert_eq!((answer.correlation_id, answer.high_watermark), (7, 4711));
    assert_eq!((answer.topic.as_str(), answer.error_code, answer.record_bytes), ("orders", 0, 10));
}

#[test]
fn hostile_answers_are_refused_before_anything_is_reserved() {
    let header = heard();
    for end in 0..header.len() {
        assert!(FetchHeader::decode(&header[..end]).is_err(), "cut at {end}");
    }
    for at in SIZE..=header.len() - 2 * SIZE {
        let mut hostile = BytesMut::from(&header[..]);
        hostile[at..at + 4].copy_from_slice(&i32::MAX.to_be_bytes());
        let (bytes, _) = largest(|| FetchHeader::decode(&hostile));
        assert!(bytes < MUCH, "at {at}, {bytes} bytes are reserved");
    }
}

/// The head of an answer to the consumer, before ten record bytes.
fn heard() -> Bytes {
    let records = [records(0..10).expect("address space")];
    ResponseFrame::encode(7, 11, &response(11, &records)).expect("encodes").encoded
}
