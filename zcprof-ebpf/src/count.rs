//! The counters: per-CPU sums, keyed by process, system call, site and iterator.

use aya_ebpf::bindings::bpf_pidns_info;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{HashMap, LruHashMap, PerCpuArray, PerCpuHashMap};
use aya_ebpf::{EbpfContext, helpers};
use aya_log_ebpf::debug;
use zcprof_common::layout::{
    ELSEWHERE, Entered, EnteredKey, IDLE, Inflight, Key, Lost, NO_OWNER, NO_PORT, NO_SYSCALL, Value,
};
use zcprof_common::sites::SITES;
use zcprof_common::vocabulary::File;

use crate::{CONFIG, current, kernel, who};

/// Preallocated, because a breakpoint's program may not allocate.
#[map]
static COUNTS: PerCpuHashMap<Key, Value> = PerCpuHashMap::with_max_entries(8192, 0);

/// Calls between a kprobe and its kretprobe.
#[map]
pub(crate) static ENTERED: HashMap<EnteredKey, Entered> = HashMap::with_max_entries(4096, 0);

/// The subject that pinned the pages of a send, by its `struct ubuf_info *`. The oldest is forgotten first.
#[map]
static OWNERS: LruHashMap<u64, u32> = LruHashMap::with_max_entries(65536, 0);

/// The subject that sends by a socket, by its `struct sock *`. The oldest is forgotten first.
#[map]
static SOCKETS: LruHashMap<u64, u32> = LruHashMap::with_max_entries(65536, 0);

/// For whom a thread does what it does below the sockets just now.
#[map]
static LENT: HashMap<u64, u32> = HashMap::with_max_entries(4096, 0);

/// For whom a thread of another process sends just now: what TLS in the kernel could not send at
/// once, a worker sends later (tx_work_handler(), net/tls/tls_sw.c).
#[map]
static WORKERS: HashMap<u64, u32> = HashMap::with_max_entries(4096, 0);

/// What could not be counted, by [`Lost`].
#[map]
static LOST: PerCpuArray<u64> = PerCpuArray::with_max_entries(Lost::ALL.len() as u32, 0);

/// No system call is current.
const NOWHERE: Inflight = Inflight { syscall: NO_SYSCALL, file: File::None as u16, port: NO_PORT };

/// Counts one call at a site.
#[inline(always)]
pub(crate) fn add<const SITE: usize, C: EbpfContext>(ctx: &C, iter: u8, bytes: u64) {
    let (subject, inflight) = now();
    add_under::<SITE, C>(ctx, subject, &inflight, iter, bytes);
}

/// Counts one call at a site that knows by itself which kind of file it works on.
#[inline(always)]
pub(crate) fn add_on<const SITE: usize, C: EbpfContext>(ctx: &C, file: u8, bytes: u64) {
    let (subject, inflight) = now();
    let inflight = Inflight { file: u16::from(file), ..inflight };
    add_under::<SITE, C>(ctx, subject, &inflight, kernel::NO_ITER, bytes);
}

/// Counts one deferred copy for its owner, in whoever's time it is made.
#[inline(always)]
pub(crate) fn add_for<const SITE: usize, C: EbpfContext>(ctx: &C, owner: u32, bytes: u64) {
    add_under::<SITE, C>(ctx, owner, &NOWHERE, kernel::NO_ITER, bytes);
}

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

/// Remembers that the current process sends by a socket, or, if this is a thread of the kernel and
/// a watched process does, that it works for that. Any other process has a socket of its own, in
/// memory that may have been a watched one's.
#[inline(always)]
pub(crate) fn send_by(socket: u64) {
    let subject = who::subject();
    // SAFETY: the value is read at once, and is one word.
    let known = unsafe { SOCKETS.get(&socket) }.copied().unwrap_or(ELSEWHERE);
    let works_for_it = subject == ELSEWHERE && known != ELSEWHERE && kernel::is_kernel_thread();
    let done = if works_for_it {
        WORKERS.insert(&thread(), &known, 0)
    } else {
        SOCKETS.insert(&socket, &subject, 0)
    };
    if done.is_err() {
        lose(Lost::Owner);
    }
}

