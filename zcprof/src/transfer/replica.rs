//! The follower's side: records are first copied into a file of the follower's own, without user
//! space, and then served from there by sendfile(2).

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use nix::sys::sendfile::sendfile;

use super::Transfer;
use crate::fetch::log::Segment;

/// Bytes that are copied at most in one step.
const STEP: u64 = 1 << 20;

/// Copies from a position of a segment to the end of a file; says how many bytes.
pub(super) type CopyRange = fn(&Segment, &mut i64, &File, usize) -> io::Result<usize>;

/// A connection's replica.
pub(super) struct Replica {
    copy: CopyRange,
    /// The file, which has no name, on the segments' file system; and its length. It only grows:
    /// pages that a socket still holds must not be written to.
    file: Option<(PathBuf, File, u64)>,
    /// Whose bytes are at the end of it, and which.
    segment: PathBuf,
    held: Range<u64>,
}

impl Replica {
    pub(super) fn new(copy: CopyRange) -> Self {
        Self { copy, file: None, segment: PathBuf::new(), held: 0..0 }
    }

    /// Appends the front of `range` to the replica.
    fn copy(&mut self, segment: &Segment, range: &Range<u64>) -> io::Result<()> {
        let folder = segment.path.parent().unwrap_or(Path::new("."));
        if self.file.as_ref().is_none_or(|(known, ..)| known != folder) {
            self.file = Some((folder.to_owned(), tempfile::tempfile_in(folder)?, 0));
        }
        let (_, file, length) = self.file.as_mut().ok_or(io::ErrorKind::NotFound)?;
        let end = range.end.min(range.start + STEP);
        let mut position = i64::try_from(range.start).map_err(io::Error::other)?;
        let wanted = usize::try_from(end - range.start).map_err(io::Error::other)?;
        let copied = (self.copy)(segment, &mut position, file, wanted)?;
        if copied == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        *length += copied as u64;
        self.segment.clone_from(&segment.path);
        self.held = range.start..range.start + copied as u64;
        Ok(())
    }
}

impl Transfer for Replica {
    fn send(
        &mut self,
        segment: &Segment,
        range: Range<u64>,
        socket: BorrowedFd<'_>,
    ) -> io::Result<usize> {
        if self.segment != segment.path || !self.held.contains(&range.start) {
            self.copy(segment, &range)?;
        }
        let (_, file, length) = self.file.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let left = self.held.end.min(range.end) - range.start;
        let position = length - (self.held.end - range.start);
        let mut position = i64::try_from(position).map_err(io::Error::other)?;
        let left = usize::try_from(left).map_err(io::Error::other)?;
        let sent = sendfile(socket, file, Some(&mut position), left)?;
        if range.start + sent as u64 == range.end {
            // A request for the same bytes has them copied again.
            self.held.start = self.held.end;
        }
        Ok(sent)
    }
}
