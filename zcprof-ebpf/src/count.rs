//! The counters: per-CPU sums, keyed by process, system call, site and iterator.

use aya_ebpf::bindings::bpf_pidns_info;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{HashMap, PerCpuArray, PerCpuHashMap};
use aya_ebpf::{EbpfContext, helpers};
use aya_log_ebpf::debug;
use zcprof_common::layout::{
    ELSEWHERE, Entered, EnteredKey, IDLE, Inflight, Key, Lost, NO_PORT, NO_SYSCALL, NOT_OWN, Value,
};
use zcprof_common::sites::SITES;
use zcprof_common::vocabulary::{File, Instrument};

use crate::{CONFIG, below, current, kernel, stacks, who};

/// Preallocated, because a breakpoint's program may not allocate.
#[map]
static COUNTS: PerCpuHashMap<Key, Value> = PerCpuHashMap::with_max_entries(8192, 0);

/// Calls between a kprobe and its kretprobe.
#[map]
pub(crate) static ENTERED: HashMap<EnteredKey, Entered> = HashMap::with_max_entries(4096, 0);

/// What could not be counted, by [`Lost`].
#[map]
static LOST: PerCpuArray<u64> = PerCpuArray::with_max_entries(Lost::ALL.len() as u32, 0);

/// No system call is current.
const NOWHERE: Inflight =
    Inflight { syscall: NO_SYSCALL, file: File::None as u16, port: NO_PORT, user: NOT_OWN };

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

/// Counts one deferred copy for its owner, whichever task it interrupts.
#[inline(always)]
pub(crate) fn add_for<C: EbpfContext>(ctx: &C, site: u16, owner: u32, bytes: u64) {
    add_for_in(ctx, site, owner, File::None, bytes);
}

/// The same, where it is known in what kind of file the bytes are.
#[inline(always)]
pub(crate) fn add_for_in<C: EbpfContext>(ctx: &C, site: u16, owner: u32, file: File, bytes: u64) {
    let place = Inflight { file: file as u16, ..NOWHERE };
    let key = key(site, owner, &place, kernel::NO_ITER);
    add_at(&key, bytes);
    stacks::keep(ctx.as_ptr(), &key, bytes, || false);
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

/// Whom to charge, and the system call that it is in.
#[inline(always)]
fn now() -> (u32, Inflight) {
    let subject = who::subject();
    if subject != ELSEWHERE {
        return (subject, current::get().unwrap_or(NOWHERE));
    }
    match below::works_for() {
        ELSEWHERE => (ELSEWHERE, NOWHERE),
        owner => (owner, current::get().unwrap_or(NOWHERE)),
    }
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
    let key = key(SITE as u16, subject, inflight, iter);
    let is_first = add_at(&key, bytes);
    if let Instrument::Callers = const { SITES[SITE].instrument } {
        stacks::keep(ctx.as_ptr(), &key, bytes, || who::subject() == subject);
    }
    if is_first {
        debug!(
            ctx,
            "first call at {} by subject {}, system call {}: {} bytes",
            const { SITES[SITE].name },
            subject,
            inflight.syscall,
            bytes
        );
    }
}

#[inline(always)]
const fn key(site: u16, subject: u32, inflight: &Inflight, iter: u8) -> Key {
    Key {
        subject,
        syscall: inflight.syscall,
        site,
        port: inflight.port,
        iter,
        file: inflight.file as u8,
        unused: 0,
    }
}

/// Counts one call under a key; whether it is the first.
#[inline(always)]
fn add_at(key: &Key, bytes: u64) -> bool {
    let is_small = bytes <= u64::from(kernel::configured(&CONFIG.small));
    let (small_calls, small_bytes) = if is_small { (1, bytes) } else { (0, 0) };
    if let Some(value) = COUNTS.get_ptr_mut(key) {
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
        return false;
    }
    let value = Value { calls: 1, bytes, small_calls, small_bytes, largest: bytes };
    if let Err(error) = COUNTS.insert(key, &value, 0) {
        lose_or_busy(Lost::Counts, error);
    }
    true
}

/// Remembers that something could not be counted.
#[inline(always)]
pub(crate) fn lose(what: Lost) {
    if let Some(times) = LOST.get_ptr_mut(what as u32) {
        // SAFETY: as in `add_under`.
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
