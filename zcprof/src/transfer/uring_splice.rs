//! io_uring's SPLICE twice, into a pipe and out of it. The kernel does both in worker threads of
//! the ring's owner (io_uring/splice.c, io_splice(): it may block, so it never runs inline).
#![expect(unsafe_code, reason = "the kernel is told descriptors that it uses until it answers")]

use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use io_uring::{opcode, types::Fd};

use zcprof_common::names::transfer;

use super::pipe::{FLAGS, Pipe};
use super::ring::{self, Ring};
use super::{Transfer, TransferSpec};
use crate::claim::ZERO_COPY;
use crate::fetch::log::Segment;

/// "No offset, there is a position": io_uring's sign for pipes and sockets.
const NO_OFFSET: i64 = -1;

pub(super) const ROW: TransferSpec = TransferSpec {
    name: transfer::URING_SPLICE,
    summary: "io_uring's SPLICE from the segment into a pipe and from there into the socket",
    claim: &ZERO_COPY,
    make: || Ok(Box::new(UringSplice { ring: Ring::new()?, pipe: Pipe::new()? })),
    needs: || ring::has("SPLICE", opcode::Splice::CODE),
    ..TransferSpec::PLAIN
};

struct UringSplice {
    ring: Ring,
    pipe: Pipe,
}

impl Transfer for UringSplice {
    fn send(
        &mut self,
        segment: &Segment,
        range: Range<u64>,
        socket: BorrowedFd<'_>,
    ) -> io::Result<usize> {
        let (input, output) = (self.pipe.input.as_raw_fd(), self.pipe.output.as_raw_fd());
        if self.pipe.held == 0 {
            let position = i64::try_from(range.start).map_err(io::Error::other)?;
            let length = u32::try_from(range.end - range.start).unwrap_or(u32::MAX);
            let file = Fd(segment.file.as_raw_fd());
            let splice = opcode::Splice::new(file, position, Fd(input), NO_OFFSET, length)
                .flags(FLAGS.bits())
                .build();
            // SAFETY: the descriptors are open until the answer is here.
            self.pipe.held = unsafe { self.ring.run(&splice) }?;
            if self.pipe.held == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let length = u32::try_from(self.pipe.held).map_err(io::Error::other)?;
        let socket = Fd(socket.as_raw_fd());
        let splice = opcode::Splice::new(Fd(output), NO_OFFSET, socket, NO_OFFSET, length)
            .flags(FLAGS.bits())
            .build();
        // SAFETY: as above.
        let sent = unsafe { self.ring.run(&splice) }?;
        self.pipe.held -= sent;
        Ok(sent)
    }
}
