//! Which way through the program and through the kernel led to a count. What is kept here explains,
//! and may be incomplete: the counters beside it are exact.

use core::ffi::c_void;

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::helpers;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, PerCpuArray, PerCpuHashMap, RingBuf, StackTrace};
use aya_ebpf::programs::{
    FEntryContext, FExitContext, ProbeContext, RawTracePointContext, RetProbeContext,
    TracePointContext,
};
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

/// Kernel halves seen before, by their print: the print without its lowest bits, and in those the half's
/// number. To walk a kernel stack takes longer than all else that is done for a count. An entry is one
/// word, so that CPUs need not agree about it.
#[map]
static KNOWN_HALVES: Array<u64> = Array::with_max_entries(KNOWN, 0);

/// Words of user memory that were looked at before, by a hash of the word and of its process: the hash
/// without its lowest bit, and in that whether a call stands before what the word points to.
#[map]
static KNOWN_WORDS: Array<u64> = Array::with_max_entries(KNOWN, 0);

/// Entries of the two maps above; a power of two.
const KNOWN: u32 = 4096;

/// Bits of a kernel half's number: `KERNEL_STACKS` has no more entries.
const NUMBER_BITS: u32 = 14;

/// Where a kernel stack is looked at.
#[map]
static LOOK: PerCpuArray<Look> = PerCpuArray::with_max_entries(1, 0);

/// The words at the top of a kernel stack.
#[repr(C)]
struct Look {
    /// How often a program of this CPU began to look: another may interrupt it.
    turn: u64,
    /// Where the words are.
    at: u64,
    words: [u64; PRINTED],
}

/// Most words of a kernel stack that its print is made of.
const PRINTED: usize = 48;

/// The same of a caller: which system call is below them, and which way through the program, the rest of
/// its key says.
const PRINTED_OF_CALLERS: usize = 32;

/// Size and alignment of a kernel stack (`THREAD_SIZE`, arch/x86/include/asm/page_64_types.h, 5.10 to 7.3,
/// where `VMAP_STACK` is set).
const KERNEL_STACK: u64 = 16 << 10;

/// Words at the top of the user's stack that are searched for return addresses: functions that set up
/// no frame, as libc's `write`, are not in the chain of frame pointers, nor is who called them.
const WORDS: usize = 64;

/// Words that are read at a time.
const CHUNK: usize = 8;

/// Frames of the chain of frame pointers.
const FRAMES: usize = 24;

/// A program's context, as far as it shows the kernel's stack.
pub(crate) trait OnStack: EbpfContext {
    /// An address on the kernel's stack that has the return addresses above it; null where there is none.
    fn stack(&self) -> *const c_void;
}

/// The context is a part of the stack: what a trampoline or `bpf_trace_run*()` was called with
/// (arch/x86/net/bpf_jit_comp.c and kernel/trace/bpf_trace.c, 5.10 to 7.3).
macro_rules! on_stack {
    ($($context:ty),*) => {
        $(impl OnStack for $context {
            #[inline(always)]
            fn stack(&self) -> *const c_void {
                self.as_ptr()
            }
        })*
    };
}

on_stack!(FEntryContext, FExitContext, RawTracePointContext);

/// The context is the interrupted registers.
macro_rules! has_registers {
    ($($context:ty),*) => {
        $(impl OnStack for $context {
            #[inline(always)]
            fn stack(&self) -> *const c_void {
                // SAFETY: the context's registers are valid while the program runs.
                unsafe { (*self.regs).rsp as *const c_void }
            }
        })*
    };
}

has_registers!(ProbeContext, RetProbeContext);

impl OnStack for TracePointContext {
    /// It is a record in a buffer of the CPU's.
    #[inline(always)]
    fn stack(&self) -> *const c_void {
        core::ptr::null()
    }
}

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
    let print = print(
        at,
        u64::from(count.site),
        if user == NO_USER { PRINTED } else { PRINTED_OF_CALLERS },
    );
    let kernel = kernel_half(ctx, print);
    let key = StackKey { count: *count, user, kernel, unused: 0 };
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

