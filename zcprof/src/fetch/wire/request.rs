//! A request as it came, walked before it is decoded.

use bytes::Bytes;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiKey, RequestHeader};
use kafka_protocol::protocol::{Decodable, StrBytes, decode_request_header_from_buffer};

use super::schema::{APIS, Api};
use super::{SIZE, WireError, counts, malformed};

/// Longest request in bytes: a producer may send a batch of a MiB before it hears that nothing
/// is taken here.
pub const MAX_REQUEST: usize = 2 << 20;

/// A request whose lengths were found to be true.
#[derive(Clone, Debug)]
pub struct Request {
    /// What is asked.
    pub key: ApiKey,
    /// In which version of it.
    pub version: i16,
    /// Echoed in the response.
    pub correlation_id: i32,
    /// How the client calls itself.
    pub client_id: Option<StrBytes>,
    pub(super) body: Bytes,
}

impl Request {
    /// Reads a frame without its size.
    ///
    /// # Errors
    /// A request that is not spoken, or a frame that does not hold what it announces.
    pub fn read(mut frame: Bytes) -> Result<Self, WireError> {
        // The codec's peek at the key and version panics on fewer bytes than a header has.
        let [k0, k1, v0, v1, c0, c1, c2, c3, ref rest @ ..] = frame[..] else {
            return Err(WireError::Malformed("the request is shorter than its header".to_owned()));
        };
        let (key, version) = (i16::from_be_bytes([k0, k1]), i16::from_be_bytes([v0, v1]));
        let correlation_id = i32::from_be_bytes([c0, c1, c2, c3]);
        let spoken = |api: &&Api| (api.answered_from..=api.max).contains(&version);
        let unsupported = WireError::Unsupported { key, version, correlation_id };
        let api = Api::find(key).filter(spoken).ok_or(unsupported)?;
        counts::in_request(rest, api.fields, version, version >= api.flexible)
            .ok_or(WireError::Counts)?;
        let header: RequestHeader =
            decode_request_header_from_buffer(&mut frame).map_err(malformed)?;
        Ok(Self { key: api.key, version, correlation_id, client_id: header.client_id, body: frame })
    }

    /// What is asked, in full.
    ///
    /// # Errors
    /// The codec's own: a string that is none, or null where null cannot be.
    pub fn body<T: Decodable>(&self) -> Result<T, WireError> {
        T::decode(&mut self.body.clone(), self.version).map_err(malformed)
    }
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

/// The requests and versions that clients are told of.
#[must_use]
pub fn advertised() -> Vec<ApiVersion> {
    let entry = |api: &Api| {
        ApiVersion::default()
            .with_api_key(api.key as i16)
            .with_min_version(api.min)
            .with_max_version(api.max)
    };
    APIS.iter().map(entry).collect()
}
