//! Which address space a sample is of. Processes that share one share its tables: a server that forks for
//! each request has thousands of processes and one program.

use std::collections::BTreeSet;
use std::fs;

use super::binaries::Binaries;
use super::jvm;
use super::maps::{self, Mapping};
use super::unwind::{AddressSpace, FrameLocation};

/// Most address spaces that are kept. One that is wanted again is read again, if its process lives.
const KEPT: usize = 64;

/// What tells one run of a program from others ([`zcprof_common::layout::Sample::image`]): the kernel
/// chooses both at random when the program is run, and a fork keeps them.
pub(super) type Image = [u64; 2];

/// The address spaces of processes whose stacks are unwound, the last used at the end.
#[derive(Default)]
pub(super) struct Spaces {
    kept: Vec<KnownSpace>,
    java: BTreeSet<u32>,
}

struct KnownSpace {
    image: Image,
    /// Processes that had these mappings when they were read.
    processes: BTreeSet<u32>,
    space: AddressSpace,
}

impl Spaces {
    /// Whether a process is a virtual machine of Java's.
    pub(super) fn is_java(&self, process: u32) -> bool {
        self.java.contains(&process)
    }

    /// The places of a stack, the innermost first. `registers` are instruction pointer, stack pointer and
    /// frame pointer.
    pub(super) fn unwind(
        &mut self,
        process: u32,
        image: Image,
        registers: [u64; 3],
        stack: &[u8],
        binaries: &mut Binaries,
    ) -> Vec<FrameLocation> {
        let known = self.used(|known| known.image == image && known.processes.contains(&process));
        if !known && !self.look(process, image, binaries) {
            return vec![FrameLocation::Gone];
        }
        let mut unwound = self.last(|space| space.unwind(process, registers, stack));
        // What was mapped since is not among the mappings: once more, with them.
        if known
            && unwound.as_ref().is_none_or(|(_, is_known)| !is_known)
            && self.look(process, image, binaries)
        {
            unwound = self.last(|space| space.unwind(process, registers, stack));
        }
        unwound.map_or_else(|| vec![FrameLocation::Gone], |(places, _)| places)
    }

    fn last<T>(&mut self, with: impl FnOnce(&mut AddressSpace) -> T) -> Option<T> {
        self.kept.last_mut().map(|known| with(&mut known.space))
    }

    /// Makes the space the last used that is the last of those; whether there is one.
    fn used(&mut self, is_wanted: impl Fn(&KnownSpace) -> bool) -> bool {
        let Some(at) = self.kept.iter().rposition(is_wanted) else { return false };
        self.kept[at..].rotate_left(1);
        true
    }

    /// Reads what a process has mapped, and makes it the last used. A process that is gone, or runs
    /// another program by now, had what others of the same run have: those it was forked from, or has
    /// forked. Whether anything is known of it.
    fn look(&mut self, process: u32, image: Image, binaries: &mut Binaries) -> bool {
        let mappings = mapped(process, image);
        if mappings.is_empty() {
            return self.used(|known| known.image == image);
        }
        for known in &mut self.kept {
            known.processes.remove(&process);
        }
        if mappings.iter().any(jvm::is_one) {
            self.java.insert(process);
        }
        if !self.used(|known| known.image == image && known.space.has(&mappings)) {
            let space = AddressSpace::new(process, mappings, binaries);
            self.kept.push(KnownSpace { image, processes: BTreeSet::new(), space });
            if self.kept.len() > KEPT {
                self.kept.remove(0);
            }
        }
        if let Some(known) = self.kept.last_mut() {
            known.processes.insert(process);
        }
        true
    }
}

/// What a process has mapped, if it is still that run of a program, before and after.
fn mapped(process: u32, image: Image) -> Vec<Mapping> {
    if image_of(process) != Some(image) {
        return Vec::new();
    }
    let mappings = maps::of(process);
    if image_of(process) == Some(image) { mappings } else { Vec::new() }
}

/// The fields 26 and 28 of `/proc/PID/stat` (do_task_stat(), fs/proc/array.c, 5.15 to 7.3); none if the
/// process is gone.
fn image_of(process: u32) -> Option<Image> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field is a name in brackets, which may have anything in it.
    let (_, fields) = text.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(23);
    let mut next = |skipped: usize| fields.nth(skipped)?.parse().ok();
    Some([next(0)?, next(1)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This program is known by its image, and so is a child that is gone; another image is not.
    #[test]
    fn a_process_that_is_gone_had_what_it_was_forked_with() {
        let own = std::process::id();
        let image = image_of(own).expect("it lives");
        assert!(image.iter().all(|address| *address > 0), "{image:?}");
        let here = image_of as *const () as u64;
        let (mut spaces, mut binaries) = (Spaces::default(), Binaries::default());
        let registers = [here, 0x7000_0000_0000, 0];
        let mut first = |process, image| {
            spaces.unwind(process, image, registers, &[], &mut binaries).first().copied()
        };
        let (gone, other) = (u32::MAX, [image[0], image[1] ^ 16]);
        assert_eq!(first(gone, image), Some(FrameLocation::Gone), "nobody is known yet");
        let known = first(own, image);
        assert!(matches!(known, Some(FrameLocation::File(..))), "{known:?}");
        assert_eq!(first(gone, image), known);
        assert_eq!(first(own, other), Some(FrameLocation::Gone), "that was another run");
        assert_eq!(first(own, image), known);
        assert_eq!((spaces.kept.len(), binaries.all.is_empty()), (1, false));
    }
}
