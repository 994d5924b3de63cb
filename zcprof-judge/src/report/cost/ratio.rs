//! What the rounds tell of a watcher: its wall time by another's, in the same round.

use super::super::rounds::RatioSpread;
use crate::cost::record::{CostRun, Timed, Turn};

/// Whose loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// Those of the server that is watched.
    Watched,
    /// Those of the one beside it.
    Neighbour,
}

impl Whose {
    fn of(self, turn: &Turn) -> &[Timed] {
        match self {
            Self::Watched => &turn.watched,
            Self::Neighbour => &turn.neighbour,
        }
    }
}

/// The place of a watcher.
pub(super) fn place(run: &CostRun, name: &str) -> Option<usize> {
    run.watchers.iter().position(|watcher| watcher.name == name)
}

/// Wall time beside one watcher by that beside another, round by round, of a load. A round in which
/// either saw too little or too much tells nothing; `None` if no round tells anything.
pub(super) fn wall(
    run: &CostRun,
    whose: Whose,
    load: usize,
    (one, other): (usize, usize),
) -> Option<RatioSpread> {
    RatioSpread::of(run.rounds.iter().filter_map(|round| {
        let [one, other] = [one, other].map(|at| {
            let turn = round.turns.get(at).filter(|turn| turn.counts())?;
            Some(whose.of(turn).get(load)?.seconds)
        });
        Some(one? / other?)
    }))
}

/// Turns of a watcher that do not count.
pub(super) fn void(run: &CostRun, watcher: usize) -> usize {
    let turns = run.rounds.iter().filter_map(|round| round.turns.get(watcher));
    turns.filter(|turn| !turn.counts()).count()
}
