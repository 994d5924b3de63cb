//! Files whose page cache programs write into by themselves, through a shared mapping: no system call says
//! what they put there, and nothing that is sent from there was copied by one.

use aya_ebpf::macros::map;
use aya_ebpf::maps::HashMap;
use zcprof_common::layout::{Lost, MAX_MAPPED};
use zcprof_common::objects::FileId;
use zcprof_common::vocabulary::File;

use crate::kernel;
use crate::loss::lose;

/// Files that watched processes have mapped so, whether they still do or not.
#[map]
static MAPPED: HashMap<FileId, u32> = HashMap::with_max_entries(MAX_MAPPED, 0);

/// A watched process calls mmap(2).
#[inline(always)]
pub(crate) fn map(argument: impl Fn(u8) -> u32) {
    const MAP_SHARED: u32 = 1; // and MAP_SHARED_VALIDATE: include/uapi/linux/mman.h
    if argument(3) & MAP_SHARED == 0 {
        return;
    }
    let file = kernel::file(argument(4));
    if kernel::file_kind(file) == File::Regular as u8
        && kernel::is_open_for_writing(file)
        && MAPPED.insert(&kernel::file_id(file), &0, 0).is_err()
    {
        lose(Lost::Mapped);
    }
}

/// Whether programs can write into the page cache of a `struct file *`, or could.
#[inline(always)]
pub(crate) fn is_mapped(file: u64) -> bool {
    // SAFETY: the value is not read.
    kernel::is_mapped_for_writing(file) || unsafe { MAPPED.get(&kernel::file_id(file)) }.is_some()
}
