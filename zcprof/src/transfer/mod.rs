//! Ways to move a segment's bytes to a socket. To add one is to add a file and a line.

mod copy_file_range;
mod held;
mod ktls_sendfile;
mod mapping;
mod mmap_write;
mod msg_zerocopy;
mod pipe;
mod pread_write;
mod read_write;
mod replica;
mod ring;
mod saboteur;
mod sendfile;
mod sendfile_to_file;
mod splice;
mod tls;
mod uring_send;
mod uring_send_zc;
mod uring_splice;
mod vmsplice;
mod writev;

use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;

use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary::{File, Hop};

use crate::claim::{Claim, ZERO_COPY};
use crate::fetch::link::Session;
use crate::fetch::log::Segment;
pub use crate::run::Notices;

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

    /// Whether a short send says that the socket takes no more for now, so that there is no need to
    /// ask it again.
    fn fills_the_socket(&self) -> bool {
        false
    }

    /// Says once, before the first send, with what the connection is encrypted in user space.
    fn encrypt_with(&mut self, _session: &Session) {}

    /// Takes what the kernel has to tell about earlier sends. Called when everything was sent
    /// and the peer has taken it.
    ///
    /// Errors: `WouldBlock` while something is outstanding, and the system call's own.
    fn settle(&mut self, _socket: BorrowedFd<'_>) -> io::Result<()> {
        Ok(())
    }

    /// The pieces of memory that its calls have named so far, in a `struct iovec` each.
    fn iovecs(&self) -> u64 {
        0
    }

    /// What the kernel has told so far.
    fn notices(&self) -> Notices {
        Notices::default()
    }
}

/// Whether every notice came.
///
/// # Errors
/// `WouldBlock` if not.
fn settled(notices: &Notices) -> io::Result<()> {
    if notices.completed < notices.asked { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
}

/// A row of [`TRANSFERS`].
#[derive(Debug)]
pub struct TransferSpec {
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
    /// Whether the running kernel has what it needs; if not, what is lacking.
    pub needs: fn() -> Result<(), String>,
    /// What is between its connection and the socket.
    pub layer: Layer,
}

/// Who encrypts a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// Nobody.
    Plain,
    /// The server, in user space.
    Tls,
    /// The kernel.
    KernelTls,
}

/// Argument bytes of a system call.
#[derive(Debug)]
pub struct Argument {
    /// Which system call.
    pub syscall: Syscall,
    /// Kind of file that its descriptor argument names.
    pub file: File,
    /// How many there are.
    pub size: ArgumentSize,
    /// What they are.
    pub what: &'static str,
}

/// How many argument bytes a system call copies.
#[derive(Clone, Copy, Debug)]
pub enum ArgumentSize {
    /// So many in each call, in and out.
    PerCall(u64),
    /// One `struct iovec` for each piece of memory, on kernels that copy them by `_copy_from_user()`
    /// (copy_iovec_from_user(), lib/iov_iter.c, before 6.2) and not inline.
    Iovecs,
}

impl Argument {
    /// The pieces of memory that calls of `syscall` on files of this kind name.
    const fn iovecs(syscall: Syscall, file: File) -> Self {
        Self { syscall, file, size: ArgumentSize::Iovecs, what: "struct iovec, one for each piece" }
    }
}

/// Every transfer.
pub const TRANSFERS: &[TransferSpec] = &[
    read_write::ROW,
    mmap_write::ROW,
    sendfile::ROW,
    splice::ROW,
    pread_write::ROW,
    writev::ROW,
    vmsplice::ROW,
    msg_zerocopy::ROW,
    uring_send::ROW,
    uring_send_zc::ROW,
    uring_splice::ROW,
    tls::ROW,
    ktls_sendfile::ROW,
    sendfile_to_file::ROW,
    copy_file_range::ROW,
];

/// Transfers that promise zero copies, make system calls that look like it, and copy or spoil
/// what they send: zcprof is tested with them. They are measured only if they are named.
pub const SABOTEURS: &[TransferSpec] = saboteur::ROWS;

impl TransferSpec {
    /// Whether it says that it copies into a file.
    #[must_use]
    pub fn writes_files(&self) -> bool {
        let into = [Hop::UserToPageCache, Hop::PageCacheToPageCache];
        self.claim.copied.iter().any(|(hop, _)| into.contains(hop))
    }

    /// What most rows have in common: no argument bytes, and every kernel has what they need.
    const PLAIN: Self = Self {
        name: "",
        summary: "",
        claim: &ZERO_COPY,
        make: || Err(io::ErrorKind::Unsupported.into()),
        arguments: &[],
        needs: || Ok(()),
        layer: Layer::Plain,
    };

    /// Whether it writes into the folder of the segments.
    #[must_use]
    pub fn writes_replicas(&self) -> bool {
        self.claim.copied.iter().any(|(hop, _)| *hop == Hop::PageCacheToPageCache)
    }

    /// The transfers that the running kernel can make.
    pub fn possible() -> impl Iterator<Item = &'static Self> {
        TRANSFERS.iter().filter(|row| (row.needs)().is_ok())
    }

    /// The transfer called `name`.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        TRANSFERS.iter().chain(SABOTEURS).find(|row| row.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::{SABOTEURS, TRANSFERS};
    use crate::matrix::known;

    /// The claims and the table of what is known were written apart; where a device is on this
    /// host they say the same.
    #[test]
    fn every_transfer_is_known_and_as_it_claims() {
        for transfer in TRANSFERS {
            let known = known(transfer.name, "ext4", "loopback").expect(transfer.name);
            assert_eq!(known.copied + known.deferred, u64::from(transfer.claim.copies()));
            assert_eq!(known.moved + known.pinned > 0, transfer.claim.moved.is_some());
            assert_eq!(known.transformed > 0, transfer.claim.transformed.is_some());
        }
        for saboteur in SABOTEURS {
            assert_eq!(known(saboteur.name, "ext4", "loopback"), None);
        }
    }
}
