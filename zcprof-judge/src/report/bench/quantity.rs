//! What is read out of a round.

use super::super::numbers::{GIB, float};
use super::super::rounds::{Better, Quartiles, RatioSpread};
use crate::bench::record::{BenchCell, Round, Series};

/// A number of every round.
pub(super) struct Quantity {
    pub(super) title: &'static str,
    pub(super) unit: &'static str,
    /// What a contestant does with it, in a sentence.
    pub(super) has: &'static str,
    /// Which end of the axis is the good one.
    pub(super) better: Better,
    pub(super) digits: usize,
    read: fn(&BenchCell, &Round) -> f64,
}

pub(super) const THROUGHPUT: Quantity = Quantity {
    title: "Throughput",
    unit: "GiB/s",
    has: "sends",
    better: Better::Higher,
    digits: 3,
    read: |cell, round| float(cell.payload) / GIB / round.seconds,
};

pub(super) const CPU: Quantity = Quantity {
    title: "Server CPU",
    unit: "s/GiB",
    has: "needs",
    better: Better::Lower,
    digits: 3,
    read: |cell, round| round.server_cpu / (float(cell.payload) / GIB),
};

pub(super) const P50: Quantity = Quantity {
    title: "Fetch p50",
    unit: "us",
    has: "needs",
    better: Better::Lower,
    digits: 0,
    read: |_, round| float(round.p50),
};

pub(super) const P99: Quantity = Quantity {
    title: "Fetch p99",
    unit: "us",
    has: "needs",
    better: Better::Lower,
    digits: 0,
    read: |_, round| float(round.p99),
};

/// The slowest connection's time by that of the one in the middle.
pub(super) const UNFAIRNESS: Quantity = Quantity {
    title: "Slowest/median",
    unit: "connection",
    has: "has",
    better: Better::Lower,
    digits: 2,
    read: |_, round| round.slowest / round.median,
};

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
        RatioSpread::of(ratios)
    }
}
