//! The comparison that the benchmark is for: zcprof's sendfile against nginx's, at 1 MiB.

use std::fmt::Write as _;

use super::super::numbers::{counted, size};
use super::quantity::{CPU, Quantity, Quartiles, THROUGHPUT};
use crate::bench::record::{BenchCell, BenchRun};

/// Who is compared with whom.
const OURS: &str = "sendfile";
const THEIRS: &str = "nginx sendfile";

/// The size of fetch at which they are compared, in bytes: Kafka's `max.partition.fetch.bytes`.
const FETCH: u64 = 1 << 20;

/// What is wanted of a ratio.
#[derive(Clone, Copy)]
enum Goal {
    AtLeastOne,
    AtMostOne,
}

/// The comparison as text.
pub(super) fn render(run: &BenchRun) -> String {
    let mut text = format!(
        "{OURS} by {THEIRS}, fetches of {}: ratios within a round, median (least to most)\n",
        size(FETCH)
    );
    let at = |name: &str| run.contestants.iter().position(|contestant| contestant.name == name);
    let (Some(ours), Some(theirs)) = (at(OURS), at(THEIRS)) else {
        text.push_str("  not compared: both must take part (--nginx PATH)\n");
        return text;
    };
    let before = text.len();
    for cell in run.cells.iter().filter(|cell| cell.fetch_size == FETCH) {
        let connections = u64::from(cell.connections);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {}", counted(connections, "connection", "connections"));
        for (quantity, wanted) in [(&THROUGHPUT, Goal::AtLeastOne), (&CPU, Goal::AtMostOne)] {
            text.push_str(&line(cell, ours, theirs, quantity, wanted));
        }
    }
    if text.len() == before {
        text.push_str("  not compared: no fetches of that size were made\n");
    }
    text
}

fn line(cell: &BenchCell, ours: usize, theirs: usize, quantity: &Quantity, wanted: Goal) -> String {
    let Some((ours, theirs)) = cell.series.get(ours).zip(cell.series.get(theirs)) else {
        return String::new();
    };
    let name = format!("{} ratio {}", quantity.unit, wanted.words());
    if !(ours.verified && theirs.verified) {
        return format!("    {name:<24} inconclusive: not every byte was verified\n");
    }
    match quantity.ratio(cell, ours, theirs) {
        Some(ratio) => {
            let Quartiles { least, median, most, .. } = ratio;
            let verdict = wanted.verdict(median);
            format!("    {name:<24} {median:.3} ({least:.3} to {most:.3})  {verdict}\n")
        }
        None => format!("    {name:<24} not timed\n"),
    }
}

impl Goal {
    fn words(self) -> &'static str {
        match self {
            Self::AtLeastOne => ">= 1",
            Self::AtMostOne => "<= 1",
        }
    }

    fn verdict(self, ratio: f64) -> String {
        let lacks = match self {
            Self::AtLeastOne => 1.0 - ratio,
            Self::AtMostOne => ratio - 1.0,
        };
        if lacks <= 0.0 {
            "holds".to_owned()
        } else {
            format!("falls short by {:.1} %", lacks * 100.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_holds_up_to_one_and_then_falls_short() {
        assert_eq!(Goal::AtLeastOne.verdict(1.0), "holds");
        assert_eq!(Goal::AtLeastOne.verdict(0.975), "falls short by 2.5 %");
        assert_eq!(Goal::AtMostOne.verdict(0.5), "holds");
        assert_eq!(Goal::AtMostOne.verdict(1.1), "falls short by 10.0 %");
    }
}
