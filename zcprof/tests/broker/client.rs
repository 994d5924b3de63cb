//! A client that sends what a test wants and reads what comes.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::{
    FetchRequest, FetchResponse, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{
    Decodable as _, Encodable as _, HeaderVersion as _, Request, StrBytes,
};

use crate::topic::TOPIC;

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    sent: i32,
    received: i32,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("connects");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
        stream.set_nodelay(true).expect("set");
        Self { stream, sent: 0, received: 0 }
    }

    /// A request as a frame.
    pub(crate) fn frame<Q: Request>(&mut self, version: i16, request: &Q) -> Bytes {
        let mut frame = BytesMut::zeroed(4);
        let header = RequestHeader::default()
            .with_request_api_key(Q::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.sent)
            .with_client_id(Some(StrBytes::from_static_str("test")));
        header.encode(&mut frame, Q::header_version(version)).expect("encodes");
        request.encode(&mut frame, version).expect("encodes");
        let size = i32::try_from(frame.len() - 4).expect("short");
        frame[..4].copy_from_slice(&size.to_be_bytes());
        self.sent += 1;
        frame.freeze()
    }

    pub(crate) fn send<Q: Request>(&mut self, version: i16, request: &Q) {
        let frame = self.frame(version, request);
        self.stream.write_all(&frame).expect("sent");
    }

    /// A response without its size; `None` if the broker closed the connection.
    pub(crate) fn receive_frame(&mut self) -> Option<Bytes> {
        let mut size = [0; 4];
        match self.stream.read_exact(&mut size) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return None,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return None,
            Err(error) => panic!("{error}"),
        }
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(size)).expect("a size")];
        self.stream.read_exact(&mut frame).expect("the whole frame");
        Some(frame.into())
    }

    /// The response to the next request that was sent, to its last byte.
    pub(crate) fn receive<Q: Request>(&mut self, version: i16) -> Q::Response {
        let mut frame = self.receive_frame().expect("a response");
        let header = ResponseHeader::decode(&mut frame, Q::Response::header_version(version));
        assert_eq!(header.expect("a header").correlation_id, self.received, "in order");
        self.received += 1;
        let response = Q::Response::decode(&mut frame, version).expect("decodes");
        assert!(frame.is_empty(), "nothing is left over");
        response
    }

    pub(crate) fn call<Q: Request>(&mut self, version: i16, request: &Q) -> Q::Response {
        self.send(version, request);
        self.receive::<Q>(version)
    }

    /// Fetches the partition 0 with version 11.
    pub(crate) fn fetch(&mut self, offset: i64, max_bytes: i32) -> PartitionData {
        let response = self.call(11, &fetch(&[(0, offset, max_bytes)], i32::MAX));
        only(response)
    }
}

/// A fetch of partitions, offsets and most bytes of each, that does not wait.
pub(crate) fn fetch(partitions: &[(i32, i64, i32)], max_bytes: i32) -> FetchRequest {
    let partitions = partitions.iter().map(|(partition, offset, most)| {
        FetchPartition::default()
            .with_partition(*partition)
            .with_fetch_offset(*offset)
            .with_partition_max_bytes(*most)
    });
    let topic =
        FetchTopic::default().with_topic(topic_name(TOPIC)).with_partitions(partitions.collect());
    FetchRequest::default().with_max_bytes(max_bytes).with_min_bytes(1).with_topics(vec![topic])
}

/// The only partition of a response.
pub(crate) fn only(mut response: FetchResponse) -> PartitionData {
    assert_eq!((response.error_code, response.responses.len()), (0, 1));
    let mut topic = response.responses.remove(0);
    assert_eq!(topic.partitions.len(), 1);
    topic.partitions.remove(0)
}

pub(crate) fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}
