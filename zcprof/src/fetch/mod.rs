//! The log-fetch workload: segment files of record batches, a server that answers fetches from
//! them, and a consumer that verifies what it gets. None of it knows that it is measured.

pub mod cache;
mod check;
pub mod consumer;
pub mod link;
pub mod log;
pub mod server;
pub mod tls;
pub mod wire;

use anyhow::{Result, bail};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::getppid;

/// Has the kernel kill this process when its parent dies, however that dies.
fn die_with_parent() -> Result<()> {
    let parent = getppid();
    set_pdeathsig(Signal::SIGKILL)?;
    // It may have died before the kernel was told.
    if getppid() != parent {
        bail!("the process that started this one is gone");
    }
    Ok(())
}

/// Raises the limit of open descriptors as far as this process may: a connection needs up to
/// three, and many systems begin with a limit of 1024.
pub(crate) fn allow_all_descriptors() -> Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, most, most)?)
}
