//! A ring whose work is done by others than the thread that asks: its kernel thread, or its workers.

use std::fs::File;
use std::io;
use std::net::TcpStream;
use std::os::fd::AsRawFd as _;

use io_uring::squeue::{Entry, Flags};
use io_uring::{IoUring, opcode, types::Fd};

/// Bytes of one operation.
const PIECE: u32 = 65536;

/// Who does the work.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// A kernel thread that polls for it (IORING_SETUP_SQPOLL).
    KernelThread,
    /// Worker threads, because each operation asks for one (IOSQE_ASYNC).
    Workers,
}

pub(crate) struct Ring {
    ring: IoUring,
    flags: Flags,
    buffer: Vec<u8>,
}

impl Ring {
    pub(crate) fn new(by: By) -> io::Result<Self> {
        let mut builder = IoUring::builder();
        if by == By::KernelThread {
            builder.setup_sqpoll(1000);
        }
        let flags = if by == By::Workers { Flags::ASYNC } else { Flags::empty() };
        Ok(Self { ring: builder.build(8)?, flags, buffer: vec![0; PIECE as usize] })
    }

    /// Reads the file into memory and sends that.
    pub(crate) fn copy(&mut self, file: &File, socket: &TcpStream, length: u64) -> io::Result<()> {
        let (file, socket) = (Fd(file.as_raw_fd()), Fd(socket.as_raw_fd()));
        let mut at = 0;
        while at < length {
            let buffer = self.buffer.as_mut_ptr();
            let read = self.done(opcode::Read::new(file, buffer, PIECE).offset(at).build())?;
            let mut sent = 0;
            while sent < read {
                let rest = self.buffer[sent as usize..].as_ptr();
                sent += self.done(opcode::Send::new(socket, rest, read - sent).build())?;
            }
            at += u64::from(read);
        }
        Ok(())
    }

    /// Hands the file's pages over by way of a pipe.
    pub(crate) fn splice(
        &mut self,
        file: &File,
        socket: &TcpStream,
        length: u64,
    ) -> io::Result<()> {
        let (out, into) = rustix::pipe::pipe()?;
        let (out, into) = (Fd(out.as_raw_fd()), Fd(into.as_raw_fd()));
        let (file, socket) = (Fd(file.as_raw_fd()), Fd(socket.as_raw_fd()));
        let mut at = 0;
        while at < length {
            let from = i64::try_from(at).map_err(io::Error::other)?;
            let mut left = self.done(opcode::Splice::new(file, from, into, -1, PIECE).build())?;
            at += u64::from(left);
            while left > 0 {
                left -= self.done(opcode::Splice::new(out, -1, socket, -1, left).build())?;
            }
        }
        Ok(())
    }

    /// Does one operation; how many bytes it moved.
    fn done(&mut self, operation: Entry) -> io::Result<u32> {
        let operation = operation.flags(self.flags);
        // SAFETY: what the operation names lives until its completion, which is waited for here.
        unsafe { self.ring.submission().push(&operation) }.map_err(io::Error::other)?;
        self.ring.submit_and_wait(1)?;
        let done = self.ring.completion().next().ok_or(io::ErrorKind::UnexpectedEof)?;
        match u32::try_from(done.result()) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(bytes) => Ok(bytes),
            Err(_) => Err(io::Error::from_raw_os_error(-done.result())),
        }
    }
}
