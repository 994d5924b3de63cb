//! The maps of stacks: how large they are, and what is in them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use aya::maps::{MapData, PerCpuHashMap, RingBuf, StackTraceMap};
use aya::{Ebpf, EbpfLoader};
use zcprof_common::layout::{StackKey, StackValue};
use zcprof_common::sites::Version;

/// What was counted, by stack.
pub type StackCounts = BTreeMap<StackKey, StackValue>;

/// The first kernel on which user registers can be had (`bpf_task_pt_regs()`, kernel/trace/bpf_trace.c).
pub(super) const SINCE: Version = (5, 15);

/// Memory that the counts by stack may take on all CPUs together, in bytes.
const MEMORY: usize = 64 << 20;

/// Fewest and most entries of the map of counts by stack.
const ENTRIES: [usize; 2] = [4096, 32768];

/// Gives the maps their sizes: hardly any, where no stacks are kept.
pub(super) fn size(loader: &mut EbpfLoader<'_>, wanted: bool, cpus: usize) {
    if wanted {
        let entries = MEMORY / (size_of::<StackValue>() * cpus.max(1));
        let entries = entries.clamp(ENTRIES[0], ENTRIES[1]);
        loader.map_max_entries("STACKS", u32::try_from(entries).unwrap_or(u32::MAX));
        return;
    }
    for (map, least) in [("STACKS", 1), ("SAMPLED", 1), ("SAMPLES", 4096), ("KERNEL_STACKS", 1)] {
        loader.map_max_entries(map, least);
    }
}

/// All counts by stack, summed over the CPUs.
pub(super) fn counts(ebpf: &Ebpf) -> Result<StackCounts> {
    let map = ebpf.map("STACKS").context("the programs have no map of stacks")?;
    let map: PerCpuHashMap<_, StackKey, StackValue> = PerCpuHashMap::try_from(map)?;
    let mut counts = StackCounts::new();
    for entry in &map {
        let (key, values) = entry.context("reading the map of stacks")?;
        let sum = values.iter().fold(StackValue::default(), |sum, value| StackValue {
            calls: sum.calls + value.calls,
            bytes: sum.bytes + value.bytes,
        });
        counts.insert(key, sum);
    }
    Ok(counts)
}

/// What was counted since `before`.
pub(super) fn since(now: &StackCounts, before: &StackCounts) -> StackCounts {
    let difference = |(key, value): (&StackKey, &StackValue)| {
        let old = before.get(key).copied().unwrap_or_default();
        let value = StackValue {
            calls: value.calls.saturating_sub(old.calls),
            bytes: value.bytes.saturating_sub(old.bytes),
        };
        (value.calls > 0).then_some((*key, value))
    };
    now.iter().filter_map(difference).collect()
}

/// The ring of samples, once.
pub(super) fn samples(ebpf: &mut Ebpf) -> Result<RingBuf<MapData>> {
    let map = ebpf.take_map("SAMPLES").context("the programs have no ring of samples")?;
    Ok(RingBuf::try_from(map)?)
}

/// The kernel's halves of these stacks, by number: addresses, the innermost first.
pub(super) fn kernel_halves(
    ebpf: &Ebpf,
    numbers: &BTreeSet<i32>,
) -> Result<BTreeMap<i32, Vec<u64>>> {
    let map = ebpf.map("KERNEL_STACKS").context("the programs have no map of kernel stacks")?;
    let map = StackTraceMap::try_from(map)?;
    let mut halves = BTreeMap::new();
    for number in numbers {
        if let Ok(id) = u32::try_from(*number)
            && let Ok(trace) = map.get(&id, 0)
        {
            halves.insert(*number, trace.frames().iter().map(|frame| frame.ip).collect());
        }
    }
    Ok(halves)
}
