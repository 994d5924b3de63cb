//! `sendfile(2)`: what Kafka's `FileChannel.transferTo` comes down to.

use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;

use nix::sys::sendfile::sendfile;
use zcprof_common::names::transfer;
use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary::File;

use super::{Argument, ArgumentSize, Transfer, TransferSpec};
use crate::claim::ZERO_COPY;
use crate::fetch::log::Segment;

pub(super) const ROW: TransferSpec = TransferSpec {
    name: transfer::SENDFILE,
    summary: "sendfile(2) from the segment to the socket, as Kafka does",
    claim: &ZERO_COPY,
    make: || Ok(Box::new(Sendfile { encrypted: false })),
    arguments: &[OFFSETS],
    ..TransferSpec::PLAIN
};

/// What each call copies by pointer.
pub(super) const OFFSETS: Argument = Argument {
    syscall: Syscall::Sendfile,
    file: File::Regular,
    // fs/read_write.c, sendfile64(): copy_from_user() of a loff_t in; put_user(), which is
    // inline and no site, out. The same in 6.1, 6.12 and 7.3.
    size: ArgumentSize::PerCall(8),
    what: "file offsets",
};

pub(super) struct Sendfile {
    /// The socket encrypts: what it has taken may wait for the end of a TLS record.
    pub(super) encrypted: bool,
}

/// Bytes of one call: sendfile(2) itself stops short of 2 GiB (MAX_RW_COUNT, include/linux/fs.h).
const MOST: usize = 1 << 30;

impl Transfer for Sendfile {
    /// splice_direct_to_actor() (fs/splice.c, 5.10 to 7.3) goes on until everything is sent or the
    /// socket took less than it was given, which then waits for room (SOCK_NOSPACE) as after EAGAIN.
    fn fills_the_socket(&self) -> bool {
        !self.encrypted
    }

    fn send(
        &mut self,
        segment: &Segment,
        range: Range<u64>,
        socket: BorrowedFd<'_>,
    ) -> io::Result<usize> {
        let mut position = i64::try_from(range.start).map_err(io::Error::other)?;
        let length = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
        match sendfile(socket, &segment.file, Some(&mut position), length.min(MOST))? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            // Or the file ended there, which takes less to ask than what the socket has to say.
            sent if sent < length && segment.file.metadata()?.len() < range.end => {
                Err(io::ErrorKind::UnexpectedEof.into())
            }
            sent => Ok(sent),
        }
    }
}
