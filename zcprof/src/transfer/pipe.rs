//! A pipe as splice(2) and vmsplice(2) use it.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd as _, BorrowedFd};

use nix::fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl, splice, vmsplice};
use nix::unistd::pipe2;
use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary;

use super::Argument;

/// Size asked for in bytes; an unprivileged process may ask for no more.
const SIZE: i32 = 1 << 20;

/// Of every splice here.
pub(super) const FLAGS: SpliceFFlags =
    SpliceFFlags::SPLICE_F_MOVE.union(SpliceFFlags::SPLICE_F_NONBLOCK);

/// What [`Pipe::fill()`] passes by pointer.
pub(super) const IOVECS: Argument = Argument::iovecs(Syscall::Vmsplice, vocabulary::File::Pipe);

/// Both ends, and what is in it.
pub(super) struct Pipe {
    pub(super) input: File,
    pub(super) output: File,
    /// Bytes in the pipe.
    pub(super) held: usize,
    /// Pieces of memory that were handed over to it, or were tried to be.
    pub(super) iovecs: u64,
}

impl Pipe {
    pub(super) fn new() -> io::Result<Self> {
        let (output, input) = pipe2(OFlag::O_CLOEXEC)?;
        // A smaller pipe serves too, in more steps.
        let _ = fcntl(&input, FcntlArg::F_SETPIPE_SZ(SIZE));
        Ok(Self { input: input.into(), output: output.into(), held: 0, iovecs: 0 })
    }

    /// Hands memory over to the pipe, as far as that takes it, and says how many bytes.
    ///
    /// Without SPLICE_F_GIFT: the pages stay the caller's.
    pub(super) fn fill(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.iovecs += 1;
        self.held = vmsplice(self.input.as_fd(), &[IoSlice::new(bytes)], FLAGS)?;
        Ok(self.held)
    }

    /// Splices what is in the pipe into the socket, as far as that takes it.
    pub(super) fn drain(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        let sent = splice(self.output.as_fd(), None, socket, None, self.held, FLAGS)?;
        self.held -= sent;
        Ok(sent)
    }
}
