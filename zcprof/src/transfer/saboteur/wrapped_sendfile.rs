//! A function that is called sendfile and reads and writes, as wrappers and compatibility layers
//! do where the system call will not: the caller cannot tell.

use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::uio::pread;
use nix::unistd::write;

use zcprof_common::names::saboteur;

use super::super::held::Held;
use super::super::{Transfer, TransferSpec};
use crate::claim::ZERO_COPY;
use crate::fetch::log::Segment;

pub(super) const ROW: TransferSpec = TransferSpec {
    name: saboteur::WRAPPED_SENDFILE,
    summary: "a function called sendfile that reads and writes in user space",
    claim: &ZERO_COPY,
    make: || Ok(Box::new(WrappedSendfile(Held::default()))),
    ..TransferSpec::PLAIN
};

struct WrappedSendfile(Held);

impl Transfer for WrappedSendfile {
    fn send(
        &mut self,
        segment: &Segment,
        range: Range<u64>,
        socket: BorrowedFd<'_>,
    ) -> io::Result<usize> {
        let from = range.start;
        let bytes = self.0.bytes(segment, &range, |buffer| read(&segment.file, buffer, from))?;
        let sent = write(socket, bytes)?;
        self.0.sent(&range, sent);
        Ok(sent)
    }
}

fn read(file: impl AsFd, buffer: &mut [u8], from: u64) -> io::Result<usize> {
    Ok(pread(file, buffer, i64::try_from(from).map_err(io::Error::other)?)?)
}
