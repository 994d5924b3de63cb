//! Processes that are not watched and send by a socket of those who are.

use aya_ebpf::helpers;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{HashMap, PerCpuHashMap};
use zcprof_common::layout::{CallSum, MAX_HELD, MAX_STRANGERS, NO_OWNER, StrangerKey};

use crate::{kernel, sums, task};

/// Subjects whose sockets these are, by the socket's inode: sockets that watched processes had before they
/// were watched.
#[map]
static HELD: HashMap<u64, u32> = HashMap::with_max_entries(MAX_HELD, NO_PREALLOC);

/// What strangers sent for whom.
#[map]
static STRANGERS: PerCpuHashMap<StrangerKey, CallSum> =
    PerCpuHashMap::with_max_entries(MAX_STRANGERS, 0);

/// `BPF_F_NO_PREALLOC`, include/uapi/linux/bpf.h.
const NO_PREALLOC: u32 = 1;

/// The subject that had a `struct sock *` before it was watched, or [`NO_OWNER`].
#[inline(always)]
pub(crate) fn holder(socket: u64) -> u32 {
    // SAFETY: the value is read at once, and is one word.
    unsafe { HELD.get(&kernel::inode_of_socket(socket)) }.copied().unwrap_or(NO_OWNER)
}

/// The current process sends by a socket of that subject's. A thread of the kernel's does what a watched
/// process asked for.
#[inline(always)]
pub(crate) fn sends(subject: u32, bytes: u64) {
    if kernel::image() == [0; 2] {
        return;
    }
    let name = helpers::bpf_get_current_comm().unwrap_or_default();
    let key = StrangerKey { subject, process: task::process(), name };
    sums::add(&STRANGERS, &key, bytes);
}
