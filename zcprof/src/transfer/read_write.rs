//! `read(2)` into a user buffer, then `write(2)`: the traditional path and its two copies.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use nix::unistd::write;

use zcprof_common::names::transfer;

use super::held::Held;
use super::{Transfer, TransferSpec};
use crate::claim::TWO_COPIES;
use crate::fetch::log::Segment;

pub(super) const ROW: TransferSpec = TransferSpec {
    name: transfer::READ_WRITE,
    summary: "read(2) into a user buffer, then write(2) to the socket",
    claim: &TWO_COPIES,
    make: || Ok(Box::new(ReadWrite { opened: None, position: 0, held: Held::default() })),
    ..TransferSpec::PLAIN
};

struct ReadWrite {
    /// The segment by its path, opened anew: the file position is this connection's own.
    opened: Option<(PathBuf, File)>,
    /// Where that is, so that nobody has to ask for it.
    position: u64,
    held: Held,
}

impl Transfer for ReadWrite {
    fn send(
        &mut self,
        segment: &Segment,
        range: Range<u64>,
        socket: BorrowedFd<'_>,
    ) -> io::Result<usize> {
        let (opened, position) = (&mut self.opened, &mut self.position);
        let bytes = self.held.bytes(segment, &range, |buffer| {
            let mut file = match opened.take() {
                Some((path, file)) if path == segment.path => file,
                _ => {
                    *position = 0;
                    File::open(&segment.path)?
                }
            };
            if *position != range.start {
                *position = file.seek(SeekFrom::Start(range.start))?;
            }
            let read = file.read(buffer)?;
            *position += read as u64;
            *opened = Some((segment.path.clone(), file));
            Ok(read)
        })?;
        let sent = write(socket, bytes)?;
        self.held.sent(&range, sent);
        Ok(sent)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::FileExt as _;
    use std::os::unix::net::UnixStream;

    use super::*;

    /// A fetch that is repeated is a fetch that is read again: bytes that were left in the
    /// buffer would be copied once, and claimed to be copied twice.
    #[test]
    fn the_same_range_is_read_each_time_it_is_sent() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("00000000000000000000.log");
        std::fs::write(&path, b"0123456789").expect("written");
        let file = File::options().read(true).write(true).open(&path).expect("open");
        let segment = Segment::new(file, path, 0, 10);
        let (near, mut far) = UnixStream::pair().expect("sockets");
        let mut transfer = (ROW.make)().expect("made");
        let mut received = [0; 4];
        for (wanted, changed) in [(b"2345", b'x'), (b"x345", b'y'), (b"y345", b'z')] {
            let sent = transfer.send(&segment, 2..6, near.as_fd()).expect("sent");
            far.read_exact(&mut received).expect("received");
            assert_eq!((sent, &received), (4, wanted));
            segment.file.write_all_at(&[changed], 2).expect("changed");
        }
        assert_eq!(transfer.send(&segment, 6..8, near.as_fd()).expect("sent"), 2);
        far.read_exact(&mut received[..2]).expect("received");
        assert_eq!(&received[..2], b"67", "it goes on where it stopped");
    }
}
