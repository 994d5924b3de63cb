//! What the programs counted in all, and what of it is new since another look.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use aya::Ebpf;
use aya::maps::PerCpuArray;
use zcprof_common::layout::{DeviceKey, Key, Lost, Value};
use zcprof_common::sites::SITES;
use zcprof_common::vocabulary::Hook;

use super::audit::Audit;
use super::maps::{differences, summed};
use super::objects::Objects;
use super::stacks::StackCounts;
use super::unpreempted::Unpreempted;
use super::{follow, skipped};
use crate::run::Doubt;

/// Everything counted since the programs were loaded.
#[derive(Clone, Default)]
pub(super) struct Totals {
    pub(super) counts: BTreeMap<Key, Value>,
    pub(super) stacks: StackCounts,
    pub(super) exits: BTreeMap<DeviceKey, u64>,
    pub(super) objects: Objects,
    /// Times, in the order of [`Lost::ALL`].
    pub(super) lost: Vec<u64>,
    /// Runs, in the order of [`SITES`].
    pub(super) missed: Vec<u64>,
    /// Forks, execs and exits that were not followed.
    pub(super) unfollowed: u64,
}

/// What was counted since the snapshot before.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Counts, zero ones left out.
    pub counts: BTreeMap<Key, Value>,
    /// The same by stack, as far as stacks are kept; nothing in a [`super::Probes::peek`]:
    /// [`super::Probes::peek_stacks`] has them.
    pub stacks: StackCounts,
    /// Bytes that devices got, by subject and device.
    pub exits: BTreeMap<DeviceKey, u64>,
    /// What system calls moved; nothing in a [`super::Probes::peek`].
    pub objects: Objects,
    /// What went wrong meanwhile.
    pub doubts: Vec<Doubt>,
}

impl Totals {
    /// Reads the maps, and what the kernel says of the programs; stacks, files and peers are not among it.
    pub(super) fn read(ebpf: &Ebpf, audit: &mut Audit) -> Result<Self> {
        let _unpreempted = Unpreempted::begin();
        let counts: BTreeMap<_, _> = summed(ebpf, "COUNTS", Value::plus)?;
        let exits = summed(ebpf, "EXITS", u64::saturating_add)?;
        let lost = ebpf.map("LOST").context("the programs have no map LOST")?;
        let lost: PerCpuArray<_, u64> = PerCpuArray::try_from(lost)?;
        let lost = Lost::ALL.iter().map(|what| Ok(lost.get(&(*what as u32), 0)?.iter().sum()));
        let lost = lost.collect::<Result<Vec<u64>>>()?;
        let missed = SITES.iter().map(|site| skipped::of_site(ebpf, site));
        let mut missed = missed.collect::<Result<Vec<u64>>>()?;
        for (site, hits) in audit.hits().context("reading the breakpoints")? {
            missed[site] += hits.abs_diff(runs(&counts, site));
        }
        let mut unfollowed = lost[Lost::Subject as usize];
        for name in follow::PROGRAMS {
            unfollowed += skipped::runs(ebpf, Hook::Raw.of(name))?;
        }
        Ok(Self { counts, exits, lost, missed, unfollowed, ..Self::default() })
    }

    /// What is more than `before` had.
    pub(super) fn since(&self, before: &Self, by_program: bool) -> Snapshot {
        let stacks = differences(&self.stacks, &before.stacks);
        let objects = self.objects.since(&before.objects);
        let mut snapshot = Snapshot { stacks, objects, ..Snapshot::default() };
        for (key, value) in &self.counts {
            let old = before.counts.get(key).copied().unwrap_or_default();
            let value = value.since(old);
            if value.calls > 0 {
                snapshot.counts.insert(*key, value);
            }
        }
        for (exit, bytes) in &self.exits {
            let bytes = bytes - before.exits.get(exit).copied().unwrap_or(0);
            if bytes > 0 {
                snapshot.exits.insert(*exit, bytes);
            }
        }
        let old = |list: &[u64], at: usize| list.get(at).copied().unwrap_or(0);
        for (at, what) in Lost::ALL.iter().enumerate() {
            let times = self.lost[at] - old(&before.lost, at);
            // The built-in workload reads no payload out of a pipe.
            let is_of_others = *what == Lost::Waited && !by_program;
            if times > 0 && *what != Lost::Subject && !is_of_others {
                let what = lost(*what).to_owned();
                snapshot.doubts.push(Doubt::Lost { what, times });
            }
        }
        if self.unfollowed > before.unfollowed {
            let times = self.unfollowed - before.unfollowed;
            snapshot.doubts.push(Doubt::Unfollowed { times });
        }
        for (at, site) in SITES.iter().enumerate() {
            let runs = self.missed[at].saturating_sub(old(&before.missed, at));
            if runs > 0 {
                snapshot.doubts.push(Doubt::Missed { site: site.name.to_owned(), runs });
            }
        }
        snapshot
    }
}

/// How often a site's program ran to its end.
fn runs(counts: &BTreeMap<Key, Value>, site: usize) -> u64 {
    let of_site = counts.iter().filter(|(key, _)| usize::from(key.site) == site);
    of_site.map(|(_, value)| value.calls).sum()
}

