//! Which address space a sample is of. Processes that share one share its tables: a server that forks for
//! each request has thousands of processes and one program.

use std::collections::BTreeSet;

use super::binaries::Binaries;
use super::image::{Image, image_of};
use super::jvm;
use super::maps::{self, Mapping};
use super::runs::Runs;
use super::unwind::{AddressSpace, FrameLocation, Unwound, UserStack};

/// Most address spaces that are kept. One that is wanted again is read again, if its process lives.
const KEPT: usize = 64;

/// The address spaces of processes whose stacks are unwound, the last used at the end.
#[derive(Default)]
pub(super) struct Spaces {
    kept: Vec<KnownSpace>,
    /// Whose they were.
    pub(super) runs: Runs,
}

struct KnownSpace {
    image: Image,
    /// Processes that had these mappings when they were read.
    processes: BTreeSet<u32>,
    space: AddressSpace,
}

impl Spaces {
    /// The frames of a stack.
    pub(super) fn unwind(
        &mut self,
        process: u32,
        image: Image,
        stack: &UserStack<'_>,
        binaries: &mut Binaries,
    ) -> Unwound {
        let run = self.runs.number(process, image);
        let known = self.used(|known| known.image == image && known.processes.contains(&process));
        if !known && !self.look(process, image, binaries) {
            return Unwound::gone();
        }
        let mut unwound = self.last(|space| space.unwind(process, run, stack));
        // What was mapped since is not among the mappings: once more, with them.
        if known
            && unwound.as_ref().is_none_or(|unwound| !unwound.is_known)
            && self.look(process, image, binaries)
        {
            unwound = self.last(|space| space.unwind(process, run, stack));
        }
        let unwound = unwound.unwrap_or_else(Unwound::gone);
        if unwound.places.iter().any(|place| matches!(place, FrameLocation::Memory(..))) {
            self.runs.hold(run);
        }
        unwound
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
            let run = self.runs.number(process, image);
            self.runs.note_java(run);
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
        let stack = UserStack { registers: [here, 0x7000_0000_0000, 0], bytes: &[] };
        let mut first = |process, image| {
            spaces.unwind(process, image, &stack, &mut binaries).places.first().copied()
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

    /// The kernel's page in this process is backed by no file, as compiled code is not.
    #[test]
    fn of_a_run_with_code_in_memory_its_map_is_held_at_once() {
        let own = std::process::id();
        let image = image_of(own).expect("it lives");
        let in_file = image_of as *const () as u64;
        let mappings = maps::of(own);
        let page = mappings.iter().find(|mapping| mapping.path == "[vdso]").expect("mapped");
        let (mut spaces, mut binaries) = (Spaces::default(), Binaries::default());
        let mut is_held = |ip| {
            let stack = UserStack { registers: [ip, 0x7000_0000_0000, 0], bytes: &[] };
            let place = spaces.unwind(own, image, &stack, &mut binaries).places[0];
            (place, spaces.runs.all[0].map.is_some())
        };
        let (place, held) = is_held(in_file);
        assert!(matches!(place, FrameLocation::File(..)) && !held, "{place:?}");
        let at = page.range.start + 64;
        assert_eq!(is_held(at), (FrameLocation::Memory(0, at), true));
    }
}
