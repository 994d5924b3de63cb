//! Stacks of the passes of a run: what each pass counted by stack is kept, and becomes one record when all
//! are made.

use anyhow::Result;
use zcprof_common::layout::StackKey;
use zcprof_judge::stacks::Stacks;
use zcprof_judge::watch::record::WatchedCount;

use crate::probe::Probes;
use crate::run::{Cache, Count, Pass};
use crate::stacks::{self, Counted, Samples};

/// What passes counted, by stack and in all.
#[derive(Default)]
pub(super) struct ByStack {
    counted: Vec<Counted>,
    counts: Vec<WatchedCount>,
}

impl ByStack {
    /// What one attempt at a pass counted, in all and by stack.
    pub(super) fn of(
        (transfer, cache): (&str, Cache),
        counts: impl Iterator<Item = Count>,
        by_stack: impl Iterator<Item = (StackKey, Count)>,
    ) -> Self {
        let charge = |count: Count| WatchedCount {
            charged: Pass::charged(transfer, cache, count.process),
            site: count.site,
            // A pass has one server.
            port: None,
            syscall: count.syscall,
            iter: count.iter,
            file: count.file,
            calls: count.calls,
            bytes: count.bytes,
            small_calls: 0,
            small_bytes: 0,
            largest: 0,
            sizes: Vec::new(),
        };
        Self {
            counted: by_stack.map(|(key, count)| (key, charge(count))).collect(),
            counts: counts.map(charge).collect(),
        }
    }

    /// Adds another pass.
    pub(super) fn add(&mut self, other: Self) {
        self.counted.extend(other.counted);
        self.counts.extend(other.counts);
    }

    /// The record of all.
    ///
    /// # Errors
    /// The kernel's stacks cannot be read.
    pub(super) fn record(self, probes: &Probes, samples: Samples) -> Result<Stacks> {
        stacks::record(probes, samples, &self.counted, &self.counts)
    }
}