/// The number of the kernel's half that has this print.
#[inline(always)]
fn kernel_half(ctx: *mut c_void, print: u64) -> i32 {
    const NUMBER: u64 = (1 << NUMBER_BITS) - 1;
    let known = KNOWN_HALVES.get_ptr_mut((print >> 32) as u32 % KNOWN);
    if let Some(known) = known {
        // SAFETY: an element of the map, and one word.
        let entry = unsafe { core::ptr::read_volatile(known) };
        if print != NO_PRINT && entry & !NUMBER == print & !NUMBER {
            return (entry & NUMBER) as i32;
        }
    }
    // SAFETY: the context is the program's own, and the map holds stacks.
    let stack = unsafe {
        helpers::generated::bpf_get_stackid(ctx, (&raw const KERNEL_STACKS).cast_mut().cast(), 0)
    };
    if let Some(known) = known
        && print != NO_PRINT
        && stack >= 0
    {
        // SAFETY: as above.
        unsafe { core::ptr::write_volatile(known, print & !NUMBER | stack as u64 & NUMBER) };
    }
    stack as i32
}

/// Nothing is known of the stack.
const NO_PRINT: u64 = 0;

/// What tells this kernel stack from others that lead to the site, by so many words.
#[inline(always)]
fn print(at: *const c_void, site: u64, most: usize) -> u64 {
    let Some(look) = LOOK.get_ptr_mut(0) else { return NO_PRINT };
    // SAFETY: this CPU's own value. Who interrupts this program may write it, and takes a turn; what is
    // read then is thrown away. The helper checks the address.
    unsafe {
        let turn = core::ptr::read_volatile(&raw const (*look).turn) + 1;
        core::ptr::write_volatile(&raw mut (*look).turn, turn);
        // The verifier calculates with numbers, not with the context's address.
        core::ptr::write_volatile(&raw mut (*look).at, at as u64);
        let at = core::ptr::read_volatile(&raw const (*look).at);
        let room = (KERNEL_STACK - at % KERNEL_STACK) / 8;
        let words = room.min(most as u64);
        let to = (&raw mut (*look).words).cast();
        let read =
            helpers::generated::bpf_probe_read_kernel(to, words as u32 * 8, at as *const c_void);
        if read != 0 {
            return NO_PRINT;
        }
        let print = stack_print(site, words);
        if core::ptr::read_volatile(&raw const (*look).turn) == turn { print } else { NO_PRINT }
    }
}

// The next five functions are global, so that the verifier looks at each once per program, and not once
// for every way out of the one before, or for every word that is looked at. Where no stacks are kept they
// end at once, because it looks at them even if nobody calls them (before 6.8).

/// A hash of the site and of the return addresses among the words that are looked at. Addresses of the
/// kernel's code are in the last two GiB (Documentation/arch/x86/x86_64/mm.rst, 6.12).
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn stack_print(site: u64, words: u64) -> u64 {
    if !is_kept(STACKS_OF_CALLERS | STACKS_OF_LEAVES) {
        return NO_PRINT;
    }
    let Some(look) = LOOK.get_ptr_mut(0) else { return NO_PRINT };
    let mut hash = site + 1;
    for at in 0..PRINTED {
        if at as u64 >= words {
            break;
        }
        // SAFETY: within the words.
        let word = unsafe { core::ptr::read_volatile(&raw const (*look).words[at]) };
        if word >> 31 == u64::MAX >> 31 {
            hash = mix(hash, word);
        }
    }
    hash
}

/// The way through the program that led here; its first time sends a sample.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn stack_way(subject: u32) -> u64 {
    if !is_kept(STACKS_OF_CALLERS) {
        return NO_USER;
    }
    let Some(registers) = kernel::user_registers() else { return NO_USER };
    let process = task::process();
    let space = mix(0, u64::from(subject) << 32 | u64::from(process));
    // Small numbers are no addresses where the program lies high. Compilers at run time write near it.
    let least = kernel::image()[0].saturating_sub(NEAR).max(1 << 16);
    let mut hash = mix(space, registers[0]);
    hash = stack_words(hash, registers[1], space, least);
    hash = stack_frames(hash, registers[1], registers[2], space, least);
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
extern "C" fn stack_words(mut hash: u64, stack: u64, space: u64, least: u64) -> u64 {
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
            hash = stack_return(hash, word, stack, space, least);
        }
    }
    hash
}

