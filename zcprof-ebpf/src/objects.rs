//! What system calls moved, by file and by peer. It explains the counts, and no verdict rests on it: what
//! has no room here is still counted there, and another thread may have closed a file within the call.

use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{HashMap, PerCpuHashMap};
use zcprof_common::layout::Inflight;
use zcprof_common::objects::{FileId, FileKey, FileName, MAX_FILES, MAX_PEERS, Moved, PeerKey};

use crate::{CONFIG, kernel, place, who};

#[map]
static FILES: PerCpuHashMap<FileKey, Moved> = PerCpuHashMap::with_max_entries(MAX_FILES, 0);

/// The names of files, as they were when the first call was counted.
#[map]
static FILE_NAMES: HashMap<FileId, FileName> = HashMap::with_max_entries(MAX_FILES, 0);

#[map]
static PEERS: PerCpuHashMap<PeerKey, Moved> = PerCpuHashMap::with_max_entries(MAX_PEERS, 0);

/// Counts a system call that is over.
#[inline(always)]
pub(crate) fn add(call: &Inflight, bytes: u64) {
    if bytes == 0 || kernel::configured(&CONFIG.by_object) == 0 {
        return;
    }
    let (subject, syscall) = (who::subject(), call.syscall);
    if call.open_file != 0 {
        let file = kernel::file_id(call.open_file);
        let key = FileKey { file, subject, syscall };
        if add_to(&FILES, &key, bytes) {
            name(&file, call.open_file);
        }
    }
    if call.sock != 0 {
        let mut key = kernel::peer(call.sock);
        (key.subject, key.syscall, key.port) = (subject, syscall, call.port);
        key.to_port = place::told_apart(key.to_port);
        add_to(&PEERS, &key, bytes);
    }
}

/// Counts a call under a key; whether it is the first on this CPU.
#[inline(always)]
fn add_to<K>(map: &PerCpuHashMap<K, Moved>, key: &K, bytes: u64) -> bool {
    if let Some(sum) = map.get_ptr_mut(key) {
        // SAFETY: the kernel gave this CPU's own value; nothing else on this CPU writes it while this
        // program runs.
        unsafe {
            (*sum).calls += 1;
            (*sum).bytes += bytes;
            return (*sum).calls == 1;
        }
    }
    map.insert(key, &Moved { calls: 1, bytes }, 0).is_ok()
}

/// Remembers what a file is called.
#[inline(always)]
fn name(id: &FileId, file: u64) {
    // SAFETY: the map's values are not read.
    if unsafe { FILE_NAMES.get(id) }.is_none() {
        let _ = FILE_NAMES.insert(id, &kernel::file_name(file), u64::from(BPF_NOEXIST));
    }
}
