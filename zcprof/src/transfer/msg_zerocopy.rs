//! `send(2)` with MSG_ZEROCOPY from a mapping of the segment: the socket pins the pages and
//! tells later, on its error queue, whether it had to copy them after all. On loopback it has to.
//! (Documentation/networking/msg_zerocopy.rst)
#![expect(unsafe_code, reason = "nix has no SO_ZEROCOPY")]

use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, send};

use zcprof_common::names::transfer;
use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary::File;

use super::mapping::SegmentMapping;
use super::{Argument, ArgumentSize, Notices, Transfer, TransferSpec, settled};
use crate::claim::DEFERRED;
use crate::fetch::log::Segment;

/// include/uapi/linux/errqueue.h, 6.1 to 7.3.
const SO_EE_ORIGIN_ZEROCOPY: u8 = 5;
/// As above.
const SO_EE_CODE_ZEROCOPY_COPIED: u8 = 1;

pub(super) const ROW: TransferSpec = TransferSpec {
    name: transfer::MSG_ZEROCOPY,
    summary: "send(2) with MSG_ZEROCOPY from a mapping of the segment",
    claim: &DEFERRED,
    make: || Ok(Box::new(MsgZerocopy::default())),
    arguments: &[NOTICES],
    ..TransferSpec::PLAIN
};

/// The error queue is read after each send. net/socket.c, copy_msghdr_from_user(), 6.1 to 7.3.
const NOTICES: Argument = Argument {
    syscall: Syscall::Recvmsg,
    file: File::Socket,
    size: ArgumentSize::PerCall(size_of::<libc::msghdr>() as u64),
    what: "struct user_msghdr of the error queue's reader",
};

#[derive(Default)]
struct MsgZerocopy {
    mapping: SegmentMapping,
    enabled: bool,
    notices: Notices,
}

impl MsgZerocopy {
    /// Takes every notice that is there.
    fn reap(&mut self, socket: BorrowedFd<'_>) -> io::Result<()> {
        loop {
            let mut space = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6);
            let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
            let message = match recvmsg::<()>(socket.as_raw_fd(), &mut [], Some(&mut space), flags)
            {
                Err(Errno::EAGAIN) => return Ok(()),
                other => other?,
            };
            for control in message.cmsgs()? {
                if let ControlMessageOwned::Ipv4RecvErr(notice, _)
                | ControlMessageOwned::Ipv6RecvErr(notice, _) = control
                    && notice.ee_origin == SO_EE_ORIGIN_ZEROCOPY
                {
                    // One notice may be about several sends, numbered from ee_info to ee_data.
                    let sends = u64::from(notice.ee_data.wrapping_sub(notice.ee_info)) + 1;
                    self.notices.completed += sends;
                    if notice.ee_code & SO_EE_CODE_ZEROCOPY_COPIED != 0 {
                        self.notices.copied += sends;
                    }
                }
            }
        }
    }
}

/// Lets sends on this socket ask for MSG_ZEROCOPY.
fn enable(socket: BorrowedFd<'_>) -> io::Result<()> {
    let on: libc::c_int = 1;
    let size = libc::socklen_t::try_from(size_of_val(&on)).map_err(io::Error::other)?;
    let (level, option) = (libc::SOL_SOCKET, libc::SO_ZEROCOPY);
    // SAFETY: the value is an int of that size, and lives.
    let done = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const on).cast(), size)
    };
    Ok(Errno::result(done).map(drop)?)
}

impl Transfer for MsgZerocopy {
    fn send(
        &mut self,
        segment: &Segment,
        range: Range<u64>,
        socket: BorrowedFd<'_>,
    ) -> io::Result<usize> {
        if !self.enabled {
            enable(socket)?;
            self.enabled = true;
        }
        let bytes = self.mapping.bytes(segment, &range)?;
        let flags = MsgFlags::from_bits_retain(libc::MSG_ZEROCOPY)
            | MsgFlags::MSG_DONTWAIT
            | MsgFlags::MSG_NOSIGNAL;
        let sent = send(socket.as_raw_fd(), bytes, flags);
        if sent.is_ok() {
            self.notices.asked += 1;
        }
        self.reap(socket)?;
        match sent {
            // The notices that are outstanding have used up the socket's option memory
            // (sysctl optmem_max); when one comes, the socket wakes its poller.
            Err(Errno::ENOBUFS) => Err(ErrorKind::WouldBlock.into()),
            sent => Ok(sent?),
        }
    }

    fn settle(&mut self, socket: BorrowedFd<'_>) -> io::Result<()> {
        self.reap(socket)?;
        settled(&self.notices)
    }

    fn notices(&self) -> Notices {
        self.notices
    }
}
