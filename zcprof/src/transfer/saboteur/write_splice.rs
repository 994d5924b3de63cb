//! `write(2)` of a mapping into a pipe, and `splice(2)` from there into the socket: the splice
//! hands pages over, but they are the pipe's own, and the bytes were copied into them.

use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;

use nix::unistd::write;

use zcprof_common::names::saboteur;

use super::super::mapping::SegmentMapping;
use super::super::pipe::Pipe;
use super::super::{Transfer, TransferSpec};
use crate::claim::ZERO_COPY;
use crate::fetch::log::Segment;

/// Bytes of a write: what any pipe takes at once when it is empty, so that the write never waits.
const STEP: usize = 64 << 10;

pub(super) const ROW: TransferSpec = TransferSpec {
    name: saboteur::WRITE_SPLICE,
    summary: "write(2) of a mapping into a pipe, then splice(2) to the socket",
    claim: &ZERO_COPY,
    make: || Ok(Box::new(WriteSplice { mapping: SegmentMapping::default(), pipe: Pipe::new()? })),
    ..TransferSpec::PLAIN
};

struct WriteSplice {
    mapping: SegmentMapping,
    pipe: Pipe,
}

impl Transfer for WriteSplice {
    fn send(
        &mut self,
        segment: &Segment,
        range: Range<u64>,
        socket: BorrowedFd<'_>,
    ) -> io::Result<usize> {
        if self.pipe.held == 0 {
            let bytes = self.mapping.bytes(segment, &range)?;
            self.pipe.held = write(&self.pipe.input, &bytes[..bytes.len().min(STEP)])?;
        }
        self.pipe.drain(socket)
    }
}
