//! Reaches every leaf on one CPU, so that what watches it there must notice.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, sendto, socket,
};
use nix::unistd::Pid;

/// A way by which anybody can reach leaves, and these, by their rows' names.
struct Trigger {
    sites: &'static [&'static str],
    go: fn() -> Result<()>,
}

const TRIGGERS: &[Trigger] = &[
    // The pipe's numbers are copied to the user: fs/pipe.c.
    Trigger {
        sites: &["copy_user", "_copy_to_user"],
        go: || std::io::pipe().map(drop).context("a pipe"),
    },
    // The new limit is copied from there: kernel/sys.c.
    Trigger { sites: &["_copy_from_user"], go: set_a_limit },
    // A byte goes into a socket and out of it: net/unix/af_unix.c, net/core/datagram.c.
    Trigger {
        sites: &[
            "_copy_from_iter",
            "_copy_to_iter",
            "_copy_from_iter_kernel",
            "_copy_to_iter_kernel",
        ],
        go: pass_a_byte,
    },
    // A byte goes into a file without a name: mm/shmem.c, mm/filemap.c.
    Trigger {
        sites: &[
            "copy_folio_from_iter_atomic",
            "copy_page_from_iter_atomic_kernel",
            "iov_iter_copy_from_user_atomic",
        ],
        go: write_a_byte,
    },
    // The kernel takes a message of one byte and drops it: net/netlink/af_netlink.c.
    Trigger { sites: &["_copy_from_iter_full"], go: send_to_the_kernel },
];

/// Whether there is a way to reach a leaf on purpose.
pub(super) fn is_reachable(site: &str) -> bool {
    TRIGGERS.iter().any(|way| way.sites.contains(&site))
}

/// Reaches those of the leaves on a CPU to which there is a way; false if this process may not run
/// there.
///
/// # Errors
/// The kernel's own.
pub(super) fn leaves(cpu: u32, sites: &[&str]) -> Result<bool> {
    let this_thread = Pid::from_raw(0);
    let before = sched_getaffinity(this_thread).context("asking for this thread's CPUs")?;
    let mut only = CpuSet::new();
    only.set(usize::try_from(cpu)?)?;
    match sched_setaffinity(this_thread, &only) {
        // A cpuset or a container keeps it from there: kernel/sched/syscalls.c.
        Err(Errno::EINVAL) => return Ok(false),
        other => other.with_context(|| format!("moving to CPU {cpu}"))?,
    }
    let wanted = |way: &&Trigger| sites.iter().any(|site| way.sites.contains(site));
    let reached = TRIGGERS.iter().filter(wanted).try_for_each(|way| (way.go)());
    sched_setaffinity(this_thread, &before).context("returning to this thread's CPUs")?;
    reached.map(|()| true)
}

fn set_a_limit() -> Result<()> {
    let (now, most) = getrlimit(Resource::RLIMIT_CORE)?;
    Ok(setrlimit(Resource::RLIMIT_CORE, now, most)?)
}

fn pass_a_byte() -> Result<()> {
    let (mut input, mut output) = UnixStream::pair().context("a pair of sockets")?;
    input.write_all(&[0]).context("writing into a socket")?;
    output.read_exact(&mut [0]).context("reading from a socket")
}

fn write_a_byte() -> Result<()> {
    let file = memfd_create(c"zcprof", MFdFlags::MFD_CLOEXEC).context("a file in memory")?;
    File::from(file).write_all(&[0]).context("writing into a file in memory")
}

fn send_to_the_kernel() -> Result<()> {
    let family = AddressFamily::Netlink;
    let protocol = SockProtocol::NetlinkRoute;
    let link =
        socket(family, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol).context("netlink")?;
    let kernel = NetlinkAddr::new(0, 0);
    sendto(link.as_raw_fd(), &[0], &kernel, MsgFlags::empty()).context("sending by netlink")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use zcprof_common::sites::Site;

    #[test]
    fn ways_lead_to_rows_of_the_table_and_can_be_gone() {
        for way in TRIGGERS {
            assert!(way.sites.iter().all(|site| Site::find(site).is_some()), "{:?}", way.sites);
            (way.go)().unwrap_or_else(|error| panic!("{:?}: {error:#}", way.sites));
        }
        assert!(!is_reachable("filemap_read"));
    }
}
