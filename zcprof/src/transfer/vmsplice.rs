//! `vmsplice(2)` of a mapping into a pipe, and `splice(2)` from there into the socket: the way
//! to hand over memory that is already in user space. Here it is a mapping of the page cache.

use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;

use zcprof_common::names::transfer;

use super::mapping::SegmentMapping;
use super::pipe::{IOVECS, Pipe};
use super::{Transfer, TransferSpec};
use crate::claim::ZERO_COPY;
use crate::fetch::log::Segment;

pub(super) const ROW: TransferSpec = TransferSpec {
    name: transfer::VMSPLICE,
    summary: "vmsplice(2) of a mapping of the segment into a pipe, then splice(2) to the socket",
    claim: &ZERO_COPY,
    make: || Ok(Box::new(Vmsplice { mapping: SegmentMapping::default(), pipe: Pipe::new()? })),
    arguments: &[IOVECS],
    ..TransferSpec::PLAIN
};

struct Vmsplice {
    mapping: SegmentMapping,
    pipe: Pipe,
}

impl Transfer for Vmsplice {
    fn send(
        &mut self,
        segment: &Segment,
        range: Range<u64>,
        socket: BorrowedFd<'_>,
    ) -> io::Result<usize> {
        if self.pipe.held == 0 {
            self.pipe.fill(self.mapping.bytes(segment, &range)?)?;
        }
        self.pipe.drain(socket)
    }

    fn iovecs(&self) -> u64 {
        self.pipe.iovecs
    }
}
