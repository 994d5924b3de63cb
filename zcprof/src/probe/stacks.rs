//! The maps of stacks: how large they are, and what is in them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use aya::maps::{HashMap, MapData, RingBuf, StackTraceMap};
use aya::{Ebpf, EbpfLoader};
use zcprof_common::layout::{CallSum, STACKS_OF_CALLERS, STACKS_OF_LEAVES, StackKey};
use zcprof_common::sites::Version;

use super::maps::summed;

/// What was counted, by stack.
pub type StackCounts = BTreeMap<StackKey, CallSum>;

/// The first kernel on which user registers can be had (`bpf_task_pt_regs()`, kernel/trace/bpf_trace.c).
pub(super) const SINCE: Version = (5, 15);

/// Memory that the counts by stack may take on all CPUs together, in bytes.
const MEMORY: usize = 64 << 20;

/// Fewest and most entries of the map of counts by stack.
const ENTRIES: [usize; 2] = [4096, 32768];

/// Entries of the map of counts by stack on a machine with so many CPUs.
fn entries(cpus: usize) -> u32 {
    let entries = MEMORY / (size_of::<CallSum>() * cpus.max(1));
    u32::try_from(entries.clamp(ENTRIES[0], ENTRIES[1])).unwrap_or(u32::MAX)
}

/// Which stacks are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeptStacks {
    /// Both halves, of what the callers count.
    pub callers: bool,
    /// The kernel's half, of what leaves copy.
    pub leaves: bool,
}

impl KeptStacks {
    /// Whether any are.
    pub(super) const fn any(self) -> bool {
        self.callers || self.leaves
    }

    /// Those that this kernel can keep.
    pub(super) fn on(self, version: Version) -> Self {
        Self { callers: self.callers && version >= SINCE, ..self }
    }

    /// The same for the programs.
    pub(super) const fn bits(self) -> u32 {
        let callers = if self.callers { STACKS_OF_CALLERS } else { 0 };
        let leaves = if self.leaves { STACKS_OF_LEAVES } else { 0 };
        callers | leaves
    }
}

/// Gives the maps their sizes: hardly any, where no stacks are kept. Leaves are few, and so are their
/// stacks.
pub(super) fn size(loader: &mut EbpfLoader<'_>, kept: KeptStacks, cpus: usize) {
    if kept.callers {
        loader.map_max_entries("STACKS", entries(cpus));
        return;
    }
    for (map, least) in [("SAMPLED", 1), ("SAMPLES", 4096), ("SEARCHED", 1)] {
        loader.map_max_entries(map, least);
    }
    let [of_counts, of_kernel] = if kept.leaves { OF_LEAVES } else { [1, 1] };
    loader.map_max_entries("STACKS", of_counts);
    loader.map_max_entries("KERNEL_STACKS", of_kernel);
}

/// Entries of the two maps where only leaves' stacks are kept.
const OF_LEAVES: [u32; 2] = [2048, 2048];

/// All counts by stack, summed over the CPUs.
pub(super) fn counts(ebpf: &Ebpf) -> Result<StackCounts> {
    summed(ebpf, "STACKS", CallSum::plus)
}

/// How samples of user stacks come, and what their senders are told.
pub struct SampleMaps {
    /// The samples.
    pub ring: RingBuf<MapData>,
    /// How much of the stack is searched in a run of a program, which its image stands for: pieces of
    /// [`zcprof_common::layout::SEARCHED_AT_A_TIME`] bytes.
    pub searched: HashMap<MapData, [u64; 2], u32>,
}

/// The maps of samples, once.
pub(super) fn samples(ebpf: &mut Ebpf) -> Result<SampleMaps> {
    let mut take = |name| ebpf.take_map(name).context("the programs have no maps of samples");
    let ring = RingBuf::try_from(take("SAMPLES")?)?;
    Ok(SampleMaps { ring, searched: HashMap::try_from(take("SEARCHED")?)? })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_stack_take_a_bounded_share_of_memory_on_any_machine() {
        for cpus in [0, 1, 2, 16, 128, 512] {
            let entries = entries(cpus) as usize;
            assert!((ENTRIES[0]..=ENTRIES[1]).contains(&entries), "{cpus} CPUs: {entries}");
            let bytes = entries * size_of::<CallSum>() * cpus;
            assert!(bytes <= MEMORY || entries == ENTRIES[0], "{cpus} CPUs: {bytes} bytes");
        }
        assert_eq!(entries(2), 32768);
        assert_eq!(entries(4096), 4096);
    }
}
