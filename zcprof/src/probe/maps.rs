//! Reads the maps that each CPU fills for itself, and names in maps.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use aya::maps::PerCpuHashMap;
use aya::{Ebpf, Pod};
use zcprof_common::layout::{CallSum, ELSEWHERE, Key, NO_OWNER, Value};

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

/// What is more in a map than `before`.
pub(super) fn differences<K: Copy + Ord>(
    now: &BTreeMap<K, CallSum>,
    before: &BTreeMap<K, CallSum>,
) -> BTreeMap<K, CallSum> {
    let difference = |(key, sum): (&K, &CallSum)| {
        let sum = sum.since(before.get(key).copied().unwrap_or_default());
        (sum.calls > 0).then_some((*key, sum))
    };
    now.iter().filter_map(difference).collect()
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

#[cfg(test)]
mod tests {
    use zcprof_common::layout::StackKey;

    use super::*;

    fn stack(user: u64) -> StackKey {
        let count = Key { subject: 1, syscall: 1, site: 0, port: 80, iter: 0, file: 0, unused: 0 };
        StackKey { count, user, kernel: 3, unused: 0 }
    }

    #[test]
    fn only_what_a_stack_copied_since_is_its_own() {
        let value = |calls, bytes| CallSum { calls, bytes };
        let before = [(stack(2), value(1, 10)), (stack(3), value(4, 40))].into();
        let now =
            [(stack(2), value(3, 30)), (stack(3), value(4, 40)), (stack(4), value(1, 0))].into();
        let new = differences(&now, &before);
        assert_eq!(new, [(stack(2), value(2, 20)), (stack(4), value(1, 0))].into());
    }
}
