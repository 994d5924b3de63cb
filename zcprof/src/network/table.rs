//! THE TABLE of ways between server and consumer. To add a way is to add a row.

use zcprof_common::names::network;

use super::link::Feature;
use super::tunnel::Tunnel;

/// A way between server and consumer.
#[derive(Debug)]
pub struct NetworkSpec {
    /// Name on the command line.
    pub name: &'static str,
    /// What it is, in one line for `--help` and the reports.
    pub summary: &'static str,
    /// What connects them.
    pub(super) device: Device,
    /// What the server's device is made to lack.
    pub(super) lacks: &'static [Feature],
    /// Whether user memory is copied past the CPU's cache into what the server's device sends.
    pub(super) nocache: bool,
    /// What happens on the way.
    pub(super) trouble: Option<Trouble>,
    /// What wraps the packets on that device.
    pub(super) tunnel: Option<Tunnel>,
}

/// What connects server and consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Device {
    /// The loopback device of this process's own network namespace.
    Loopback,
    /// A veth pair between two new namespaces.
    Veth,
    /// Two virtio-net devices that are joined outside and that nobody uses, each in a new
    /// namespace: what is sent leaves this kernel by DMA. They return by themselves.
    Virtio,
}

/// What happens to packets on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Each device loses some, at random: net/sched/sch_netem.c.
    Loss,
    /// A packet socket listens at the server's device, as tcpdump's does.
    Tap,
    /// The same with a ring, into which each packet is copied.
    Ring,
    /// An XDP program runs at the consumer's device.
    Xdp,
}

impl NetworkSpec {
    /// What most rows have in common.
    const VETH: Self = Self {
        name: "",
        summary: "",
        device: Device::Veth,
        lacks: &[],
        nocache: false,
        trouble: None,
        tunnel: None,
    };
}

/// Every way.
pub const NETWORKS: &[NetworkSpec] = &[
    NetworkSpec {
        name: network::LOOPBACK,
        summary: "loopback",
        device: Device::Loopback,
        ..NetworkSpec::VETH
    },
    NetworkSpec {
        name: network::VETH,
        summary: "veth between two network namespaces",
        ..NetworkSpec::VETH
    },
    NetworkSpec {
        name: network::VETH_NO_TSO,
        summary: "veth between two network namespaces, the sender's without TCP segmentation",
        lacks: &[Feature::TcpSegmentation],
        ..NetworkSpec::VETH
    },
    NetworkSpec {
        name: network::VETH_NO_CHECKSUM,
        summary: "veth between two network namespaces, the sender's without checksums",
        lacks: &[Feature::TxChecksum],
        ..NetworkSpec::VETH
    },
    NetworkSpec {
        name: network::VETH_NO_SG,
        summary: "veth between two network namespaces, the sender's without scatter-gather",
        lacks: &[Feature::ScatterGather],
        ..NetworkSpec::VETH
    },
    NetworkSpec {
        name: network::VETH_NOCACHE,
        summary: "veth between two network namespaces, the sender's with tx-nocache-copy",
        nocache: true,
        ..NetworkSpec::VETH
    },
    NetworkSpec {
        name: network::VETH_NEITHER,
        summary: "veth between two network namespaces, the sender's without checksums and \
                  scatter-gather",
        lacks: &[Feature::TxChecksum, Feature::ScatterGather],
        ..NetworkSpec::VETH
    },
    NetworkSpec {
        name: network::WIREGUARD,
        summary: "WireGuard over veth between two network namespaces",
        tunnel: Some(Tunnel::WireGuard),
        ..NetworkSpec::VETH
    },
    NetworkSpec {
        name: network::VXLAN,
        summary: "VXLAN over veth between two network namespaces",
        tunnel: Some(Tunnel::Vxlan),
        ..NetworkSpec::VETH
    },
    NetworkSpec {
        name: network::MACSEC,
        summary: "MACsec over veth between two network namespaces",
        tunnel: Some(Tunnel::MacSec),
        ..NetworkSpec::VETH
    },
    NetworkSpec {
        name: network::VETH_LOSS,
        summary: "veth between two network namespaces, where packets are lost",
        trouble: Some(Trouble::Loss),
        ..NetworkSpec::VETH
    },
    NetworkSpec {
        name: network::VETH_TAP,
        summary: "veth between two network namespaces, with a packet socket at the sender's",
        trouble: Some(Trouble::Tap),
        ..NetworkSpec::VETH
    },
    NetworkSpec {
        name: network::VETH_RING,
        summary: "veth between two network namespaces, with a packet socket's ring at the sender's",
        trouble: Some(Trouble::Ring),
        ..NetworkSpec::VETH
    },
    NetworkSpec {
        name: network::VETH_XDP,
        summary: "veth between two network namespaces, with an XDP program at the receiver's",
        trouble: Some(Trouble::Xdp),
        ..NetworkSpec::VETH
    },
    NetworkSpec {
        name: network::VIRTIO,
        summary: "two virtio-net devices, each in a network namespace of its own",
        device: Device::Virtio,
        ..NetworkSpec::VETH
    },
    NetworkSpec {
        name: network::VIRTIO_TAP,
        summary: "two virtio-net devices, each in a network namespace of its own, with a packet \
                  socket at the sender's",
        device: Device::Virtio,
        trouble: Some(Trouble::Tap),
        ..NetworkSpec::VETH
    },
];

impl NetworkSpec {
    /// The way called `name`.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        NETWORKS.iter().find(|row| row.name == name)
    }

    /// Whether everything stays in the namespace of this process.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.device == Device::Loopback
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        for (index, row) in NETWORKS.iter().enumerate() {
            let found = NETWORKS.iter().position(|other| other.name == row.name);
            assert_eq!(found, Some(index), "{}", row.name);
        }
    }
}
