//! Stacks of copies: unwinds what the probes sampled, gives it names, and makes the record of it. The
//! user's half is unwound as soon as its sample comes, because the process may end; names are looked up
//! when the window is over.

mod binaries;
mod code;
mod debug;
mod foreign;
mod jvm;
mod kernel;
mod leaves;
mod maps;
mod missing;
mod names;
mod samples;
mod spaces;
mod unwind;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use zcprof_common::layout::{NO_USER, NOT_OWN, StackKey};
use zcprof_common::sites::SITES;
use zcprof_common::vocabulary::Instrument;
use zcprof_judge::stacks::Stacks;
use zcprof_judge::stacks::record::Frame;
use zcprof_judge::stacks::tree::lost;
use zcprof_judge::watch::charge::{StackCount, charge};
use zcprof_judge::watch::record::{Charged, WatchedCount};

use crate::probe::{self, Probes};
use kernel::KernelNames;
pub use leaves::{LeafWay, leaf_ways};
use names::Names;
pub use samples::Samples;

/// Every frame once.
#[derive(Default)]
struct Frames {
    all: Vec<Frame>,
    places: BTreeMap<Frame, u32>,
}

impl Frames {
    fn place(&mut self, frame: Frame) -> u32 {
        let next = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        *self.places.entry(frame).or_insert_with_key(|frame| {
            self.all.push(frame.clone());
            next
        })
    }
}

/// Forgets what was read to name frames, before a window that may last for long.
pub fn rest() {
    kernel::forget();
    probe::give_back();
}

/// What was counted by one stack, and the same as the record has counts.
pub type Counted = (StackKey, WatchedCount);

/// Makes the record of the stacks of a window, or of several passes that are charged apart.
///
/// # Errors
/// The kernel's stacks cannot be read.
pub fn record(
    probes: &Probes,
    samples: Samples,
    counted: &[Counted],
    counts: &[WatchedCount],
) -> Result<Stacks> {
    // The ring is given back before anything else is taken.
    let users = samples.close();
    // What leaves copied has no user's half.
    let is_kept = |(key, count): &&Counted| {
        SITES[usize::from(key.count.site)].instrument == Instrument::Callers
            && count.charged != Charged::Elsewhere
    };
    let counted: Vec<&Counted> = counted.iter().filter(is_kept).collect();
    let numbers: BTreeSet<_> =
        counted.iter().map(|(key, _)| key.kernel).filter(|number| *number >= 0).collect();
    let halves = probes.kernel_halves(&numbers)?;
    let kernel = KernelNames::of(halves.values().flatten().copied());
    let names = Names::of(&users, &counted.iter().map(|(key, ..)| key.user).collect());
    let mut frames = Frames::default();
    let mut details = Vec::new();
    for (key, count) in counted {
        let mut stack = match key.user {
            NOT_OWN => vec![missing::frame(missing::DEFERRED)],
            NO_USER => vec![missing::frame(missing::NO_USER)],
            user => match users.places(user) {
                Some(stack) => names.frames(stack),
                None => vec![lost()],
            },
        };
        let site = &SITES[usize::from(key.count.site)];
        match halves.get(&key.kernel) {
            Some(half) => stack.extend(kernel.frames(half, site, key.user == NOT_OWN)),
            None => stack.extend([lost(), kernel::function(site.name)]),
        }
        let frames = stack.into_iter().map(|frame| frames.place(frame)).collect();
        details.push(StackCount { count: count.clone(), way: key.user, frames });
    }
    Ok(charge(frames.all, &details, counts))
}
