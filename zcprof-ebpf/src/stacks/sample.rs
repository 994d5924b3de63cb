//! A sample: what user space unwinds and names a way by.

use core::ffi::c_void;

use aya_ebpf::helpers;
use aya_ebpf::macros::map;
use aya_ebpf::maps::RingBuf;
use zcprof_common::layout::{STACK_BYTES, Sample};

/// One sample of each way.
#[map]
static SAMPLES: RingBuf = RingBuf::with_byte_size(4 << 20, 0);

/// Sends a sample; whether there was room.
#[inline(always)]
pub(super) fn send(
    user: u64,
    process: u32,
    image: [u64; 2],
    searched: u32,
    registers: &[u64; 3],
) -> bool {
    let Some(mut entry) = SAMPLES.reserve::<Sample>(0) else { return false };
    let sample = entry.as_mut_ptr();
    // SAFETY: the kernel gave this memory to this program alone, with room for a sample.
    unsafe {
        (*sample).user = user;
        (*sample).process = process;
        (*sample).searched = searched;
        (*sample).unused = 0;
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
