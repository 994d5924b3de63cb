//! The way through the program: a hash of the return addresses on the user's stack.

use core::ffi::c_void;

use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::helpers;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, LruHashMap};
use zcprof_common::layout::{
    CHAINED, MOST_SEARCHED, NO_USER, SEARCHED_AT_A_TIME, STACKS_OF_CALLERS,
};

use super::sample::send;
use super::{KNOWN, is_kept, mix};
use crate::{kernel, task};

/// Ways through programs that a sample was sent for, each with its process.
#[map]
static SAMPLED: HashMap<u64, u32> = HashMap::with_max_entries(32768, 0);

/// Words of user memory that were looked at before, by a hash of the word and of its process: the hash
/// without its lowest bit, and in that whether a call stands before what the word points to.
#[map]
static KNOWN_WORDS: Array<u64> = Array::with_max_entries(KNOWN, 0);

/// How much of the top of a user's stack is searched for return addresses, by the run of the program
/// ([`kernel::image`]): functions that set up no frame, as libc's `write`, are not in the chain of frame
/// pointers, nor is who called them. User space, which unwinds the samples, says how deep such functions
/// reach; where it has not yet, as much is searched as can be.
#[map]
static SEARCHED: LruHashMap<[u64; 2], u32> = LruHashMap::with_max_entries(1024, 0);

/// Words that are read at a time.
const CHUNK: usize = SEARCHED_AT_A_TIME / 8;

// The next four functions, and `stack_print()`, are global, so that the verifier looks at each once per
// program, and not once for every way out of the one before, or for every word that is looked at. Where no
// stacks are kept they end at once, because it looks at them even if nobody calls them (before 6.8).

/// The way through the program that led here; its first time sends a sample.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn stack_way(subject: u32) -> u64 {
    if !is_kept(STACKS_OF_CALLERS) {
        return NO_USER;
    }
    let Some(registers) = kernel::user_registers() else { return NO_USER };
    let process = task::process();
    let space = mix(0, u64::from(subject) << 32 | u64::from(process));
    // Small numbers are no addresses where the program lies high. Compilers at run time write near it.
    let image = kernel::image();
    let least = image[0].saturating_sub(NEAR).max(1 << 16);
    // SAFETY: one word, which user space alone writes.
    let searched = match unsafe { SEARCHED.get(&image) } {
        Some(searched) => *searched,
        None => MOST_SEARCHED,
    };
    let mut hash = mix(mix(space, u64::from(searched)), registers[0]);
    hash = stack_words(hash, registers[1], space, least, searched);
    hash = stack_frames(hash, registers[1], registers[2], space, least);
    // The two smallest numbers say that there is none.
    let user = hash | 2;
    if SAMPLED.insert(&user, &process, u64::from(BPF_NOEXIST)).is_ok()
        && !send(user, process, image, searched, &registers)
    {
        let _ = SAMPLED.remove(&user); // the next one is tried again
    }
    user
}

/// Adds the return addresses among the words at the top of the stack.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn stack_words(mut hash: u64, stack: u64, space: u64, least: u64, searched: u32) -> u64 {
    if !is_kept(STACKS_OF_CALLERS) {
        return hash;
    }
    let mut words = [0; CHUNK];
    for chunk in 0..MOST_SEARCHED as usize {
        if chunk >= searched as usize {
            break;
        }
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
    for _ in 0..CHAINED {
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
