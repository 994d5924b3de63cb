//! A network namespace of its own.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::thread;

use nix::sched::{CloneFlags, setns};
use zcprof::network::link::namespace;

/// It is there as long as this, or a process in it.
pub(crate) struct Space(OwnedFd);

impl Space {
    /// A new one, with nothing in it.
    pub(crate) fn new() -> Self {
        Self(namespace().expect("a network namespace"))
    }

    /// A name by which others open it.
    pub(crate) fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }

    /// Does something in it. Only the thread that does gets into it.
    pub(crate) fn run<T: Send>(&self, job: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let done = scope.spawn(|| {
                setns(&self.0, CloneFlags::CLONE_NEWNET).expect("entered");
                job()
            });
            done.join().expect("done")
        })
    }

    pub(super) const fn descriptor(&self) -> &OwnedFd {
        &self.0
    }
}
