//! THE TABLE of how much watching may cost, and what the rounds tell of each bound.

use zcprof_common::names::transfer;

use super::super::rounds::RatioSpread;
use super::ratio::{Whose, place, wall};
use crate::cost::record::CostRun;
use crate::cost::watcher;

/// Rounds below which nothing is said of a bound.
pub(super) const ROUNDS: usize = 15;

/// How much more wall time a load may take.
pub(super) struct Bound {
    /// Beside whom.
    pub(super) watcher: &'static str,
    /// Than beside whom.
    pub(super) over: &'static str,
    pub(super) transfer: &'static str,
    /// As a ratio.
    most: f64,
}

const fn bound(pair: (&'static str, &'static str), transfer: &'static str, most: f64) -> Bound {
    Bound { watcher: pair.0, over: pair.1, transfer, most }
}

/// Watching by the callers, and with the audit too.
const CALLERS: (&str, &str) = (watcher::CALLERS, watcher::NOBODY);
const BOTH: (&str, &str) = (watcher::BOTH, watcher::NOBODY);

/// The stacks beside the counts.
const CALLERS_STACKS: (&str, &str) = (watcher::CALLERS_STACKS, watcher::CALLERS);
const BOTH_STACKS: (&str, &str) = (watcher::BOTH_STACKS, watcher::BOTH);

pub(super) const BOUNDS: &[Bound] = &[
    bound(CALLERS, transfer::SENDFILE, 1.03),
    bound(CALLERS, transfer::READ_WRITE, 1.10),
    bound(BOTH, transfer::SENDFILE, 1.15),
    bound(BOTH, transfer::READ_WRITE, 1.50),
    bound(CALLERS_STACKS, transfer::SENDFILE, 1.05),
    bound(CALLERS_STACKS, transfer::READ_WRITE, 1.05),
    bound(BOTH_STACKS, transfer::SENDFILE, 1.15),
    bound(BOTH_STACKS, transfer::READ_WRITE, 1.15),
];

/// What the rounds tell of a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// The whole interval of the median lies at or below it.
    Kept,
    /// The whole interval lies above it.
    Exceeded,
    /// The bound lies in the interval.
    Open,
    /// Fewer than [`ROUNDS`] count.
    TooFewRounds,
}

impl Finding {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Exceeded => "EXCEEDED",
            Self::Open => "open",
            Self::TooFewRounds => "too few rounds",
        }
    }
}

impl Bound {
    /// The bound as it is printed.
    pub(super) fn most(&self) -> String {
        format!("{:.2}", self.most)
    }

    /// What a ratio tells.
    pub(super) fn find(&self, ratio: &RatioSpread) -> Finding {
        let interval = ratio.interval.filter(|_| ratio.rounds >= ROUNDS);
        let Some((from, to)) = interval else { return Finding::TooFewRounds };
        match (to <= self.most, from > self.most) {
            (true, _) => Finding::Kept,
            (_, true) => Finding::Exceeded,
            _ => Finding::Open,
        }
    }

    /// The ratio of a load that it is about; `None` if it is about another transfer, if either did not
    /// take part, or if no round tells anything.
    pub(super) fn ratio(&self, run: &CostRun, whose: Whose, load: usize) -> Option<RatioSpread> {
        run.loads.get(load).filter(|load| load.transfer == self.transfer)?;
        let pair = (place(run, self.watcher)?, place(run, self.over)?);
        wall(run, whose, load, pair)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(values: &[f64]) -> RatioSpread {
        RatioSpread::of(values.iter().copied()).expect("numbers")
    }

    #[test]
    fn a_bound_is_kept_or_exceeded_only_by_a_whole_interval() {
        let bound = bound(CALLERS, transfer::SENDFILE, 1.03);
        let of = |values: &[f64]| bound.find(&ratio(values));
        assert_eq!(of(&[1.03; 15]), Finding::Kept);
        assert_eq!(of(&[1.031; 15]), Finding::Exceeded);
        // The interval of 15 rounds goes from the 4th to the 12th: four on one side reach it.
        let with = |above: usize| {
            let values = [vec![1.0; 15 - above], vec![1.2; above]].concat();
            of(&values)
        };
        let wanted = [Finding::Kept, Finding::Open, Finding::Open, Finding::Exceeded];
        assert_eq!([3, 4, 11, 12].map(with), wanted);
        assert_eq!(of(&[1.0; 14]), Finding::TooFewRounds, "it would be kept");
    }

    #[test]
    fn every_bound_is_about_watchers_that_there_are() {
        for bound in BOUNDS {
            for name in [bound.watcher, bound.over] {
                assert!(watcher::ALL.contains(&name), "{name}");
            }
            assert!(bound.most > 1.0, "{} by {}", bound.watcher, bound.over);
        }
    }
}
