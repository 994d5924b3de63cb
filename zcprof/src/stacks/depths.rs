//! How deep the stacks of each run of a program are to be searched for return addresses: as deep as functions
//! lie of which no frame pointer tells. Two ways that differ only deeper count as one.

use std::collections::HashMap;

use super::image::Image;

/// Most runs that are remembered. One that is forgotten is told anew.
const KEPT: usize = 4096;

/// What was said of each run.
#[derive(Default)]
pub(super) struct Depths(HashMap<Image, u32>);

impl Depths {
    /// Notes how deep a stack of a run needs to be searched. Returns what is to be said of the run, if that is
    /// news: the deepest that any of its stacks needed.
    pub(super) fn deepen(&mut self, image: Image, depth: u32) -> Option<u32> {
        if self.0.len() >= KEPT && !self.0.contains_key(&image) {
            self.0.clear();
        }
        let known = self.0.entry(image).or_insert(0);
        (*known < depth).then(|| {
            *known = depth;
            depth
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_searched_as_deep_as_any_of_its_stacks_needs() {
        let mut depths = Depths::default();
        let said = [8, 8, 20, 9, 20, 64].map(|depth| depths.deepen([1, 2], depth));
        assert_eq!(said, [Some(8), None, Some(20), None, None, Some(64)]);
        assert_eq!(depths.deepen([1, 3], 9), Some(9), "another run");
        for run in 0..2 * KEPT as u64 {
            depths.deepen([run, 0], 8);
        }
        assert!(depths.0.len() <= KEPT);
    }
}
