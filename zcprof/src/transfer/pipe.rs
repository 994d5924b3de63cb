//! A pipe as splice(2) and vmsplice(2) use it.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};

use nix::fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl, splice};
use nix::unistd::pipe2;

/// Size asked for in bytes; an unprivileged process may ask for no more.
const SIZE: i32 = 1 << 20;

/// Of every splice here.
pub(super) const FLAGS: SpliceFFlags =
    SpliceFFlags::SPLICE_F_MOVE.union(SpliceFFlags::SPLICE_F_NONBLOCK);

/// Both ends, and what is in it.
pub(super) struct Pipe {
    pub(super) input: File,
    pub(super) output: File,
    /// Bytes in the pipe.
    pub(super) held: usize,
}

impl Pipe {
    pub(super) fn new() -> io::Result<Self> {
        let (output, input) = pipe2(OFlag::O_CLOEXEC)?;
        // A smaller pipe serves too, in more steps.
        let _ = fcntl(&input, FcntlArg::F_SETPIPE_SZ(SIZE));
        Ok(Self { input: input.into(), output: output.into(), held: 0 })
    }

    /// Splices what is in the pipe into the socket, as far as that takes it.
    pub(super) fn drain(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        let sent = splice(self.output.as_fd(), None, socket, None, self.held, FLAGS)?;
        self.held -= sent;
        Ok(sent)
    }
}
