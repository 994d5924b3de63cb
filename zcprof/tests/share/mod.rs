//! Which share of a long table's rows this guest tries: all of them, unless `ZCPROF_SHARE` says which,
//! as `2/3`. The other guests of a daily run try the others.

/// The first that is tried, and each how many-th.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    first: usize,
    each: usize,
}

impl Share {
    /// This guest's.
    pub(super) fn own() -> Self {
        Self::named(std::env::var("ZCPROF_SHARE").ok().as_deref())
    }

    /// The one that is named so; the whole if none is.
    pub(super) fn named(wanted: Option<&str>) -> Self {
        let Some(wanted) = wanted else { return Self { first: 0, each: 1 } };
        let share = wanted.split_once('/').and_then(|(part, of)| {
            let (part, each): (usize, usize) = (part.parse().ok()?, of.parse().ok()?);
            (1..=each).contains(&part).then_some(Self { first: part - 1, each })
        });
        share.unwrap_or_else(|| panic!("ZCPROF_SHARE={wanted} is no share"))
    }

    /// Whether it has the row, or the group of rows, that is the `at`-th.
    pub(super) fn has(self, at: usize) -> bool {
        at % self.each == self.first
    }

    /// Its rows.
    pub(super) fn of<T>(self, rows: &[T]) -> impl Iterator<Item = &T> {
        rows.iter().skip(self.first).step_by(self.each)
    }
}

/// All shares together are the whole, and none has what another has.
#[test]
fn shares_are_the_whole() {
    let rows: Vec<_> = (0..20).collect();
    let mut tried = vec![0; rows.len()];
    for wanted in ["1/3", "2/3", "3/3"] {
        let share = Share::named(Some(wanted));
        let mine: Vec<_> = share.of(&rows).copied().collect();
        assert!(rows.iter().all(|row| share.has(*row) == mine.contains(row)), "{wanted}");
        for row in mine {
            tried[row] += 1;
        }
    }
    assert_eq!(tried, [1; 20]);
    assert_eq!(Share::named(None).of(&rows).count(), rows.len());
    for wrong in ["", "3", "0/3", "4/3", "1/0", "a/3"] {
        let named = std::panic::catch_unwind(|| Share::named(Some(wrong)));
        assert!(named.is_err(), "{wrong}");
    }
}
