//! `vmsplice(2)` of a buffer that is used again before its bytes have left: no page is copied, and
//! what arrives is not what was meant (vmsplice(2), NOTES of splice(2)'s SPLICE_F_GIFT).

use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;

use memmap2::MmapMut;
use nix::sys::uio::pread;

use zcprof_common::names::saboteur;

use super::super::pipe::{IOVECS, Pipe};
use super::super::{Transfer, TransferSpec};
use crate::claim::ZERO_COPY;
use crate::fetch::log::Segment;

/// Size of the buffer in bytes; whole pages, as vmsplice references them.
const BUFFER: usize = 128 << 10;

/// Place in what is sent first of a fetch that is spoilt: behind the header of a record batch, so
/// that nobody but the verification of its bytes can tell.
const SPOILT: usize = 200;

pub(super) const ROW: TransferSpec = TransferSpec {
    name: saboteur::VMSPLICE_REUSED,
    summary: "vmsplice(2) of a buffer that is written to while its pages are on their way",
    claim: &ZERO_COPY,
    make: || Ok(Box::new(VmspliceReused { buffer: None, pipe: Pipe::new()?, next: 0 })),
    arguments: &[IOVECS],
    ..TransferSpec::PLAIN
};

struct VmspliceReused {
    /// Each step has one of its own, so that nothing is spoilt but what is meant to be.
    buffer: Option<MmapMut>,
    pipe: Pipe,
    /// Where the bytes end that were sent last: what begins elsewhere is another fetch.
    next: u64,
}

impl Transfer for VmspliceReused {
    fn send(
        &mut self,
        segment: &Segment,
        range: Range<u64>,
        socket: BorrowedFd<'_>,
    ) -> io::Result<usize> {
        let begins = self.next != range.start;
        if self.pipe.held == 0 {
            let wanted = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
            let from = i64::try_from(range.start).map_err(io::Error::other)?;
            let buffer = self.buffer.insert(MmapMut::map_anon(BUFFER)?);
            let read = pread(&segment.file, &mut buffer[..wanted.min(BUFFER)], from)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.pipe.fill(&buffer[..read])?;
            if begins && read > SPOILT {
                buffer[SPOILT] ^= 1;
            }
        }
        let sent = self.pipe.drain(socket)?;
        self.next = range.start + sent as u64;
        if self.next == range.end {
            self.next = 0;
        }
        Ok(sent)
    }

    fn iovecs(&self) -> u64 {
        self.pipe.iovecs
    }
}
