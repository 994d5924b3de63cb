//! Names stacks of a window that is still open, on a thread of its own: reading symbols takes seconds, in
//! which keys must work, and samples come on.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};

use anyhow::{Context as _, Result};
use zcprof_judge::stacks::Stacks;
use zcprof_judge::watch::record::WatchedCount;

use super::names::{Moment, Names};
use super::samples::{Samples, SharedUsers};
use super::unwind::FrameLocation;
use super::{Counted, NamedWays, charged, is_kept, kernel_numbers, missing};
use crate::probe::Probes;

/// Stacks whose names are looked up: those by which most was counted.
const MOST: usize = 256;

/// What looks names up.
pub struct LiveStacks {
    users: SharedUsers,
    thread: Option<NamingThread>,
}

/// Stacks that were found, with the word by which they were asked for.
pub type FoundStacks = (String, Stacks);

/// The thread, which ends when nobody can ask it any more.
struct NamingThread {
    ask: Sender<Question>,
    answers: Receiver<FoundStacks>,
    is_busy: bool,
}

/// What is to be named.
struct Question {
    of: String,
    counted: Vec<Counted>,
    /// The kernel's halves.
    halves: BTreeMap<i32, Vec<u64>>,
    /// The exact counts.
    counts: Vec<WatchedCount>,
}

impl LiveStacks {
    /// For what these samples show.
    #[must_use]
    pub fn of(samples: &Samples) -> Self {
        Self { users: samples.users(), thread: None }
    }

    /// Whether it has yet to answer.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| thread.is_busy)
    }

    /// Has the stacks named that something counted; `of` is the word for it.
    ///
    /// # Errors
    /// The kernel's stacks cannot be read, or there is no thread to be had.
    pub fn seek(
        &mut self,
        probes: &Probes,
        of: &str,
        mut counted: Vec<Counted>,
        counts: Vec<WatchedCount>,
    ) -> Result<()> {
        counted.retain(is_kept);
        counted.sort_by_key(|(_, count)| Reverse(count.bytes));
        let mut halves = probes.kernel_halves(&kernel_numbers(counted.iter().take(MOST)))?;
        // Of the others the site alone is said, and not that something is lost.
        for (key, _) in counted.iter().skip(MOST) {
            halves.entry(key.kernel).or_default();
        }
        let thread = match self.thread.take() {
            Some(thread) => thread,
            None => NamingThread::start(self.users.clone()).context("naming stacks")?,
        };
        let question = Question { of: of.to_owned(), counted, halves, counts };
        let is_busy = thread.ask.send(question).is_ok();
        self.thread = Some(NamingThread { is_busy, ..thread });
        Ok(())
    }

    /// What it has found since it was asked.
    pub fn found(&mut self) -> Option<FoundStacks> {
        let thread = self.thread.as_mut()?;
        let found = thread.answers.try_recv();
        match found {
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => self.thread = None,
            Ok(_) => thread.is_busy = false,
        }
        found.ok()
    }

    /// Forgets what was read to name them.
    pub fn rest(&mut self) {
        self.thread = None;
    }
}

impl NamingThread {
    fn start(users: SharedUsers) -> std::io::Result<Self> {
        let (ask, asked) = channel::<Question>();
        let (answer, answers) = channel();
        std::thread::Builder::new().name("zcprof names".to_owned()).spawn(move || {
            let mut names = Names::default();
            for question in &asked {
                if answer.send(question.answer(&users, &mut names)).is_err() {
                    break;
                }
            }
            drop(names);
            super::rest();
        })?;
        Ok(Self { ask, answers, is_busy: false })
    }
}

impl Question {
    fn answer(self, users: &SharedUsers, names: &mut Names) -> FoundStacks {
        let (largest, smaller) = self.counted.split_at(self.counted.len().min(MOST));
        // Copied, so that samples do not wait for names.
        let (ways, binaries, runs) = {
            let users = users.lock();
            let way = |(key, _): &Counted| Some((key.user, users.places(key.user)?.collect()));
            let ways: BTreeMap<u64, Vec<FrameLocation>> = largest.iter().filter_map(way).collect();
            (ways, users.binaries.all.clone(), users.runs().to_vec())
        };
        let places: BTreeSet<_> = ways.values().flatten().copied().collect();
        names.look_up(&places, &binaries, &runs, Moment::Meanwhile);
        let smaller: BTreeSet<u64> = smaller.iter().map(|(key, _)| key.user).collect();
        let mut known = NamedWays::default();
        for user in smaller {
            known.name(user, [missing::frame(missing::SMALLER)]);
        }
        for (user, stack) in ways {
            known.name(user, names.frames(stack.into_iter()));
        }
        let counted: Vec<_> = self.counted.iter().collect();
        (self.of, charged(&counted, &self.halves, known, &self.counts))
    }
}
