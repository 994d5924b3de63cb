//! System calls; of those that move data, which argument names the file, and what the `syscalls`
//! instrument presumes of them.

mod numbers;

pub use numbers::Syscall;

use crate::vocabulary::{Disposition, File, Hop};

/// A row of [`SYSCALLS`].
#[derive(Debug)]
pub struct SyscallSpec {
    /// Which system call.
    pub syscall: Syscall,
    /// Position (0 or 1) of the descriptor whose kind of file tells what is moved.
    pub fd: Option<u8>,
    /// What a positive result is presumed to mean, by kind of file.
    pub presumed: &'static [(File, Hop, Disposition)],
}

use Disposition::{Copied, Moved};

// What is read from a socket is not presumed: the tracepoint skb_copy_datagram_iovec sees it.
const READS: &[(File, Hop, Disposition)] =
    &[(File::Regular, Hop::PageCacheToUser, Copied), (File::Pipe, Hop::PipeToUser, Copied)];

const WRITES: &[(File, Hop, Disposition)] = &[
    (File::Regular, Hop::UserToPageCache, Copied),
    (File::Socket, Hop::UserToSocket, Copied),
    (File::Pipe, Hop::UserToPipe, Copied),
];

/// Bit of a system call's number that says that it only looks (MSG_PEEK): what it copies stays in the
/// socket. No number has it ([`crate::layout::MAX_SYSCALLS`]).
pub const PEEKS: i32 = 512;

/// Position of the flags of a system call that may only look: recvfrom(2), recvmsg(2), recvmmsg(2).
#[must_use]
pub const fn flags_argument(number: i64) -> Option<u8> {
    const RECVFROM: i64 = Syscall::Recvfrom as i64;
    const RECVMSG: i64 = Syscall::Recvmsg as i64;
    const RECVMMSG: i64 = Syscall::Recvmmsg as i64;
    match number {
        RECVFROM | RECVMMSG => Some(3),
        RECVMSG => Some(2),
        _ => None,
    }
}

/// `io_uring_enter(2)`: the file that its operations work on is not among its arguments.
pub const IO_URING_ENTER: i32 = Syscall::IoUringEnter.number();

/// `mmap(2)`.
pub const MMAP: i32 = Syscall::Mmap.number();

/// `getsockopt(2)`, which maps what TCP received (TCP_ZEROCOPY_RECEIVE).
pub const GETSOCKOPT: i32 = Syscall::Getsockopt.number();

/// `sendmmsg(2)`: its result counts messages, so that it has no descriptor position here.
pub const SENDMMSG: i32 = Syscall::Sendmmsg.number();

/// Every data-moving system call that the table knows. Any other is control. Without a
/// descriptor position, a result is no number of bytes.
pub const SYSCALLS: &[SyscallSpec] = &[
    SyscallSpec { syscall: Syscall::Read, fd: Some(0), presumed: READS },
    SyscallSpec { syscall: Syscall::Write, fd: Some(0), presumed: WRITES },
    SyscallSpec { syscall: Syscall::Pread64, fd: Some(0), presumed: READS },
    SyscallSpec { syscall: Syscall::Pwrite64, fd: Some(0), presumed: WRITES },
    SyscallSpec { syscall: Syscall::Readv, fd: Some(0), presumed: READS },
    SyscallSpec { syscall: Syscall::Writev, fd: Some(0), presumed: WRITES },
    SyscallSpec {
        syscall: Syscall::Sendfile,
        fd: Some(1),
        presumed: &[(File::Regular, Hop::PageCacheToSocket, Moved)],
    },
    SyscallSpec { syscall: Syscall::Sendto, fd: Some(0), presumed: WRITES },
    SyscallSpec { syscall: Syscall::Recvfrom, fd: Some(0), presumed: READS },
    SyscallSpec { syscall: Syscall::Sendmsg, fd: Some(0), presumed: WRITES },
    SyscallSpec { syscall: Syscall::Recvmsg, fd: Some(0), presumed: READS },
    SyscallSpec {
        syscall: Syscall::Splice,
        fd: Some(0),
        presumed: &[
            (File::Regular, Hop::PageCacheToPipe, Moved),
            (File::Pipe, Hop::PageCacheToSocket, Moved),
        ],
    },
    SyscallSpec { syscall: Syscall::Tee, fd: Some(0), presumed: &[] },
    SyscallSpec { syscall: Syscall::Vmsplice, fd: Some(0), presumed: &[] },
    SyscallSpec { syscall: Syscall::Preadv, fd: Some(0), presumed: READS },
    SyscallSpec { syscall: Syscall::Pwritev, fd: Some(0), presumed: WRITES },
    SyscallSpec { syscall: Syscall::Recvmmsg, fd: None, presumed: &[] },
    SyscallSpec { syscall: Syscall::Sendmmsg, fd: None, presumed: &[] },
    SyscallSpec { syscall: Syscall::ProcessVmReadv, fd: None, presumed: &[] },
    SyscallSpec { syscall: Syscall::ProcessVmWritev, fd: None, presumed: &[] },
    SyscallSpec { syscall: Syscall::CopyFileRange, fd: Some(0), presumed: &[] },
    SyscallSpec { syscall: Syscall::Preadv2, fd: Some(0), presumed: READS },
    SyscallSpec { syscall: Syscall::Pwritev2, fd: Some(0), presumed: WRITES },
    SyscallSpec { syscall: Syscall::IoUringEnter, fd: None, presumed: &[] },
];

impl Syscall {
    /// Its row, if it moves data.
    #[must_use]
    pub fn spec(self) -> Option<&'static SyscallSpec> {
        SYSCALLS.iter().find(|row| row.syscall == self)
    }

    /// Whether it can be told only to look.
    #[must_use]
    pub const fn may_peek(self) -> bool {
        flags_argument(self as i64).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{ARGUMENTS, MAX_SYSCALLS};

    #[test]
    fn rows_rise_and_fit_the_table() {
        assert!(SYSCALLS.windows(2).all(|two| two[0].syscall.number() < two[1].syscall.number()));
        assert!(SYSCALLS.iter().all(|row| row.fd.is_none_or(|at| at < 2)));
        assert_eq!(usize::try_from(PEEKS), Ok(MAX_SYSCALLS), "a bit above every number");
        let looking = Syscall::ALL.iter().filter(|syscall| syscall.may_peek());
        for syscall in looking.clone() {
            let at = flags_argument(i64::from(syscall.number())).map(usize::from);
            assert!(at.is_some_and(|at| at < ARGUMENTS) && syscall.spec().is_some());
        }
        assert_eq!(looking.count(), 3);
    }
}
