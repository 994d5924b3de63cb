//! Which way through the program and through the kernel led to a count. What is kept here explains,
//! and may be incomplete: the counters beside it are exact.

mod half;
mod on_stack;
mod sample;
mod way;

use core::ffi::c_void;

use aya_ebpf::macros::map;
use aya_ebpf::maps::PerCpuHashMap;
use zcprof_common::layout::{
    CallSum, ELSEWHERE, Key, NO_USER, NOT_OWN, STACKS_OF_CALLERS, STACKS_OF_LEAVES, StackKey,
};

pub(crate) use self::on_stack::OnStack;
use self::way::stack_way;
use crate::{CONFIG, current, kernel, sums};

/// What was counted, by both halves of its stack. What finds no room here is missing from it, and user
/// space sees how much by the exact counts. The loader gives it fewer entries where there are many CPUs.
#[map]
static STACKS: PerCpuHashMap<StackKey, CallSum> = PerCpuHashMap::with_max_entries(32768, 0);

/// Entries of the two maps of what was looked at before; a power of two.
const KNOWN: u32 = 4096;

/// Keeps the stack of what was counted. `is_own` says whether the current thread did it by itself; it is
/// asked only where stacks are kept.
#[inline(always)]
pub(crate) fn keep<C: OnStack>(ctx: &C, count: &Key, bytes: u64, is_own: impl Fn() -> bool) {
    if !is_kept(STACKS_OF_CALLERS) || count.subject == ELSEWHERE || bytes == 0 {
        return;
    }
    add(ctx.as_ptr(), ctx.stack(), count, bytes, u64::from(is_own()));
}

/// Keeps the kernel's half of the stack of what a leaf copied. A leaf's program runs in an exception that
/// nothing preempts, so that the time it takes costs no other program its runs.
#[inline(always)]
pub(crate) fn keep_leaf<C: OnStack>(ctx: &C, count: &Key, bytes: u64) {
    if is_kept(STACKS_OF_LEAVES) && count.subject != ELSEWHERE && bytes > 0 {
        add_under(ctx.as_ptr(), ctx.stack(), count, bytes, NO_USER);
    }
}

/// Whether some of these stacks are kept.
#[inline(always)]
fn is_kept(stacks: u32) -> bool {
    kernel::configured(&CONFIG.stacks) & stacks != 0
}

/// A function of its own, because the verifier looks at each program's copy of it.
#[inline(never)]
fn add(ctx: *mut c_void, at: *const c_void, count: &Key, bytes: u64, is_own: u64) -> u64 {
    let user = if is_own == 0 {
        NOT_OWN
    } else {
        current::user(count.subject, |subject| stack_way(subject))
    };
    add_under(ctx, at, count, bytes, user)
}

/// The same under a known way through the program.
#[inline(never)]
fn add_under(ctx: *mut c_void, at: *const c_void, count: &Key, bytes: u64, user: u64) -> u64 {
    // What is below the top of the stack, the key says, if it has a way.
    let words = if user > NO_USER { half::PRINTED_OF_CALLERS } else { half::PRINTED };
    let kernel = half::number(ctx, half::print(at, u64::from(count.site), words));
    let key = StackKey { count: *count, user, kernel, unused: 0 };
    sums::add(&STACKS, &key, bytes);
    0
}

/// Adds a word to a hash: a round of FxHash.
#[inline(always)]
const fn mix(hash: u64, word: u64) -> u64 {
    (hash.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95)
}
