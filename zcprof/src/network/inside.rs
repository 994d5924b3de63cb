//! Work in another network namespace.

use std::fs::File;
use std::os::fd::OwnedFd;

use anyhow::{Context as _, Result};
use nix::sched::{CloneFlags, setns};

/// Does something in another network namespace.
pub(super) fn inside<T>(namespace: &OwnedFd, job: impl FnOnce() -> Result<T>) -> Result<T> {
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
