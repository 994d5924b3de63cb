//! A part of a window as if it were a pass of the built-in workload.

use zcprof_common::sites::SYSCALL_RESULTS;
use zcprof_common::vocabulary::Process;

use super::chosen::Part;
use super::record::{Charged, Watch, WatchedCount, WatchedExit, WatchedLeafStack};
use crate::run::{Cache, Count, DeviceExit, LeafStack, Notices, Pass, Payload, SyscallCount};

/// What is known of programs that send from the judged port and from others: below the sockets nothing
/// names a port.
#[derive(Clone, Debug, Default)]
pub(super) struct BelowAnyPort {
    /// Devices that they left by.
    pub(super) exits: Vec<DeviceExit>,
    /// What a policy encrypted for them.
    pub(super) encrypted: Vec<Count>,
}

/// The window as if it were a pass in which a server sent so much.
pub(super) fn pass(part: &Part<'_>, chosen: &[&WatchedCount], sent: u64) -> Pass {
    let (results, counts): (Vec<&WatchedCount>, Vec<&WatchedCount>) =
        chosen.iter().copied().partition(|count| count.site == SYSCALL_RESULTS);
    let counts = counts.into_iter().map(|count| as_count(count, part));
    let syscalls = results.into_iter().map(|count| SyscallCount {
        process: part.process(count),
        syscall: count.syscall,
        file: count.file,
        calls: count.calls,
        bytes: count.bytes,
    });
    Pass {
        transfer: part.to_string(),
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
fn as_count(count: &WatchedCount, part: &Part<'_>) -> Count {
    Count {
        site: count.site.clone(),
        process: part.process(count),
        syscall: count.syscall,
        iter: count.iter,
        file: count.file,
        calls: count.calls,
        bytes: count.bytes,
    }
}

/// Devices that the senders of a part left by, and those that datagrams of unknown senders did. What is
/// of a program that sends from several ports, and so may be of another, is left out.
pub(super) fn exits(watch: &Watch, part: &Part<'_>) -> Vec<DeviceExit> {
    let of_whom = |exit: &WatchedExit| match &exit.charged {
        Charged::Program(name) if part.is_of(name) && !part.is_of_several_ports(&exit.charged) => {
            Some(Process::Server)
        }
        Charged::Unknown => Some(Process::Unknown),
        Charged::Program(_) | Charged::Elsewhere => None,
    };
    let exits = watch.exits.iter();
    exits.filter_map(|exit| Some(as_exit(exit, of_whom(exit)?))).collect()
}

/// What is known below the sockets of programs that send from the part's port and from others.
pub(super) fn below_any_port(watch: &Watch, part: &Part<'_>) -> BelowAnyPort {
    let is_any = |exit: &&WatchedExit| part.is_of_several_ports(&exit.charged);
    let exits = watch.exits.iter().filter(is_any);
    let encrypted = watch.counts.iter().filter(|count| part.is_below_any_port(count));
    BelowAnyPort {
        exits: exits.map(|exit| as_exit(exit, Process::Unknown)).collect(),
        encrypted: encrypted.map(|count| as_count(count, part)).collect(),
    }
}

fn as_exit(exit: &WatchedExit, process: Process) -> DeviceExit {
    let WatchedExit { name, kind, bytes, .. } = exit;
    DeviceExit { process, name: name.clone(), kind: kind.clone(), bytes: *bytes }
}

/// What leaves copied of a part, by stack.
pub(super) fn leaf_stacks(watch: &Watch, part: &Part<'_>) -> Vec<LeafStack> {
    let chosen = watch.leaf_stacks.iter().filter(|stack| part.is_chosen(&stack.count));
    let stack = |stack: &WatchedLeafStack| LeafStack {
        count: as_count(&stack.count, part),
        functions: stack.functions.clone(),
    };
    chosen.map(stack).collect()
}
