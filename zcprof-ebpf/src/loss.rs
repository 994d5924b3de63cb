//! What could not be counted or remembered.

use aya_ebpf::macros::map;
use aya_ebpf::maps::PerCpuArray;
use zcprof_common::layout::Lost;

/// How often, by [`Lost`].
#[map]
static LOST: PerCpuArray<u64> = PerCpuArray::with_max_entries(Lost::ALL.len() as u32, 0);

/// Remembers that something could not be counted.
#[inline(always)]
pub(crate) fn lose(what: Lost) {
    if let Some(times) = LOST.get_ptr_mut(what as u32) {
        // SAFETY: the kernel gave this CPU's own value; nothing else on this CPU writes it
        // while this program runs.
        unsafe { *times += 1 };
    }
}

/// Remembers that an insertion failed: for want of room, or because this CPU was at work in that part
/// of the map when a breakpoint interrupted it (htab_lock_bucket(), kernel/bpf/hashtab.c, 5.12 to 7.3).
#[inline(always)]
pub(crate) fn lose_or_busy(what: Lost, error: i32) {
    const EBUSY: i32 = -16; // include/uapi/asm-generic/errno-base.h
    lose(if error == EBUSY { Lost::Busy } else { what });
}
