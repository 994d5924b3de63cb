//! A mapping of the segment, and `write(2)` from it: the socket copies straight out of the page
//! cache, so only one copy is left.

use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use memmap2::Mmap;
use nix::unistd::write;

use super::{Row, Transfer};
use crate::claim::ONE_COPY;
use crate::fetch::log::Segment;

pub(super) const ROW: Row = Row {
    name: "mmap_write",
    summary: "write(2) to the socket from a mapping of the segment",
    claim: &ONE_COPY,
    make: || Ok(Box::new(MmapWrite { mapped: None })),
    arguments: &[],
};

/// Holds the mapping of the segment that was sent last, until another one is sent or the
/// connection closes.
struct MmapWrite {
    mapped: Option<(PathBuf, Mmap)>,
}

impl Transfer for MmapWrite {
    fn send(
        &mut self,
        segment: &Segment,
        range: Range<u64>,
        socket: BorrowedFd<'_>,
    ) -> io::Result<usize> {
        if self.mapped.as_ref().is_none_or(|(path, _)| *path != segment.path) {
            self.mapped = Some((segment.path.clone(), segment.map()?));
        }
        let bytes = self.mapped.as_ref().and_then(|(_, map)| {
            map.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
        });
        Ok(write(socket, bytes.ok_or(io::ErrorKind::UnexpectedEof)?)?)
    }
}