/// What a kind of loss is called in a reason.
const fn lost(what: Lost) -> &'static str {
    match what {
        Lost::Counts => "the map of counts was full",
        Lost::Inflight => "the map of current system calls was full",
        Lost::Entered => "a call's entry and return did not meet",
        Lost::Unreadable => "a kernel structure could not be read",
        Lost::Owner => "the owner of a later copy could not be remembered",
        Lost::Subject => "a process could not be remembered",
        Lost::Busy => "a map was in use by what a breakpoint interrupted",
        Lost::Twice => "a call was entered and never seen to return",
        Lost::Waited => "a read of a pipe was entered and never seen to return",
        Lost::Mapped => "a file that was mapped could not be remembered",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(site: u16) -> Key {
        Key { subject: 7, syscall: 1, site, port: 9092, iter: 0, file: 0, unused: 0 }
    }

    fn value(calls: u64, bytes: u64) -> Value {
        Value { calls, bytes, largest: bytes, ..Value::default() }
    }

    fn totals(counts: &[(u16, u64, u64)]) -> Totals {
        let counts = counts.iter().map(|(site, calls, bytes)| (key(*site), value(*calls, *bytes)));
        Totals {
            counts: counts.collect(),
            lost: vec![0; Lost::ALL.len()],
            missed: vec![0; SITES.len()],
            ..Totals::default()
        }
    }

    #[test]
    fn only_what_is_new_is_in_a_snapshot() {
        let before = totals(&[(0, 2, 100), (1, 5, 50)]);
        let now = totals(&[(0, 3, 130), (1, 5, 50), (2, 1, 0)]);
        let snapshot = now.since(&before, false);
        let counts: Vec<_> = snapshot
            .counts
            .iter()
            .map(|(key, value)| (key.site, value.calls, value.bytes))
            .collect();
        // A call without bytes is one too: it may be why another was not counted.
        assert_eq!(counts, [(0, 1, 30), (2, 1, 0)]);
        assert_eq!(snapshot.doubts, []);
    }

    #[test]
    fn the_first_look_has_everything() {
        let now = totals(&[(0, 2, 100)]);
        assert_eq!(now.since(&Totals::default(), false).counts, now.counts);
    }

    #[test]
    fn bytes_of_devices_are_differences_too() {
        let exit = |last| DeviceKey { subject: 7, name: [last; 16], kind: [0; 16] };
        let mut before = totals(&[]);
        before.exits = [(exit(1), 10), (exit(2), 10)].into();
        let mut now = totals(&[]);
        now.exits = [(exit(1), 10), (exit(2), 14), (exit(3), 5)].into();
        let snapshot = now.since(&before, false);
        assert_eq!(snapshot.exits, [(exit(2), 4), (exit(3), 5)].into());
    }

    #[test]
    fn each_loss_casts_a_doubt_that_says_how_often() {
        for (at, what) in Lost::ALL.iter().enumerate() {
            let mut before = totals(&[]);
            before.lost[at] = 3;
            let mut now = before.clone();
            assert_eq!(
                now.since(&before, true).doubts,
                [],
                "{what:?}: an old loss is no new doubt"
            );
            now.lost[at] = 5;
            let doubts = now.since(&before, true).doubts;
            // Whom nobody follows is a doubt of its own.
            let told = *what != Lost::Subject;
            let expected = Doubt::Lost { what: lost(*what).to_owned(), times: 2 };
            assert_eq!(doubts, Vec::from_iter(told.then_some(expected)), "{what:?}");
        }
    }

    #[test]
    fn a_read_of_others_that_still_waits_is_no_doubt_of_the_built_in_workload() {
        let mut now = totals(&[]);
        now.lost[Lost::Waited as usize] = 1;
        assert_eq!(now.since(&totals(&[]), false).doubts, []);
        assert_eq!(now.since(&totals(&[]), true).doubts.len(), 1);
    }

    #[test]
    fn runs_that_were_missed_name_their_site() {
        let mut before = totals(&[]);
        before.missed[1] = 4;
        let mut now = totals(&[]);
        now.missed[1] = 6;
        // A probe that was attached anew begins at zero.
        now.missed[0] = 0;
        before.missed[0] = 9;
        let missed = Doubt::Missed { site: SITES[1].name.to_owned(), runs: 2 };
        assert_eq!(now.since(&before, false).doubts, [missed]);
    }

    #[test]
    fn processes_that_were_not_followed_are_said() {
        let mut now = totals(&[]);
        now.unfollowed = 3;
        assert_eq!(now.since(&totals(&[]), false).doubts, [Doubt::Unfollowed { times: 3 }]);
    }

    #[test]
    fn runs_of_a_site_are_summed_over_its_keys() {
        let other = Key { port: 80, ..key(1) };
        let counts = [(key(0), value(4, 0)), (key(1), value(2, 9)), (other, value(3, 1))].into();
        assert_eq!(runs(&counts, 1), 5);
    }
}
