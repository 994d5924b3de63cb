//! By which system calls a part of a watched window was copied at a hop, and at which ports, as the callers
//! saw it.

use std::collections::BTreeMap;

use zcprof_common::sites::{Sign, Site};
use zcprof_common::vocabulary::{Disposition, Hop, Instrument};

use crate::syscall::InSyscall;
use crate::watch::chosen::Part;
use crate::watch::record::{Charged, Of, Watch, WatchedCount};

/// Bytes that were copied at a hop.
#[derive(Default)]
pub(super) struct CopiedBy {
    calls: BTreeMap<InSyscall, i128>,
    ports: BTreeMap<Option<u16>, i128>,
}

impl CopiedBy {
    /// Those at a hop, of the counts that are taken.
    pub(super) fn at(watch: &Watch, hop: Hop, is_taken: impl Fn(&WatchedCount) -> bool) -> Self {
        let mut all = Self::default();
        for count in watch.counts.iter().filter(|count| is_taken(count)) {
            let bytes = copied_at(count, hop);
            *all.calls.entry(count.syscall).or_default() += bytes;
            *all.ports.entry(count.port).or_default() += bytes;
        }
        all
    }

    pub(super) fn bytes(&self) -> u64 {
        let sum: i128 = self.calls.values().sum();
        u64::try_from(sum.max(0)).unwrap_or(u64::MAX)
    }

    /// The calls that copied a hundredth of it at least, those of most bytes first.
    pub(super) fn calls(&self) -> String {
        let calls: Vec<_> = largest(&self.calls).into_iter().copied().collect();
        InSyscall::joined(&calls)
    }

    /// The ports that are told apart, likewise.
    pub(super) fn ports(&self) -> Vec<u16> {
        largest(&self.ports).into_iter().filter_map(|port| *port).collect()
    }
}

/// Keys with a hundredth of the sum at least, the largest first.
fn largest<K>(amounts: &BTreeMap<K, i128>) -> Vec<&K> {
    let least = amounts.values().sum::<i128>() / 100;
    let mut all: Vec<_> = amounts.iter().filter(|(_, bytes)| **bytes > least.max(0)).collect();
    all.sort_by_key(|(_, bytes)| std::cmp::Reverse(**bytes));
    all.into_iter().map(|(key, _)| key).collect()
}

/// What a count adds to the copies at a hop, or takes away.
fn copied_at(count: &WatchedCount, hop: Hop) -> i128 {
    let Some((_, site)) = Site::find(&count.site) else { return 0 };
    let iter = count.syscall.memory_of(count.iter);
    let terms = site.terms(iter, count.file).filter(|_| site.instrument == Instrument::Callers);
    let its = terms.unwrap_or_default().iter();
    let its = its.filter(|term| (term.hop, term.disposition) == (hop, Disposition::Copied));
    its.map(|term| match term.sign {
        Sign::Plus => i128::from(count.bytes),
        Sign::Minus => -i128::from(count.bytes),
    })
    .sum()
}

/// Whether a count was made by those who sent a part. What a program reads may be for any of its ports.
pub(super) fn is_of_senders(part: &Part<'_>, count: &WatchedCount) -> bool {
    matches!(&count.charged, Charged::Program(name) if part.is_of(name))
}

/// Whether a count was made by a watched program in a part itself.
pub(super) fn is_at(count: &WatchedCount, of: &Of) -> bool {
    match (&count.charged, of) {
        (Charged::Program(_), Of::All) => true,
        (Charged::Program(name), Of::Program(of)) => name == of,
        (Charged::Program(_), Of::Port(port)) => count.port == Some(*port),
        _ => false,
    }
}
