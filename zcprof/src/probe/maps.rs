//! Reads the maps that each CPU fills for itself, and names in maps.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use aya::maps::PerCpuHashMap;
use aya::{Ebpf, Pod};

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

/// A name of the kernel's, which ends at the first zero.
#[must_use]
pub fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned()
}
