//! `splice(2)` twice: pages of the page cache into a pipe, and out of the pipe into the socket.

use std::io;
use std::ops::Range;
use std::os::fd::{AsFd as _, BorrowedFd};

use nix::fcntl::splice;
use zcprof_common::names::transfer;
use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary::File;

use super::pipe::{FLAGS, Pipe};
use super::{Argument, ArgumentSize, Transfer, TransferSpec};
use crate::claim::ZERO_COPY;
use crate::fetch::log::Segment;

pub(super) const ROW: TransferSpec = TransferSpec {
    name: transfer::SPLICE,
    summary: "splice(2) from the segment into a pipe and from there into the socket",
    claim: &ZERO_COPY,
    make: || Ok(Box::new(Splice(Pipe::new()?))),
    arguments: &[Argument {
        syscall: Syscall::Splice,
        file: File::Regular,
        // fs/splice.c, __do_splice(): copy_from_user() of off_in, and copy_to_user() of it after.
        // The same in 6.1, 6.12 and 7.3.
        size: ArgumentSize::PerCall(16),
        what: "file offsets in and out",
    }],
    ..TransferSpec::PLAIN
};

struct Splice(Pipe);

impl Transfer for Splice {
    fn send(
        &mut self,
        segment: &Segment,
        range: Range<u64>,
        socket: BorrowedFd<'_>,
    ) -> io::Result<usize> {
        if self.0.held == 0 {
            let mut position = i64::try_from(range.start).map_err(io::Error::other)?;
            let length = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
            let at = Some(&mut position);
            self.0.held = splice(&segment.file, at, self.0.input.as_fd(), None, length, FLAGS)?;
            if self.0.held == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        self.0.drain(socket)
    }
}
