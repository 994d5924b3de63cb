//! Runs of programs whose stacks are sampled, and what is held of those that run code which they have
//! compiled themselves: when names are looked up, the process may have ended, and another have its number.

use std::collections::HashMap;
use std::sync::Arc;

use super::image::{Image, image_of};
use super::perf_map::MapPlace;

/// Most runs of which something is held, each by two descriptors. The names of further ones are found if
/// they are alive at the window's end.
const MOST: usize = 256;

/// All runs. There are no more than samples, whose number has a bound.
#[derive(Default)]
pub(super) struct Runs {
    numbers: HashMap<(u32, Image), u32>,
    /// By number.
    pub(super) all: Vec<Run>,
    held: usize,
}

/// A process, from when it ran a program until it runs another or ends.
#[derive(Clone)]
pub(super) struct Run {
    /// Its number, which may be another's by now.
    pub(super) process: u32,
    pub(super) image: Image,
    /// Whether it is a virtual machine of Java's.
    pub(super) is_java: bool,
    /// Where its map is, held since its first frame in code that it had compiled.
    pub(super) map: Option<Arc<MapPlace>>,
}

impl Run {
    /// One of which nothing is known but who it is.
    pub(super) const fn new(process: u32, image: Image) -> Self {
        Self { process, image, is_java: false, map: None }
    }

    /// Whether it has not ended.
    pub(super) fn lives(&self) -> bool {
        image_of(self.process) == Some(self.image)
    }

    /// Where its map is: as its process says now, or as it said while it lived. None if it had ended
    /// before.
    pub(super) fn map(&self) -> Option<Arc<MapPlace>> {
        self.place().or_else(|| self.map.clone())
    }

    /// The same, if it lives before and after.
    fn place(&self) -> Option<Arc<MapPlace>> {
        let place = self.lives().then(|| MapPlace::of(self.process))?.ok()?;
        self.lives().then(|| Arc::new(place))
    }
}

impl Runs {
    /// The number of a run.
    pub(super) fn number(&mut self, process: u32, image: Image) -> u32 {
        *self.numbers.entry((process, image)).or_insert_with(|| {
            self.all.push(Run::new(process, image));
            u32::try_from(self.all.len() - 1).unwrap_or(u32::MAX)
        })
    }

    /// Notes that a run is a virtual machine of Java's.
    pub(super) fn note_java(&mut self, number: u32) {
        if let Some(run) = self.all.get_mut(number as usize) {
            run.is_java = true;
        }
    }

    /// Holds where a run's map is.
    pub(super) fn hold(&mut self, number: u32) {
        let Some(run) = self.all.get_mut(number as usize) else { return };
        if run.map.is_none() && self.held < MOST {
            run.map = run.place();
            self.held += usize::from(run.map.is_some());
        }
        if let Some(map) = &run.map {
            map.hold_map();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::image::tests::sleeping;
    use super::*;

    #[test]
    fn what_is_held_of_a_run_outlives_it_and_is_no_other_runs() {
        let (mut child, image) = sleeping();
        let mut runs = Runs::default();
        let [held, unheld] = [image, image].map(|image| runs.number(child.id(), image));
        assert_eq!(held, unheld, "the same run");
        let other = runs.number(child.id(), [image[0] ^ 16, image[1]]);
        let before = runs.all[held as usize].clone();
        runs.hold(held);
        runs.hold(other);
        assert!(runs.all[other as usize].map().is_none(), "another run has this number");
        assert!(before.map().is_some(), "it lives");
        child.kill().and_then(|()| child.wait()).expect("it ran");
        assert!(runs.all[held as usize].map().is_some());
        assert!(before.map().is_none(), "nothing was held of it");
    }
}
