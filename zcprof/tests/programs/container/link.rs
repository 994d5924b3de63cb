//! Devices of the current network namespace, by netlink and ethtool's ioctl.
#![expect(unsafe_code, reason = "SIOCETHTOOL, for which no crate has a safe form")]

use std::fs;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::net::if_::if_nametoindex;
use rtnetlink::packet_route::link::LinkMessage;
use rtnetlink::{Error, Handle, LinkBridge, LinkUnspec, LinkVeth, RouteMessageBuilder};

use super::space::Space;

/// Length of the prefix of every network here.
const PREFIX: u8 = 24;

pub(super) fn bridge(name: &str) {
    add(LinkBridge::new(name).build());
}

/// A veth pair.
pub(super) fn pair(one: &str, other: &str) {
    add(LinkVeth::new(one, other).build());
}

pub(super) fn add(link: LinkMessage) {
    let said = format!("{link:?}");
    netlink(async |net| net.link().add(link).execute().await)
        .unwrap_or_else(|error| panic!("{said}: {error}; is the module loaded?"));
}

/// Makes a device a port of a bridge.
pub(super) fn put_under(port: &str, bridge: &str) {
    change(LinkUnspec::new_with_index(index(port)).controller(index(bridge)).build());
}

pub(super) fn up(name: &str) {
    change(LinkUnspec::new_with_index(index(name)).up().build());
}

pub(super) fn move_to(name: &str, space: &Space) {
    let to = space.as_fd().as_raw_fd();
    change(LinkUnspec::new_with_index(index(name)).setns_by_fd(to).build());
}

/// Gives a device its address, and has it transmit.
pub(super) fn address(name: &str, address: Ipv4Addr) {
    let at = index(name);
    netlink(async |net| net.address().add(at, IpAddr::V4(address), PREFIX).execute().await)
        .unwrap_or_else(|error| panic!("{address} for {name}: {error}"));
    up(name);
}

/// Sends everything by a gateway that is not for a neighbour.
pub(super) fn route_by(gateway: Ipv4Addr) {
    let route = RouteMessageBuilder::<Ipv4Addr>::new().gateway(gateway).build();
    netlink(async |net| net.route().add(route).execute().await).expect("a route");
}

/// Removes a device, if it is there.
pub(super) fn remove(name: &str) {
    if let Ok(at) = if_nametoindex(name) {
        let _ = netlink(async |net| net.link().del(at).execute().await);
    }
}

/// Two virtio-net devices that nobody uses. They return by themselves from namespaces that ended
/// (cleanup_net(), net/core/net_namespace.c), which takes a while.
pub(super) fn virtio_pair() -> [String; 2] {
    let begin = Instant::now();
    loop {
        if let Ok(pair) = unused_virtio().try_into() {
            return pair;
        }
        let message =
            "no two virtio-net devices are down: `cargo xtask vm --wire` makes such guests";
        assert!(begin.elapsed() < Duration::from_mins(1), "{message}");
        sleep(Duration::from_millis(100));
    }
}

fn unused_virtio() -> Vec<String> {
    let all = fs::read_dir("/sys/class/net").expect("sysfs");
    let mut names = Vec::new();
    for item in all.flatten() {
        let driver = fs::read_link(item.path().join("device/driver")).unwrap_or_default();
        let flags = fs::read_to_string(item.path().join("flags")).unwrap_or_default();
        let flags = u32::from_str_radix(flags.trim().trim_start_matches("0x"), 16).unwrap_or(1);
        let is_up = flags & 1 == 1; // IFF_UP, include/uapi/linux/if.h
        if driver.ends_with("virtio_net") && !is_up {
            names.push(item.file_name().into_string().expect("a name"));
        }
    }
    names.sort();
    names
}

fn change(link: LinkMessage) {
    let said = format!("{link:?}");
    netlink(async |net| net.link().change(link).execute().await)
        .unwrap_or_else(|error| panic!("{said}: {error}"));
}

pub(super) fn index(name: &str) -> u32 {
    if_nametoindex(name).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Speaks with the current namespace's part of the kernel.
fn netlink(job: impl AsyncFnOnce(Handle) -> Result<(), Error>) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let (connection, handle, _) = rtnetlink::new_connection().expect("netlink");
        let speaking = tokio::spawn(connection);
        let done = job(handle).await;
        speaking.abort();
        done
    })
}

/// What `ethtool -K` switches: include/uapi/linux/ethtool.h.
#[derive(Clone, Copy, Debug)]
pub(super) enum Feature {
    /// ETHTOOL_SSG
    ScatterGather = 0x19,
    /// ETHTOOL_SGRO
    Gro = 0x2c,
}

#[repr(C)]
struct EthtoolValue {
    command: u32,
    data: u32,
}

pub(super) fn switch(device: &str, feature: Feature, on: bool) {
    let mut value = EthtoolValue { command: feature as u32, data: u32::from(on) };
    // SAFETY: an all-zero ifreq is valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    assert!(device.len() < request.ifr_name.len(), "{device} is too long a name");
    for (to, from) in request.ifr_name.iter_mut().zip(device.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("any socket");
    // SAFETY: the request and the value that it points at outlive the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) };
    Errno::result(result).unwrap_or_else(|error| panic!("{feature:?} of {device}: {error}"));
}
