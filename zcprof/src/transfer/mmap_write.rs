//! A mapping of the segment, and `write(2)` from it: the socket copies straight out of the page
//! cache, so only one copy is left.

use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;

use nix::unistd::write;

use zcprof_common::names::transfer;

use super::mapping::SegmentMapping;
use super::{Transfer, TransferSpec};
use crate::claim::ONE_COPY;
use crate::fetch::log::Segment;

pub(super) const ROW: TransferSpec = TransferSpec {
    name: transfer::MMAP_WRITE,
    summary: "write(2) to the socket from a mapping of the segment",
    claim: &ONE_COPY,
    make: || Ok(Box::new(MmapWrite(SegmentMapping::default()))),
    ..TransferSpec::PLAIN
};

struct MmapWrite(SegmentMapping);

impl Transfer for MmapWrite {
    fn send(
        &mut self,
        segment: &Segment,
        range: Range<u64>,
        socket: BorrowedFd<'_>,
    ) -> io::Result<usize> {
        Ok(write(socket, self.0.bytes(segment, &range)?)?)
    }
}
