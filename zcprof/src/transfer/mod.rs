//! Ways to move a segment's bytes to a socket. To add one is to add a file and a line.

mod mmap_write;
mod read_write;
mod sendfile;
mod splice;

use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;

use zcprof_common::vocabulary::File;

use crate::claim::Claim;
use crate::fetch::log::Segment;

/// One connection's way to send. A step never blocks, sends what the socket takes now, and is
/// exactly the code path under test: readiness and partial sends are the server's business.
pub trait Transfer: Send {
    /// Sends some bytes of `range` (positions in `segment`, not empty) and says how many left.
    ///
    /// A call that follows a partial send continues it: its range starts where the last one
    /// stopped. Segments of many logs may come in turn; they are told apart by their paths, for
    /// base offsets recur. Errors: `WouldBlock` if the socket takes nothing now,
    /// `UnexpectedEof` if the segment is shorter than the range, and the system call's own.
    fn send(
        &mut self,
        segment: &Segment,
        range: Range<u64>,
        socket: BorrowedFd<'_>,
    ) -> io::Result<usize>;
}

/// A row of [`TRANSFERS`].
#[derive(Debug)]
pub struct Row {
    /// Name on the command line and in reports.
    pub name: &'static str,
    /// What it does, in one line for `--help` and the pictures.
    pub summary: &'static str,
    /// What it promises.
    pub claim: &'static Claim,
    /// Makes one for a new connection.
    pub make: fn() -> io::Result<Box<dyn Transfer>>,
    /// Bytes of system-call arguments that the kernel copies by pointer, which are not payload.
    pub arguments: &'static [Argument],
}

/// Argument bytes of a system call.
#[derive(Debug)]
pub struct Argument {
    /// The system call's name in `zcprof_common::syscalls`.
    pub syscall: &'static str,
    /// Kind of file that its descriptor argument names.
    pub file: File,
    /// Bytes that one call copies in and out.
    pub bytes_per_call: u64,
    /// What they are.
    pub what: &'static str,
}

/// Every transfer.
pub const TRANSFERS: &[Row] = &[read_write::ROW, mmap_write::ROW, sendfile::ROW, splice::ROW];

impl Row {
    /// The transfer called `name`.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        TRANSFERS.iter().find(|row| row.name == name)
    }
}
