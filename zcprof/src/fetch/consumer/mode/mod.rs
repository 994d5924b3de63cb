//! Ways to receive record bytes. To add one is to add a file and a line.

mod copy;
mod discard;
mod receive_zerocopy;
mod saboteur;
mod slow;
mod splice;

use std::io;
use std::os::fd::BorrowedFd;

use zcprof_judge::receive::claim::{COPIED, ReceiveClaim};

use super::outcome::Received;
use crate::fetch::check::Check;

/// Most bytes that one step receives.
const STEP: usize = 1 << 20;

/// One connection's way to receive. A step never blocks and takes what there is now.
pub(in crate::fetch) trait Mode: Send {
    /// Receives some of the `most` bytes (above zero) that are still to come, and has those that
    /// it sees checked. No bytes mean that the server has closed the connection.
    ///
    /// Errors: `WouldBlock` if there is nothing now, and the system call's own.
    fn receive(
        &mut self,
        socket: BorrowedFd<'_>,
        most: usize,
        check: &mut Check,
    ) -> io::Result<Step>;
}

/// The outcome of a step.
#[derive(Clone, Copy, Debug)]
pub(in crate::fetch) struct Step {
    pub(in crate::fetch) received: Received,
    /// The socket certainly had no more, so that nobody needs to ask it again.
    pub(in crate::fetch) drained: bool,
}

/// A row of [`MODES`].
#[derive(Debug)]
pub struct ModeSpec {
    /// Name on the command line and in reports.
    pub name: &'static str,
    /// What it does, in one line for `--help`.
    pub summary: &'static str,
    /// What it promises of each byte that it receives.
    pub claim: &'static ReceiveClaim,
    /// Whether it sees the bytes. One that does not can only count them.
    pub sees: bool,
    /// Makes one for a new connection.
    pub(in crate::fetch) make: fn() -> io::Result<Box<dyn Mode>>,
}

/// Every mode.
pub const MODES: &[ModeSpec] =
    &[copy::ROW, discard::ROW, splice::ROW, receive_zerocopy::ROW, slow::ROW];

/// Every mode that copies where it promises not to. It is used only if it is named.
pub const SABOTEURS: &[ModeSpec] = &[saboteur::HALF, saboteur::READ];

impl ModeSpec {
    /// Whether every byte is copied to this process and verified, as the passes of a measurement
    /// need it.
    #[must_use]
    pub fn verifies(&self) -> bool {
        self.sees && *self.claim == COPIED
    }

    /// The mode, or saboteur, called `name`.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        MODES.iter().chain(SABOTEURS).find(|row| row.name == name)
    }
}

/// A number of bytes that a system call returned, which is never more than was asked for.
fn count(bytes: usize) -> u64 {
    bytes as u64
}
