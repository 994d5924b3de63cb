//! What wraps the packets between the host and outside.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use rtnetlink::packet_route::link::MacVlanMode;
use rtnetlink::{LinkMacVlan, LinkVlan, LinkVxlan, LinkWireguard};
use wireguard_uapi::{DeviceInterface, WgSocket, set};

use super::link;
use super::space::Space;
use super::{BELOW, HOST, OUTSIDE, Tunnel, tun};
use crate::background::Background;

pub(super) const DEVICE: &str = "zcprof-tunnel";

/// Port of either end, and the number of a VXLAN or VLAN.
const PORT: u16 = 4789;
const NUMBER: u16 = 42;

/// Private keys of WireGuard. They keep no secret.
const KEYS: [[u8; 32]; 2] = [[0x40; 32], [0x48; 32]];

impl Tunnel {
    /// Makes both ends, by devices that are up and have their addresses; what carries packets between them,
    /// if no device does.
    pub(super) fn between(self, below: [&str; 2], outside: &Space) -> Option<Background> {
        let (here, there) = (BELOW[0], BELOW[1]);
        let mut carrier = None;
        match self {
            Self::Vxlan => {
                vxlan(below[0], there);
                outside.run(|| vxlan(below[1], here));
            }
            Self::WireGuard => {
                let own = wireguard(KEYS[0]);
                let other = outside.run(|| wireguard(KEYS[1]));
                join(other, OUTSIDE, there);
                outside.run(|| join(own, HOST, here));
            }
            Self::Vlan => {
                vlan(below[0]);
                outside.run(|| vlan(below[1]));
            }
            Self::Macvlan => {
                macvlan(below[0]);
                outside.run(|| macvlan(below[1]));
            }
            Self::Process => {
                let ends = [tun::device(DEVICE), outside.run(|| tun::device(DEVICE))];
                carrier = Some(tun::carry(ends));
            }
        }
        link::address(DEVICE, HOST);
        outside.run(|| link::address(DEVICE, OUTSIDE));
        carrier
    }
}

fn vxlan(below: &str, other: Ipv4Addr) {
    let below = link::index(below);
    link::add(LinkVxlan::new(DEVICE, NUMBER.into()).dev(below).remote(other).port(PORT).build());
}

fn vlan(below: &str) {
    link::add(LinkVlan::new(DEVICE, link::index(below), NUMBER).build());
}

fn macvlan(below: &str) {
    link::add(LinkMacVlan::new(DEVICE, link::index(below), MacVlanMode::Passthrough).build());
}

/// An end of WireGuard's; its public key, as the kernel makes it of the private one.
fn wireguard(private: [u8; 32]) -> [u8; 32] {
    link::add(LinkWireguard::new(DEVICE).build());
    let mut wireguard = WgSocket::connect().expect("WireGuard");
    let device = set::Device::from_ifname(DEVICE).private_key(&private).listen_port(PORT);
    wireguard.set_device(device).expect("a key");
    let device = wireguard.get_device(DeviceInterface::from_name(DEVICE)).expect("there");
    device.public_key.expect("of its private key")
}

/// Tells an end of the other.
fn join(public: [u8; 32], address: Ipv4Addr, below: Ipv4Addr) {
    let (address, endpoint) = (IpAddr::V4(address), SocketAddr::from((below, PORT)));
    let allowed = set::AllowedIp { ipaddr: &address, cidr_mask: Some(32) };
    let peer = set::Peer::from_public_key(&public).endpoint(&endpoint).allowed_ips(vec![allowed]);
    let device = set::Device::from_ifname(DEVICE).peers(vec![peer]);
    WgSocket::connect().expect("WireGuard").set_device(device).expect("a peer");
}
