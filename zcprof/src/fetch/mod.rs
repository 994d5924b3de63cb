//! The log-fetch workload: segment files of record batches, a server that answers fetches from
//! them, and a consumer that verifies what it gets. None of it knows that it is measured.

pub mod cache;
pub mod consumer;
pub mod log;
pub mod server;
pub mod wire;

use anyhow::{Result, bail};
use nix::sys::prctl::set_pdeathsig;
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
