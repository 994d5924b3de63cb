//! THE TABLE of devices: what each kind of link does to the packets that leave by it. To add one is to
//! add a row.

/// What a device does to packets, beside what the sites below the sockets see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It passes them on by reference: to hardware, to another namespace, or to the next device.
    PassesOn,
    /// The CPU encrypts every byte.
    Encrypts,
    /// A process reads them: what it does then is its own affair.
    HandsOver,
}

/// A row of [`DEVICES`].
#[derive(Debug)]
pub struct DeviceKind {
    /// The kind of link, as `ip -d link` prints it; empty for hardware and the loopback device.
    pub kind: &'static str,
    /// What it does.
    pub effect: Effect,
    /// The kernel's file that does it.
    pub source: &'static str,
}

const fn passes_on(kind: &'static str, source: &'static str) -> DeviceKind {
    DeviceKind { kind, effect: Effect::PassesOn, source }
}

const fn encrypts(kind: &'static str, source: &'static str) -> DeviceKind {
    DeviceKind { kind, effect: Effect::Encrypts, source }
}

/// Every kind that is known, by reading Linux 6.12. Where such a device lacks a feature, packets are
/// copied before it gets them, and skb_copy_bits() says so.
pub const DEVICES: &[DeviceKind] = &[
    passes_on("", "net/core/dev.c"),
    passes_on("veth", "drivers/net/veth.c"),
    passes_on("netkit", "drivers/net/netkit.c"),
    passes_on("bridge", "net/bridge/br_device.c"),
    passes_on("vlan", "net/8021q/vlan_dev.c"),
    passes_on("macvlan", "drivers/net/macvlan.c"),
    passes_on("ipvlan", "drivers/net/ipvlan/ipvlan_main.c"),
    passes_on("vrf", "drivers/net/vrf.c"),
    passes_on("bond", "drivers/net/bonding/bond_main.c"),
    passes_on("team", "drivers/net/team/team_core.c"),
    passes_on("ifb", "drivers/net/ifb.c"),
    passes_on("dummy", "drivers/net/dummy.c"),
    passes_on("nlmon", "drivers/net/nlmon.c"),
    passes_on("vxlan", "drivers/net/vxlan/vxlan_core.c"),
    passes_on("geneve", "drivers/net/geneve.c"),
    passes_on("bareudp", "drivers/net/bareudp.c"),
    passes_on("gtp", "drivers/net/gtp.c"),
    passes_on("gre", "net/ipv4/ip_gre.c"),
    passes_on("gretap", "net/ipv4/ip_gre.c"),
    passes_on("ip6gre", "net/ipv6/ip6_gre.c"),
    passes_on("ip6gretap", "net/ipv6/ip6_gre.c"),
    passes_on("ipip", "net/ipv4/ipip.c"),
    passes_on("sit", "net/ipv6/sit.c"),
    passes_on("ip6tnl", "net/ipv6/ip6_tunnel.c"),
    // What they encrypt xfrm_output() says.
    passes_on("xfrm", "net/xfrm/xfrm_interface_core.c"),
    passes_on("vti", "net/ipv4/ip_vti.c"),
    passes_on("vti6", "net/ipv6/ip6_vti.c"),
    encrypts("wireguard", "drivers/net/wireguard/send.c"),
    encrypts("macsec", "drivers/net/macsec.c"),
    encrypts("ovpn", "drivers/net/ovpn/crypto_aead.c"),
    DeviceKind { kind: "tun", effect: Effect::HandsOver, source: "drivers/net/tun.c" },
    DeviceKind { kind: "macvtap", effect: Effect::HandsOver, source: "drivers/net/tap.c" },
    DeviceKind { kind: "ipvtap", effect: Effect::HandsOver, source: "drivers/net/tap.c" },
];

/// The row of a kind.
#[must_use]
pub fn find(kind: &str) -> Option<&'static DeviceKind> {
    DEVICES.iter().find(|row| row.kind == kind)
}

#[cfg(test)]
mod tests {
    use super::DEVICES;

    #[test]
    fn kinds_are_unique_and_name_a_kernel_file() {
        for (index, row) in DEVICES.iter().enumerate() {
            let first = DEVICES.iter().position(|other| other.kind == row.kind);
            assert_eq!(first, Some(index), "{}", row.kind);
            assert!(row.source.contains('/'), "{}", row.kind);
        }
    }
}
