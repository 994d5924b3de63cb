//! Counts the system calls of another process, by the tracepoint on their entry.

use std::fs;

use anyhow::{Context as _, Result};
use perf_event::events::Tracepoint;
use perf_event::{Builder, Counter};

/// Where tracefs may be.
const PLACES: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// A counter of one process's system calls. Only the thread that serves is counted: the other
/// one waits in a single call from beginning to end.
pub(super) struct Calls(Counter);

impl Calls {
    /// Begins to count.
    ///
    /// # Errors
    /// There is no tracefs, or the kernel refuses.
    pub(super) fn of(pid: u32) -> Result<Self> {
        let id = PLACES
            .iter()
            .find_map(|place| {
                fs::read_to_string(format!("{place}/events/raw_syscalls/sys_enter/id")).ok()
            })
            .context("tracefs is not mounted or may not be read")?;
        let tracepoint = Tracepoint::with_id(id.trim().parse().context("a tracepoint's id")?);
        let mut builder = Builder::new(tracepoint);
        builder.observe_pid(i32::try_from(pid)?).include_kernel();
        let mut counter = builder.build().context("opening the tracepoint on system calls")?;
        counter.enable().context("counting system calls")?;
        Ok(Self(counter))
    }

    /// Ends, and says how many there were.
    ///
    /// # Errors
    /// The kernel's own.
    pub(super) fn end(mut self) -> Result<u64> {
        self.0.disable()?;
        Ok(self.0.read()?)
    }
}
