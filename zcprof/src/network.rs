//! The way between server and consumer: the loopback device, a veth pair between two network
//! namespaces, with what a device may lack switched off, or two devices that a wire joins.

mod capture;
mod feature;
mod inside;
pub mod link;
mod loss;
mod macsec;
mod table;
mod tunnel;
pub mod virtio;
mod xdp;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::net::if_::if_nametoindex;
use rtnetlink::{LinkUnspec, LinkVeth};

use inside::inside;
use link::{bring_up_with, move_into, namespace, netlink, switch};
use loss::lose_some;
use table::{Device, Trouble};
pub use table::{NETWORKS, NetworkSpec};

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

    /// Why nothing is copied past the processor's cache for either device, if so it is.
    ///
    /// # Errors
    /// A device that does not tell its features.
    pub(super) fn without_nocache(&self) -> Result<Option<String>> {
        for end in [End::Server, End::Consumer] {
            let device = &self.devices[end as usize];
            if self.at(end, || feature::is_any_on(device, &feature::PAST_THE_CACHE))? {
                return Ok(None);
            }
        }
        let mut names = self.devices.to_vec();
        names.dedup();
        Ok(Some(feature::are_off(&feature::PAST_THE_CACHE, &names.join(" and "))))
    }

    /// Where the server listens, if the user wants it at `wanted`.
    pub(super) fn listen(&self, wanted: SocketAddr) -> SocketAddr {
        match self.namespaces {
            None => wanted,
            Some(_) => (IpAddr::V4(ADDRESSES[End::Server as usize]), wanted.port()).into(),
        }
    }
}

/// The same for all devices of this network namespace.
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
        if feature::is_any_on(&name, &feature::PAST_THE_CACHE)? {
            return Ok(None);
        }
        names.push(name);
    }
    names.sort_unstable();
    Ok(Some(feature::are_off(&feature::PAST_THE_CACHE, &names.join(", "))))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_have_names_that_the_kernel_takes() {
        assert!(DEVICES.iter().all(|name| name.len() < nix::libc::IFNAMSIZ));
    }
}
