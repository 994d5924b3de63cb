//! Which process and which thread is current.

use aya_ebpf::bindings::bpf_pidns_info;
use aya_ebpf::helpers;
use zcprof_common::layout::{ELSEWHERE, IDLE};

use crate::{CONFIG, kernel};

/// Number of the current process where the loader is, or [`ELSEWHERE`] for one in another pid
/// namespace than the loader's, unless that is the initial one.
#[inline(always)]
pub(crate) fn process() -> u32 {
    let [device, inode] = [0, 1].map(|at| kernel::configured(&CONFIG.pid_namespace[at]));
    if inode == 0 {
        return (helpers::bpf_get_current_pid_tgid() >> 32) as u32;
    }
    let mut here = bpf_pidns_info { pid: 0, tgid: 0 };
    let size = size_of::<bpf_pidns_info>() as u32;
    let (device, inode) = (u64::from(device), u64::from(inode));
    // SAFETY: the structure is the helper's own, of that size.
    let found = unsafe { helpers::bpf_get_ns_current_pid_tgid(device, inode, &raw mut here, size) };
    if found == 0 { here.tgid } else { ELSEWHERE }
}

/// Number of the current thread, or of the CPU whose idle task it is. Neither is left while a
/// softirq runs.
#[inline(always)]
pub(crate) fn thread() -> u64 {
    match helpers::bpf_get_current_pid_tgid() {
        // SAFETY: the helper has no precondition.
        0 => IDLE | u64::from(unsafe { helpers::bpf_get_smp_processor_id() }),
        thread => thread,
    }
}
