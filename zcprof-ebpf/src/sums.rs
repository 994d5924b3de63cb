//! Sums of calls that explain the exact counts, and may lack some.

use aya_ebpf::maps::PerCpuHashMap;
use zcprof_common::layout::CallSum;

/// Adds a call under a key; whether it is the first on this CPU. What has no room is missing.
#[inline(always)]
pub(crate) fn add<K>(map: &PerCpuHashMap<K, CallSum>, key: &K, bytes: u64) -> bool {
    if let Some(sum) = map.get_ptr_mut(key) {
        // SAFETY: the kernel gave this CPU's own value; nothing else on this CPU writes it while this
        // program runs.
        unsafe {
            (*sum).calls += 1;
            (*sum).bytes += bytes;
            return (*sum).calls == 1;
        }
    }
    map.insert(key, &CallSum { calls: 1, bytes }, 0).is_ok()
}
