//! `recv(2)` in small pieces, with rests between them and a small receive buffer: what arrives has
//! to wait, be put together, and at times be sent again.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};

use zcprof_common::names::mode;
use zcprof_judge::receive::claim::COPIED;

use super::{Mode, ModeSpec, Received, Step, copy, count};
use crate::fetch::check::Check;

pub(super) const ROW: ModeSpec = ModeSpec {
    name: mode::SLOW,
    summary: "recv(2) in small pieces with rests between them, where every byte is verified",
    claim: &COPIED,
    sees: true,
    make: || Ok(Box::new(Slow { narrowed: false })),
};

/// Bytes of a piece.
const PIECE: usize = 16 << 10;

/// Between two pieces. All connections rest together: it is one process that is slow.
const REST: Duration = Duration::from_micros(200);

/// Receive buffer that is asked for, in bytes; the kernel doubles it (socket(7)).
const BUFFER: usize = 32 << 10;

struct Slow {
    /// The receive buffer is small.
    narrowed: bool,
}

impl Mode for Slow {
    fn receive(
        &mut self,
        socket: BorrowedFd<'_>,
        most: usize,
        check: &mut Check,
    ) -> io::Result<Step> {
        if !self.narrowed {
            setsockopt(&socket, sockopt::RcvBuf, &BUFFER)?;
            self.narrowed = true;
        }
        std::thread::sleep(REST);
        let wanted = most.min(PIECE);
        let copied = copy::copy(socket, wanted, check)?;
        let received = Received { copied: count(copied), ..Received::default() };
        Ok(Step { received, drained: copied < wanted })
    }
}
