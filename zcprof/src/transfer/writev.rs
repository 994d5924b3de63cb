//! `writev(2)` of many pieces of a mapping: what a server does whose records lie scattered in
//! memory. The number of pieces changes nothing about the copy.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::os::fd::BorrowedFd;

use nix::sys::uio::writev;

use zcprof_common::names::transfer;
use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary::File;

use super::mapping::SegmentMapping;
use super::{Argument, Transfer, TransferSpec};
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
    make: || Ok(Box::<Writev>::default()),
    arguments: &[Argument::iovecs(Syscall::Writev, File::Socket)],
    ..TransferSpec::PLAIN
};

#[derive(Default)]
struct Writev {
    mapping: SegmentMapping,
    iovecs: u64,
}

impl Transfer for Writev {
    fn send(
        &mut self,
        segment: &Segment,
        range: Range<u64>,
        socket: BorrowedFd<'_>,
    ) -> io::Result<usize> {
        let bytes = self.mapping.bytes(segment, &range)?;
        let pieces: Vec<IoSlice<'_>> = bytes.chunks(PIECE).take(PIECES).map(IoSlice::new).collect();
        self.iovecs += pieces.len() as u64;
        Ok(writev(socket, &pieces)?)
    }

    fn iovecs(&self) -> u64 {
        self.iovecs
    }
}
