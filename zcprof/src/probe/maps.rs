//! Reads the maps that each CPU fills for itself, and names in maps.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use aya::maps::PerCpuHashMap;
use aya::{Ebpf, Pod};
use zcprof_common::layout::{ELSEWHERE, Key, NO_OWNER, Value};

/// A map's values, each summed over the CPUs.
pub(super) fn summed<K: Pod + Ord, V: Pod + Default>(
    ebpf: &Ebpf,
    name: &str,
    plus: impl Fn(V, V) -> V,
) -> Result<BTreeMap<K, V>> {
    let map = ebpf.map(name).with_context(|| format!("the programs have no map {name}"))?;
    let map: PerCpuHashMap<_, K, V> = PerCpuHashMap::try_from(map)?;
    let mut sums = BTreeMap::new();
    for entry in &map {
        let (key, values) = entry.with_context(|| format!("reading the map {name}"))?;
        sums.insert(key, values.iter().copied().fold(V::default(), &plus));
    }
    Ok(sums)
}

/// Which of these CPUs counted something for somebody who is watched.
pub(super) fn used(ebpf: &Ebpf, cpus: &BTreeSet<u32>) -> Result<Vec<u32>> {
    let map = ebpf.map("COUNTS").context("the programs have no map COUNTS")?;
    let map: PerCpuHashMap<_, Key, Value> = PerCpuHashMap::try_from(map)?;
    let mut used = BTreeSet::new();
    for entry in &map {
        let (key, values) = entry.context("reading the map COUNTS")?;
        if [ELSEWHERE, NO_OWNER].contains(&key.subject) {
            continue;
        }
        let counted = |cpu: &&u32| values.get(**cpu as usize).is_some_and(|sum| sum.calls > 0);
        used.extend(cpus.iter().filter(counted));
    }
    Ok(used.into_iter().collect())
}

/// A name of the kernel's, which ends at the first zero.
#[must_use]
pub fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned()
}
