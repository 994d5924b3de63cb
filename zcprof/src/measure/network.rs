//! The way between server and consumer: the loopback device, or a veth pair between two network
//! namespaces, with what a device may lack switched off. To add a way is to add a row.
#![expect(unsafe_code, reason = "SIOCETHTOOL, for which no crate has a safe form")]

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd as _, OwnedFd};

use anyhow::{Context as _, Result, ensure};
use nix::libc;
use nix::net::if_::if_nametoindex;
use nix::sched::{CloneFlags, setns, unshare};
use rtnetlink::{LinkUnspec, LinkVeth};

/// A way between server and consumer.
#[derive(Debug)]
pub struct Row {
    /// Name on the command line.
    pub name: &'static str,
    /// What it is, in one line for `--help` and the reports.
    pub summary: &'static str,
    /// `None` for the loopback device; else what the server's veth device lacks.
    lacks: Option<&'static [Feature]>,
}

/// What a device can do for the stack, and `ethtool -K` switch off: include/uapi/linux/ethtool.h.
#[derive(Clone, Copy, Debug)]
enum Feature {
    /// ETHTOOL_STXCSUM: checksums of what is sent.
    TxChecksum = 0x17,
    /// ETHTOOL_SSG: packets in several pieces of memory.
    ScatterGather = 0x19,
    /// ETHTOOL_STSO: TCP segmentation.
    TcpSegmentation = 0x1f,
}

/// Every way.
pub const NETWORKS: &[Row] = &[
    Row { name: "loopback", summary: "loopback", lacks: None },
    Row { name: "veth", summary: "veth between two network namespaces", lacks: Some(&[]) },
    Row {
        name: "veth-no-tso",
        summary: "veth between two network namespaces, the sender's without TCP segmentation",
        lacks: Some(&[Feature::TcpSegmentation]),
    },
    Row {
        name: "veth-no-checksum",
        summary: "veth between two network namespaces, the sender's without checksums",
        lacks: Some(&[Feature::TxChecksum]),
    },
    Row {
        name: "veth-no-sg",
        summary: "veth between two network namespaces, the sender's without scatter-gather",
        lacks: Some(&[Feature::ScatterGather]),
    },
];

impl Row {
    /// The way called `name`.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        NETWORKS.iter().find(|row| row.name == name)
    }

    /// Whether everything stays in the namespace of this process.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.lacks.is_none()
    }
}

/// Names of the two devices, each in a namespace of its own.
const DEVICES: [&str; 2] = ["zcprof-server", "zcprof-client"];

/// Their addresses, of the network for benchmarks (RFC 2544).
const ADDRESSES: [Ipv4Addr; 2] = [Ipv4Addr::new(198, 18, 0, 1), Ipv4Addr::new(198, 18, 0, 2)];

/// Length of that network's prefix here.
const PREFIX: u8 = 30;

/// A way that is set up. Namespaces and devices are gone when this and both processes are, however
/// these end: nothing else refers to them.
#[derive(Debug)]
pub(super) struct Network(Option<[OwnedFd; 2]>);

/// An end of the way.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    Server = 0,
    Consumer = 1,
}

impl Network {
    /// # Errors
    /// No privilege to make namespaces, or a kernel without them or without veth.
    pub(super) fn set_up(row: &Row) -> Result<Self> {
        let Some(lacks) = row.lacks else { return Ok(Self(None)) };
        let namespaces = [namespace()?, namespace()?];
        {
            let _inside = Inside::enter(&namespaces[End::Server as usize])?;
            connect(&namespaces[End::Consumer as usize])
                .context("making a veth pair (the kernel needs its module veth)")?;
            bring_up(End::Server)?;
            for feature in lacks {
                switch_off(DEVICES[End::Server as usize], *feature)?;
            }
        }
        let inside = Inside::enter(&namespaces[End::Consumer as usize])?;
        bring_up(End::Consumer)?;
        drop(inside);
        Ok(Self(Some(namespaces)))
    }

    /// Runs something in an end's namespace: sockets and processes that it makes stay there.
    pub(super) fn at<T>(&self, end: End, job: impl FnOnce() -> Result<T>) -> Result<T> {
        let Some(namespaces) = &self.0 else { return job() };
        let _inside = Inside::enter(&namespaces[end as usize])?;
        job()
    }

    /// Where the server listens, if the user wants it at `wanted`.
    pub(super) fn listen(&self, wanted: SocketAddr) -> SocketAddr {
        match self.0 {
            None => wanted,
            Some(_) => (IpAddr::V4(ADDRESSES[End::Server as usize]), wanted.port()).into(),
        }
    }
}

/// A new network namespace, with nothing in it.
fn namespace() -> Result<OwnedFd> {
    // Only the thread that asks gets into it, so that this process stays where it is.
    let made = std::thread::spawn(|| -> Result<OwnedFd> {
        unshare(CloneFlags::CLONE_NEWNET).context("making a network namespace")?;
        Ok(File::open("/proc/thread-self/ns/net")?.into())
    });
    made.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?
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

fn bring_up(end: End) -> Result<()> {
    let device = DEVICES[end as usize];
    let index = if_nametoindex(device).with_context(|| format!("finding {device}"))?;
    netlink(async |handle| {
        let address = IpAddr::V4(ADDRESSES[end as usize]);
        handle.address().add(index, address, PREFIX).execute().await?;
        Ok(handle.link().change(LinkUnspec::new_with_index(index).up().build()).execute().await?)
    })
    .with_context(|| format!("setting up {device}"))
}

/// Speaks with the current namespace's part of the kernel.
fn netlink(job: impl AsyncFnOnce(rtnetlink::Handle) -> Result<()>) -> Result<()> {
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

fn switch_off(device: &str, feature: Feature) -> Result<()> {
    let mut value = EthtoolValue { command: feature as u32, data: 0 };
    // SAFETY: an all-zero ifreq is valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    ensure!(device.len() < request.ifr_name.len(), "{device} is too long a name");
    for (to, from) in request.ifr_name.iter_mut().zip(device.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    // Any socket will do.
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).context("a UDP socket")?;
    // SAFETY: the request and the value that it points at outlive the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) };
    nix::errno::Errno::result(result)
        .with_context(|| format!("switching {feature:?} of {device} off"))?;
    Ok(())
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
        assert!(DEVICES.iter().all(|name| name.len() < libc::IFNAMSIZ));
    }
}
