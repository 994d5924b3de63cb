//! The way between server and consumer: the loopback device, a veth pair between two network
//! namespaces, with what a device may lack switched off, or two devices that a wire joins. To add
//! a way is to add a row.

mod capture;
mod feature;
pub mod link;
mod macsec;
mod tunnel;
pub mod virtio;
mod xdp;

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures_util::StreamExt as _;
use nix::net::if_::if_nametoindex;
use nix::sched::{CloneFlags, setns};
use rtnetlink::packet_core::{
    DefaultNla, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::tc::{TcAttribute, TcHandle, TcMessage};
use rtnetlink::{LinkUnspec, LinkVeth};
use zcprof_common::names::network;

use link::{Feature, bring_up_with, move_into, namespace, netlink, switch};
use tunnel::Tunnel;

/// A way between server and consumer.
#[derive(Debug)]
pub struct NetworkSpec {
    /// Name on the command line.
    pub name: &'static str,
    /// What it is, in one line for `--help` and the reports.
    pub summary: &'static str,
    /// What connects them.
    device: Device,
    /// What the server's device is made to lack.
    lacks: &'static [Feature],
    /// Whether user memory is copied past the CPU's cache into what the server's device sends.
    nocache: bool,
    /// What happens on the way.
    trouble: Option<Trouble>,
    /// What wraps the packets on that device.
    tunnel: Option<Tunnel>,
}

/// What connects server and consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Device {
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
enum Trouble {
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

/// Attribute of a queueing discipline that holds its own options: include/uapi/linux/rtnetlink.h.
const TCA_OPTIONS: u16 = 2;

/// Names of the two devices of a veth pair, each in a namespace of its own.
const DEVICES: [&str; 2] = ["zcprof-server", "zcprof-client"];

/// What connects everything on one host.
const LOOPBACK: &str = "lo";

/// Their addresses, of the network for benchmarks (RFC 2544).
const ADDRESSES: [Ipv4Addr; 2] = [Ipv4Addr::new(198, 18, 0, 1), Ipv4Addr::new(198, 18, 0, 2)];

/// Length of that network's prefix here.
const PREFIX: u8 = 30;

/// How long virtio-net devices may take to return from namespaces that ended.
const PATIENCE: Duration = Duration::from_secs(10);

/// A way that is set up. Namespaces and devices are gone when this and both processes are, however
/// these end: nothing else refers to them.
#[derive(Debug)]
pub(super) struct Network {
    /// None if everything is in this process's own.
    namespaces: Option<[OwnedFd; 2]>,
    /// The device of each end.
    devices: [String; 2],
    /// What is in force on the way as long as this is open.
    _trouble: Option<OwnedFd>,
}

/// An end of the way.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    Server = 0,
    Consumer = 1,
}

impl Network {
    /// # Errors
    /// No privilege to make namespaces, or a kernel without them or without veth.
    pub(super) fn set_up(row: &NetworkSpec) -> Result<Self> {
        if row.is_loopback() {
            let devices = [LOOPBACK, LOOPBACK].map(str::to_owned);
            return Ok(Self { namespaces: None, devices, _trouble: None });
        }
        let namespaces = [namespace()?, namespace()?];
        let [server, consumer] = &namespaces;
        let devices = if row.device == Device::Virtio {
            let found = virtio::unused_pair(PATIENCE)?;
            for (device, namespace) in found.iter().zip(&namespaces) {
                move_into(device, namespace)?;
            }
            found
        } else {
            inside(server, || {
                connect(consumer).context(
                    "making a veth pair, which takes CAP_NET_ADMIN and the kernel's module veth",
                )
            })?;
            DEVICES.map(str::to_owned)
        };
        for (namespace, end) in [(server, End::Server), (consumer, End::Consumer)] {
            let device = &devices[end as usize];
            inside(namespace, || {
                match row.tunnel {
                    None => bring_up_with(device, ADDRESSES[end as usize], PREFIX)?,
                    Some(tunnel) => {
                        bring_up_with(device, tunnel::OUTER[end as usize], PREFIX)?;
                        tunnel.set_up(device, end)?;
                    }
                }
                if row.trouble == Some(Trouble::Loss) { lose_some(device) } else { Ok(()) }
            })?;
        }
        let trouble = inside(server, || {
            for feature in row.lacks {
                switch(&devices[End::Server as usize], *feature, false)?;
            }
            if row.nocache {
                feature::switch_on(&devices[End::Server as usize], feature::NOCACHE)?;
            }
            match row.trouble {
                Some(Trouble::Tap) => capture::tap().map(Some),
                Some(Trouble::Ring) => capture::ring().map(Some),
                _ => Ok(None),
            }
        })?;
        let at_consumer = inside(consumer, || {
            let xdp = row.trouble == Some(Trouble::Xdp);
            xdp.then(|| xdp::let_pass(&devices[End::Consumer as usize])).transpose()
        })?;
        let trouble = trouble.or(at_consumer);
        Ok(Self { namespaces: Some(namespaces), devices, _trouble: trouble })
    }

    /// Runs something in an end's namespace: sockets and processes that it makes stay there.
    pub(super) fn at<T>(&self, end: End, job: impl FnOnce() -> Result<T>) -> Result<T> {
        match &self.namespaces {
            None => job(),
            Some(namespaces) => inside(&namespaces[end as usize], job),
        }
    }

    /// The devices, if neither has tx-nocache-copy.
    ///
    /// # Errors
    /// A device that does not tell its features.
    pub(super) fn without_nocache(&self) -> Result<Option<String>> {
        for end in [End::Server, End::Consumer] {
            let device = &self.devices[end as usize];
            if self.at(end, || feature::is_on(device, feature::NOCACHE))? {
                return Ok(None);
            }
        }
        let mut names = self.devices.to_vec();
        names.dedup();
        Ok(Some(names.join(" and ")))
    }

    /// Where the server listens, if the user wants it at `wanted`.
    pub(super) fn listen(&self, wanted: SocketAddr) -> SocketAddr {
        match self.namespaces {
            None => wanted,
            Some(_) => (IpAddr::V4(ADDRESSES[End::Server as usize]), wanted.port()).into(),
        }
    }
}

/// All devices of this network namespace, if none has tx-nocache-copy.
///
/// # Errors
/// A device that does not tell its features.
pub(crate) fn all_without_nocache() -> Result<Option<String>> {
    const DEVICES: &str = "/sys/class/net";
    let mut names = Vec::new();
    for found in std::fs::read_dir(DEVICES).with_context(|| format!("reading {DEVICES}"))? {
        let name = found?.file_name().to_string_lossy().into_owned();
        // Files such as `bonding_masters` are there too.
        if if_nametoindex(name.as_str()).is_err() {
            continue;
        }
        if feature::is_on(&name, feature::NOCACHE)? {
            return Ok(None);
        }
        names.push(name);
    }
    names.sort_unstable();
    Ok(Some(names.join(", ")))
}

/// Does something in another network namespace.
fn inside<T>(namespace: &OwnedFd, job: impl FnOnce() -> Result<T>) -> Result<T> {
    let _inside = Inside::enter(namespace)?;
    job()
}

/// The current thread in another network namespace, until this is dropped.
struct Inside {
    before: File,
}

impl Inside {
    fn enter(namespace: &OwnedFd) -> Result<Self> {
        let before = File::open("/proc/thread-self/ns/net").context("this network namespace")?;
        setns(namespace, CloneFlags::CLONE_NEWNET).context("entering a network namespace")?;
        Ok(Self { before })
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        if let Err(error) = setns(&self.before, CloneFlags::CLONE_NEWNET) {
            log::error!("cannot return to the network namespace from before: {error}");
        }
    }
}

/// Makes the pair, one end here and one in the other namespace.
fn connect(other: &OwnedFd) -> Result<()> {
    netlink(async |handle| {
        let [here, there] = DEVICES;
        handle.link().add(LinkVeth::new(here, there).build()).execute().await?;
        let away = LinkUnspec::new_with_name(there).setns_by_fd(other.as_raw_fd()).build();
        Ok(handle.link().change(away).execute().await?)
    })
}

/// Probability that a packet is lost, as a fraction of `u32::MAX`: two in a hundred, so that a few
/// of the hundreds of large packets of a pass are, and each lost one costs a timeout at most.
const LOSS: u32 = u32::MAX / 50;

/// Packets that may wait for their turn; netem's own default.
const QUEUE: u32 = 1000;

/// Has a device lose packets.
fn lose_some(device: &str) -> Result<()> {
    let index = i32::try_from(if_nametoindex(device)?)?;
    // struct tc_netem_qopt, include/uapi/linux/pkt_sched.h: latency, limit, loss, gap, duplicate,
    // jitter.
    let options: Vec<u8> =
        [0, QUEUE, LOSS, 0, 0, 0].into_iter().flat_map(u32::to_ne_bytes).collect();
    let mut message = TcMessage::with_index(index);
    message.header.parent = TcHandle::ROOT;
    message.attributes.push(TcAttribute::Kind("netem".to_owned()));
    message.attributes.push(TcAttribute::Other(DefaultNla::new(TCA_OPTIONS, options)));
    let mut request = NetlinkMessage::from(RouteNetlinkMessage::NewQueueDiscipline(message));
    request.header.flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    netlink(async |mut handle| {
        let mut answers = handle.request(request)?;
        while let Some(answer) = answers.next().await {
            if let NetlinkPayload::Error(error) = answer.payload
                && error.code.is_some()
            {
                return Err(error.to_io().into());
            }
        }
        Ok(())
    })
    .with_context(|| {
        format!("having {device} lose packets (the kernel needs its module sch_netem)")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_devices_have_short_ones() {
        for (index, row) in NETWORKS.iter().enumerate() {
            let found = NETWORKS.iter().position(|other| other.name == row.name);
            assert_eq!(found, Some(index), "{}", row.name);
        }
        assert!(DEVICES.iter().all(|name| name.len() < nix::libc::IFNAMSIZ));
    }
}
