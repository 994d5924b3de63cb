//! A part of a window as if it were a pass of the built-in workload.

use zcprof_common::vocabulary::Process;

use super::chosen::{is_chosen, process, senders};
use super::record::{Charged, Of, Watch, WatchedCount, WatchedExit, WatchedLeafStack};
use crate::run::{Cache, Count, DeviceExit, LeafStack, Notices, Pass, Payload, SyscallCount};

/// The window as if it were a pass in which a server sent so much.
pub(super) fn pass(of: &Of, chosen: &[&WatchedCount], sent: u64) -> Pass {
    let (results, counts): (Vec<&WatchedCount>, Vec<&WatchedCount>) =
        chosen.iter().copied().partition(|count| count.site == "sys_exit");
    let counts = counts.into_iter().map(|count| as_count(count, of));
    let syscalls = results.into_iter().map(|count| SyscallCount {
        process: process(count, of),
        syscall: count.syscall,
        file: count.file,
        calls: count.calls,
        bytes: count.bytes,
    });
    Pass {
        transfer: of.to_string(),
        claim: None,
        cache: Cache::Warm,
        payload: Payload { bytes: sent, fetches: 0, verified: true },
        named: Vec::new(),
        counts: counts.collect(),
        exits: Vec::new(),
        syscalls: syscalls.collect(),
        notices: Notices::default(),
        doubts: Vec::new(),
        leaves: Vec::new(),
        leaf_stacks: Vec::new(),
        watched_consumer: false,
        seconds: 0.0,
        void: Vec::new(),
    }
}

/// A count as a pass has it.
fn as_count(count: &WatchedCount, of: &Of) -> Count {
    Count {
        site: count.site.clone(),
        process: process(count, of),
        syscall: count.syscall,
        iter: count.iter,
        file: count.file,
        calls: count.calls,
        bytes: count.bytes,
    }
}

/// Devices that the senders of a part left by, and those that datagrams of unknown senders did.
pub(super) fn exits(watch: &Watch, of: &Of) -> Vec<DeviceExit> {
    let senders = senders(&watch.counts, of);
    let is_chosen = |name: &String| match of {
        Of::All => true,
        Of::Program(wanted) => name == wanted,
        Of::Port(_) => senders.contains(&name.as_str()),
    };
    let of_whom = |exit: &WatchedExit| match &exit.charged {
        Charged::Program(name) if is_chosen(name) => Some(Process::Server),
        Charged::Unknown => Some(Process::Unknown),
        Charged::Program(_) | Charged::Elsewhere => None,
    };
    let exit = |exit: &WatchedExit| {
        Some(DeviceExit {
            process: of_whom(exit)?,
            name: exit.name.clone(),
            kind: exit.kind.clone(),
            bytes: exit.bytes,
        })
    };
    watch.exits.iter().filter_map(exit).collect()
}

/// What leaves copied of a part, by stack.
pub(super) fn leaf_stacks(watch: &Watch, of: &Of) -> Vec<LeafStack> {
    let senders = senders(&watch.counts, of);
    let chosen = watch.leaf_stacks.iter().filter(|stack| is_chosen(&stack.count, of, &senders));
    let stack = |stack: &WatchedLeafStack| LeafStack {
        count: as_count(&stack.count, of),
        functions: stack.functions.clone(),
    };
    chosen.map(stack).collect()
}
