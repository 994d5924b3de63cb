//! `zcprof serve --check`: every partition that was found, and what becomes of it.

use crate::fetch::log::{PartitionState, Topics};

/// What the columns say.
const HEAD: [&str; 6] = ["partition", "start", "stable", "end", "bytes", "state"];

/// A line for each partition, and below it what was passed over, mended or left out.
pub(super) fn table(topics: &Topics) -> String {
    let mut rows = vec![HEAD.map(str::to_owned)];
    for partition in topics.partitions() {
        let name = partition.folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let none = || "-".to_owned();
        rows.push(match partition.state() {
            Some(PartitionState::Served(log)) => {
                let state = if log.said().is_empty() { "served" } else { "served, see below" };
                let offsets = [log.start_offset(), log.last_stable_offset(), log.end_offset()];
                let [start, stable, end] = offsets.map(|offset| offset.to_string());
                [name, start, stable, end, log.bytes().to_string(), state.to_owned()]
            }
            Some(PartitionState::LeftOut(_)) => {
                [name, none(), none(), none(), none(), "left out, see below".to_owned()]
            }
            None => [name, none(), none(), none(), none(), "not verified".to_owned()],
        });
    }
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths = [0, 1, 2, 3, 4].map(width);
    let line = |row: &[String; 6]| {
        let [name, numbers @ .., state] = row;
        let [first, rest @ ..] = widths;
        let numbers = numbers.iter().zip(rest).map(|(text, width)| format!("  {text:>width$}"));
        format!("{name:first$}{}  {state}", numbers.collect::<String>())
    };
    let lines = rows.iter().map(line).chain(topics.said());
    lines.collect::<Vec<_>>().join("\n")
}
