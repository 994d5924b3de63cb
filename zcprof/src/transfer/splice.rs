//! `splice(2)` twice: pages of the page cache into a pipe, and out of the pipe into the socket.

use std::fs::File as Pipe;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd as _, BorrowedFd};

use nix::fcntl::{FcntlArg, SpliceFFlags, fcntl, splice};
use zcprof_common::vocabulary::File;

use super::{Argument, Row, Transfer};
use crate::claim::ZERO_COPY;
use crate::fetch::log::Segment;

/// Size asked for the pipe in bytes; an unprivileged process may ask for no more.
const PIPE: i32 = 1 << 20;

pub(super) const ROW: Row = Row {
    name: "splice",
    summary: "splice(2) from the segment into a pipe and from there into the socket",
    claim: &ZERO_COPY,
    make: || Ok(Box::new(Splice::new()?)),
    arguments: &[Argument {
        syscall: "splice",
        file: File::Regular,
        // fs/splice.c, __do_splice(): copy_from_user() of off_in, and copy_to_user() of it after.
        // The same in 6.1, 6.12 and 7.3.
        bytes_per_call: 16,
        what: "file offsets in and out",
    }],
};

struct Splice {
    input: Pipe,
    output: Pipe,
    /// Bytes in the pipe.
    held: usize,
}

impl Splice {
    fn new() -> io::Result<Self> {
        let (output, input) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
        // A smaller pipe serves too, in more steps.
        let _ = fcntl(&input, FcntlArg::F_SETPIPE_SZ(PIPE));
        Ok(Self { input: input.into(), output: output.into(), held: 0 })
    }
}

impl Transfer for Splice {
    fn send(
        &mut self,
        segment: &Segment,
        range: Range<u64>,
        socket: BorrowedFd<'_>,
    ) -> io::Result<usize> {
        let flags = SpliceFFlags::SPLICE_F_MOVE | SpliceFFlags::SPLICE_F_NONBLOCK;
        if self.held == 0 {
            let mut position = i64::try_from(range.start).map_err(io::Error::other)?;
            let length = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
            let at = Some(&mut position);
            self.held = splice(&segment.file, at, self.input.as_fd(), None, length, flags)?;
            if self.held == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let sent = splice(self.output.as_fd(), None, socket, None, self.held, flags)?;
        self.held -= sent;
        Ok(sent)
    }
}
