//! From a sample to addresses: by the tables of the program's files, and by frame pointers where there
//! are none.

use std::collections::HashMap;

use framehop::x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64};
use framehop::{FrameAddress, MayAllocateDuringUnwind, Unwinder as _};

use super::binaries::{Binaries, SharedBytes};
use super::code;
use super::maps::Mapping;

/// Most frames of a stack.
const MOST: usize = 512;

/// Where a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum FrameLocation {
    /// In a file: which, and the byte's offset in it.
    File(usize, u64),
    /// In memory of a run ([`super::runs`]) that no file backs, as compilers at run time write it.
    Memory(u32, u64),
    /// In a process that had ended, or in a file that could not be opened.
    Gone,
    /// The outer frames could not be unwound.
    Cut,
}

/// What some processes have mapped, and how it is unwound.
pub(super) struct AddressSpace {
    mappings: Vec<Mapping>,
    /// The file of each mapping.
    files: Vec<Option<usize>>,
    unwinder: UnwinderX86_64<SharedBytes, MayAllocateDuringUnwind>,
    cache: CacheX86_64<MayAllocateDuringUnwind>,
    /// What functions in memory that no file backs give back before they return, by return address.
    given_back: HashMap<u64, Option<u64>>,
}

impl AddressSpace {
    /// That of a process which has these mappings.
    pub(super) fn new(process: u32, mappings: Vec<Mapping>, binaries: &mut Binaries) -> Self {
        let files: Vec<_> = mappings.iter().map(|mapping| binaries.of(process, mapping)).collect();
        let mut unwinder = UnwinderX86_64::new();
        for (mapping, binary) in mappings.iter().zip(&files) {
            if let Some(module) = binary.and_then(|at| binaries.all[at].module(mapping)) {
                unwinder.add_module(module);
            }
        }
        let (cache, given_back) = (CacheX86_64::new(), HashMap::new());
        Self { mappings, files, unwinder, cache, given_back }
    }

    /// Whether it has just these mappings.
    pub(super) fn has(&self, mappings: &[Mapping]) -> bool {
        self.mappings == mappings
    }

    fn mapping(&self, address: u64) -> Option<usize> {
        self.mappings.iter().position(|mapping| mapping.range.contains(&address))
    }

    /// The places of the stack of a process's run, the innermost first, and whether all are within the mappings.
    /// `registers` are instruction pointer, stack pointer and frame pointer.
    pub(super) fn unwind(
        &mut self,
        process: u32,
        run: u32,
        registers: [u64; 3],
        stack: &[u8],
    ) -> (Vec<FrameLocation>, bool) {
        let (addresses, whole) = self.addresses(process, registers, stack);
        let is_known = addresses.iter().all(|address| self.mapping(*address).is_some());
        let places = addresses.iter().map(|address| self.place(run, *address));
        let cut = (!whole).then_some(FrameLocation::Cut);
        (places.chain(cut).collect(), is_known)
    }

    /// The addresses of a stack's frames, each within its instruction, and whether the stack is whole.
    fn addresses(
        &mut self,
        process: u32,
        [ip, sp, bp]: [u64; 3],
        stack: &[u8],
    ) -> (Vec<u64>, bool) {
        let mut read = |address: u64| {
            let at = address.checked_sub(sp).and_then(|at| usize::try_from(at).ok()).ok_or(())?;
            let word = stack.get(at..at + 8).ok_or(())?;
            word.try_into().map(u64::from_le_bytes).map_err(|_| ())
        };
        let mut registers = UnwindRegsX86_64::new(ip, sp, bp);
        let mut frame = FrameAddress::from_instruction_pointer(ip);
        let mut addresses = vec![ip];
        while addresses.len() < MOST {
            let next = match self.given_back(process, frame) {
                Some(bytes) => give_back(&mut registers, bytes, &mut read),
                None => self
                    .unwinder
                    .unwind_frame(frame, &mut registers, &mut self.cache, &mut read)
                    .map_err(|_| ()),
            };
            match next.map(|next| next.map(FrameAddress::from_return_address)) {
                Ok(Some(Some(next))) => frame = next,
                Ok(None) => return (addresses, true),
                Ok(Some(None)) | Err(()) => break,
            }
            addresses.push(frame.address_for_lookup());
        }
        (addresses, false)
    }

