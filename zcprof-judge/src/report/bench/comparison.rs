//! The comparison that the benchmark is for: zcprof's sendfile against nginx's, at 1 MiB.

use std::fmt::Write as _;

use super::super::numbers::{counted, size};
use super::super::rounds::{Better, Quartiles, RatioSpread, Standing};
use super::quantity::{CPU, Quantity, THROUGHPUT};
use crate::bench::record::{BenchCell, BenchRun};

/// Who is compared with whom.
const OURS: &str = "sendfile";
const THEIRS: &str = "nginx sendfile";

/// The size of fetch at which they are compared, in bytes: Kafka's `max.partition.fetch.bytes`.
const FETCH: u64 = 1 << 20;

/// The comparison as text.
pub(super) fn render(run: &BenchRun) -> String {
    let mut text =
        format!("{OURS} by {THEIRS}, fetches of {}: ratios within a round\n", size(FETCH));
    let at = |name: &str| run.contestants.iter().position(|contestant| contestant.name == name);
    let (Some(ours), Some(theirs)) = (at(OURS), at(THEIRS)) else {
        text.push_str("  not compared: both must take part (--nginx PATH)\n");
        return text;
    };
    let cells: Vec<_> = run.cells.iter().filter(|cell| cell.fetch_size == FETCH).collect();
    if cells.is_empty() {
        text.push_str("  not compared: no fetches of that size were made\n");
        return text;
    }
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(text, "    {:<16} median  95 % interval    least to most", "");
    for cell in cells {
        let connections = u64::from(cell.connections);
        let _ = writeln!(text, "  {}", counted(connections, "connection", "connections"));
        for quantity in [&THROUGHPUT, &CPU] {
            text.push_str(&line(cell, ours, theirs, quantity));
        }
    }
    text
}

fn line(cell: &BenchCell, ours: usize, theirs: usize, quantity: &Quantity) -> String {
    let Some((ours, theirs)) = cell.series.get(ours).zip(cell.series.get(theirs)) else {
        return String::new();
    };
    let name = format!("{} ratio", quantity.title);
    if !(ours.verified && theirs.verified) {
        return format!("    {name:<16} inconclusive: not every byte was verified\n");
    }
    match quantity.ratio(cell, ours, theirs) {
        Some(ratio) => {
            let Quartiles { least, median, most, .. } = ratio.quartiles;
            let interval = ratio
                .interval
                .map_or_else(|| "none".to_owned(), |(from, to)| format!("{from:.3} to {to:.3}"));
            let finding = finding(quantity.better, &ratio);
            format!(
                "    {name:<16} {median:>6.3}  {interval:<15}  {least:.3} to {most:.3}  {finding}\n"
            )
        }
        None => format!("    {name:<16} not timed\n"),
    }
}

/// Who is ahead, if the rounds tell; ours is the numerator.
fn finding(better: Better, ratio: &RatioSpread) -> String {
    let RatioSpread { rounds, quartiles, .. } = ratio;
    let by = (quartiles.median - 1.0).abs() * 100.0;
    match ratio.standing(better) {
        Standing::TooFewRounds => format!("{rounds} rounds are too few to tell"),
        Standing::Level => format!("{rounds} rounds show no difference"),
        Standing::Ahead => format!("{OURS} is ahead by {by:.1} %"),
        Standing::Behind => format!("{THEIRS} is ahead by {by:.1} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_ahead_is_said_only_if_the_interval_excludes_one() {
        let found = |better, interval: Option<(f64, f64)>| {
            let median = interval.map_or(1.1, |(from, to)| f64::midpoint(from, to));
            let quartiles = Quartiles { least: 0.5, first: 0.9, median, third: 1.2, most: 2.0 };
            finding(better, &RatioSpread { rounds: 25, quartiles, interval })
        };
        let (level, few) = ("25 rounds show no difference", "25 rounds are too few to tell");
        assert_eq!(found(Better::Higher, Some((0.98, 1.2))), level);
        assert_eq!(found(Better::Lower, Some((0.9, 1.0))), level);
        assert_eq!(found(Better::Higher, Some((1.02, 1.06))), "sendfile is ahead by 4.0 %");
        assert_eq!(found(Better::Lower, Some((0.92, 0.94))), "sendfile is ahead by 7.0 %");
        assert_eq!(found(Better::Lower, Some((1.04, 1.1))), "nginx sendfile is ahead by 7.0 %");
        assert_eq!(found(Better::Higher, Some((0.8, 0.9))), "nginx sendfile is ahead by 15.0 %");
        assert_eq!(found(Better::Higher, None), few);
    }
}
