//! What changed between two records: ways with the bytes of both, in billionths of what was sent.

use std::collections::BTreeMap;

use zcprof_common::vocabulary::{Disposition, Hop, Process};

use crate::ledger::sum;
use crate::report::ReportError;
use crate::report::reading::Reading;
use crate::report::watch_line::WatchLine;
use crate::run::{Pass, Run};
use crate::stacks::Stacks;
use crate::stacks::tree::{Label, ways};
use crate::watch::Watch;
use crate::watch::record::{Direction, Of};
use crate::watch::traffic::Traffic;

/// One byte per byte.
pub(super) const ONE: u128 = 1_000_000_000;

/// A way, and how much went it before and after, in billionths of what was sent; none where that record
/// does not have the part at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) way: Vec<Label>,
    pub(super) place: (Hop, Disposition),
    pub(super) before: Option<u128>,
    pub(super) after: Option<u128>,
}

type Amounts = BTreeMap<(Vec<Label>, (Hop, Disposition)), u128>;

impl Change {
    pub(super) fn amounts(&self) -> (u128, u128) {
        (self.before.unwrap_or(0), self.after.unwrap_or(0))
    }

    /// By how much it changed, whichever way.
    pub(super) fn size(&self) -> u128 {
        let (before, after) = self.amounts();
        before.abs_diff(after)
    }
}

/// A window, by what is sent at all, and by each program and port: the numbers of its table.
pub(super) fn of_window(before: &Watch, after: &Watch) -> Vec<Change> {
    let amounts = |watch: &Watch| {
        let mut amounts = Amounts::new();
        for line in WatchLine::all(watch) {
            let name = name(&line.of, watch.direction);
            add(&mut amounts, &name, line.traffic.sent(), |(hop, how)| line.bytes(hop, how));
        }
        amounts
    };
    joined(&amounts(before), &amounts(after))
}

/// Whether a change is of a window as a whole, whose parts are its programs and also its ports.
pub(super) fn is_of_all(change: &Change, direction: Direction) -> bool {
    change.way.first() == Some(&Label::Charged(name(&Of::All, direction)))
}

fn name(of: &Of, direction: Direction) -> String {
    match of {
        Of::All => format!("all that was {}", direction.done()),
        Of::Program(_) | Of::Port(_) => of.to_string(),
    }
}

/// The passes of a run, by transfer and state of the page cache.
pub(super) fn of_run(before: &Run, after: &Run) -> Result<Vec<Change>, ReportError> {
    let amounts = |run: &Run| -> Result<Amounts, ReportError> {
        let mut amounts = Amounts::new();
        for pass in &Reading::of(run)?.passes {
            let name = format!("{} {}", pass.pass.transfer, pass.pass.cache.name());
            add(&mut amounts, &name, pass.pass.payload.bytes, |(hop, disposition)| {
                pass.entry(Process::Server, hop, disposition).map_or(0, |entry| entry.bytes)
            });
        }
        Ok(amounts)
    };
    Ok(joined(&amounts(before)?, &amounts(after)?))
}

fn add(amounts: &mut Amounts, name: &str, sent: u64, bytes: impl Fn((Hop, Disposition)) -> u64) {
    for hop in Hop::ALL {
        for disposition in Disposition::ALL {
            let place = (*hop, *disposition);
            let way = vec![Label::Charged(name.to_owned()), Label::Place(place.0, place.1)];
            let share = per(bytes(place), sent);
            if share > 0 {
                *amounts.entry((way, place)).or_default() += share;
            }
        }
    }
}

/// Stacks, where both windows have some.
pub(super) fn of_stacks(before: &Watch, after: &Watch) -> Option<Vec<Change>> {
    let amounts = |watch: &Watch, stacks: &Stacks| {
        let sent = Traffic::of(watch, &Of::All).sent();
        by_stack(stacks, |_| sent)
    };
    let known = amounts(before, before.stacks.as_ref()?);
    Some(joined(&known, &amounts(after, after.stacks.as_ref()?)))
}

/// Stacks, where both runs have some: per payload byte of the pass that each is charged to.
pub(super) fn of_run_stacks(before: &Run, after: &Run) -> Option<Vec<Change>> {
    let amounts = |run: &Run, stacks: &Stacks| {
        let mut sent = BTreeMap::new();
        for pass in &run.passes {
            for process in [Process::Server, Process::Consumer] {
                let charged = Pass::charged(&pass.transfer, pass.cache, process);
                sent.insert(charged.to_string(), pass.payload.bytes);
            }
        }
        // What is lost, and what is for an unknown sender, is of all passes together.
        let all = sum(run.passes.iter().map(|pass| pass.payload.bytes));
        by_stack(stacks, |way| match way.first() {
            Some(Label::Charged(name)) => sent.get(name).copied().unwrap_or(all),
            _ => all,
        })
    };
    let known = amounts(before, before.stacks.as_ref()?);
    Some(joined(&known, &amounts(after, after.stacks.as_ref()?)))
}

/// What each stack has, per byte that was sent of what it is part of.
fn by_stack(stacks: &Stacks, sent: impl Fn(&[Label]) -> u64) -> Amounts {
    let mut amounts = Amounts::new();
    for (way, place, bytes) in ways(stacks) {
        let share = per(bytes, sent(&way));
        *amounts.entry((way, place)).or_default() += share;
    }
    amounts
}

/// Billionths of what was sent; of nothing nothing is a part.
fn per(bytes: u64, sent: u64) -> u128 {
    (u128::from(bytes) * ONE).checked_div(u128::from(sent)).unwrap_or(0)
}

fn joined(before: &Amounts, after: &Amounts) -> Vec<Change> {
    let mut keys: Vec<_> = before.keys().chain(after.keys()).collect();
    keys.sort();
    keys.dedup();
    let has =
        |side: &Amounts, way: &[Label]| side.keys().any(|(other, _)| other.first() == way.first());
    keys.into_iter()
        .map(|key| Change {
            way: key.0.clone(),
            place: key.1,
            before: before.get(key).copied().or_else(|| has(before, &key.0).then_some(0)),
            after: after.get(key).copied().or_else(|| has(after, &key.0).then_some(0)),
        })
        .collect()
}