    /// Bytes that a frame's function gives back before it returns, if it does nothing else and no file
    /// backs it.
    fn given_back(&mut self, process: u32, frame: FrameAddress) -> Option<u64> {
        if !frame.is_return_address() {
            return None;
        }
        // No run is meant.
        let place = self.place(u32::MAX, frame.address_for_lookup());
        if !matches!(place, FrameLocation::Memory(..)) {
            return None;
        }
        let address = frame.address();
        *self.given_back.entry(address).or_insert_with(|| code::given_back(process, address))
    }

    fn place(&self, run: u32, address: u64) -> FrameLocation {
        let Some(at) = self.mapping(address) else { return FrameLocation::Gone };
        let mapping = &self.mappings[at];
        match self.files[at] {
            Some(binary) => {
                FrameLocation::File(binary, address - mapping.range.start + mapping.offset)
            }
            None if mapping.file.1 == 0 => FrameLocation::Memory(run, address),
            None => FrameLocation::Gone,
        }
    }
}

/// Returns from a function that has so many bytes of the stack; where it returns to.
fn give_back(
    registers: &mut UnwindRegsX86_64,
    bytes: u64,
    read: &mut impl FnMut(u64) -> Result<u64, ()>,
) -> Result<Option<u64>, ()> {
    let at = registers.sp().checked_add(bytes).ok_or(())?;
    let address = read(at)?;
    registers.set_ip(address);
    registers.set_sp(at.checked_add(8).ok_or(())?);
    Ok(Some(address))
}

#[cfg(test)]
mod tests {
    use super::super::maps;
    use super::*;

    /// Two functions of this very program, unwound from a copy of its own stack.
    #[test]
    fn this_programs_own_stack_is_whole() {
        let registers: [u64; 3];
        let mut stack = vec![0; 256 << 10];
        // SAFETY: registers are read, and memory of this thread's stack, above the stack pointer.
        #[expect(unsafe_code, reason = "a test takes the sample that the probes take otherwise")]
        unsafe {
            let (ip, sp, bp): (u64, u64, u64);
            std::arch::asm!("lea {}, [rip]", "mov {}, rsp", "mov {}, rbp", out(reg) ip, out(reg) sp, out(reg) bp);
            registers = [ip, sp, bp];
            let own = std::fs::read_to_string("/proc/thread-self/maps").expect("there");
            let end = own.lines().find_map(|line| {
                let (first, end) = line.split_once(' ')?.0.split_once('-')?;
                let [first, end] = [first, end].map(|text| u64::from_str_radix(text, 16).ok());
                (first? <= sp && sp < end?).then_some(end?)
            });
            let length = usize::try_from(end.expect("a stack") - sp).expect("small");
            stack.truncate(length.min(stack.len()));
            std::ptr::copy_nonoverlapping(sp as *const u8, stack.as_mut_ptr(), stack.len());
        }
        let mut binaries = Binaries::default();
        let own = std::process::id();
        let mut space = AddressSpace::new(own, maps::of(own), &mut binaries);
        let (places, is_known) = space.unwind(own, 0, registers, &stack);
        assert!(places.len() > 5 && is_known, "{places:?}");
        assert!(
            !places.contains(&FrameLocation::Cut) && !places.contains(&FrameLocation::Gone),
            "{places:?}"
        );
        // What is not mapped cannot be looked up.
        let (places, is_known) = space.unwind(own, 0, [16, registers[1], registers[2]], &stack);
        assert_eq!((places.first(), is_known), (Some(&FrameLocation::Gone), false));
    }
}
