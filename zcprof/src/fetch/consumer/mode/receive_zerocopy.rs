//! `TCP_ZEROCOPY_RECEIVE`: pages of the socket's buffers are mapped into user memory, where their
//! bytes are verified. What cannot be mapped is received by copy, and counted as that.
//!
//! Only whole pages that the network device filled can be mapped. Over loopback that is none:
//! `can_map_frag()` (net/ipv4/tcp.c) refuses pages of the page cache (sendfile, splice) and
//! compound pages (what write copies into), and did not before 6.8 and its stable backports.
#![expect(unsafe_code, reason = "mmap(2) of a socket and its getsockopt(2) have no safe wrapper")]

use std::ffi::c_void;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::ptr::NonNull;

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use zcprof_common::names::mode;
use zcprof_judge::receive::claim::MAPPED;

use super::copy::copy;
use super::{Mode, ModeSpec, Received, STEP, Step, count};
use crate::fetch::check::Check;

pub(super) const ROW: ModeSpec = ModeSpec {
    name: mode::RECEIVE_ZEROCOPY,
    summary: "TCP_ZEROCOPY_RECEIVE into a mapping of the socket, the rest by recv(2)",
    claim: &MAPPED,
    sees: true,
    make: || Ok(Box::new(ReceiveZerocopy { mapping: None })),
};

/// A page, the unit of what can be mapped on x86-64.
const PAGE: usize = 4096;

/// `struct tcp_zerocopy_receive` of include/uapi/linux/tcp.h, as far as it is needed.
#[repr(C)]
#[derive(Default)]
struct ZerocopyReceive {
    /// In: where to map.
    address: u64,
    /// In: room there. Out: bytes mapped.
    length: u32,
    /// Out: bytes to be received by copy before anything can be mapped again.
    skip: u32,
    /// Out: bytes in the socket's queue.
    queued: u32,
    /// Out: the socket's error, below zero.
    error: i32,
}

struct ReceiveZerocopy {
    mapping: Option<SocketMapping>,
}

impl Mode for ReceiveZerocopy {
    fn receive(
        &mut self,
        socket: BorrowedFd<'_>,
        most: usize,
        check: &mut Check,
    ) -> io::Result<Step> {
        let most = most.min(STEP);
        let mapping = match &mut self.mapping {
            Some(mapping) => mapping,
            none => none.insert(SocketMapping::of(socket)?),
        };
        let (mapped, skip) = if most < PAGE { (0, most) } else { mapping.fill(socket, most)? };
        check.take(mapping.bytes(mapped));
        let mut received = Received { mapped: count(mapped), ..Received::default() };
        let wanted = skip.min(most - mapped);
        if wanted > 0 {
            match copy(socket, wanted, check) {
                Ok(copied) => received.copied = count(copied),
                Err(error) if mapped == 0 || error.kind() != io::ErrorKind::WouldBlock => {
                    return Err(error);
                }
                Err(_) => {}
            }
        }
        Ok(Step { received, drained: false })
    }
}

/// Room in user memory for pages of one socket. It keeps the socket open.
struct SocketMapping(NonNull<c_void>);

// SAFETY: the mapping belongs to the process and not to a thread.
unsafe impl Send for SocketMapping {}

impl SocketMapping {
    fn of(socket: BorrowedFd<'_>) -> io::Result<Self> {
        let length = NonZeroUsize::new(STEP).ok_or(io::ErrorKind::InvalidInput)?;
        // SAFETY: a new mapping, at an address of the kernel's choice, aliases nothing.
        let at =
            unsafe { mmap(None, length, ProtFlags::PROT_READ, MapFlags::MAP_SHARED, socket, 0) }?;
        Ok(Self(at))
    }

    /// Replaces what is mapped by what the socket has, up to `most` bytes; says how many bytes
    /// are mapped now, and how many behind them cannot be: all, if the stream has ended.
    ///
    /// Errors: `WouldBlock` if the socket has nothing now. What comes later is to be mapped, and must not
    /// be copied only because it was not there yet.
    fn fill(&mut self, socket: BorrowedFd<'_>, most: usize) -> io::Result<(usize, usize)> {
        let mut request = ZerocopyReceive {
            address: self.0.as_ptr().addr() as u64,
            length: u32::try_from(most / PAGE * PAGE).map_err(io::Error::other)?,
            ..ZerocopyReceive::default()
        };
        let mut size =
            libc::socklen_t::try_from(size_of::<ZerocopyReceive>()).map_err(io::Error::other)?;
        // SAFETY: the kernel writes at most `size` bytes to `request`, and maps pages over this
        // mapping alone, which nobody borrows while this has it mutably.
        let failed = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_ZEROCOPY_RECEIVE,
                (&raw mut request).cast(),
                &raw mut size,
            )
        };
        if failed != 0 {
            let error = io::Error::last_os_error();
            // So it says that the stream has ended (tcp_zerocopy_receive(), net/ipv4/tcp.c, 5.10 to
            // 7.3); recv says so in the usual way.
            let ended = error.raw_os_error() == Some(libc::EIO);
            return if ended { Ok((0, most)) } else { Err(error) };
        }
        if request.error != 0 {
            return Err(io::Error::from_raw_os_error(request.error.wrapping_neg()));
        }
        let bytes = |number: u32| usize::try_from(number).map_err(io::Error::other);
        match (bytes(request.length)?.min(most), bytes(request.skip)?) {
            (0, 0) => Err(io::ErrorKind::WouldBlock.into()),
            counted => Ok(counted),
        }
    }

    /// The first bytes; that many are mapped.
    fn bytes(&self, mapped: usize) -> &[u8] {
        // SAFETY: the kernel said that so many bytes from here on are mapped, which it does not
        // change until `fill` is called again.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), mapped) }
    }
}

impl Drop for SocketMapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is this one's own, and nobody borrows it any more.
        let _ = unsafe { munmap(self.0, STEP) };
    }
}
