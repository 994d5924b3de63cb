//! Tunnels over the way between server and consumer. To add one is to add a variant and its arm.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result};
use nix::net::if_::if_nametoindex;
use rtnetlink::{LinkVxlan, LinkWireguard};
use wireguard_uapi::{WgSocket, set};

use super::link::{bring_up_with, netlink};
use super::{ADDRESSES, End, PREFIX, macsec};

/// What wraps the packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tunnel {
    /// drivers/net/wireguard: it cuts and encrypts every packet by itself.
    WireGuard,
    /// drivers/net/vxlan: Ethernet in UDP.
    Vxlan,
    /// drivers/net/macsec.c: it copies each packet into one piece and encrypts it.
    MacSec,
}

/// The tunnel's device, at both ends.
const DEVICE: &str = "zcprof-tunnel";

/// Addresses of the devices below it, of the network for benchmarks too (RFC 2544).
pub(super) const OUTER: [Ipv4Addr; 2] =
    [Ipv4Addr::new(198, 18, 1, 1), Ipv4Addr::new(198, 18, 1, 2)];

/// Port of either end; each is in a namespace of its own.
const PORT: u16 = 4789;

/// Number of the network in VXLAN.
const NUMBER: u32 = 42;

/// WireGuard's keys, private and public. They keep no secret: both ends belong to one measurement.
const KEYS: [([u8; 32], [u8; 32]); 2] = [
    (
        key(0xc8cb_0a20_9e8b_31b2_4f1d_19ac_0c84_a397, 0x805f_a97a_7a28_db96_eab5_6188_63b5_a074),
        key(0x8664_7b5f_77c0_eedb_0e7d_55e0_2feb_fe04, 0xe313_b1de_44bc_1ae2_2c69_9416_b724_3e67),
    ),
    (
        key(0xf0fc_09cb_d598_ddc2_43f4_6152_b844_04e0, 0x0a7d_833f_b43f_5411_ce11_f77e_fc14_937d),
        key(0x9e5a_45b9_3e56_98b3_b124_9726_5bab_0607, 0xcca8_b6a3_ac0f_56e0_3732_f717_85da_dd08),
    ),
];

/// A key by its upper and lower half.
const fn key(upper: u128, lower: u128) -> [u8; 32] {
    let (upper, lower) = (upper.to_be_bytes(), lower.to_be_bytes());
    let mut bytes = [0; 32];
    let mut at = 0;
    while at < 16 {
        bytes[at] = upper[at];
        bytes[at + 16] = lower[at];
        at += 1;
    }
    bytes
}

impl Tunnel {
    /// Makes an end in the current namespace, whose device below is up and has its address.
    ///
    /// # Errors
    /// The kernel lacks the tunnel's module.
    pub(super) fn set_up(self, below: &str, end: End) -> Result<()> {
        let other = OUTER[1 - end as usize];
        match self {
            Self::WireGuard => wireguard(end, other).context(
                "setting up WireGuard, which takes CAP_NET_ADMIN and the kernel's module wireguard",
            )?,
            Self::Vxlan => vxlan(below, other).context(
                "setting up VXLAN, which takes CAP_NET_ADMIN and the kernel's module vxlan",
            )?,
            Self::MacSec => macsec::set_up(DEVICE, below, end).context(
                "setting up MACsec, which takes CAP_NET_ADMIN and the kernel's modules macsec and gcm",
            )?,
        }
        bring_up_with(DEVICE, ADDRESSES[end as usize], PREFIX)
    }
}

fn wireguard(end: End, other: Ipv4Addr) -> Result<()> {
    netlink(async |handle| {
        Ok(handle.link().add(LinkWireguard::new(DEVICE).build()).execute().await?)
    })?;
    let ((private, _), (_, public)) = (KEYS[end as usize], KEYS[1 - end as usize]);
    let endpoint = SocketAddr::from((other, PORT));
    let peer = IpAddr::V4(ADDRESSES[1 - end as usize]);
    let allowed = set::AllowedIp { ipaddr: &peer, cidr_mask: Some(32) };
    let peer = set::Peer::from_public_key(&public).endpoint(&endpoint).allowed_ips(vec![allowed]);
    let device =
        set::Device::from_ifname(DEVICE).private_key(&private).listen_port(PORT).peers(vec![peer]);
    Ok(WgSocket::connect()?.set_device(device)?)
}

fn vxlan(below: &str, other: Ipv4Addr) -> Result<()> {
    let below = if_nametoindex(below).with_context(|| format!("finding {below}"))?;
    netlink(async |handle| {
        let link = LinkVxlan::new(DEVICE, NUMBER).dev(below).remote(other).port(PORT).build();
        Ok(handle.link().add(link).execute().await?)
    })
}
