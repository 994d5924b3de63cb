//! io_uring's read into a user buffer, then its send: the copies of read_write, asked for by
//! other means.
#![expect(unsafe_code, reason = "the kernel is told addresses that it uses until it answers")]

use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use io_uring::{opcode, types::Fd};

use zcprof_common::names::transfer;

use super::held::Held;
use super::ring::{self, Ring};
use super::{Transfer, TransferSpec};
use crate::claim::TWO_COPIES;
use crate::fetch::log::Segment;

pub(super) const ROW: TransferSpec = TransferSpec {
    name: transfer::URING_SEND,
    summary: "io_uring's READ into a user buffer, then its SEND to the socket",
    claim: &TWO_COPIES,
    make: || Ok(Box::new(UringSend { ring: Ring::new()?, held: Held::default() })),
    needs: || ring::has("SEND", opcode::Send::CODE),
    ..TransferSpec::PLAIN
};

struct UringSend {
    ring: Ring,
    held: Held,
}

impl Transfer for UringSend {
    fn send(
        &mut self,
        segment: &Segment,
        range: Range<u64>,
        socket: BorrowedFd<'_>,
    ) -> io::Result<usize> {
        let ring = &mut self.ring;
        let bytes = self.held.bytes(segment, &range, |buffer| {
            let length = u32::try_from(buffer.len()).map_err(io::Error::other)?;
            let read = opcode::Read::new(Fd(segment.file.as_raw_fd()), buffer.as_mut_ptr(), length)
                .offset(range.start)
                .build();
            // SAFETY: the buffer is borrowed until the answer is here.
            unsafe { ring.run(&read) }
        })?;
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        let operation = opcode::Send::new(Fd(socket.as_raw_fd()), bytes.as_ptr(), length)
            .flags(libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL)
            .build();
        // SAFETY: as above.
        let sent = unsafe { ring.run(&operation) }?;
        self.held.sent(&range, sent);
        Ok(sent)
    }
}
