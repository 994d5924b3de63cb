//! What a client gets for a request.

use std::ops::Range;
use std::time::Duration;

use super::coordinator::Later;
use crate::fetch::log::Segment;
use crate::fetch::wire::ResponseFrame;

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

/// What a client gets.
#[derive(Debug)]
pub struct Reply<'a> {
    /// Everything but record bytes.
    pub frame: ResponseFrame,
    /// Records for the gaps in the frame, in order.
    pub slices: Vec<Slice<'a>>,
    /// How long it waits for that.
    pub delay: Option<Duration>,
}

/// The outcome of a request.
#[derive(Debug)]
pub enum Answer<'a> {
    /// It is answered.
    Now(Reply<'a>),
    /// It is answered when other members of its group have done their part.
    Later(Later),
}

impl From<ResponseFrame> for Answer<'_> {
    fn from(frame: ResponseFrame) -> Self {
        Self::Now(frame.into())
    }
}

impl From<ResponseFrame> for Reply<'_> {
    fn from(frame: ResponseFrame) -> Self {
        Self { frame, slices: Vec::new(), delay: None }
    }
}
