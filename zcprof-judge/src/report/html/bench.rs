//! A benchmark as a page. It claims nothing of copies, so there is no verdict.

use super::Files;
use super::page::Page;
use crate::bench::record::BenchRun;
use crate::report::columns::Column;
use crate::report::numbers::{counted, size_of};
use crate::report::table::whereabouts;

/// The page; `findings` are what the pictures say in their titles.
pub(in super::super) fn bench(
    run: &BenchRun,
    findings: [String; 2],
    columns: Vec<Column>,
    files: Files<'_>,
) -> Vec<u8> {
    let contestants = counted(run.contestants.len() as u64, "way", "ways");
    let cells = counted(run.cells.len() as u64, "setting", "settings");
    let conditions = &run.conditions;
    let [throughput, cpu] = findings;
    Page {
        title: throughput,
        about: vec![
            cpu,
            format!("{contestants} to send a log, timed in {cells}"),
            whereabouts(&run.zcprof, &run.kernel),
            format!(
                "a log of {} on {}, {}, {} rounds",
                size_of(u128::from(conditions.log_bytes)),
                conditions.file_system,
                conditions.network,
                conditions.rounds
            ),
        ],
        said: Vec::new(),
        nothing_said: None,
        files,
        stacks: None,
        columns,
        coverage: None,
        text: "table.txt",
    }
    .html()
}
