//! The title of a picture: what the rounds tell at the largest fetch, of zcprof's sendfile beside
//! nginx's, or of all who took part if those two did not.

use super::super::numbers::{counted, grouped, size};
use super::finding::{OURS, Pair, THEIRS, leaders};
use super::quantity::Quantity;
use crate::bench::record::{BenchCell, BenchRun};

/// Most names of leaders; the picture shows the others.
const NAMED: usize = 3;

/// The title.
pub(super) fn of(run: &BenchRun, quantity: &Quantity) -> String {
    let timed = |cell: &&BenchCell| cell.series.iter().any(|one| quantity.of(cell, one).is_some());
    let Some(largest) = run.cells.iter().filter(timed).map(|cell| cell.fetch_size).max() else {
        return format!("{}: nothing was timed", quantity.title);
    };
    let (pair, names) = (Pair::of(run), names(run));
    let mut said: Vec<(String, Vec<u32>)> = Vec::new();
    for cell in run.cells.iter().filter(|cell| cell.fetch_size == largest) {
        let words = match pair {
            Some(pair) => pair.find(cell, quantity).words(quantity),
            None => leaders(cell, quantity).map_or_else(
                || "nothing was timed and verified".to_owned(),
                |of| of.words(&names, (quantity.has, quantity.better), NAMED),
            ),
        };
        match said.iter_mut().find(|(known, _)| *known == words) {
            Some((_, connections)) => connections.push(cell.connections),
            None => said.push((words, vec![cell.connections])),
        }
    }
    let said: Vec<_> = said
        .iter()
        .map(|(words, connections)| format!("over {}, {words}", over(connections)))
        .collect();
    let whom = pair.map_or_else(String::new, |_| format!(", {OURS} against {THEIRS}"));
    format!("{} at {}{whom}: {}", quantity.title, size(largest), said.join("; "))
}

/// Every contestant's name, in their order.
pub(super) fn names(run: &BenchRun) -> Vec<&str> {
    run.contestants.iter().map(|contestant| contestant.name.as_str()).collect()
}

/// `1, 64 and 1,000 connections`.
fn over(connections: &[u32]) -> String {
    match connections {
        [first @ .., last] => {
            let all = counted(u64::from(*last), "connection", "connections");
            let first: Vec<_> = first.iter().map(|number| grouped(u64::from(*number))).collect();
            if first.is_empty() { all } else { format!("{} and {all}", first.join(", ")) }
        }
        [] => String::new(),
    }
}
