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
    title: "Server",
    unit: "CPU s/GiB",
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
    ) -> Option<Quartiles> {
        let rounds = one.rounds.iter().zip(&other.rounds);
        Quartiles::of(rounds.map(|(one, other)| (self.read)(cell, one) / (self.read)(cell, other)))
    }
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
}
