//! The comparison that the benchmark is for: zcprof's sendfile against nginx's, at 1 MiB.

use std::fmt::Write as _;

use super::super::numbers::{counted, size};
use super::super::rounds::Quartiles;
use super::finding::{Finding, OURS, Pair, THEIRS};
use super::quantity::{CPU, Quantity, THROUGHPUT};
use crate::bench::record::{BenchCell, BenchRun};

/// The size of fetch at which they are compared, in bytes: Kafka's `max.partition.fetch.bytes`.
const FETCH: u64 = 1 << 20;

/// The comparison as text.
pub(super) fn render(run: &BenchRun) -> String {
    let mut text =
        format!("{OURS} by {THEIRS}, fetches of {}: ratios within a round\n", size(FETCH));
    let Some(pair) = Pair::of(run) else {
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
            text.push_str(&line(cell, pair, quantity));
        }
    }
    text
}

fn line(cell: &BenchCell, pair: Pair, quantity: &Quantity) -> String {
    let name = format!("{} ratio", quantity.title);
    let finding = pair.find(cell, quantity);
    let said = finding.words(quantity);
    let Finding::Timed(ratio) = finding else { return format!("    {name:<16} {said}\n") };
    let Quartiles { least, median, most, .. } = ratio.quartiles;
    let interval = ratio
        .interval
        .map_or_else(|| "none".to_owned(), |(from, to)| format!("{from:.3} to {to:.3}"));
    let spread = format!("{least:.3} to {most:.3}");
    format!("    {name:<16} {median:>6.3}  {interval:<15}  {spread}  {said}\n")
}
