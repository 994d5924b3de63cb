//! Kafka's protocol, as far as a broker needs it that is only read from. The encoding is
//! kafka-protocol's; here are the frames, the walk through a request before it is decoded, and
//! the split of a response between what is encoded and the records, which leave by the transfer.

mod counts;
mod frame;
mod request;
mod schema;
mod single;

#[cfg(test)]
mod heap;
#[cfg(test)]
mod tests;

pub use frame::{RecordGap, ResponseFrame, records};
pub use request::{MAX_REQUEST, Request, advertised, request_size};
pub use single::{Fetch, FetchHeader};

use kafka_protocol::messages::ApiKey;

/// Bytes of the size in front of every frame.
pub const SIZE: usize = 4;

/// Why bytes are not what was expected.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The frame is longer than any that is answered.
    #[error("a frame of {0} bytes is announced, and {MAX_REQUEST} is the most")]
    Oversized(i64),
    /// A request that is not spoken.
    #[error("request {key} ({}) version {version} is not spoken", name(*key))]
    Unsupported {
        /// The API key.
        key: i16,
        /// Its version.
        version: i16,
        /// What a response must echo.
        correlation_id: i32,
    },
    /// A length that is longer than the frame which holds it, or arrays that are too long.
    #[error("malformed: the frame does not hold what it announces")]
    Counts,
    /// Not one topic with one partition.
    #[error("a response for {0} partitions, and one is read")]
    Partitions(usize),
    /// A frame that is longer than its size can say.
    #[error("a frame of 2 GiB or more")]
    TooLong,
    /// The kernel gives no address space to stand for records.
    #[error("cannot reserve 2 GiB of address space: {0}; raise `ulimit -v`")]
    AddressSpace(nix::Error),
    /// The codec's own.
    #[error("malformed: {0}")]
    Malformed(String),
}

/// What Kafka calls the requests with that key.
fn name(key: i16) -> String {
    ApiKey::try_from(key).map_or_else(|()| "unknown".to_owned(), |key| format!("{key:?}"))
}

#[expect(clippy::needless_pass_by_value, reason = "it is the shape that map_err takes")]
fn malformed(error: impl ToString) -> WireError {
    WireError::Malformed(error.to_string())
}
