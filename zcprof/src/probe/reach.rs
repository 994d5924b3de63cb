//! Reaches every leaf on one CPU, so that what watches it there must notice.

use std::io::{Read as _, Write as _};

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::Pid;

/// Runs every leaf on a CPU; false if this process may not run there.
///
/// # Errors
/// The kernel's own.
pub(super) fn every_leaf(cpu: u32) -> Result<bool> {
    let this_thread = Pid::from_raw(0);
    let before = sched_getaffinity(this_thread).context("asking for this thread's CPUs")?;
    let mut only = CpuSet::new();
    only.set(usize::try_from(cpu)?)?;
    match sched_setaffinity(this_thread, &only) {
        // A cpuset or a container keeps it from there: kernel/sched/syscalls.c.
        Err(Errno::EINVAL) => return Ok(false),
        other => other.with_context(|| format!("moving to CPU {cpu}"))?,
    }
    let reached = reach();
    sched_setaffinity(this_thread, &before).context("returning to this thread's CPUs")?;
    reached.map(|()| true)
}

/// Each line by one leaf: the pipe's numbers and the old limit are copied to the user
/// (`_copy_to_user`), the new limit from there (`_copy_from_user`), and a byte into the pipe
/// (`_copy_from_iter`) and out of it (`_copy_to_iter`): fs/pipe.c, kernel/sys.c.
fn reach() -> Result<()> {
    let (mut output, mut input) = std::io::pipe().context("a pipe")?;
    let (now, most) = getrlimit(Resource::RLIMIT_CORE)?;
    setrlimit(Resource::RLIMIT_CORE, now, most)?;
    input.write_all(&[0]).context("writing into a pipe")?;
    output.read_exact(&mut [0]).context("reading from a pipe")
}
