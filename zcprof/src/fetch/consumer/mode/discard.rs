//! `recv(2)` with MSG_TRUNC: the kernel drops the bytes (tcp(7), since Linux 2.4), so that the
//! consumer costs next to nothing and the server is what is timed.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use nix::sys::socket::{MsgFlags, recv};

use zcprof_common::names::mode;
use zcprof_judge::receive::claim::DROPPED;

use super::{Mode, ModeSpec, Received, STEP, Step, count};
use crate::fetch::check::Check;

pub(super) const ROW: ModeSpec = ModeSpec {
    name: mode::DISCARD,
    summary: "recv(2) with MSG_TRUNC: the kernel drops the bytes unseen",
    claim: &DROPPED,
    sees: false,
    make: || Ok(Box::new(Discard)),
};

thread_local! {
    /// Memory that the kernel is told of and never writes to, so that no page backs it.
    static NOWHERE: RefCell<Vec<u8>> = RefCell::new(vec![0; STEP]);
}

struct Discard;

impl Mode for Discard {
    fn receive(
        &mut self,
        socket: BorrowedFd<'_>,
        most: usize,
        _check: &mut Check,
    ) -> io::Result<Step> {
        let wanted = most.min(STEP);
        let dropped = NOWHERE.with_borrow_mut(|nowhere| {
            recv(socket.as_raw_fd(), &mut nowhere[..wanted], MsgFlags::MSG_TRUNC)
        })?;
        let received = Received { dropped: count(dropped), ..Received::default() };
        Ok(Step { received, drained: dropped < wanted })
    }
}