/// It has sent.
#[inline(always)]
pub(crate) fn has_sent() {
    let _ = WORKERS.remove(&thread());
}

/// Who sends by a socket, else for whom the current thread works, or [`NO_OWNER`].
#[inline(always)]
pub(crate) fn sender(socket: u64) -> u32 {
    // SAFETY: the values are read at once, and are one word each.
    let known = unsafe { SOCKETS.get(&socket) }.copied();
    known.or_else(|| unsafe { LENT.get(&thread()) }.copied()).unwrap_or(NO_OWNER)
}

/// From here on the current thread works for whoever sends by a socket.
#[inline(always)]
pub(crate) fn lend(socket: u64) {
    if LENT.insert(&thread(), &sender(socket), 0).is_err() {
        lose(Lost::Owner);
    }
}

/// And from here on for nobody in particular.
#[inline(always)]
pub(crate) fn take_back() {
    let _ = LENT.remove(&thread());
}

/// Remembers that the current process pinned the pages of a send.
#[inline(always)]
pub(crate) fn own(ubuf: u64) {
    if OWNERS.insert(&ubuf, &who::subject(), 0).is_err() {
        lose(Lost::Owner);
    }
}

/// Who pinned the pages of a send, or [`NO_OWNER`].
#[inline(always)]
pub(crate) fn owner(ubuf: u64) -> u32 {
    // SAFETY: the value is read at once, and is one word.
    unsafe { OWNERS.get(&ubuf) }.copied().unwrap_or(NO_OWNER)
}

/// Whom to charge, and the system call that it is in.
#[inline(always)]
fn now() -> (u32, Inflight) {
    let subject = who::subject();
    if subject != ELSEWHERE {
        return (subject, current::get().unwrap_or(NOWHERE));
    }
    // SAFETY: the value is read at once, and is one word.
    let works_for = unsafe { WORKERS.get(&thread()) }.copied();
    (works_for.unwrap_or(ELSEWHERE), NOWHERE)
}

/// Counts one call at a site under a given process and system call.
#[inline(always)]
pub(crate) fn add_under<const SITE: usize, C: EbpfContext>(
    ctx: &C,
    subject: u32,
    inflight: &Inflight,
    iter: u8,
    bytes: u64,
) {
    let key = Key {
        subject,
        syscall: inflight.syscall,
        site: SITE as u16,
        port: inflight.port,
        iter,
        file: inflight.file as u8,
        unused: 0,
    };
    let is_small = bytes <= u64::from(kernel::configured(&CONFIG.small));
    let (small_calls, small_bytes) = if is_small { (1, bytes) } else { (0, 0) };
    if let Some(value) = COUNTS.get_ptr_mut(&key) {
        // SAFETY: the kernel gave this CPU's own value; nothing else on this CPU writes it
        // while this program runs.
        unsafe {
            (*value).calls += 1;
            (*value).bytes += bytes;
            (*value).small_calls += small_calls;
            (*value).small_bytes += small_bytes;
            if bytes > (*value).largest {
                (*value).largest = bytes;
            }
        }
        return;
    }
    let value = Value { calls: 1, bytes, small_calls, small_bytes, largest: bytes };
    if COUNTS.insert(&key, &value, 0).is_err() {
        lose(Lost::Counts);
    }
    debug!(
        ctx,
        "first call at {} by subject {}, system call {}: {} bytes",
        const { SITES[SITE].name },
        subject,
        inflight.syscall,
        bytes
    );
}

/// Remembers that something could not be counted.
#[inline(always)]
pub(crate) fn lose(what: Lost) {
    if let Some(times) = LOST.get_ptr_mut(what as u32) {
        // SAFETY: as in `add_under`.
        unsafe { *times += 1 };
    }
}
