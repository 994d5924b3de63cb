//! `pread(2)` into a user buffer, then `write(2)`: the traditional path of servers that share
//! one descriptor among connections.

use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt as _;

use nix::unistd::write;

use zcprof_common::names::transfer;

use super::held::Held;
use super::{Transfer, TransferSpec};
use crate::claim::TWO_COPIES;
use crate::fetch::log::Segment;

pub(super) const ROW: TransferSpec = TransferSpec {
    name: transfer::PREAD_WRITE,
    summary: "pread(2) into a user buffer, then write(2) to the socket",
    claim: &TWO_COPIES,
    make: || Ok(Box::new(PreadWrite(Held::default()))),
    ..TransferSpec::PLAIN
};

struct PreadWrite(Held);

impl Transfer for PreadWrite {
    fn send(
        &mut self,
        segment: &Segment,
        range: Range<u64>,
        socket: BorrowedFd<'_>,
    ) -> io::Result<usize> {
        let bytes =
            self.0.bytes(segment, &range, |buffer| segment.file.read_at(buffer, range.start))?;
        let sent = write(socket, bytes)?;
        self.0.sent(&range, sent);
        Ok(sent)
    }
}
