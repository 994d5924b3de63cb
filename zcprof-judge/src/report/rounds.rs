//! What numbers that were taken round by round tell: how they are spread, and who of two is ahead.

use std::cmp::Ordering;

use super::numbers::float;

/// Which of two numbers is the better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::report) enum Better {
    Higher,
    Lower,
}

impl Better {
    pub(in crate::report) const fn words(self) -> &'static str {
        match self {
            Self::Higher => "higher is better",
            Self::Lower => "lower is better",
        }
    }

    /// What the better one has of the quantity.
    pub(in crate::report) const fn more(self) -> &'static str {
        match self {
            Self::Higher => "more",
            Self::Lower => "less",
        }
    }

    /// The better one first.
    pub(in crate::report) fn order(self, one: f64, other: f64) -> Ordering {
        match self {
            Self::Higher => other.total_cmp(&one),
            Self::Lower => one.total_cmp(&other),
        }
    }
}

/// What the rounds tell about one contestant beside another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::report) enum Standing {
    Ahead,
    Behind,
    /// The interval of the ratio contains 1.
    Level,
    /// There is no interval.
    TooFewRounds,
}

/// A ratio of every round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::report) struct RatioSpread {
    /// Rounds in which it was a number.
    pub(in crate::report) rounds: usize,
    pub(in crate::report) quartiles: Quartiles,
    /// See [`median_interval`].
    pub(in crate::report) interval: Option<(f64, f64)>,
}

impl RatioSpread {
    /// Of the ratios that are numbers; `None` if there is none.
    pub(in crate::report) fn of(ratios: impl Iterator<Item = f64>) -> Option<Self> {
        let mut ratios: Vec<f64> = ratios.filter(|ratio| ratio.is_finite()).collect();
        ratios.sort_by(f64::total_cmp);
        let quartiles = Quartiles::of_sorted(&ratios)?;
        Some(Self { rounds: ratios.len(), quartiles, interval: median_interval(&ratios) })
    }

    /// How the numerator stands: ahead or behind only if the interval excludes 1.
    pub(in crate::report) fn standing(&self, better: Better) -> Standing {
        let Some((from, to)) = self.interval else { return Standing::TooFewRounds };
        match (from > 1.0, to < 1.0, better) {
            (false, false, _) => Standing::Level,
            (true, _, Better::Higher) | (_, true, Better::Lower) => Standing::Ahead,
            _ => Standing::Behind,
        }
    }

    /// The same of a ratio that may be none, because no round gave a number.
    pub(in crate::report) fn standing_of(ratio: Option<&Self>, better: Better) -> Standing {
        ratio.map_or(Standing::TooFewRounds, |ratio| ratio.standing(better))
    }

    /// How far the median is from 1, in percent of the denominator.
    pub(in crate::report) fn percent(&self) -> f64 {
        (self.quartiles.median - 1.0).abs() * 100.0
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
pub(in crate::report) struct Quartiles {
    pub(in crate::report) least: f64,
    pub(in crate::report) first: f64,
    pub(in crate::report) median: f64,
    pub(in crate::report) third: f64,
    pub(in crate::report) most: f64,
}

impl Quartiles {
    /// Of the numbers that are numbers; `None` if there is none.
    pub(in crate::report) fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        Self::of_sorted(&values)
    }

    fn of_sorted(values: &[f64]) -> Option<Self> {
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