/// Adds the return addresses in the chain of frame pointers, as far as it is one.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn stack_frames(
    mut hash: u64,
    stack: u64,
    mut frame: u64,
    space: u64,
    least: u64,
) -> u64 {
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
        let more = stack_return(hash, back, stack, space, least);
        if more == hash {
            break;
        }
        hash = more;
        below = frame + 16;
        frame = next;
    }
    hash
}

/// Code that a program writes at run time is no farther below its own than this, or above it.
const NEAR: u64 = 4 << 30;

/// What is nearer to the stack pointer than this is taken for the stack.
const STACK: u64 = 1 << 20;

/// Adds a word to a hash if it is an address behind a call. `space` tells the process; no code of it is below
/// `least`.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn stack_return(hash: u64, word: u64, stack: u64, space: u64, least: u64) -> u64 {
    if !is_kept(STACKS_OF_CALLERS) {
        return hash;
    }
    if word < least || word >> 47 != 0 || word.wrapping_sub(stack) < STACK {
        return hash;
    }
    let tag = mix(space, word) & !1;
    let known = KNOWN_WORDS.get_ptr_mut((tag >> 32) as u32 % KNOWN);
    if let Some(known) = known {
        // SAFETY: an element of the map, and one word.
        let entry = unsafe { core::ptr::read_volatile(known) };
        if entry & !1 == tag {
            return if entry & 1 == 0 { hash } else { mix(hash, word) };
        }
    }
    // SAFETY: the helper checks the address and fails on a bad one, which costs an exception.
    let code = unsafe { helpers::bpf_probe_read_user((word - 8) as *const u64) };
    let follows = u64::from(code.is_ok_and(ends_in_call));
    if let Some(known) = known {
        // SAFETY: as above.
        unsafe { core::ptr::write_volatile(known, tag | follows) };
    }
    if follows == 0 { hash } else { mix(hash, word) }
}

/// Whether the last of eight bytes of code are a call: `call rel32`, or `call` by register or memory, which
/// is two to seven bytes long (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, CALL;
/// without prefixes that stand before the opcode).
///
/// The comparisons are products that are zero where one of them holds: the verifier would follow each
/// comparison of its own both ways.
#[inline(always)]
const fn ends_in_call(code: u64) -> bool {
    let direct = code >> 24 & 0xff ^ 0xe8;
    let short = direct * indirect(code, 6) * indirect(code, 5);
    let long = indirect(code, 4) * indirect(code, 2) * indirect(code, 1);
    short == 0 || long == 0
}

/// Zero where the opcode at this byte and the byte behind it are 0xff and /2. Fourteen bits.
#[inline(always)]
const fn indirect(code: u64, at: u32) -> u64 {
    code >> (8 * at) & 0x38ff ^ 0x10ff
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
        let to = (&raw mut (*sample).stack).cast::<u8>();
        let read = |at: usize, size: usize| {
            let from = (registers[1] + at as u64) as *const c_void;
            let to = to.add(at).cast();
            helpers::generated::bpf_probe_read_user(to, size as u32, from) == 0
        };
        let mut length = 0;
        let mut ends = false;
        for part in 0..STACK_BYTES / PART {
            if !read(part * PART, PART) {
                ends = true;
                break;
            }
            length += PART;
        }
        // Where the stack ends within a part: there begins the program.
        for _ in 0..PART / PIECE {
            if !ends || length > STACK_BYTES - PIECE || !read(length, PIECE) {
                break;
            }
            length += PIECE;
        }
        (*sample).length = length as u32;
    }
    entry.submit(0);
    true
}

/// Bytes of the stack that are read at a time.
const PART: usize = 1024;

/// The same where no more can be read at a time.
const PIECE: usize = 64;
