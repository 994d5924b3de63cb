//! The title of a picture: who is best with the largest fetch, as far as the rounds tell.

use super::super::numbers::{counted, size};
use super::super::rounds::{self, Leaders, Standing};
use super::quantity::Quantity;
use crate::bench::record::{BenchCell, BenchRun, Series};

/// The title; `panels` are the cells of each number of connections, by rising size of fetch.
pub(super) fn of(run: &BenchRun, quantity: &Quantity, panels: &[Vec<&BenchCell>]) -> String {
    let mut said: Vec<(String, Vec<u32>)> = Vec::new();
    for cell in panels.iter().filter_map(|cells| cells.last()) {
        let Some(best) = best(run, quantity, cell) else { continue };
        match said.iter_mut().find(|(known, _)| *known == best) {
            Some((_, connections)) => connections.push(cell.connections),
            None => said.push((best, vec![cell.connections])),
        }
    }
    let largest = run.cells.iter().map(|cell| cell.fetch_size).max();
    let Some(largest) = largest.filter(|_| !said.is_empty()) else {
        return format!("{}: nothing was timed", quantity.title);
    };
    let said: Vec<_> = said
        .iter()
        .map(|(best, connections)| format!("{best} over {}", over(connections)))
        .collect();
    format!("{} at {}: {}", quantity.title, size(largest), said.join("; "))
}

/// Who leads in this cell. A contestant whose bytes were not all verified does not take part.
fn best(run: &BenchRun, quantity: &Quantity, cell: &BenchCell) -> Option<String> {
    let median = |series: &Series| Some(quantity.of(cell, series)?.median);
    let medians: Vec<Option<f64>> =
        cell.series.iter().map(|series| median(series).filter(|_| series.verified)).collect();
    let standing = |one: usize, other: usize| {
        let ratio = quantity.ratio(cell, &cell.series[one], &cell.series[other]);
        ratio.map_or(Standing::TooFewRounds, |ratio| ratio.standing(quantity.better))
    };
    let Leaders::Told(mut told) = rounds::leaders(&medians, quantity.better, standing)? else {
        return Some("too few rounds to tell who is best".to_owned());
    };
    // In the order of the contestants, so that two numbers of connections with the same leaders agree.
    told.sort_unstable();
    let names: Vec<_> = told.iter().map(|at| run.contestants[*at].name.as_str()).collect();
    Some(match names.as_slice() {
        [only] => format!("best {only}"),
        several => format!("no difference between {}", rounds::listed(several, "best")),
    })
}

/// `1, 64 and 1,000 connections`.
fn over(connections: &[u32]) -> String {
    let last = connections.last().copied().unwrap_or(0);
    let numbers: Vec<_> = connections.iter().map(u32::to_string).collect();
    let all = counted(u64::from(last), "connection", "connections");
    match numbers.as_slice() {
        [first @ .., _] if !first.is_empty() => format!("{} and {all}", first.join(", ")),
        _ => all,
    }
}

#[cfg(test)]
mod tests {
    use super::super::quantity::{CPU, THROUGHPUT};
    use super::*;
    use crate::bench::record::{Contestant, Round};

    /// A benchmark of one cell, with the seconds of each contestant's rounds.
    fn titles(seconds: &[&[f64]]) -> [String; 2] {
        let json = include_str!("../../../tests/golden/bench/bench.json");
        let mut run: BenchRun = serde_json::from_str(json).expect("the golden record");
        let template = run.contestants[0].clone();
        let named = |at: usize| Contestant { name: format!("s{at}"), ..template.clone() };
        run.contestants = (0..seconds.len()).map(named).collect();
        let mut cell = run.cells[0].clone();
        cell.series = seconds
            .iter()
            .map(|seconds| {
                let round = cell.series[0].rounds[0];
                let round =
                    |seconds: &f64| Round { seconds: *seconds, server_cpu: *seconds, ..round };
                Series { rounds: seconds.iter().map(round).collect(), ..cell.series[0].clone() }
            })
            .collect();
        run.cells = vec![cell];
        let panels = vec![vec![&run.cells[0]]];
        [&THROUGHPUT, &CPU].map(|quantity| of(&run, quantity, &panels))
    }

    #[test]
    fn a_server_is_called_best_only_if_the_rounds_tell() {
        let found = |seconds: &[&[f64]], expected: &str| {
            for title in titles(seconds) {
                let said = title.split_once(": ").map(|(_, said)| said);
                assert_eq!(said, Some(&*format!("{expected} over 1 connection")));
            }
        };
        let (fast, slow) = ([1.0; 6], [2.0; 6]);
        found(&[&slow, &fast], "best s1");
        // The median of the second is the better one, by rounds that go either way.
        let varied = [0.8, 0.8, 0.8, 0.8, 1.2, 1.2];
        found(&[&fast, &varied], "no difference between s0 and s1");
        found(&[&fast, &varied, &slow], "no difference between s0 and s1");
        found(&[&fast, &varied, &fast, &fast], "no difference between the best 4");
        found(&[&fast[..5], &slow[..5]], "too few rounds to tell who is best");
        // Behind within eight of nine rounds, though its median is the better one.
        let first = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0];
        found(&[&first, &[0.9, 1.9, 2.9, 3.9, 5.5, 5.9, 6.9, 7.9, 8.9]], "best s1");
    }
}
