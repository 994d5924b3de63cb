//! Which way through the program and through the kernel led to a count. What is kept here explains,
//! and may be incomplete: the counters beside it are exact.

use core::ffi::c_void;

use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::helpers;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{HashMap, PerCpuHashMap, RingBuf, StackTrace};
use zcprof_common::layout::{
    ELSEWHERE, Key, NO_USER, NOT_OWN, STACK_BYTES, STACKS_OF_CALLERS, STACKS_OF_LEAVES, Sample,
    StackKey, StackValue,
};

use crate::{CONFIG, current, kernel, task};

/// What was counted, by both halves of its stack. What finds no room here is missing from it, and user
/// space sees how much by the exact counts. The loader gives it fewer entries where there are many CPUs.
#[map]
static STACKS: PerCpuHashMap<StackKey, StackValue> = PerCpuHashMap::with_max_entries(32768, 0);

/// Ways through programs that a sample was sent for, each with its process.
#[map]
static SAMPLED: HashMap<u64, u32> = HashMap::with_max_entries(32768, 0);

/// One sample of each way.
#[map]
static SAMPLES: RingBuf = RingBuf::with_byte_size(8 << 20, 0);

/// The kernel's halves.
#[map]
static KERNEL_STACKS: StackTrace = StackTrace::with_max_entries(16384, 0);

/// Words at the top of the user's stack that are searched for return addresses: functions that set up
/// no frame, as libc's `write`, are not in the chain of frame pointers, nor is who called them.
const WORDS: usize = 64;

/// Words that are read at a time.
const CHUNK: usize = 8;

/// Frames of the chain of frame pointers.
const FRAMES: usize = 24;

/// Keeps the stack of what was counted. `is_own` says whether the current thread did it by itself; it is
/// asked only where stacks are kept.
#[inline(always)]
pub(crate) fn keep(ctx: *mut c_void, count: &Key, bytes: u64, is_own: impl Fn() -> bool) {
    if !is_kept(STACKS_OF_CALLERS) || count.subject == ELSEWHERE || bytes == 0 {
        return;
    }
    add(ctx, count, bytes, u64::from(is_own()));
}

/// Keeps the kernel's half of the stack of what a leaf copied. A leaf's program runs in an exception that
/// nothing preempts, so that the time it takes costs no other program its runs.
#[inline(always)]
pub(crate) fn keep_leaf(ctx: *mut c_void, count: &Key, bytes: u64) {
    if is_kept(STACKS_OF_LEAVES) && count.subject != ELSEWHERE && bytes > 0 {
        add_under(ctx, count, bytes, NO_USER);
    }
}

/// Whether some of these stacks are kept.
#[inline(always)]
fn is_kept(stacks: u32) -> bool {
    kernel::configured(&CONFIG.stacks) & stacks != 0
}

/// A function of its own, because the verifier looks at each program's copy of it.
#[inline(never)]
fn add(ctx: *mut c_void, count: &Key, bytes: u64, is_own: u64) -> u64 {
    let user = if is_own == 0 {
        NOT_OWN
    } else {
        current::user(count.subject, |subject| stack_way(subject))
    };
    add_under(ctx, count, bytes, user)
}

/// The same under a known way through the program.
#[inline(never)]
fn add_under(ctx: *mut c_void, count: &Key, bytes: u64, user: u64) -> u64 {
    // SAFETY: the context is the program's own, and the map holds stacks.
    let stack = unsafe {
        helpers::generated::bpf_get_stackid(ctx, (&raw const KERNEL_STACKS).cast_mut().cast(), 0)
    };
    let key = StackKey { count: *count, user, kernel: stack as i32, unused: 0 };
    if let Some(value) = STACKS.get_ptr_mut(&key) {
        // SAFETY: the kernel gave this CPU's own value; nothing else on this CPU writes it
        // while this program runs.
        unsafe {
            (*value).calls += 1;
            (*value).bytes += bytes;
        }
    } else {
        let _ = STACKS.insert(&key, &StackValue { calls: 1, bytes }, 0);
    }
    0
}

// The next four functions are global, so that the verifier looks at each once per program, and not once
// for every way out of the one before, or for every word that is looked at. Where no stacks are kept they
// end at once, because it looks at them even if nobody calls them (before 6.8).

