//! The counters: per-CPU sums, keyed by process, system call, site and iterator.

use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{HashMap, PerCpuHashMap};
use aya_log_ebpf::debug;
use zcprof_common::layout::{ELSEWHERE, Entered, EnteredKey, Inflight, Key, Lost, SIZES, Value};
use zcprof_common::sites::{Bytes, SITES};
use zcprof_common::vocabulary::{File, Instrument};

use crate::loss::lose_or_busy;
use crate::stacks::OnStack;
use crate::{CONFIG, below, current, kernel, mappings, stacks, who};

/// Preallocated, because a breakpoint's program may not allocate.
#[map]
static COUNTS: PerCpuHashMap<Key, Value> = PerCpuHashMap::with_max_entries(8192, 0);

/// Calls between a kprobe and its kretprobe.
#[map]
pub(crate) static ENTERED: HashMap<EnteredKey, Entered> = HashMap::with_max_entries(4096, 0);

/// What a key has before it was reached.
static UNREACHED: Value = Value::ZERO;

/// Counts one call at a site.
#[inline(always)]
pub(crate) fn add<const SITE: usize, C: OnStack>(ctx: &C, iter: u8, bytes: u64) {
    let (subject, inflight) = now();
    add_under::<SITE, C>(ctx, subject, &inflight, iter, bytes);
}

/// Counts one call at a site that knows by itself which kind of file it works on.
#[inline(always)]
pub(crate) fn add_on<const SITE: usize, C: OnStack>(ctx: &C, file: u8, bytes: u64) {
    let (subject, inflight) = now();
    let inflight = Inflight { file: u16::from(file), ..inflight };
    add_under::<SITE, C>(ctx, subject, &inflight, kernel::NO_ITER, bytes);
}

/// Counts one call at a site that reads a `struct file *`.
#[inline(always)]
pub(crate) fn add_of_file<const SITE: usize, C: OnStack>(ctx: &C, iter: u8, file: u64, bytes: u64) {
    let (subject, inflight) = now();
    if is_left_out::<SITE>(subject) {
        return;
    }
    if mappings::is_mapped(file) {
        let inflight = Inflight { file: File::Mapped as u16, ..inflight };
        add_under::<SITE, C>(ctx, subject, &inflight, kernel::NO_ITER, bytes);
    } else {
        add_under::<SITE, C>(ctx, subject, &inflight, iter, bytes);
    }
}

/// Whether a site leaves a subject out: what strangers do at the callers no window asks for; a run does, of
/// what fills the page cache.
#[inline(always)]
fn is_left_out<const SITE: usize>(subject: u32) -> bool {
    let by_caller = const { matches!(SITES[SITE].instrument, Instrument::Callers) };
    by_caller && subject == ELSEWHERE && kernel::configured(&CONFIG.by_port) != 0
}

/// The table's row for results of system calls.
const SYS_EXIT: usize = {
    let mut at = 0;
    while !matches!(SITES[at].bytes, Bytes::SyscallResult) {
        at += 1;
    }
    at
};

/// Counts a subject's system call that is over.
#[inline(always)]
pub(crate) fn add_syscall<C: OnStack>(ctx: &C, subject: u32, call: &Inflight, bytes: u64) {
    add_under::<SYS_EXIT, C>(ctx, subject, call, kernel::NO_ITER, bytes);
}

/// Counts one deferred copy for its owner, whichever task it interrupts.
#[inline(always)]
pub(crate) fn add_for<C: OnStack>(ctx: &C, site: u16, owner: u32, bytes: u64) {
    add_for_in(ctx, site, owner, File::None, bytes);
}

/// The same, where it is known in what kind of file the bytes are.
#[inline(always)]
pub(crate) fn add_for_in<C: OnStack>(ctx: &C, site: u16, owner: u32, file: File, bytes: u64) {
    let place = Inflight { file: file as u16, ..Inflight::NOWHERE };
    let key = key(site, owner, &place, kernel::NO_ITER);
    add_at(&key, bytes);
    stacks::keep(ctx, &key, bytes, || false);
}

/// Counts bytes that a device gets of somebody's packets: nothing is copied there, and no stack is kept.
#[inline(always)]
pub(crate) fn add_exit(site: u16, owner: u32, bytes: u64) {
    add_at(&key(site, owner, &Inflight::NOWHERE, kernel::NO_ITER), bytes);
}

/// Whom to charge, and the system call that it is in.
#[inline(always)]
fn now() -> (u32, Inflight) {
    match below::subject() {
        ELSEWHERE => (ELSEWHERE, Inflight::NOWHERE),
        subject => (subject, current::get().unwrap_or(Inflight::NOWHERE)),
    }
}

/// Counts one call at a site under a given process and system call.
#[inline(always)]
fn add_under<const SITE: usize, C: OnStack>(
    ctx: &C,
    subject: u32,
    inflight: &Inflight,
    iter: u8,
    bytes: u64,
) {
    if is_left_out::<SITE>(subject) {
        return;
    }
    let key = key(SITE as u16, subject, inflight, iter);
    let is_first = add_at(&key, bytes);
    match const { SITES[SITE].instrument } {
        Instrument::Callers => {
            stacks::keep(ctx, &key, bytes, || who::subject() == subject);
        }
        Instrument::Audit if const { SITES[SITE].may_copy_payload() } => {
            stacks::keep_leaf(ctx, &key, bytes);
        }
        _ => {}
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
    let known = COUNTS.get_ptr_mut(key);
    let Some(value) = known.or_else(|| begin(key)) else { return true };
    let length = u32::BITS - (bytes.min(u64::from(u32::MAX)) as u32).leading_zeros();
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
        // The compiler may know that it fits, and the verifier does not.
        let at = core::hint::black_box(length.min(SIZES as u32 - 1)) as usize & (SIZES - 1);
        (*value).sizes[at] += 1;
    }
    known.is_none()
}

/// Makes room for a key.
#[inline(always)]
fn begin(key: &Key) -> Option<*mut Value> {
    const EEXIST: i32 = -17; // include/uapi/asm-generic/errno-base.h
    match COUNTS.insert(key, &UNREACHED, u64::from(BPF_NOEXIST)) {
        // Another CPU was faster: this one has a value of its own all the same.
        Ok(()) | Err(EEXIST) => COUNTS.get_ptr_mut(key),
        Err(error) => {
            lose_or_busy(Lost::Counts, error);
            None
        }
    }
}
