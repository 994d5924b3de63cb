//! Array lengths of a frame, checked before the codec sees them.
//!
//! kafka-protocol 0.18 reserves memory for as many elements as an array announces before it
//! reads the first one (`Array::decode` in its `protocol/types.rs`), and a process that cannot
//! have so much is aborted. So a frame is walked first: none of its arrays may announce more
//! elements than the rest of the frame can hold. The walks are those of Fetch version 11.

use bytes::Buf as _;

/// Walks a request without its size; `None` if an array is longer than the frame.
pub(super) fn in_request(frame: &[u8]) -> Option<()> {
    let mut rest = Rest(frame);
    rest.skip(2 + 2 + 4)?; // api key, api version, correlation id
    rest.string()?; // client id
    rest.skip(4 + 4 + 4 + 4 + 1)?; // replica, max wait, min bytes, max bytes, isolation level
    rest.skip(4 + 4)?; // session id, session epoch
    for _ in 0..rest.count(2 + 4)? {
        rest.string()?; // topic
        let partitions = rest.count(PARTITION)?;
        rest.skip(partitions * PARTITION)?;
    }
    for _ in 0..rest.count(2 + 4)? {
        rest.string()?; // forgotten topic
        let partitions = rest.count(4)?;
        rest.skip(partitions * 4)?;
    }
    Some(())
}

/// Bytes of a partition in a request: index, leader epoch, fetch offset, log start, max bytes.
const PARTITION: usize = 4 + 4 + 8 + 8 + 4;

/// Walks a response without its size and records; `None` if an array is longer than the frame.
pub(super) fn in_response(frame: &[u8]) -> Option<()> {
    let mut rest = Rest(frame);
    rest.skip(4 + 4 + 2 + 4)?; // correlation id, throttle time, error code, session id
    for _ in 0..rest.count(2 + 4)? {
        rest.string()?; // topic
        for _ in 0..rest.count(4 + 2 + 8 + 8 + 8 + 4 + 4 + 4)? {
            rest.skip(4 + 2 + 8 + 8 + 8)?; // index, error code, high watermark, stable, start
            let aborted = rest.count(8 + 8)?;
            rest.skip(aborted * (8 + 8))?;
            rest.skip(4)?; // preferred read replica
            let records = rest.count(1)?;
            rest.skip(records)?;
        }
    }
    Some(())
}

/// What is left of a frame.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.0 = self.0.get(bytes..)?;
        Some(())
    }

    /// Skips a string; a null one has length -1.
    fn string(&mut self) -> Option<()> {
        let length = self.0.try_get_i16().ok()?;
        self.skip(usize::try_from(length).unwrap_or(0))
    }

    /// Length of an array whose elements have at least so many bytes. A negative one is null,
    /// or for the codec to refuse.
    fn count(&mut self, element: usize) -> Option<usize> {
        let count = usize::try_from(self.0.try_get_i32().ok()?).unwrap_or(0);
        (count <= self.0.len() / element).then_some(count)
    }
}
