//! What leaves copied, by the kernel's half of the stack: it names functions that the table lacks.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use zcprof_common::layout::{CallSum, Key};
use zcprof_common::sites::SITES;
use zcprof_common::vocabulary::Instrument;

use super::kernel::{KernelNames, is_probe};
use crate::probe::{Probes, StackCounts};

/// What a leaf copied by one way through the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafWay {
    /// What was counted.
    pub count: Key,
    /// The functions that led to the leaf, the innermost first.
    pub functions: Vec<String>,
    /// Calls and bytes.
    pub value: CallSum,
}

/// The ways of leaves among what was counted by stack, sorted; what has no stack is left out. Nothing where
/// leaves' stacks are not kept.
///
/// # Errors
/// The kernel's stacks cannot be read.
pub fn leaf_ways(probes: &Probes, counted: &StackCounts) -> Result<Vec<LeafWay>> {
    let of_leaf = |key: &Key| SITES[usize::from(key.site)].instrument == Instrument::Audit;
    let leaves = || counted.iter().filter(|(key, _)| of_leaf(&key.count));
    let numbers: BTreeSet<_> =
        leaves().map(|(key, _)| key.kernel).filter(|number| *number >= 0).collect();
    let mut halves = probes.kernel_halves(&numbers)?;
    // The innermost address is where the breakpoint is, at the leaf's entry and behind no call.
    for half in halves.values_mut() {
        half.drain(..half.len().min(1));
    }
    let names = KernelNames::of(halves.values().flatten().copied());
    let mut ways: BTreeMap<(Key, Vec<String>), CallSum> = BTreeMap::new();
    for (key, value) in leaves() {
        let Some(half) = halves.get(&key.kernel) else { continue };
        let site = &SITES[usize::from(key.count.site)];
        // The leaf itself is added as the last frame.
        let frames = names.frames(half, site, false).into_iter().rev().skip(1);
        let functions = frames.map(|frame| frame.name).filter(|name| !is_probe(name)).collect();
        let sum = ways.entry((key.count, functions)).or_default();
        *sum = sum.plus(*value);
    }
    let way = |((count, functions), value)| LeafWay { count, functions, value };
    Ok(ways.into_iter().map(way).collect())
}
