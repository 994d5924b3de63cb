//! From a sample to addresses: by the tables of the program's files, and by frame pointers where there
//! are none.

use std::collections::HashMap;

use framehop::x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64};
use framehop::{FrameAddress, MayAllocateDuringUnwind, Unwinder as _};

use super::binaries::{Binaries, SharedBytes};
use super::code;
use super::maps::Mapping;
pub(super) use super::user_stack::{FrameLocation, Unwound, UserStack};

/// Most frames of a stack.
const MOST: usize = 512;

/// A frame of a user's stack.
struct StackFrame {
    /// Within its instruction.
    address: u64,
    /// Where on the stack its return address is; none of the innermost.
    from: Option<u64>,
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

    /// The frames of the stack of a process's run.
    pub(super) fn unwind(&mut self, process: u32, run: u32, stack: &UserStack<'_>) -> Unwound {
        let (frames, whole) = self.frames(process, stack);
        let is_known = frames.iter().all(|frame| self.mapping(frame.address).is_some());
        let places = frames.iter().map(|frame| self.place(run, frame.address));
        let cut = (!whole).then_some(FrameLocation::Cut);
        let places = places.chain(cut).collect();
        let depths = stack.depths(frames.iter().map(|frame| frame.from));
        Unwound { places, is_known, depths }
    }

    /// A stack's frames, the innermost first, and whether they are all.
    fn frames(&mut self, process: u32, stack: &UserStack<'_>) -> (Vec<StackFrame>, bool) {
        let [ip, sp, bp] = stack.registers;
        let mut read = |address: u64| stack.word(address).ok_or(());
        let mut registers = UnwindRegsX86_64::new(ip, sp, bp);
        let mut frame = FrameAddress::from_instruction_pointer(ip);
        let mut frames = vec![StackFrame { address: ip, from: None }];
        while frames.len() < MOST {
            let next = match self.given_back(process, frame) {
                Some(bytes) => give_back(&mut registers, bytes, &mut read),
                None => self
                    .unwinder
                    .unwind_frame(frame, &mut registers, &mut self.cache, &mut read)
                    .map_err(|_| ()),
            };
            match next.map(|next| next.map(FrameAddress::from_return_address)) {
                Ok(Some(Some(next))) => frame = next,
                Ok(None) => return (frames, true),
                Ok(Some(None)) | Err(()) => break,
            }
            // It was the last that was taken off the stack.
            let from = registers.sp().checked_sub(8);
            frames.push(StackFrame { address: frame.address_for_lookup(), from });
        }
        (frames, false)
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
        let unwound = space.unwind(own, 0, &UserStack { registers, bytes: &stack });
        let places = unwound.places;
        assert!(places.len() > 5 && unwound.is_known, "{places:?}");
        assert!(
            !places.contains(&FrameLocation::Cut) && !places.contains(&FrameLocation::Gone),
            "{places:?}"
        );
        // What is not mapped cannot be looked up.
        let registers = [16, registers[1], registers[2]];
        let unwound = space.unwind(own, 0, &UserStack { registers, bytes: &stack });
        assert_eq!((unwound.places.first(), unwound.is_known), (Some(&FrameLocation::Gone), false));
    }
}
