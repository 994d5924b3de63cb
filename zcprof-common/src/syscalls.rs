//! System calls that move data: their numbers, which argument names the file, and what the
//! `syscalls` instrument presumes of them. x86-64 numbers: arch/x86/entry/syscalls/syscall_64.tbl.

use crate::vocabulary::{Disposition, File, Hop};

/// A data-moving system call.
#[derive(Debug)]
pub struct Syscall {
    /// Name without `sys_`.
    pub name: &'static str,
    /// Number on x86-64.
    pub number: i32,
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

/// What the name of such a call ends with.
pub const PEEKING: &str = " peeking";

/// Position of the flags of a system call that may only look: recvfrom(2), recvmsg(2), recvmmsg(2).
#[must_use]
pub const fn flags_argument(number: i64) -> Option<u8> {
    match number {
        45 | 299 => Some(3),
        47 => Some(2),
        _ => None,
    }
}

/// `io_uring_enter(2)`: the file that its operations work on is not among its arguments.
pub const IO_URING_ENTER: i32 = 426;

/// Every data-moving system call that the table knows. Any other is control. Without a
/// descriptor position, a result is no number of bytes.
pub const SYSCALLS: &[Syscall] = &[
    Syscall { name: "read", number: 0, fd: Some(0), presumed: READS },
    Syscall { name: "write", number: 1, fd: Some(0), presumed: WRITES },
    Syscall { name: "pread64", number: 17, fd: Some(0), presumed: READS },
    Syscall { name: "pwrite64", number: 18, fd: Some(0), presumed: WRITES },
    Syscall { name: "readv", number: 19, fd: Some(0), presumed: READS },
    Syscall { name: "writev", number: 20, fd: Some(0), presumed: WRITES },
    Syscall {
        name: "sendfile",
        number: 40,
        fd: Some(1),
        presumed: &[(File::Regular, Hop::PageCacheToSocket, Moved)],
    },
    Syscall { name: "sendto", number: 44, fd: Some(0), presumed: WRITES },
    Syscall { name: "recvfrom", number: 45, fd: Some(0), presumed: READS },
    Syscall { name: "sendmsg", number: 46, fd: Some(0), presumed: WRITES },
    Syscall { name: "recvmsg", number: 47, fd: Some(0), presumed: READS },
    Syscall {
        name: "splice",
        number: 275,
        fd: Some(0),
        presumed: &[
            (File::Regular, Hop::PageCacheToPipe, Moved),
            (File::Pipe, Hop::PageCacheToSocket, Moved),
        ],
    },
    Syscall { name: "tee", number: 276, fd: Some(0), presumed: &[] },
    Syscall { name: "vmsplice", number: 278, fd: Some(0), presumed: &[] },
    Syscall { name: "preadv", number: 295, fd: Some(0), presumed: READS },
    Syscall { name: "pwritev", number: 296, fd: Some(0), presumed: WRITES },
    Syscall { name: "recvmmsg", number: 299, fd: None, presumed: &[] },
    Syscall { name: "sendmmsg", number: 307, fd: None, presumed: &[] },
    Syscall { name: "process_vm_readv", number: 310, fd: None, presumed: &[] },
    Syscall { name: "process_vm_writev", number: 311, fd: None, presumed: &[] },
    Syscall { name: "copy_file_range", number: 326, fd: Some(0), presumed: &[] },
    Syscall { name: "preadv2", number: 327, fd: Some(0), presumed: READS },
    Syscall { name: "pwritev2", number: 328, fd: Some(0), presumed: WRITES },
    Syscall { name: "io_uring_enter", number: IO_URING_ENTER, fd: None, presumed: &[] },
];

impl Syscall {
    /// The row with that number.
    #[must_use]
    pub fn by_number(number: i32) -> Option<&'static Self> {
        SYSCALLS.iter().find(|syscall| syscall.number == number)
    }

    /// The row with that name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<&'static Self> {
        SYSCALLS.iter().find(|syscall| syscall.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{ARGUMENTS, MAX_SYSCALLS};

    #[test]
    fn numbers_rise_and_fit_the_table() {
        assert!(SYSCALLS.windows(2).all(|pair| pair[0].number < pair[1].number));
        assert!(SYSCALLS.iter().all(|s| usize::try_from(s.number).is_ok_and(|n| n < MAX_SYSCALLS)));
        assert!(SYSCALLS.iter().all(|s| s.fd.is_none_or(|at| at < 2)));
        assert_eq!(usize::try_from(PEEKS), Ok(MAX_SYSCALLS), "a bit above every number");
        let looking = ["recvfrom", "recvmsg", "recvmmsg"].map(Syscall::by_name);
        for row in looking {
            let number = i64::from(row.expect("there").number);
            assert!(flags_argument(number).is_some_and(|at| usize::from(at) < ARGUMENTS));
        }
    }
}
