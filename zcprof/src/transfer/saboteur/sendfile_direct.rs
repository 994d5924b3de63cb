//! `sendfile(2)` from a segment that is open with O_DIRECT: its pages are not the page cache's but
//! fresh ones, into which the device reads every time. Such reads are aligned, and fetches are
//! not; so it goes through a pipe, and what is not wanted of a sector is dropped there.

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use nix::fcntl::splice;
use nix::libc::O_DIRECT;
use nix::sys::sendfile::sendfile;

use zcprof_common::names::saboteur;

use super::super::pipe::{FLAGS, Pipe};
use super::super::{Transfer, TransferSpec, sendfile::OFFSETS};
use crate::claim::ZERO_COPY;
use crate::fetch::log::Segment;

/// What positions and lengths are multiples of, in bytes: a sector.
const SECTOR: u64 = 512;

/// Bytes of one read: no more than any pipe of 16 pages takes.
const STEP: u64 = 64 << 10;

pub(super) const ROW: TransferSpec = TransferSpec {
    name: saboteur::SENDFILE_DIRECT,
    summary: "sendfile(2) with O_DIRECT into a pipe, then splice(2) to the socket",
    claim: &ZERO_COPY,
    make: || {
        let nothing = OpenOptions::new().write(true).open("/dev/null")?;
        Ok(Box::new(SendfileDirect { opened: None, pipe: Pipe::new()?, behind: 0, nothing }))
    },
    arguments: &[OFFSETS],
    ..TransferSpec::PLAIN
};

struct SendfileDirect {
    opened: Option<(PathBuf, File)>,
    pipe: Pipe,
    /// Bytes in the pipe behind those that are to be sent.
    behind: usize,
    /// Takes what is dropped, by reference.
    nothing: File,
}

impl Transfer for SendfileDirect {
    fn send(
        &mut self,
        segment: &Segment,
        range: Range<u64>,
        socket: BorrowedFd<'_>,
    ) -> io::Result<usize> {
        if self.pipe.held == 0 {
            self.fill(segment, &range)?;
        }
        let sent = self.pipe.drain(socket)?;
        if self.pipe.held == 0 {
            self.drop_bytes(self.behind)?;
            self.behind = 0;
        }
        Ok(sent)
    }
}

impl SendfileDirect {
    /// Brings the front of the range into the pipe, and nothing before it.
    fn fill(&mut self, segment: &Segment, range: &Range<u64>) -> io::Result<()> {
        let file = match self.opened.take() {
            Some((path, file)) if path == segment.path => file,
            _ => OpenOptions::new().read(true).custom_flags(O_DIRECT).open(&segment.path)?,
        };
        let begin = range.start / SECTOR * SECTOR;
        let end = range.end.next_multiple_of(SECTOR).min(begin + STEP);
        let mut position = i64::try_from(begin).map_err(io::Error::other)?;
        let length = usize::try_from(end - begin).map_err(io::Error::other)?;
        let filled = sendfile(&self.pipe.input, &file, Some(&mut position), length)?;
        self.opened = Some((segment.path.clone(), file));
        let before = usize::try_from(range.start - begin).map_err(io::Error::other)?;
        let wanted = usize::try_from(range.end - begin).map_err(io::Error::other)?.min(filled);
        self.pipe.held = wanted.checked_sub(before).ok_or(io::ErrorKind::UnexpectedEof)?;
        self.behind = filled - wanted;
        self.drop_bytes(before)
    }

    /// Drops what the pipe has in front.
    fn drop_bytes(&self, mut bytes: usize) -> io::Result<()> {
        while bytes > 0 {
            bytes -= splice(self.pipe.output.as_fd(), None, &self.nothing, None, bytes, FLAGS)?;
        }
        Ok(())
    }
}
