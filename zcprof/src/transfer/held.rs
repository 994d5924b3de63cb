//! A user buffer that holds a piece of a segment until the socket has taken it.

use std::io;
use std::ops::Range;
use std::path::PathBuf;

use crate::fetch::log::Segment;

/// Size of the user buffer in bytes.
pub(super) const BUFFER: usize = 128 << 10;

/// The buffer, and what is in it.
pub(super) struct Held {
    buffer: Vec<u8>,
    /// Whose bytes are at the front of the buffer.
    segment: PathBuf,
    /// Their positions in it.
    range: Range<u64>,
}

impl Default for Held {
    fn default() -> Self {
        Self { buffer: vec![0; BUFFER], segment: PathBuf::new(), range: 0..0 }
    }
}

impl Held {
    /// The bytes at the front of `range`. They are read by `fill`, which gets a buffer and says
    /// how much of it was filled, unless a partial send has left them.
    ///
    /// # Errors
    /// `UnexpectedEof` if the segment is shorter, and those of `fill`.
    pub(super) fn bytes(
        &mut self,
        segment: &Segment,
        range: &Range<u64>,
        fill: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<&[u8]> {
        if self.segment != segment.path || !self.range.contains(&range.start) {
            let wanted = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
            self.range = 0..0;
            let filled = fill(&mut self.buffer[..wanted.min(BUFFER)])?;
            if filled == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.segment.clone_from(&segment.path);
            self.range = range.start..range.start + filled as u64;
        }
        let end = self.range.end.min(range.end);
        let at =
            |position: u64| usize::try_from(position - self.range.start).map_err(io::Error::other);
        Ok(&self.buffer[at(range.start)?..at(end)?])
    }

    /// Notes that the first `sent` bytes of `range` have left. A request for the same
    /// bytes has them read again.
    pub(super) fn sent(&mut self, range: &Range<u64>, sent: usize) {
        if range.start + sent as u64 == range.end {
            self.range.start = self.range.end;
        }
    }
}
