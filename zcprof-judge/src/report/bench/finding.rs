//! What the rounds of a cell tell: of zcprof's sendfile beside nginx's, and of all who took part. The
//! table, the pictures and the page ask here.

use super::super::leaders::{Leaders, too_few};
use super::super::rounds::{RatioSpread, Standing};
use super::quantity::Quantity;
use crate::bench::record::{BenchCell, BenchRun};

/// Who is compared with whom.
pub(super) const OURS: &str = "sendfile";
pub(super) const THEIRS: &str = "nginx sendfile";

/// The places of the two who are compared.
#[derive(Clone, Copy)]
pub(super) struct Pair {
    ours: usize,
    theirs: usize,
}

/// What a cell tells of the two.
pub(super) enum Finding {
    /// Not every byte was right, or they were not looked at.
    Unverified,
    NotTimed,
    /// Ours by theirs.
    Timed(RatioSpread),
}

impl Pair {
    /// `None` unless both took part.
    pub(super) fn of(run: &BenchRun) -> Option<Self> {
        let at = |name: &str| run.contestants.iter().position(|one| one.name == name);
        Some(Self { ours: at(OURS)?, theirs: at(THEIRS)? })
    }

    /// What a cell tells.
    pub(super) fn find(self, cell: &BenchCell, quantity: &Quantity) -> Finding {
        let both = cell.series.get(self.ours).zip(cell.series.get(self.theirs));
        let Some((ours, theirs)) = both else { return Finding::NotTimed };
        if !(ours.verified && theirs.verified) {
            return Finding::Unverified;
        }
        quantity.ratio(cell, ours, theirs).map_or(Finding::NotTimed, Finding::Timed)
    }
}

impl Finding {
    /// In a sentence without its end.
    pub(super) fn words(&self, quantity: &Quantity) -> String {
        let ratio = match self {
            Self::Unverified => return "inconclusive: not every byte was verified".to_owned(),
            Self::NotTimed => return "not timed".to_owned(),
            Self::Timed(ratio) => ratio,
        };
        match ratio.standing(quantity.better) {
            Standing::TooFewRounds => too_few(ratio.rounds),
            Standing::Level => format!("{} rounds show no difference", ratio.rounds),
            Standing::Ahead | Standing::Behind => {
                let more = if ratio.quartiles.median > 1.0 { "more" } else { "less" };
                format!("{OURS} {} {:.1} % {more}", quantity.has, ratio.percent())
            }
        }
    }
}

/// Who leads in a cell. A contestant whose bytes were not all verified does not take part.
pub(super) fn leaders(cell: &BenchCell, quantity: &Quantity) -> Option<Leaders> {
    let takes_part = |at: &usize| {
        let series = &cell.series[*at];
        series.verified && quantity.of(cell, series).is_some()
    };
    let timed: Vec<usize> = (0..cell.series.len()).filter(takes_part).collect();
    Leaders::of(&timed, quantity.better, |one, other| {
        quantity.ratio(cell, &cell.series[one], &cell.series[other])
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::rounds::Quartiles;
    use super::super::quantity::{CPU, THROUGHPUT};
    use super::*;

    #[test]
    fn a_difference_is_said_only_if_the_interval_excludes_one() {
        let found = |quantity: &Quantity, interval: Option<(f64, f64)>| {
            let rounds = if interval.is_some() { 25 } else { 5 };
            let median = interval.map_or(1.1, |(from, to)| f64::midpoint(from, to));
            let quartiles = Quartiles { least: 0.5, first: 0.9, median, third: 1.2, most: 2.0 };
            Finding::Timed(RatioSpread { rounds, quartiles, interval }).words(quantity)
        };
        let few = "5 rounds are too few for a ranking";
        let level = "25 rounds show no difference";
        assert_eq!(found(&THROUGHPUT, Some((0.98, 1.2))), level);
        assert_eq!(found(&CPU, Some((0.9, 1.0))), level);
        assert_eq!(found(&THROUGHPUT, Some((1.02, 1.06))), "sendfile sends 4.0 % more");
        assert_eq!(found(&THROUGHPUT, Some((0.8, 0.9))), "sendfile sends 15.0 % less");
        assert_eq!(found(&CPU, Some((0.92, 0.94))), "sendfile needs 7.0 % less");
        assert_eq!(found(&CPU, Some((1.04, 1.1))), "sendfile needs 7.0 % more");
        assert_eq!(found(&CPU, None), few);
    }
}
