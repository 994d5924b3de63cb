//! From a sample to addresses: by the tables of the program's files, and by frame pointers where there
//! are none.

use framehop::x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64};
use framehop::{FrameAddress, MayAllocateDuringUnwind, Unwinder as _};

use super::binaries::{Binaries, SharedBytes};
use super::jvm;
use super::maps::{self, Mapping};

/// Most frames of a stack.
const MOST: usize = 512;

/// Where a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FrameLocation {
    /// In a file: which, and the byte's offset in it.
    File(usize, u64),
    /// In memory of a process that no file backs, as compilers at run time write it.
    Memory(u32, u64),
    /// In a process that had ended, or in a file that could not be opened.
    Gone,
    /// The outer frames could not be unwound.
    Cut,
}

/// A process whose stacks are unwound.
pub(super) struct ProcessUnwinder {
    number: u32,
    mappings: Vec<(Mapping, Option<usize>)>,
    unwinder: UnwinderX86_64<SharedBytes, MayAllocateDuringUnwind>,
    cache: CacheX86_64<MayAllocateDuringUnwind>,
}

impl ProcessUnwinder {
    pub(super) fn new(number: u32) -> Self {
        let (unwinder, cache) = (UnwinderX86_64::new(), CacheX86_64::new());
        Self { number, mappings: Vec::new(), unwinder, cache }
    }

    /// Reads again what it has mapped. What a process that is gone had is kept.
    fn look(&mut self, binaries: &mut Binaries) {
        let mappings = maps::of(self.number);
        if mappings.is_empty() {
            return;
        }
        self.unwinder = UnwinderX86_64::new();
        self.cache = CacheX86_64::new();
        let number = self.number;
        self.mappings = mappings
            .into_iter()
            .map(|mapping| {
                let binary = binaries.of(number, &mapping);
                (mapping, binary)
            })
            .collect();
        for (mapping, binary) in &self.mappings {
            if let Some(module) = binary.and_then(|at| binaries.all[at].module(mapping)) {
                self.unwinder.add_module(module);
            }
        }
    }

    /// Whether it is a virtual machine of Java's.
    pub(super) fn is_java(&self) -> bool {
        self.mappings.iter().any(|(mapping, _)| jvm::is_one(mapping))
    }

    fn knows(&self, address: u64) -> bool {
        self.mappings.iter().any(|(mapping, _)| mapping.range.contains(&address))
    }

    /// The places of a stack, the innermost first. `registers` are instruction pointer, stack pointer
    /// and frame pointer.
    pub(super) fn unwind(
        &mut self,
        registers: [u64; 3],
        stack: &[u8],
        binaries: &mut Binaries,
    ) -> Vec<FrameLocation> {
        if !self.knows(registers[0]) {
            self.look(binaries);
        }
        let (addresses, whole) = self.addresses(registers, stack);
        // What was loaded since is not among the mappings: once more, with them.
        let (addresses, whole) = if addresses.iter().all(|address| self.knows(*address)) {
            (addresses, whole)
        } else {
            self.look(binaries);
            self.addresses(registers, stack)
        };
        let mut places: Vec<_> = addresses.iter().map(|address| self.place(*address)).collect();
        if !whole {
            places.push(FrameLocation::Cut);
        }
        places
    }

    /// The addresses of a stack's frames, each within its instruction, and whether the stack is whole.
    fn addresses(&mut self, registers: [u64; 3], stack: &[u8]) -> (Vec<u64>, bool) {
        let [ip, sp, bp] = registers;
        let mut read = |address: u64| {
            let at = address.checked_sub(sp).and_then(|at| usize::try_from(at).ok()).ok_or(())?;
            let word = stack.get(at..at + 8).ok_or(())?;
            word.try_into().map(u64::from_le_bytes).map_err(|_| ())
        };
        let registers = UnwindRegsX86_64::new(ip, sp, bp);
        let mut frames = self.unwinder.iter_frames(ip, registers, &mut self.cache, &mut read);
        let mut addresses = Vec::new();
        loop {
            match frames.next() {
                Ok(Some(FrameAddress::InstructionPointer(address))) => addresses.push(address),
                Ok(Some(frame)) => addresses.push(frame.address_for_lookup()),
                Ok(None) => return (addresses, true),
                Err(_) => return (addresses, false),
            }
            if addresses.len() == MOST {
                return (addresses, false);
            }
        }
    }

    fn place(&self, address: u64) -> FrameLocation {
        let found = self.mappings.iter().find(|(mapping, _)| mapping.range.contains(&address));
        match found {
            Some((mapping, Some(binary))) => {
                FrameLocation::File(*binary, address - mapping.range.start + mapping.offset)
            }
            Some((mapping, None)) if mapping.file.1 == 0 => {
                FrameLocation::Memory(self.number, address)
            }
            _ => FrameLocation::Gone,
        }
    }
}

#[cfg(test)]
mod tests {
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
        let mut process = ProcessUnwinder::new(std::process::id());
        let places = process.unwind(registers, &stack, &mut binaries);
        assert!(places.len() > 5, "{places:?}");
        assert!(
            !places.contains(&FrameLocation::Cut) && !places.contains(&FrameLocation::Gone),
            "{places:?}"
        );
        // A process that is not there has nothing that could be looked up.
        let places = ProcessUnwinder::new(u32::MAX).unwind(registers, &stack, &mut binaries);
        assert_eq!(places.first(), Some(&FrameLocation::Gone));
    }
}
