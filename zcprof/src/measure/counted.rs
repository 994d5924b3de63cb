//! What the probes counted, as the record says it: by process, site, system call and file.

use anyhow::Result;
use zcprof_common::layout::{self, Key, NO_OWNER, Value};
use zcprof_common::sites::{SITES, SYSCALL_RESULTS};
use zcprof_common::vocabulary::{File, Iter, Need, Process};

use super::bench::TestBench;
use super::by_stack::ByStack;
use crate::probe::text;
use crate::probe::{Probes, Snapshot};
use crate::run::{
    Cache, Count, DeviceExit, Doubt, LeafStack, Notices, Pass, Payload, SyscallCount,
};
use crate::stacks::{LeafWay, leaf_ways};
use crate::syscall::InSyscall;
use crate::transfer::TransferSpec;

/// A pass without a payload: just the counts.
pub(super) fn record(bench: &TestBench, transfer: &str, cache: Cache, snapshot: &Snapshot) -> Pass {
    let mut counts = Vec::new();
    let mut syscalls = Vec::new();
    for (key, value) in &snapshot.counts {
        if SITES[usize::from(key.site)].name == SYSCALL_RESULTS {
            syscalls.push(syscall_count(bench, key, value));
        } else {
            counts.push(count(bench, key, value));
        }
    }
    let order = |c: &Count| (c.site.clone(), c.process, c.syscall, c.iter, c.file);
    counts.sort_by_key(order);
    syscalls.sort_by_key(|s| (s.process, s.syscall, s.file));
    let ours = |subject| process_of(bench, subject);
    let exit = |(exit, bytes): (&layout::DeviceKey, &u64)| DeviceExit {
        process: ours(exit.subject),
        name: text(&exit.name),
        kind: text(&exit.kind),
        bytes: *bytes,
    };
    let mut exits: Vec<_> = snapshot.exits.iter().map(exit).collect();
    exits.retain(|exit| [Process::Server, Process::Consumer].contains(&exit.process));
    let doubts: Vec<Doubt> = snapshot.doubts.clone();
    Pass {
        transfer: transfer.to_owned(),
        claim: TransferSpec::find(transfer).map(|row| row.claim.of_pass(cache).name.to_owned()),
        cache,
        payload: Payload::default(),
        named: Vec::new(),
        counts,
        exits,
        syscalls,
        notices: Notices::default(),
        doubts,
        leaves: Vec::new(),
        leaf_stacks: Vec::new(),
        watched_consumer: true,
        seconds: 0.0,
        void: Vec::new(),
    }
}

/// What a pass counted by stack; nothing where no stacks are kept.
pub(super) fn by_stack(bench: &TestBench, pass: (&str, Cache), snapshot: &Snapshot) -> ByStack {
    if snapshot.stacks.is_empty() {
        return ByStack::default();
    }
    let counts = snapshot.counts.iter().map(|(key, value)| count(bench, key, value));
    let stacks = snapshot.stacks.iter();
    let stacks = stacks.map(|(key, seen)| (*key, count(bench, &key.count, &(*seen).into())));
    ByStack::of(pass, counts, stacks)
}

fn count(bench: &TestBench, key: &Key, value: &Value) -> Count {
    let site = &SITES[usize::from(key.site)];
    let process = process(bench, key);
    // A FUSE daemon's answers cannot be told apart by whom they are for. During a pass nobody but the
    // server reads the segments, and what is too much for these the judge lays to other mounts.
    let answers = site.need == Need::Process;
    let for_server = answers && bench.is_on_fuse() && process == Process::Elsewhere;
    Count {
        site: site.name.to_owned(),
        process: if for_server { Process::Server } else { process },
        syscall: InSyscall::from_number(key.syscall),
        iter: Iter::ALL.get(usize::from(key.iter)).copied().unwrap_or(Iter::Unknown),
        file: file(key),
        calls: value.calls,
        bytes: value.bytes,
    }
}

/// What leaves copied for server and consumer, by stack, where that is kept.
pub(super) fn leaf_stacks(
    bench: &TestBench,
    probes: &Probes,
    snapshot: &Snapshot,
) -> Result<Vec<LeafStack>> {
    let ways = leaf_ways(probes, &snapshot.stacks)?;
    let stack = |way: LeafWay| {
        let count = count(bench, &way.count, &way.value.into());
        LeafStack { count, functions: way.functions }
    };
    let mut stacks: Vec<_> = ways.into_iter().map(stack).collect();
    stacks.retain(|stack| [Process::Server, Process::Consumer].contains(&stack.count.process));
    Ok(stacks)
}

fn syscall_count(bench: &TestBench, key: &Key, value: &Value) -> SyscallCount {
    SyscallCount {
        process: process(bench, key),
        syscall: InSyscall::from_number(key.syscall),
        file: file(key),
        calls: value.calls,
        bytes: value.bytes,
    }
}

fn file(key: &Key) -> File {
    File::ALL.get(usize::from(key.file)).copied().unwrap_or(File::Other)
}

fn process(bench: &TestBench, key: &Key) -> Process {
    process_of(bench, key.subject)
}

fn process_of(bench: &TestBench, subject: u32) -> Process {
    if subject == bench.server.worker.pid() {
        Process::Server
    } else if subject == bench.consumer.worker.pid() {
        Process::Consumer
    } else if subject == NO_OWNER {
        Process::Unknown
    } else {
        Process::Elsewhere
    }
}
