//! A sample of a user's stack, and what is known of its frames. The probes tell ways through a program apart
//! by the return addresses in so much of the stack, and in the chain of frame pointers: of what lies
//! elsewhere the next sample of the same way may be another's.

use zcprof_common::layout::{CHAINED, LEAST_SEARCHED, MOST_SEARCHED, SEARCHED_AT_A_TIME};

/// What is nearer to the stack pointer than this is taken for the stack (`STACK` of the probes).
const STACK: u64 = 1 << 20;

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

/// A sample of a user's stack.
pub(super) struct UserStack<'a> {
    /// Instruction pointer, stack pointer and frame pointer.
    pub(super) registers: [u64; 3],
    /// From the stack pointer on.
    pub(super) bytes: &'a [u8],
}

/// The frames of a stack.
pub(super) struct Unwound {
    /// Where each is, the innermost first.
    pub(super) places: Vec<FrameLocation>,
    /// Whether all are within what the process has mapped.
    pub(super) is_known: bool,
    /// How deep each frame's return address lies ([`UserStack::depths`]); empty if nothing is known of the
    /// stack.
    pub(super) depths: Vec<u32>,
}

impl UserStack<'_> {
    /// A word of the stack.
    pub(super) fn word(&self, address: u64) -> Option<u64> {
        let at = usize::try_from(address.checked_sub(self.registers[1])?).ok()?;
        let word = self.bytes.get(at..at.checked_add(8)?)?;
        word.try_into().map(u64::from_le_bytes).ok()
    }

    /// How deep return addresses lie that are at these places of the stack, in pieces; 0 for one that is none,
    /// or to which the chain of frame pointers leads.
    pub(super) fn depths(&self, places: impl Iterator<Item = Option<u64>>) -> Vec<u32> {
        let places: Vec<_> = places.collect();
        let mut chained = Vec::new();
        let [_, mut below, mut frame] = self.registers;
        let stack = below;
        // As `stack_frames()` of the probes does.
        while chained.len() < CHAINED && frame >= below && frame - below <= STACK {
            let Some(back) = frame.checked_add(8) else { break };
            let Some(next) = self.word(frame).filter(|_| places.contains(&Some(back))) else {
                break;
            };
            chained.push(back);
            (below, frame) = (back.saturating_add(8), next);
        }
        let depth = |place: &Option<u64>| match place {
            Some(place) if !chained.contains(place) => {
                let bytes = place.saturating_add(8).saturating_sub(stack);
                u32::try_from(bytes.div_ceil(SEARCHED_AT_A_TIME as u64)).unwrap_or(u32::MAX)
            }
            _ => 0,
        };
        places.iter().map(depth).collect()
    }
}

impl Unwound {
    /// A stack of which nothing is known.
    pub(super) fn gone() -> Self {
        Self { places: vec![FrameLocation::Gone], is_known: false, depths: Vec::new() }
    }

    /// How deep the stack needs to be searched for ways that differ in a frame to be told apart, in the
    /// pieces of the probes; none if nothing is known of it.
    pub(super) fn depth(&self) -> Option<u32> {
        let deepest = self.depths.iter().copied().max()?;
        Some(deepest.clamp(LEAST_SEARCHED, MOST_SEARCHED))
    }

    /// The places as far as the way says them for which so much was searched. What lies deeper than is ever
    /// searched stays: it is the sample's, and most likely the other's.
    pub(super) fn known_by(&self, searched: u32) -> Vec<FrameLocation> {
        let is_unknown = |depth: &u32| (searched + 1..=MOST_SEARCHED).contains(depth);
        match self.depths.iter().position(is_unknown) {
            None => self.places.clone(),
            Some(at) => self.places.iter().take(at).copied().chain([FrameLocation::Cut]).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stack of so many words, with a chain of frame pointers through these pairs of words.
    fn stack(words: usize, chain: &[usize]) -> (Vec<u8>, [u64; 3]) {
        const SP: u64 = 0x7000_0000_0000;
        let at = |word: usize| SP + 8 * word as u64;
        let mut all = vec![0; words];
        for pair in chain.windows(2) {
            all[pair[0]] = at(pair[1]);
        }
        let bytes = all.into_iter().flat_map(u64::to_le_bytes).collect();
        (bytes, [0x1000, SP, chain.first().map_or(0, |first| at(*first))])
    }

    #[test]
    fn what_no_frame_pointer_leads_to_has_to_be_searched_for() {
        let (bytes, registers) = stack(512, &[40, 100, 300]);
        let stack = UserStack { registers, bytes: &bytes };
        let at = |word: u64| Some(registers[1] + 8 * word);
        let depths = stack.depths([None, at(3), at(41), at(101), at(200), at(301)].into_iter());
        assert_eq!(depths, [0, 1, 0, 0, 26, 0]);
        // A chain through what is no frame tells nothing.
        let depths = stack.depths([None, at(3), at(101)].into_iter());
        assert_eq!(depths, [0, 1, 13]);
    }

    #[test]
    fn frames_that_were_not_searched_for_are_cut() {
        let place = |at| FrameLocation::File(0, at);
        let places: Vec<_> = (0..4).map(place).collect();
        let of = |depths: &[u32]| Unwound {
            places: places.clone(),
            is_known: true,
            depths: depths.to_vec(),
        };
        let unwound = of(&[0, 1, 26, 99]);
        assert_eq!(unwound.depth(), Some(MOST_SEARCHED));
        assert_eq!(unwound.known_by(26), places);
        let cut = [places[0], places[1], FrameLocation::Cut];
        assert_eq!(unwound.known_by(25), cut);
        assert_eq!(unwound.known_by(LEAST_SEARCHED), cut);
        assert_eq!(of(&[0, 1, 2, 0]).depth(), Some(LEAST_SEARCHED));
    }
}
