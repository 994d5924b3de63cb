//! `vmsplice(2)` of a private mapping of the segment, whose pages are written to before they are ever
//! read: the kernel copies each out of the page cache for its writer, in a page fault, where no system
//! call copies anything.

use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;

use memmap2::{MmapMut, MmapOptions};
use nix::sys::uio::pread;

use zcprof_common::names::saboteur;

use super::super::pipe::{IOVECS, Pipe};
use super::super::{Transfer, TransferSpec};
use crate::claim::ZERO_COPY;
use crate::fetch::log::Segment;

const PAGE: usize = 4096;

/// Pages of a step: any pipe takes so many.
const PAGES: usize = 16;

pub(super) const ROW: TransferSpec = TransferSpec {
    name: saboteur::VMSPLICE_PRIVATE,
    summary: "vmsplice(2) of a private mapping of the segment, which is written to before",
    claim: &ZERO_COPY,
    make: || Ok(Box::new(VmsplicePrivate { mapping: None, pipe: Pipe::new()? })),
    arguments: &[IOVECS],
    ..TransferSpec::PLAIN
};

struct VmsplicePrivate {
    /// Kept until the next step, which has one of its own: pages that were written to once are not
    /// copied again.
    mapping: Option<MmapMut>,
    pipe: Pipe,
}

impl Transfer for VmsplicePrivate {
    fn send(
        &mut self,
        segment: &Segment,
        range: Range<u64>,
        socket: BorrowedFd<'_>,
    ) -> io::Result<usize> {
        if self.pipe.held == 0 {
            let at = |position: u64| usize::try_from(position).map_err(io::Error::other);
            let (from, to) = (at(range.start)?, at(range.end)?);
            let mapping = self.mapping.insert(map(segment)?);
            if mapping.len() < to {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            // Each page is written to once.
            let to = to.min((from / PAGE + PAGES) * PAGE);
            for byte in (from / PAGE * PAGE..to).step_by(PAGE) {
                // What stays as it is may not be read from the mapping, which would map the page.
                let byte = byte.max(from);
                let mut same = [0];
                let position = i64::try_from(byte).map_err(io::Error::other)?;
                pread(&segment.file, &mut same, position)?;
                write(mapping, byte, same[0]);
            }
            self.pipe.fill(&mapping[from..to])?;
        }
        self.pipe.drain(socket)
    }

    fn iovecs(&self) -> u64 {
        self.pipe.iovecs
    }
}

/// Writes, also what the compiler would think is there already.
#[expect(unsafe_code, reason = "a volatile write has no safe form")]
fn write(mapping: &mut MmapMut, at: usize, byte: u8) {
    let place: *mut u8 = &raw mut mapping[at];
    // SAFETY: the place is within the mapping, which is borrowed mutably.
    unsafe { place.write_volatile(byte) };
}

/// A private mapping of the whole segment.
#[expect(unsafe_code, reason = "a file mapping is valid only while nobody truncates the file")]
fn map(segment: &Segment) -> io::Result<MmapMut> {
    // SAFETY: nobody writes to a log while it is open (see `Log`).
    unsafe { MmapOptions::new().map_copy(&segment.file) }
}
