//! `read(2)` into a user buffer, then `write(2)`: the traditional path and its two copies.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::os::fd::BorrowedFd;

use nix::unistd::write;

use super::{Row, Transfer};
use crate::claim::TWO_COPIES;
use crate::fetch::log::Segment;

/// Size of the user buffer in bytes.
const BUFFER: usize = 128 << 10;

pub(super) const ROW: Row = Row {
    name: "read_write",
    summary: "read(2) into a user buffer, then write(2) to the socket",
    claim: &TWO_COPIES,
    make: || Ok(Box::new(ReadWrite { opened: None, buffer: vec![0; BUFFER], held: 0..0 })),
    arguments: &[],
};

struct ReadWrite {
    /// The segment by its base offset, opened anew: the file position is this connection's own.
    opened: Option<(u64, File)>,
    buffer: Vec<u8>,
    /// Positions in the segment whose bytes are at the front of the buffer.
    held: Range<u64>,
}

impl ReadWrite {
    /// Fills the buffer from `range`.
    fn fill(&mut self, segment: &Segment, range: &Range<u64>) -> io::Result<()> {
        let mut file = match self.opened.take() {
            Some((base, file)) if base == segment.base_offset => file,
            _ => File::open(&segment.path)?,
        };
        if file.stream_position()? != range.start {
            file.seek(SeekFrom::Start(range.start))?;
        }
        let wanted = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
        let read = file.read(&mut self.buffer[..wanted.min(BUFFER)])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.held = range.start..range.start + u64::try_from(read).map_err(io::Error::other)?;
        self.opened = Some((segment.base_offset, file));
        Ok(())
    }
}

impl Transfer for ReadWrite {
    fn send(
        &mut self,
        segment: &Segment,
        range: Range<u64>,
        socket: BorrowedFd<'_>,
    ) -> io::Result<usize> {
        let known = self.opened.as_ref().is_some_and(|(base, _)| *base == segment.base_offset);
        if !known || !self.held.contains(&range.start) {
            self.fill(segment, &range)?;
        }
        let end = self.held.end.min(range.end);
        let at = |position: u64| usize::try_from(position - self.held.start);
        let (from, to) = (at(range.start), at(end));
        let bytes = &self.buffer[from.map_err(io::Error::other)?..to.map_err(io::Error::other)?];
        Ok(write(socket, bytes)?)
    }
}
