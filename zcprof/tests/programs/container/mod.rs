//! A container's place: a network namespace behind a veth pair, a bridge, forwarding and NAT. What is
//! sent from there leaves by a device of the host's, to which the host lends its address: connections
//! that come in are given to the container (DNAT), those that go out are masqueraded. This is what
//! Docker sets up, and a tool for none of it is needed.

mod link;
mod nat;
mod space;
mod tun;
mod tunnel;

use std::fs;
use std::net::Ipv4Addr;

use self::link::Feature;
use self::nat::Nat;
use self::space::Space;
use crate::background::Background;

/// How a container's packets leave.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Way {
    /// Whether the host's end of the veth pair puts packets together (GRO). It receives by NAPI then
    /// (`veth_set_features()`, drivers/net/veth.c, 5.13 to 7.3).
    pub(super) gro: bool,
    /// Whether the host's device takes packets in several pieces of memory (scatter-gather).
    pub(super) pieces: bool,
    /// What joins the host and what is outside.
    pub(super) wire: Wire,
    /// What wraps the packets on the host's device.
    pub(super) tunnel: Option<Tunnel>,
}

/// What joins the host and what is outside.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    /// A veth pair, which takes whatever packets there are.
    Pair,
    /// Two virtio-net devices and a wire: `cargo xtask` makes guests that have them.
    Virtio,
}

/// What wraps packets, or stands on the host's device for others.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tunnel {
    Vxlan,
    WireGuard,
    Vlan,
    Macvlan,
    /// A process reads the packets of a TUN device, and carries them.
    Process,
}

/// Nothing is in the way.
pub(super) const PLAIN: Way = Way { gro: false, pieces: true, wire: Wire::Virtio, tunnel: None };

// The network for benchmarks (RFC 2544): 2 is that of the bridge, 3 that outside, 1 that below a tunnel.
pub(super) const INSIDE: Ipv4Addr = Ipv4Addr::new(198, 18, 2, 2);
const BRIDGE: Ipv4Addr = Ipv4Addr::new(198, 18, 2, 1);
pub(super) const HOST: Ipv4Addr = Ipv4Addr::new(198, 18, 3, 1);
pub(super) const OUTSIDE: Ipv4Addr = Ipv4Addr::new(198, 18, 3, 2);
const BELOW: [Ipv4Addr; 2] = [Ipv4Addr::new(198, 18, 1, 1), Ipv4Addr::new(198, 18, 1, 2)];

/// A place that is set up. Namespaces and their devices are gone when this is and all who are in them.
pub(super) struct Container {
    pub(super) inside: Space,
    pub(super) outside: Space,
    /// The host's device.
    here: String,
    _nat: Nat,
    /// What carries packets, where a process does.
    _carrier: Option<Background>,
}

const FORWARDING: &str = "/proc/sys/net/ipv4/ip_forward";

impl Container {
    pub(super) fn new(way: Way) -> Self {
        let (inside, outside) = (Space::new(), Space::new());
        link::bridge("zcprof-bridge");
        link::pair("zcprof-port", "zcprof-inside");
        link::put_under("zcprof-port", "zcprof-bridge");
        link::switch("zcprof-port", Feature::Gro, way.gro);
        link::up("zcprof-port");
        link::move_to("zcprof-inside", &inside);
        link::address("zcprof-bridge", BRIDGE);
        inside.run(|| {
            link::up("lo");
            link::address("zcprof-inside", INSIDE);
            link::route_by(BRIDGE);
        });
        let [here, there] = match way.wire {
            Wire::Virtio => link::virtio_pair(),
            Wire::Pair => {
                link::pair("zcprof-here", "zcprof-there");
                ["zcprof-here", "zcprof-there"].map(str::to_owned)
            }
        };
        link::move_to(&there, &outside);
        let mut carrier = None;
        let leaves_by = match way.tunnel {
            None => {
                link::address(&here, HOST);
                outside.run(|| link::address(&there, OUTSIDE));
                here.clone()
            }
            Some(tunnel) => {
                link::address(&here, BELOW[0]);
                outside.run(|| link::address(&there, BELOW[1]));
                carrier = tunnel.between([&here, &there], &outside);
                tunnel::DEVICE.to_owned()
            }
        };
        outside.run(|| link::up("lo"));
        link::switch(&here, Feature::ScatterGather, way.pieces);
        fs::write(FORWARDING, "1").expect("root may");
        let nat = Nat::new(&leaves_by, INSIDE);
        Self { inside, outside, here, _nat: nat, _carrier: carrier }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = fs::write(FORWARDING, "0");
        for name in ["zcprof-bridge", "zcprof-port", tunnel::DEVICE] {
            link::remove(name);
        }
        // It returns without an address, and without what it was made to lack, or is gone.
        link::switch(&self.here, Feature::ScatterGather, true);
        link::move_to(&self.here, &Space::new());
    }
}
