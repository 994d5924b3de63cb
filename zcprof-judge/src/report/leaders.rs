//! Who leads some contestants, as far as their rounds tell. Whatever ranks them asks here, and none of
//! it reads a median of one contestant alone.

use super::numbers::counted;
use super::rounds::{Better, RatioSpread, Standing};

/// Who leads; contestants are numbers, by rising number.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::report) enum Leaders {
    /// Nobody else was timed.
    Alone(usize),
    /// Ahead of every other.
    Best {
        at: usize,
        /// Of the other's number, in percent, where the distance is least.
        by: f64,
    },
    /// Nobody is shown ahead of anybody.
    Level(Vec<usize>),
    /// Nobody is shown ahead of these, but no one of them is shown ahead of everybody. There is none if
    /// each is behind another.
    Unbeaten {
        these: Vec<usize>,
        /// How many were timed.
        of: usize,
    },
    /// So few rounds tell nothing of some two of them.
    TooFewRounds(usize),
}

impl Leaders {
    /// Of those who were timed, with one's number by another's round by round; `None` if nobody was.
    pub(in crate::report) fn of(
        timed: &[usize],
        better: Better,
        ratio: impl Fn(usize, usize) -> Option<RatioSpread>,
    ) -> Option<Self> {
        let beside = |one: usize| {
            let others = timed.iter().filter(move |other| **other != one);
            others.map(|other| ratio(one, *other)).collect::<Vec<_>>()
        };
        let all: Vec<(usize, Vec<Option<RatioSpread>>)> =
            timed.iter().map(|one| (*one, beside(*one))).collect();
        if let [(only, _)] = all.as_slice() {
            return Some(Self::Alone(*only));
        }
        let standing =
            |ratio: &Option<RatioSpread>| RatioSpread::standing_of(ratio.as_ref(), better);
        let ratios = || all.iter().flat_map(|(_, ratios)| ratios);
        if ratios().any(|ratio| standing(ratio) == Standing::TooFewRounds) {
            let rounds = ratios().map(|ratio| ratio.as_ref().map_or(0, |ratio| ratio.rounds));
            return Some(Self::TooFewRounds(rounds.min()?));
        }
        let unbeaten: Vec<&(usize, Vec<_>)> = all
            .iter()
            .filter(|(_, ratios)| ratios.iter().all(|ratio| standing(ratio) != Standing::Behind))
            .collect();
        let these = unbeaten.iter().map(|(one, _)| *one).collect();
        match unbeaten.as_slice() {
            [] if all.is_empty() => None,
            [(at, ratios)] if ratios.iter().all(|r| standing(r) == Standing::Ahead) => {
                let by = ratios.iter().flatten().map(RatioSpread::percent);
                Some(Self::Best { at: *at, by: by.fold(f64::INFINITY, f64::min) })
            }
            some if some.len() == all.len() => Some(Self::Level(these)),
            _ => Some(Self::Unbeaten { these, of: all.len() }),
        }
    }

    /// Those of whom the rounds tell that nobody is ahead of them, where they tell somebody behind.
    pub(in crate::report) fn shown(&self) -> &[usize] {
        match self {
            Self::Best { at, .. } => std::slice::from_ref(at),
            Self::Unbeaten { these, .. } => these,
            Self::Alone(_) | Self::Level(_) | Self::TooFewRounds(_) => &[],
        }
    }

    /// In a sentence without its end. `has` is what a contestant does with the quantity, such as
    /// `needs`; more than `most` names are counted.
    pub(in crate::report) fn words(
        &self,
        names: &[&str],
        (has, better): (&str, Better),
        most: usize,
    ) -> String {
        let name = |at: usize| names.get(at).copied().unwrap_or_default();
        let listed = |these: &[usize], counted: String| {
            let these: Vec<&str> = these.iter().map(|at| name(*at)).collect();
            match these.as_slice() {
                [only] => (*only).to_owned(),
                [rest @ .., last] if these.len() <= most => {
                    format!("{} and {last}", rest.join(", "))
                }
                _ => counted,
            }
        };
        match self {
            Self::Alone(only) => format!("only {} was timed", name(*only)),
            Self::Best { at, by } => {
                let more = better.more();
                format!("{} {has} at least {by:.1} % {more} than any other", name(*at))
            }
            Self::Level(these) => {
                let these = listed(these, format!("the {}", these.len()));
                format!("no difference is shown between {these}")
            }
            Self::Unbeaten { these, .. } if these.is_empty() => {
                "no ranking is shown, because each is behind another".to_owned()
            }
            Self::Unbeaten { these, of } => {
                let these = listed(these, format!("{} of the {of}", these.len()));
                format!("none is shown ahead of {these}")
            }
            Self::TooFewRounds(rounds) => too_few(*rounds),
        }
    }
}

