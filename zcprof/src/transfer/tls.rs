//! TLS in user space: `pread(2)`, rustls, and a `write(2)` for each record, as an SSL listener of
//! Kafka does. The kernel copies twice as in pread_write; what rustls itself copies and encrypts no probe sees.

use std::io::{self, Write};
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt as _;

use nix::unistd::write;

use zcprof_common::names::transfer;

use super::held::Held;
use super::{Layer, Transfer, TransferSpec};
use crate::claim::TWO_COPIES;
use crate::fetch::link::{Session, lock};
use crate::fetch::log::Segment;

pub(super) const ROW: TransferSpec = TransferSpec {
    name: transfer::TLS,
    summary: "pread(2) into a user buffer, encryption in user space (rustls), then write(2)",
    claim: &TWO_COPIES,
    make: || Ok(Box::new(Tls::default())),
    layer: Layer::Tls,
    ..TransferSpec::PLAIN
};

#[derive(Default)]
struct Tls {
    session: Option<Session>,
    held: Held,
    /// Record bytes that are encrypted and have not left completely.
    pending: usize,
}

impl Transfer for Tls {
    fn encrypt_with(&mut self, session: &Session) {
        self.session = Some(Session::clone(session));
    }

    fn send(
        &mut self,
        segment: &Segment,
        range: Range<u64>,
        socket: BorrowedFd<'_>,
    ) -> io::Result<usize> {
        let session = self.session.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        let mut session = lock(session);
        if self.pending == 0 {
            let bytes = self
                .held
                .bytes(segment, &range, |buffer| segment.file.read_at(buffer, range.start))?;
            self.pending = session.writer().write(bytes)?;
        }
        while session.wants_write() {
            session.write_tls(&mut Socket(socket))?;
        }
        let sent = std::mem::take(&mut self.pending);
        self.held.sent(&range, sent);
        Ok(sent)
    }
}

/// What rustls writes to.
struct Socket<'a>(BorrowedFd<'a>);

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(write(self.0, bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
