//! `vmsplice(2)` of a private mapping of the segment, whose pages are written to afterwards. What
//! is on its way stays as it was, because the kernel copies each page for its writer: in a page
//! fault, where no system call copies anything.

use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;

use memmap2::{MmapMut, MmapOptions};

use zcprof_common::names::saboteur;

use super::super::pipe::{IOVECS, Pipe};
use super::super::{Transfer, TransferSpec};
use crate::claim::ZERO_COPY;
use crate::fetch::log::Segment;

const PAGE: usize = 4096;

pub(super) const ROW: TransferSpec = TransferSpec {
    name: saboteur::VMSPLICE_COW,
    summary: "vmsplice(2) of a private mapping of the segment, which is written to afterwards",
    claim: &ZERO_COPY,
    make: || Ok(Box::new(VmspliceCow { mapping: None, pipe: Pipe::new()? })),
    arguments: &[IOVECS],
    ..TransferSpec::PLAIN
};

struct VmspliceCow {
    /// Kept until the next step, which has one of its own: what was written to is no longer the
    /// segment.
    mapping: Option<MmapMut>,
    pipe: Pipe,
}

impl Transfer for VmspliceCow {
    fn send(
        &mut self,
        segment: &Segment,
        range: Range<u64>,
        socket: BorrowedFd<'_>,
    ) -> io::Result<usize> {
        if self.pipe.held == 0 {
            let mapping = self.mapping.insert(map(segment)?);
            let at = |position: u64| usize::try_from(position).map_err(io::Error::other);
            let (from, to) = (at(range.start)?, at(range.end)?);
            let bytes = mapping.get(from..to).ok_or(io::ErrorKind::UnexpectedEof)?;
            // Each page is there before it is written to, so that it is copied then.
            let held = self.pipe.fill(bytes)?;
            for byte in (from..from + held).step_by(PAGE) {
                mapping[byte] ^= 1;
            }
        }
        self.pipe.drain(socket)
    }

    fn iovecs(&self) -> u64 {
        self.pipe.iovecs
    }
}

/// A private mapping of the whole segment.
#[expect(unsafe_code, reason = "a file mapping is valid only while nobody truncates the file")]
fn map(segment: &Segment) -> io::Result<MmapMut> {
    // SAFETY: nobody writes to a log while it is open (see `Log`).
    unsafe { MmapOptions::new().map_copy(&segment.file) }
}
