//! `read(2)` into a user buffer, then `write(2)`: the traditional path and its two copies.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use nix::unistd::write;

use super::{Row, Transfer};
use crate::claim::TWO_COPIES;
use crate::fetch::log::Segment;

/// Size of the user buffer in bytes.
const BUFFER: usize = 128 << 10;

pub(super) const ROW: Row = Row {
    name: "read_write",
    summary: "read(2) into a user buffer, then write(2) to the socket",
    claim: &TWO_COPIES,
    make: || Ok(Box::new(ReadWrite { opened: None, buffer: vec![0; BUFFER], held: 0..0 })),
    arguments: &[],
};

struct ReadWrite {
    /// The segment by its path, opened anew: the file position is this connection's own.
    opened: Option<(PathBuf, File)>,
    buffer: Vec<u8>,
    /// Positions in the segment whose bytes are at the front of the buffer. It ends where the
    /// file position is, so that nobody has to ask for that.
    held: Range<u64>,
}

impl ReadWrite {
    /// Fills the buffer from `range`.
    fn fill(&mut self, segment: &Segment, range: &Range<u64>) -> io::Result<()> {
        let (mut file, position) = match self.opened.take() {
            Some((path, file)) if path == segment.path => (file, self.held.end),
            _ => (File::open(&segment.path)?, 0),
        };
        if position != range.start {
            file.seek(SeekFrom::Start(range.start))?;
        }
        let wanted = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
        let read = file.read(&mut self.buffer[..wanted.min(BUFFER)])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.held = range.start..range.start + u64::try_from(read).map_err(io::Error::other)?;
        self.opened = Some((segment.path.clone(), file));
        Ok(())
    }
}

impl Transfer for ReadWrite {
    fn send(
        &mut self,
        segment: &Segment,
        range: Range<u64>,
        socket: BorrowedFd<'_>,
    ) -> io::Result<usize> {
        let known = self.opened.as_ref().is_some_and(|(path, _)| *path == segment.path);
        if !known || !self.held.contains(&range.start) {
            self.fill(segment, &range)?;
        }
        let end = self.held.end.min(range.end);
        let at = |position: u64| usize::try_from(position - self.held.start);
        let (from, to) = (at(range.start), at(end));
        let bytes = &self.buffer[from.map_err(io::Error::other)?..to.map_err(io::Error::other)?];
        let sent = write(socket, bytes)?;
        if range.start + sent as u64 == range.end {
            // Whoever asks for the same bytes again has them read again.
            self.held.start = self.held.end;
        }
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
        let segment = Segment { file, path, base_offset: 0, length: 10 };
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