/// Says that the rounds are too few.
pub(in crate::report) fn too_few(rounds: usize) -> String {
    let are = if rounds == 1 { "is" } else { "are" };
    let rounds = counted(rounds as u64, "round", "rounds");
    format!("{rounds} {are} too few for a ranking")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who leads contestants `a`, `b` and so on, by the numbers of their rounds.
    fn found(rounds: &[&[f64]], better: Better) -> String {
        let ratio = |one: usize, other: usize| {
            let pairs = rounds[one].iter().zip(rounds[other]);
            RatioSpread::of(pairs.map(|(one, other)| one / other))
        };
        let timed: Vec<usize> = (0..rounds.len()).collect();
        let leaders = Leaders::of(&timed, better, ratio);
        let has = if better == Better::Higher { "sends" } else { "needs" };
        leaders.map_or_else(String::new, |leaders| {
            leaders.words(&["a", "b", "c", "d"], (has, better), 3)
        })
    }

    #[test]
    fn the_best_is_named_with_its_least_distance() {
        let rounds: [&[f64]; 3] = [&[2.0; 6], &[4.0; 6], &[1.0; 6]];
        assert_eq!(found(&rounds, Better::Higher), "b sends at least 100.0 % more than any other");
        assert_eq!(found(&rounds, Better::Lower), "c needs at least 50.0 % less than any other");
    }

    #[test]
    fn medians_that_differ_rank_nobody_where_an_interval_contains_one() {
        let (even, varied) = ([1.0; 6], [0.8, 0.8, 0.8, 0.8, 1.2, 1.2]);
        for better in [Better::Higher, Better::Lower] {
            let level = "no difference is shown between a and b";
            assert_eq!(found(&[&even, &varied], better), level);
        }
        let all: [&[f64]; 4] = [&even, &varied, &even, &even];
        assert_eq!(found(&all, Better::Lower), "no difference is shown between the 4");
        let slow = [2.0; 6];
        assert_eq!(
            found(&[&even, &varied, &slow], Better::Lower),
            "none is shown ahead of a and b"
        );
        assert_eq!(
            found(&[&even, &varied, &slow], Better::Higher),
            "c sends at least 100.0 % more than any other"
        );
    }

    #[test]
    fn rounds_decide_against_medians() {
        let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0];
        // Less within eight of nine rounds, though its median is greater.
        let b = [0.9, 1.9, 2.9, 3.9, 5.5, 5.9, 6.9, 7.9, 8.9];
        let said = found(&[&a, &b], Better::Lower);
        assert!(said.starts_with("b needs at least 1.7 % less"), "{said}");
    }

    #[test]
    fn fewer_than_six_rounds_rank_nobody() {
        let few = |rounds: usize| {
            let (fast, slow) = (vec![1.0; rounds], vec![2.0; rounds]);
            found(&[&fast, &slow], Better::Lower)
        };
        assert_eq!(few(5), "5 rounds are too few for a ranking");
        assert_eq!(few(1), "1 round is too few for a ranking");
        assert!(few(6).starts_with("a needs"), "{}", few(6));
    }

    /// `c` is level with `a`, but behind `b`: nobody may say that it leads.
    #[test]
    fn who_is_level_with_a_leader_and_behind_another_does_not_lead() {
        let ratio = |one: usize, other: usize| {
            let ratio = match (one, other) {
                (1, 2) => 1.5,
                (2, 1) => 0.5,
                _ => return RatioSpread::of([0.9, 0.9, 0.9, 1.1, 1.1, 1.1].into_iter()),
            };
            RatioSpread::of([ratio; 6].into_iter())
        };
        let these = vec![0, 1];
        assert_eq!(
            Leaders::of(&[0, 1, 2], Better::Higher, ratio),
            Some(Leaders::Unbeaten { these, of: 3 })
        );
    }

    #[test]
    fn a_circle_has_no_leader() {
        let circle = |one: usize, other: usize| {
            let ahead = (one + 1) % 3 == other;
            RatioSpread::of([if ahead { 1.5 } else { 0.7 }; 6].into_iter())
        };
        let leaders = Leaders::of(&[0, 1, 2], Better::Higher, circle).expect("timed");
        assert_eq!(leaders, Leaders::Unbeaten { these: Vec::new(), of: 3 });
        let said = leaders.words(&["a", "b", "c"], ("sends", Better::Higher), 3);
        assert_eq!(said, "no ranking is shown, because each is behind another");
    }

    #[test]
    fn one_and_none_have_no_rank() {
        assert_eq!(found(&[&[1.0; 6]], Better::Lower), "only a was timed");
        assert_eq!(found(&[], Better::Lower), "");
    }
}
