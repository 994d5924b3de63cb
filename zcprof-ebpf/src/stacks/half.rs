//! The kernel's half of a stack: walked where it is new, and known again by a print of its top.

use core::ffi::c_void;

use aya_ebpf::helpers;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, PerCpuArray, StackTrace};
use zcprof_common::layout::{STACKS_OF_CALLERS, STACKS_OF_LEAVES};

use super::{KNOWN, is_kept, mix};

/// The kernel's halves.
#[map]
static KERNEL_STACKS: StackTrace = StackTrace::with_max_entries(16384, 0);

/// Kernel halves seen before, by their print: the print without its lowest bits, and in those the half's
/// number. To walk a kernel stack takes longer than all else that is done for a count. An entry is one
/// word, so that CPUs need not agree about it.
#[map]
static KNOWN_HALVES: Array<u64> = Array::with_max_entries(KNOWN, 0);

/// Bits of a kernel half's number: `KERNEL_STACKS` has no more entries, unless somebody asked for more.
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
pub(super) const PRINTED: usize = 48;

/// The same of a caller: which system call is below them, and which way through the program, the rest of
/// its key says.
pub(super) const PRINTED_OF_CALLERS: usize = 32;

/// Size and alignment of a kernel stack (`THREAD_SIZE`, arch/x86/include/asm/page_64_types.h, 5.10 to 7.3,
/// where `VMAP_STACK` is set).
const KERNEL_STACK: u64 = 16 << 10;

/// The number of the kernel's half that has this print.
#[inline(always)]
pub(super) fn number(ctx: *mut c_void, print: u64) -> i32 {
    const NUMBER: u64 = (1 << NUMBER_BITS) - 1;
    let tag = print & !NUMBER;
    let known = match tag {
        NO_PRINT => None,
        tag => KNOWN_HALVES.get_ptr_mut((tag >> 32) as u32 % KNOWN),
    };
    if let Some(known) = known {
        // SAFETY: an element of the map, and one word.
        let entry = unsafe { core::ptr::read_volatile(known) };
        if entry & !NUMBER == tag {
            return (entry & NUMBER) as i32;
        }
    }
    // SAFETY: the context is the program's own, and the map holds stacks.
    let stack = unsafe {
        helpers::generated::bpf_get_stackid(ctx, (&raw const KERNEL_STACKS).cast_mut().cast(), 0)
    };
    // A negative number is an error's, and a larger one than fits is not kept.
    if let Some(known) = known
        && stack as u64 <= NUMBER
    {
        // SAFETY: as above.
        unsafe { core::ptr::write_volatile(known, tag | stack as u64) };
    }
    stack as i32
}

/// Nothing is known of the stack.
const NO_PRINT: u64 = 0;

/// What tells this kernel stack from others that lead to the site, by so many words.
#[inline(always)]
pub(super) fn print(at: *const c_void, site: u64, most: usize) -> u64 {
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
