//! `recv(2)` into user memory, where every byte is verified.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use nix::sys::socket::{MsgFlags, recv};

use zcprof_common::names::mode;
use zcprof_judge::receive::claim::COPIED;

use super::{Mode, ModeSpec, Received, STEP, Step, count};
use crate::fetch::check::Check;

pub(super) const ROW: ModeSpec = ModeSpec {
    name: mode::COPY,
    summary: "recv(2) into user memory, where every byte is verified",
    claim: &COPIED,
    sees: true,
    make: || Ok(Box::new(Copy)),
};

thread_local! {
    /// Record bytes that were received last. All connections share it, so that it stays in the
    /// CPU's cache however many there are: what is received is checked before anybody else runs.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; STEP]);
}

struct Copy;

impl Mode for Copy {
    fn receive(
        &mut self,
        socket: BorrowedFd<'_>,
        most: usize,
        check: &mut Check,
    ) -> io::Result<Step> {
        let wanted = most.min(STEP);
        let copied = copy(socket, wanted, check)?;
        let received = Received { copied: count(copied), ..Received::default() };
        Ok(Step { received, drained: copied < wanted })
    }
}

/// One recv(2) of at most `wanted` bytes, no more than [`STEP`], which are checked.
pub(super) fn copy(socket: BorrowedFd<'_>, wanted: usize, check: &mut Check) -> io::Result<usize> {
    BUFFER.with_borrow_mut(|buffer| {
        let received = recv(socket.as_raw_fd(), &mut buffer[..wanted], MsgFlags::empty())?;
        check.take(&buffer[..received]);
        Ok(received)
    })
}
