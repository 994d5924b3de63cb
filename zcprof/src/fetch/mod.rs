//! The log-fetch workload: segment files of record batches, a server that answers fetches from
//! them, and a consumer that verifies what it gets. None of it knows that it is measured.

pub mod cache;
mod check;
pub mod consumer;
pub mod link;
pub mod log;
pub mod socket;
pub mod tls;
pub mod wire;

use anyhow::{Result, bail};
use caps::Capability;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::getppid;

use crate::privilege::{self, User};

/// Ends the set-up of a worker: from here on it has no privileges but those to `keep`, and is `user`
/// if that is another than it was.
pub(crate) fn give_up_privileges(user: Option<User>, keep: &[Capability]) -> Result<()> {
    privilege::give_up(user, keep)?;
    // Another user's process is not killed with its parent any more until it says so again:
    // `commit_creds()`, kernel/cred.c.
    die_with_parent()
}

/// Has the kernel kill this process when its parent dies, however that dies.
pub(crate) fn die_with_parent() -> Result<()> {
    let parent = getppid();
    set_pdeathsig(Signal::SIGKILL)?;
    // It may have died before the kernel was told.
    if getppid() != parent {
        bail!("the process that started this one is gone");
    }
    Ok(())
}

/// Lets sends pin as much memory as this process may allow itself. What has no privileges may pin
/// 8 MiB in all unless somebody says more: `mm_account_pinned_pages()`, net/core/skbuff.c. An
/// io_uring takes of it too (`__io_account_mem()`, io_uring/rsrc.c). Returns what the process must
/// keep to have no limit.
pub(crate) fn allow_all_memory() -> Result<&'static [Capability]> {
    let memory = Resource::RLIMIT_MEMLOCK;
    if setrlimit(memory, RLIM_INFINITY, RLIM_INFINITY).is_ok() {
        return Ok(&[]);
    }
    let (_, most) = getrlimit(memory)?;
    setrlimit(memory, most, most)?;
    Ok(&[Capability::CAP_IPC_LOCK])
}

/// Raises the limit of open descriptors as far as this process may: a connection needs up to
/// three, and many systems begin with a limit of 1024.
pub(crate) fn allow_all_descriptors() -> Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, most, most)?)
}
