//! Devices of the current network namespace.

use std::net::Ipv4Addr;
use std::time::Duration;

use nix::net::if_::if_nametoindex;
use rtnetlink::packet_route::link::LinkMessage;
use rtnetlink::{LinkBridge, LinkUnspec, LinkVeth, RouteMessageBuilder};
use zcprof::network::link::{self, netlink};
use zcprof::network::virtio;

pub(super) use zcprof::network::link::Feature;

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
    netlink(async |net| Ok(net.link().add(link).execute().await?))
        .unwrap_or_else(|error| panic!("{said}: {error:#}; is the module loaded?"));
}

/// Makes a device a port of a bridge.
pub(super) fn put_under(port: &str, bridge: &str) {
    change(LinkUnspec::new_with_index(index(port)).controller(index(bridge)).build());
}

pub(super) fn up(name: &str) {
    change(LinkUnspec::new_with_index(index(name)).up().build());
}

pub(super) fn move_to(name: &str, space: &Space) {
    link::move_into(name, space.descriptor()).expect("moved");
}

/// Gives a device its address, and has it transmit.
pub(super) fn address(name: &str, address: Ipv4Addr) {
    link::bring_up_with(name, address, PREFIX).expect("an address");
}

/// Sends everything by a gateway that is not for a neighbour.
pub(super) fn route_by(gateway: Ipv4Addr) {
    let route = RouteMessageBuilder::<Ipv4Addr>::new().gateway(gateway).build();
    netlink(async |net| Ok(net.route().add(route).execute().await?)).expect("a route");
}

/// Removes a device, if it is there.
pub(super) fn remove(name: &str) {
    if let Ok(at) = if_nametoindex(name) {
        let _ = netlink(async |net| Ok(net.link().del(at).execute().await?));
    }
}

/// Two virtio-net devices that nobody uses. They return by themselves, which takes a while under emulation.
pub(super) fn virtio_pair() -> [String; 2] {
    virtio::unused_pair(Duration::from_mins(1)).expect("two devices")
}

pub(super) fn switch(device: &str, feature: Feature, on: bool) {
    link::switch(device, feature, on).expect("it can");
}

fn change(link: LinkMessage) {
    let said = format!("{link:?}");
    netlink(async |net| Ok(net.link().change(link).execute().await?))
        .unwrap_or_else(|error| panic!("{said}: {error:#}"));
}

pub(super) fn index(name: &str) -> u32 {
    if_nametoindex(name).unwrap_or_else(|error| panic!("{name}: {error}"))
}
