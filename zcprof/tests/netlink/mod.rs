//! Netlink as no crate speaks it: the socket, its messages and their attributes
//! (include/uapi/linux/netlink.h).
#![expect(unsafe_code, reason = "nix does not know every netlink protocol")]

use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{MsgFlags, NetlinkAddr, bind, recv, sendto};

/// Flags of every message: NLM_F_REQUEST.
pub(super) const REQUEST: u16 = 1;

/// Flags of a message that makes something, and that the kernel answers: NLM_F_ACK, NLM_F_CREATE.
pub(super) const CREATE: u16 = REQUEST | 4 | 0x400;

/// The current network namespace's part of the kernel.
pub(super) struct NetlinkSocket(OwnedFd);

impl NetlinkSocket {
    /// A protocol is one of `NETLINK_*`.
    pub(super) fn open(protocol: libc::c_int) -> Result<Self, Errno> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
        // SAFETY: it takes no memory.
        let made = Errno::result(unsafe { libc::socket(libc::AF_NETLINK, kind, protocol) })?;
        // SAFETY: the descriptor is new, and nobody else has it.
        let socket = unsafe { OwnedFd::from_raw_fd(made) };
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        Ok(Self(socket))
    }

    /// Sends messages, and reads what the kernel says to those that it answers.
    pub(super) fn ask(&self, messages: &[u8], answers: usize) -> Result<(), Errno> {
        let (fd, kernel) = (self.0.as_raw_fd(), NetlinkAddr::new(0, 0));
        sendto(fd, messages, &kernel, MsgFlags::empty())?;
        for _ in 0..answers {
            let mut answer = [0; 4096];
            recv(fd, &mut answer, MsgFlags::empty())?;
            let error = i32::from_ne_bytes(answer[16..20].try_into().expect("4"));
            if error != 0 {
                return Err(Errno::from_raw(-error));
            }
        }
        Ok(())
    }
}

/// `struct nlmsghdr` and what follows.
pub(super) fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + body.len()).expect("small");
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend([kind, flags].map(u16::to_ne_bytes).concat());
    bytes.extend([1_u32, 0].map(u32::to_ne_bytes).concat());
    bytes.extend(body);
    bytes
}

/// `struct nlattr` and what it holds.
pub(super) fn attribute(kind: u16, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + body.len()).expect("small");
    let mut bytes = [length, kind].map(u16::to_ne_bytes).concat();
    bytes.extend(body);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}
