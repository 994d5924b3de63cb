//! Packet sockets that hear everything in the current namespace, as captures have them. Nobody reads
//! what they hear: the kernel prepares each packet for them all the same.
#![expect(unsafe_code, reason = "PACKET_RX_RING, for which nix has no socket option")]

use std::os::fd::{AsRawFd as _, OwnedFd};

use anyhow::{Context as _, Result};
use nix::libc;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockProtocol, SockType, setsockopt, socket, sockopt,
};

/// A socket that keeps clones of packets.
pub(super) fn tap() -> Result<OwnedFd> {
    let tap = hears_all()?;
    // What waits to be read holds pages of the page cache: as little as possible.
    setsockopt(&tap, sockopt::RcvBuf, &0)?;
    Ok(tap)
}

/// A socket with a ring, into which the front of each packet is copied until it is full.
pub(super) fn ring() -> Result<OwnedFd> {
    // struct tpacket_req, include/uapi/linux/if_packet.h: enough frames for some passes.
    const FRAME: u32 = 8 << 10;
    const BLOCK: u32 = 1 << 20;
    const BLOCKS: u32 = 8;
    let request = libc::tpacket_req {
        tp_block_size: BLOCK,
        tp_block_nr: BLOCKS,
        tp_frame_size: FRAME,
        tp_frame_nr: BLOCKS * (BLOCK / FRAME),
    };
    let ring = hears_all()?;
    let size = libc::socklen_t::try_from(size_of_val(&request))?;
    // SAFETY: the request is of that size, and outlives the call.
    let result = unsafe {
        let at = (&raw const request).cast();
        libc::setsockopt(ring.as_raw_fd(), libc::SOL_PACKET, libc::PACKET_RX_RING, at, size)
    };
    nix::errno::Errno::result(result).context("a packet socket's ring")?;
    Ok(ring)
}

fn hears_all() -> Result<OwnedFd> {
    let (family, kind, all) = (AddressFamily::Packet, SockType::Raw, SockProtocol::EthAll);
    socket(family, kind, SockFlag::SOCK_CLOEXEC, all).context("a packet socket")
}
