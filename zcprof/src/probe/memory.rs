//! Memory: what the maps take in the kernel, and what this process gives back to it.
#![expect(unsafe_code, reason = "the allocator is told to give memory back")]

use std::fs;

use anyhow::{Context as _, Result};
use zcprof_judge::watch::record::MapMemory;

/// Map types that have each value once for each possible CPU: include/uapi/linux/bpf.h, `BPF_MAP_TYPE_PERCPU_HASH`,
/// `PERCPU_ARRAY` and `LRU_PERCPU_HASH`.
const PER_CPU: [u64; 3] = [5, 6, 10];

/// What the kernel says of all maps that this process holds: kernel/bpf/syscall.c, `bpf_map_show_fdinfo`.
/// From Linux 6.4 on that is what they take, before it was what their entries would.
///
/// # Errors
/// This process's descriptors cannot be read.
pub fn of_maps() -> Result<MapMemory> {
    const FOLDER: &str = "/proc/self/fdinfo";
    let cpus = aya::util::nr_cpus().map_err(|(what, error)| anyhow::anyhow!("{what}: {error}"))?;
    let mut memory = MapMemory { cpus: u32::try_from(cpus)?, bytes: 0, per_cpu: 0 };
    for entry in fs::read_dir(FOLDER).with_context(|| format!("reading {FOLDER}"))? {
        // The descriptor by which the folder is read is gone by now.
        let Ok(text) = fs::read_to_string(entry?.path()) else { continue };
        add(&mut memory, &text);
    }
    Ok(memory)
}

/// Adds a map; other descriptors take nothing.
fn add(memory: &mut MapMemory, fdinfo: &str) {
    let field = |name: &str| {
        let line = fdinfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().parse::<u64>().ok()
    };
    let Some(kind) = field("map_type") else { return };
    let number = |name| field(name).unwrap_or(0);
    memory.bytes += number("memlock");
    if PER_CPU.contains(&kind) {
        memory.per_cpu += number("value_size").next_multiple_of(8) * number("max_entries");
    }
}

/// Gives the kernel what was freed, if mimalloc had it. Reading the kernel's types takes tens of MiB for a
/// moment.
pub fn give_back() {
    // SAFETY: it touches nothing but what is free.
    unsafe { libmimalloc_sys::mi_collect(true) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_map_takes_is_summed_and_other_descriptors_take_nothing() {
        let mut memory = MapMemory { cpus: 2, bytes: 0, per_cpu: 0 };
        add(&mut memory, "pos:\t0\nflags:\t02\nmemlock:\t999\n");
        assert_eq!((memory.bytes, memory.per_cpu), (0, 0));
        let map = |kind| {
            format!(
                "pos:\t0\nmap_type:\t{kind}\nkey_size:\t16\nvalue_size:\t36\nmax_entries:\t512\n\
                 map_flags:\t0x0\nmemlock:\t66496\nmap_id:\t15\n"
            )
        };
        add(&mut memory, &map(1));
        assert_eq!((memory.bytes, memory.per_cpu), (66_496, 0));
        add(&mut memory, &map(5));
        assert_eq!((memory.bytes, memory.per_cpu), (2 * 66_496, 40 * 512));
    }
}
