//! Which CPUs the servers and the consumer run on.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use zcprof_judge::bench::record::Placement;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Wish {
    /// Every server on one CPU and the consumer on another, if there are two CPUs.
    Apart,
    /// Wherever the scheduler puts them. While server and consumer share a CPU, both wait; the
    /// length of this wait differs between rounds by more than the contestants do.
    Free,
}

/// Puts the processes where they are wished, with all of their threads.
pub(crate) fn make(wish: Wish, servers: &BTreeSet<u32>, consumer: u32) -> Result<Placement> {
    let Some([first, second]) = two_cpus()?.filter(|_| wish == Wish::Apart) else {
        return Ok(Placement::Free);
    };
    for server in servers {
        keep(*server, first)?;
    }
    keep(consumer, second)?;
    Ok(Placement::Apart { servers: u32::try_from(first)?, consumer: u32::try_from(second)? })
}

/// The first two CPUs that this process may use.
fn two_cpus() -> Result<Option<[usize; 2]>> {
    let allowed = sched_getaffinity(Pid::from_raw(0)).context("asking for this process's CPUs")?;
    let mut cpus = (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap_or(false));
    Ok(cpus.next().zip(cpus.next()).map(|(first, second)| [first, second]))
}

/// Keeps a process on one CPU. Threads that it starts later stay there too.
fn keep(process: u32, cpu: usize) -> Result<()> {
    let mut only = CpuSet::new();
    only.set(cpu)?;
    let folder = format!("/proc/{process}/task");
    for thread in fs::read_dir(&folder).with_context(|| format!("reading {folder}"))? {
        let name = thread?.file_name();
        let thread =
            name.to_str().and_then(|name| name.parse().ok()).context("a thread's number")?;
        let moved = sched_setaffinity(Pid::from_raw(thread), &only);
        moved.with_context(|| format!("moving process {process} to CPU {cpu}"))?;
    }
    Ok(())
}
