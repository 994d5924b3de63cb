//! Who comes after whom in a round.
//!
//! A contestant that copies leaves the CPU's caches without the page structures that the next one
//! needs; the one that comes after a contestant that copies nothing finds them there. So the order
//! changes from round to round, such that each comes after each other equally often (Williams, 1949).

/// The contestants of a round by their index.
pub(super) fn of_round(round: usize, contestants: usize) -> Vec<usize> {
    let zigzag = (0..contestants)
        .map(|place| if place % 2 == 0 { place / 2 } else { contestants - place.div_ceil(2) });
    let mut order: Vec<usize> = zigzag.map(|index| (index + round) % contestants).collect();
    // An odd number of contestants needs every order backwards too.
    if round / contestants.max(1) % 2 == 1 {
        order.reverse();
    }
    order
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn everybody_takes_part_once_in_each_round() {
        for contestants in 0..=16 {
            for round in 0..40 {
                let mut order = of_round(round, contestants);
                order.sort_unstable();
                assert_eq!(order, (0..contestants).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn everybody_comes_after_everybody_else_equally_often() {
        for contestants in 2_usize..=16 {
            let mut after = BTreeMap::new();
            for round in 0..2 * contestants {
                for pair in of_round(round, contestants).windows(2) {
                    *after.entry((pair[0], pair[1])).or_insert(0) += 1;
                }
            }
            assert_eq!(after.len(), contestants * (contestants - 1), "{contestants}");
            assert!(after.values().all(|times| *times == 2), "{contestants}: {after:?}");
        }
    }
}
