//! What is read out of a round, and how it is spread over the rounds.

use std::cmp::Ordering;

use super::super::numbers::float;
use crate::bench::record::{BenchCell, Round, Series};

/// Bytes in a GiB.
const GIB: f64 = 1_073_741_824.0;

/// Which of two numbers is the better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Better {
    Higher,
    Lower,
}

/// A number of every round.
pub(super) struct Quantity {
    pub(super) title: &'static str,
    pub(super) unit: &'static str,
    /// Which end of the axis is the good one.
    pub(super) better: Better,
    pub(super) digits: usize,
    read: fn(&BenchCell, &Round) -> f64,
}

pub(super) const THROUGHPUT: Quantity = Quantity {
    title: "Throughput",
    unit: "GiB/s",
    better: Better::Higher,
    digits: 3,
    read: |cell, round| float(cell.payload) / GIB / round.seconds,
};

pub(super) const CPU: Quantity = Quantity {
    title: "Server CPU",
    unit: "s/GiB",
    better: Better::Lower,
    digits: 3,
    read: |cell, round| round.server_cpu / (float(cell.payload) / GIB),
};

pub(super) const P50: Quantity = Quantity {
    title: "Fetch p50",
    unit: "us",
    better: Better::Lower,
    digits: 0,
    read: |_, round| float(round.p50),
};

pub(super) const P99: Quantity = Quantity {
    title: "Fetch p99",
    unit: "us",
    better: Better::Lower,
    digits: 0,
    read: |_, round| float(round.p99),
};

/// The slowest connection's time by that of the one in the middle.
pub(super) const UNFAIRNESS: Quantity = Quantity {
    title: "Slowest/median",
    unit: "connection",
    better: Better::Lower,
    digits: 2,
    read: |_, round| round.slowest / round.median,
};

impl Better {
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Higher => "higher is better",
            Self::Lower => "lower is better",
        }
    }

    /// The better one first.
    pub(super) fn order(self, one: f64, other: f64) -> Ordering {
        match self {
            Self::Higher => other.total_cmp(&one),
            Self::Lower => one.total_cmp(&other),
        }
    }
}

impl Quantity {
    /// Over the rounds of a series.
    pub(super) fn of(&self, cell: &BenchCell, series: &Series) -> Option<Quartiles> {
        Quartiles::of(series.rounds.iter().map(|round| (self.read)(cell, round)))
    }

    /// One contestant's by another's, round by round.
    pub(super) fn ratio(
        &self,
        cell: &BenchCell,
        one: &Series,
        other: &Series,
    ) -> Option<RatioSpread> {
        let rounds = one.rounds.iter().zip(&other.rounds);
        let ratios = rounds.map(|(one, other)| (self.read)(cell, one) / (self.read)(cell, other));
        let mut ratios: Vec<f64> = ratios.filter(|ratio| ratio.is_finite()).collect();
        ratios.sort_by(f64::total_cmp);
        let quartiles = Quartiles::of(ratios.iter().copied())?;
        Some(RatioSpread { rounds: ratios.len(), quartiles, interval: median_interval(&ratios) })
    }
}

/// What the rounds tell about one contestant beside another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Ahead,
    Behind,
    /// The interval of the ratio contains 1.
    Level,
    /// There is no interval.
    TooFewRounds,
}

/// A ratio of every round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct RatioSpread {
    /// Rounds in which it was a number.
    pub(super) rounds: usize,
    pub(super) quartiles: Quartiles,
    /// See [`median_interval`].
    pub(super) interval: Option<(f64, f64)>,
}

impl RatioSpread {
    /// How the numerator stands: ahead or behind only if the interval excludes 1.
    pub(super) fn standing(&self, better: Better) -> Standing {
        let Some((from, to)) = self.interval else { return Standing::TooFewRounds };
        match (from > 1.0, to < 1.0, better) {
            (false, false, _) => Standing::Level,
            (true, _, Better::Higher) | (_, true, Better::Lower) => Standing::Ahead,
            _ => Standing::Behind,
        }
    }
}

/// The interval in which the median of all rounds that could be made lies with a probability of at
/// least 95 %, whatever their distribution: from the k-th smallest to the k-th largest of the
/// numbers, which are in order. It misses the median if fewer than k rounds lie on one side of it,
/// and each round does with a probability of one half (the sign test). `None` below six rounds, for
/// which not even the smallest and the largest are far enough apart.
fn median_interval(sorted: &[f64]) -> Option<(f64, f64)> {
    let rounds = sorted.len();
    // The probability that exactly `k` rounds lie on one side, and that at most `k` do.
    let mut exactly = 0.5_f64.powi(i32::try_from(rounds).ok()?);
    let mut at_most = exactly;
    let mut outside = 0;
    while at_most <= 0.025 && outside < rounds / 2 {
        outside += 1;
        exactly *= float((rounds - outside + 1) as u64) / float(outside as u64);
        at_most += exactly;
    }
    let least = outside.checked_sub(1)?;
    Some((*sorted.get(least)?, *sorted.get(rounds - outside)?))
}

/// Five numbers that stand for many.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Quartiles {
    pub(super) least: f64,
    pub(super) first: f64,
    pub(super) median: f64,
    pub(super) third: f64,
    pub(super) most: f64,
}

impl Quartiles {
    /// Of the numbers that are numbers; `None` if there is none.
    fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let end = values.len().checked_sub(1)?;
        // Between the two nearest ones, as their distance has it.
        let at = |quarters: usize| {
            let (whole, rest) = (end * quarters / 4, end * quarters % 4);
            let next = values[(whole + 1).min(end)];
            values[whole] + (next - values[whole]) * float(rest as u64) / 4.0
        };
        let [least, first, median, third, most] = [0, 1, 2, 3, 4].map(at);
        Some(Self { least, first, median, third, most })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_lie_between_the_numbers() {
        let of = |values: &[f64]| Quartiles::of(values.iter().copied());
        let [least, first, median, third, most] = [1.0, 1.75, 2.5, 3.25, 4.0];
        let expected = Quartiles { least, first, median, third, most };
        assert_eq!(of(&[4.0, 1.0, f64::NAN, 3.0, 2.0]), Some(expected));
        let one = of(&[7.0]).expect("a number");
        assert!((one.least, one.median, one.most) == (7.0, 7.0, 7.0));
        assert_eq!(of(&[f64::INFINITY]), None);
    }

    /// The ranks are those of the tables of the sign test.
    #[test]
    fn the_interval_of_a_median_is_that_of_the_sign_test() {
        let ranks = |rounds: u32| {
            let sorted: Vec<f64> = (1..=rounds).map(f64::from).collect();
            median_interval(&sorted)
        };
        assert_eq!([0, 1, 5].map(ranks), [None; 3]);
        let known = [(6, (1.0, 6.0)), (9, (2.0, 8.0)), (25, (8.0, 18.0)), (31, (10.0, 22.0))];
        for (rounds, interval) in known {
            assert_eq!(ranks(rounds), Some(interval), "{rounds} rounds");
        }
    }
}