/// The way through the program that led here; its first time sends a sample.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn stack_way(subject: u32) -> u64 {
    if !is_kept(STACKS_OF_CALLERS) {
        return NO_USER;
    }
    let Some(registers) = kernel::user_registers() else { return NO_USER };
    let process = task::process();
    let mut hash = mix(u64::from(subject) << 32 | u64::from(process), registers[0]);
    hash = stack_words(hash, registers[1]);
    hash = stack_frames(hash, registers[1], registers[2]);
    // The two smallest numbers say that there is none.
    let user = hash | 2;
    if SAMPLED.insert(&user, &process, u64::from(BPF_NOEXIST)).is_ok()
        && !send(user, process, &registers)
    {
        let _ = SAMPLED.remove(&user); // the next one is tried again
    }
    user
}

/// Adds a word to a hash: a round of FxHash.
#[inline(always)]
const fn mix(hash: u64, word: u64) -> u64 {
    (hash.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95)
}

/// Adds the return addresses among the words at the top of the stack.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn stack_words(mut hash: u64, stack: u64) -> u64 {
    if !is_kept(STACKS_OF_CALLERS) {
        return hash;
    }
    let mut words = [0; CHUNK];
    for chunk in 0..WORDS / CHUNK {
        let address = stack + (chunk * CHUNK * 8) as u64;
        // SAFETY: the helper writes no more than the words, and fails on a bad address.
        let read = unsafe {
            let (to, size) = (words.as_mut_ptr().cast(), size_of_val(&words) as u32);
            helpers::generated::bpf_probe_read_user(to, size, address as *const c_void)
        };
        if read != 0 {
            break;
        }
        for word in words {
            hash = stack_return(hash, word, stack);
        }
    }
    hash
}

/// Adds the return addresses in the chain of frame pointers, as far as it is one.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn stack_frames(mut hash: u64, stack: u64, mut frame: u64) -> u64 {
    if !is_kept(STACKS_OF_CALLERS) {
        return hash;
    }
    let mut below = stack;
    for _ in 0..FRAMES {
        if frame < below || frame - below > STACK {
            break;
        }
        // SAFETY: the helper checks the address and fails on a bad one.
        let Ok([next, back]) = (unsafe { helpers::bpf_probe_read_user(frame as *const [u64; 2]) })
        else {
            break;
        };
        let more = stack_return(hash, back, stack);
        if more == hash {
            break;
        }
        hash = more;
        below = frame + 16;
        frame = next;
    }
    hash
}

/// What is nearer to the stack pointer than this is taken for the stack.
const STACK: u64 = 1 << 20;

/// Adds a word to a hash if it is an address behind a call: `call rel32`, or `call` by register or memory,
/// which is two to seven bytes long (Intel 64 and IA-32 Architectures Software Developer's Manual,
/// volume 2, CALL; without prefixes that stand before the opcode).
///
/// The comparisons are products that are zero where one of them holds: the verifier would follow each
/// comparison of its own both ways.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn stack_return(hash: u64, word: u64, stack: u64) -> u64 {
    if !is_kept(STACKS_OF_CALLERS) {
        return hash;
    }
    if word < 1 << 16 || word >> 47 != 0 || word.wrapping_sub(stack) < STACK {
        return hash;
    }
    // SAFETY: the helper checks the address and fails on a bad one.
    let Ok(code) = (unsafe { helpers::bpf_probe_read_user((word - 8) as *const u64) }) else {
        return hash;
    };
    let direct = code >> 24 & 0xff ^ 0xe8;
    // The opcode and the byte behind it: 0xff and /2. Fourteen bits each.
    let indirect = |at: u32| code >> (8 * at) & 0x38ff ^ 0x10ff;
    let short = direct * indirect(6) * indirect(5);
    let long = indirect(4) * indirect(2) * indirect(1);
    if short != 0 && long != 0 {
        return hash;
    }
    mix(hash, word)
}

/// Sends a sample; whether there was room.
#[inline(always)]
fn send(user: u64, process: u32, registers: &[u64; 3]) -> bool {
    let image = kernel::image();
    let Some(mut entry) = SAMPLES.reserve::<Sample>(0) else { return false };
    let sample = entry.as_mut_ptr();
    // SAFETY: the kernel gave this memory to this program alone, with room for a sample.
    unsafe {
        (*sample).user = user;
        (*sample).process = process;
        (*sample).image = image;
        (*sample).registers = *registers;
        let mut length = 0;
        for part in 0..STACK_BYTES / PART {
            let (to, from) = (&raw mut (*sample).stack, registers[1] + (part * PART) as u64);
            let to = to.cast::<u8>().add(part * PART);
            let read = helpers::generated::bpf_probe_read_user(
                to.cast(),
                PART as u32,
                from as *const c_void,
            );
            if read != 0 {
                break;
            }
            length += PART as u32;
        }
        (*sample).length = length;
    }
    entry.submit(0);
    true
}

/// Bytes of the stack that are read at a time.
const PART: usize = 1024;
