//! `writev(2)` of many pieces of a mapping: what a server does whose records lie scattered in
//! memory. The number of pieces changes nothing about the copy.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::os::fd::BorrowedFd;

use nix::sys::uio::writev;

use zcprof_common::names::transfer;

use super::mapping::Mapping;
use super::{Transfer, TransferSpec};
use crate::claim::ONE_COPY;
use crate::fetch::log::Segment;

/// Size of a piece in bytes. Before 6.2 the kernel copies the 16 bytes that describe each.
const PIECE: usize = 64 << 10;

/// Most pieces in one call: UIO_MAXIOV of include/uapi/linux/uio.h.
const PIECES: usize = 1024;

pub(super) const ROW: TransferSpec = TransferSpec {
    name: transfer::WRITEV,
    summary: "writev(2) to the socket, of 64 KiB pieces of a mapping of the segment",
    claim: &ONE_COPY,
    make: || Ok(Box::new(Writev(Mapping::default()))),
    ..TransferSpec::PLAIN
};

struct Writev(Mapping);

impl Transfer for Writev {
    fn send(
        &mut self,
        segment: &Segment,
        range: Range<u64>,
        socket: BorrowedFd<'_>,
    ) -> io::Result<usize> {
        let bytes = self.0.bytes(segment, &range)?;
        let pieces: Vec<IoSlice<'_>> = bytes.chunks(PIECE).take(PIECES).map(IoSlice::new).collect();
        Ok(writev(socket, &pieces)?)
    }
}
