//! What system calls moved, by file and by peer. It explains the counts, and no verdict rests on it: what
//! has no room here is still counted there, and another thread may have closed a file within the call.

use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{HashMap, PerCpuHashMap};
use zcprof_common::layout::{CallSum, Inflight};
use zcprof_common::objects::{FileId, FileKey, FileName, MAX_FILES, MAX_PEERS, PeerKey};

use crate::{CONFIG, kernel, place, sums};

#[map]
static FILES: PerCpuHashMap<FileKey, CallSum> = PerCpuHashMap::with_max_entries(MAX_FILES, 0);

/// The names of files, as they were when the first call was counted.
#[map]
static FILE_NAMES: HashMap<FileId, FileName> = HashMap::with_max_entries(MAX_FILES, 0);

#[map]
static PEERS: PerCpuHashMap<PeerKey, CallSum> = PerCpuHashMap::with_max_entries(MAX_PEERS, 0);

/// Counts a subject's system call that is over.
#[inline(always)]
pub(crate) fn add(subject: u32, call: &Inflight, bytes: u64) {
    if bytes == 0 || kernel::configured(&CONFIG.by_port) == 0 {
        return;
    }
    let Inflight { syscall, port, open_file, sock, .. } = *call;
    if open_file != 0 {
        let file = kernel::file_id(open_file);
        if sums::add(&FILES, &FileKey { file, subject, syscall }, bytes) {
            name(&file, open_file);
        }
    }
    if sock != 0 {
        let mut peer = kernel::peer(sock);
        peer.port = place::told_apart(peer.port);
        sums::add(&PEERS, &PeerKey { peer, subject, syscall, port, unused: 0 }, bytes);
    }
}

/// Remembers what a file is called.
#[inline(always)]
fn name(id: &FileId, file: u64) {
    // SAFETY: the map's values are not read.
    if unsafe { FILE_NAMES.get(id) }.is_none() {
        let _ = FILE_NAMES.insert(id, &kernel::file_name(file), u64::from(BPF_NOEXIST));
    }
}
