//! A benchmark as a page. It claims nothing, so there is no verdict.

use super::Files;
use super::page::Page;
use crate::bench::record::BenchRun;
use crate::report::numbers::size_of;
use crate::report::table::whereabouts;

/// The page; `findings` are what the pictures say in their titles.
pub(in super::super) fn bench(run: &BenchRun, findings: [String; 2], files: Files<'_>) -> Vec<u8> {
    let (contestants, cells) = (run.contestants.len(), run.cells.len());
    let conditions = &run.conditions;
    let [throughput, cpu] = findings;
    Page {
        title: format!("{contestants} ways to send a log, timed in {cells} settings"),
        about: vec![
            throughput,
            cpu,
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
        nothing_said: "A benchmark claims nothing of copies; its comparison is at the table's end.",
        files,
        stacks: None,
        columns: Vec::new(),
        coverage: None,
        text: "table.txt",
    }
    .html()
}
