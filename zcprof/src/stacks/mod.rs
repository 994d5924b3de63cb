//! Stacks of copies: unwinds what the probes sampled, gives it names, and makes the record of it. The
//! user's half is unwound as soon as its sample comes, because the process may end; names are looked up
//! when the window is over, and of what a live view shows meanwhile too.

mod binaries;
mod code;
mod debug;
mod depths;
mod foreign;
mod image;
mod jvm;
mod kernel;
mod leaves;
mod live;
mod maps;
mod missing;
mod names;
mod perf_map;
mod runs;
mod samples;
mod spaces;
mod unwind;
mod user_stack;

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
pub use live::{FoundStacks, LiveStacks};
use names::{Moment, Names};
pub use samples::Samples;
use samples::Users;

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

    fn places(&mut self, frames: impl IntoIterator<Item = Frame>) -> Vec<u32> {
        frames.into_iter().map(|frame| self.place(frame)).collect()
    }
}

/// What the user's halves of stacks are called.
#[derive(Default)]
struct NamedWays {
    frames: Frames,
    /// Frames of each, the outermost first.
    of: BTreeMap<u64, Vec<u32>>,
}

impl NamedWays {
    fn name(&mut self, user: u64, frames: impl IntoIterator<Item = Frame>) {
        self.of.insert(user, self.frames.places(frames));
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
    // The ring, and what the window needed, are given back before anything else is taken.
    let users = samples.close();
    probe::give_back();
    let counted: Vec<&Counted> = counted.iter().filter(|counted| is_kept(counted)).collect();
    let halves = probes.kernel_halves(&kernel_numbers(counted.iter().copied()))?;
    let ways: BTreeSet<_> = counted.iter().map(|(key, ..)| key.user).collect();
    let ways = named(&users, &ways);
    // So are files and their symbols, before the kernel's symbols are read.
    drop(users);
    probe::give_back();
    Ok(charged(&counted, &halves, ways, counts))
}

/// Names these user's halves. One whose sample did not come has no name.
fn named(users: &Users, ways: &BTreeSet<u64>) -> NamedWays {
    let places = ways.iter().filter_map(|user| users.places(*user)).flatten().collect();
    let mut names = Names::default();
    names.look_up(&places, &users.binaries.all, users.runs(), Moment::End);
    let mut known = NamedWays::default();
    for user in ways {
        if let Some(stack) = users.places(*user) {
            known.name(*user, names.frames(stack));
        }
    }
    known
}

/// Whether something is kept of a stack: what leaves copied has no user's half.
fn is_kept((key, count): &Counted) -> bool {
    SITES[usize::from(key.count.site)].instrument == Instrument::Callers
        && count.charged != Charged::Elsewhere
}

/// The kernel's halves that there are of stacks.
fn kernel_numbers<'a>(counted: impl Iterator<Item = &'a Counted>) -> BTreeSet<i32> {
    counted.map(|(key, _)| key.kernel).filter(|number| *number >= 0).collect()
}

/// The record of stacks, given the kernel's halves and what the user's are called.
fn charged(
    counted: &[&Counted],
    halves: &BTreeMap<i32, Vec<u64>>,
    ways: NamedWays,
    counts: &[WatchedCount],
) -> Stacks {
    let kernel = KernelNames::of(halves.values().flatten().copied());
    let NamedWays { mut frames, of } = ways;
    let mut details = Vec::new();
    for (key, count) in counted {
        let mut stack = match key.user {
            NOT_OWN => frames.places([missing::frame(missing::DEFERRED)]),
            NO_USER => frames.places([missing::frame(missing::NO_USER)]),
            user => of.get(&user).cloned().unwrap_or_else(|| frames.places([lost()])),
        };
        let site = &SITES[usize::from(key.count.site)];
        match halves.get(&key.kernel) {
            Some(half) => {
                stack.extend(frames.places(kernel.frames(half, site, key.user == NOT_OWN)));
            }
            None => stack.extend(frames.places([lost(), kernel::function(site.name)])),
        }
        details.push(StackCount { count: count.clone(), way: key.user, frames: stack });
    }
    charge(frames.all, &details, counts)
}
