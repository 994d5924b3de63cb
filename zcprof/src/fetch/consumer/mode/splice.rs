//! `splice(2)` from the socket into a pipe, and out of it into /dev/null: pages change hands and
//! no byte enters user memory.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};

use nix::fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl, splice};

use zcprof_common::names::mode;
use zcprof_judge::receive::claim::PIPED;

use super::{Mode, ModeSpec, Received, STEP, Step, count};
use crate::fetch::check::Check;

pub(super) const ROW: ModeSpec = ModeSpec {
    name: mode::SPLICE,
    summary: "splice(2) from the socket through a pipe into /dev/null",
    claim: &PIPED,
    sees: false,
    make: || Ok(Box::new(Splice::new()?)),
};

pub(super) struct Splice {
    input: File,
    output: File,
    null: File,
}

impl Splice {
    pub(super) fn new() -> io::Result<Self> {
        let (output, input) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
        // A smaller pipe serves too, in more steps.
        let _ = fcntl(&input, FcntlArg::F_SETPIPE_SZ(1 << 20));
        let null = File::options().write(true).open("/dev/null")?;
        Ok(Self { input: input.into(), output: output.into(), null })
    }
}

const FLAGS: SpliceFFlags = SpliceFFlags::SPLICE_F_MOVE.union(SpliceFFlags::SPLICE_F_NONBLOCK);

impl Splice {
    /// Moves what the socket has, up to `most` bytes, into the pipe; says how many bytes.
    pub(super) fn fill(&self, socket: BorrowedFd<'_>, most: usize) -> io::Result<usize> {
        Ok(splice(socket, None, self.input.as_fd(), None, most.min(STEP), FLAGS)?)
    }

    /// The end of the pipe that is read.
    pub(super) const fn output(&mut self) -> &mut File {
        &mut self.output
    }
}

impl Mode for Splice {
    fn receive(
        &mut self,
        socket: BorrowedFd<'_>,
        most: usize,
        _check: &mut Check,
    ) -> io::Result<Step> {
        let moved = self.fill(socket, most)?;
        let mut held = moved;
        while held > 0 {
            // /dev/null takes all there is (drivers/char/mem.c, splice_write_null()).
            match splice(self.output.as_fd(), None, self.null.as_fd(), None, held, FLAGS)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                gone => held -= gone,
            }
        }
        let received = Received { moved: count(moved), ..Received::default() };
        // The pipe can be full of small pages before the socket is empty.
        Ok(Step { received, drained: false })
    }
}
