//! Devices and network namespaces, by netlink and ethtool's ioctl.
#![expect(unsafe_code, reason = "SIOCETHTOOL, for which no crate has a safe form")]

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::os::fd::{AsRawFd as _, OwnedFd};

use anyhow::{Context as _, Result, ensure};
use nix::libc;
use nix::net::if_::if_nametoindex;
use nix::sched::{CloneFlags, unshare};
use rtnetlink::LinkUnspec;

/// What a device can do for the stack, as `ethtool -K` switches it: include/uapi/linux/ethtool.h.
#[derive(Clone, Copy, Debug)]
pub enum Feature {
    /// ETHTOOL_STXCSUM: checksums of what is sent.
    TxChecksum = 0x17,
    /// ETHTOOL_SSG: packets in several pieces of memory.
    ScatterGather = 0x19,
    /// ETHTOOL_STSO: TCP segmentation.
    TcpSegmentation = 0x1f,
    /// ETHTOOL_SGRO: what is received is put together.
    Gro = 0x2c,
}

/// A new network namespace, with nothing in it.
///
/// # Errors
/// No privilege, or a kernel without them.
pub fn namespace() -> Result<OwnedFd> {
    // Only the thread that asks gets into it, so that this process stays where it is.
    let made = std::thread::spawn(|| -> Result<OwnedFd> {
        unshare(CloneFlags::CLONE_NEWNET)
            .context("making a network namespace, which takes CAP_SYS_ADMIN")?;
        Ok(File::open("/proc/thread-self/ns/net")?.into())
    });
    made.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?
}

/// Moves a device of this namespace into another.
///
/// # Errors
/// There is no such device, or it may not be moved.
pub fn move_into(device: &str, namespace: &OwnedFd) -> Result<()> {
    let index = if_nametoindex(device).with_context(|| format!("finding {device}"))?;
    netlink(async |handle| {
        let away = LinkUnspec::new_with_index(index).setns_by_fd(namespace.as_raw_fd()).build();
        Ok(handle.link().change(away).execute().await?)
    })
    .with_context(|| format!("moving {device} into a network namespace"))
}

/// Gives a device of this namespace its address, in a network whose prefix has that length in bits, and
/// has it transmit.
///
/// # Errors
/// There is no such device, or it does not take the address.
pub fn bring_up_with(device: &str, address: Ipv4Addr, prefix: u8) -> Result<()> {
    let index = if_nametoindex(device).with_context(|| format!("finding {device}"))?;
    netlink(async |handle| {
        handle.address().add(index, IpAddr::V4(address), prefix).execute().await?;
        Ok(handle.link().change(LinkUnspec::new_with_index(index).up().build()).execute().await?)
    })
    .with_context(|| format!("setting up {device}"))
}

/// Speaks with the current namespace's part of the kernel.
///
/// # Errors
/// Those of the job, or no netlink.
pub fn netlink(job: impl AsyncFnOnce(rtnetlink::Handle) -> Result<()>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (connection, handle, _) = rtnetlink::new_connection().context("opening netlink")?;
        let speaking = tokio::spawn(connection);
        let done = job(handle).await;
        speaking.abort();
        done
    })
}

/// `struct ethtool_value`, include/uapi/linux/ethtool.h.
#[repr(C)]
struct EthtoolValue {
    command: u32,
    data: u32,
}

/// Switches a feature of a device of this namespace.
///
/// # Errors
/// There is no such device, or it cannot.
pub fn switch(device: &str, feature: Feature, on: bool) -> Result<()> {
    let mut value = EthtoolValue { command: feature as u32, data: u32::from(on) };
    let to = if on { "on" } else { "off" };
    ethtool(device, (&raw mut value).cast())
        .with_context(|| format!("switching {feature:?} of {device} {to}"))
}

/// Asks something of a device, by the structure of the request.
pub(super) fn ethtool(device: &str, value: *mut libc::c_char) -> Result<()> {
    // SAFETY: an all-zero ifreq is valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    ensure!(device.len() < request.ifr_name.len(), "{device} is too long a name");
    for (to, from) in request.ifr_name.iter_mut().zip(device.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    request.ifr_ifru.ifru_data = value;
    // Any socket will do.
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).context("a UDP socket")?;
    // SAFETY: the request and the caller's value that it points at outlive the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) };
    nix::errno::Errno::result(result)?;
    Ok(())
}
