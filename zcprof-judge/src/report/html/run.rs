//! A measurement of the built-in workload as a page.

use super::Files;
use super::grid::verdicts_first;
use super::page::Page;
use super::ratio::per_payload_byte;
use super::title;
use super::verdict_line::VerdictLine;
use crate::receive::ReceiveJudgement;
use crate::report::ReportError;
use crate::report::finding;
use crate::report::numbers::size_of;
use crate::report::reading::{Judged, Reading};
use crate::report::received;
use crate::report::table::{columns, whereabouts};
use crate::report::verdicts::Word;
use crate::run::Run;

/// The page.
pub(in super::super) fn run(run: &Run, files: Files<'_>) -> Result<Vec<u8>, ReportError> {
    let reading = Reading::of(run)?;
    let sent = reading.passes.iter().map(|pass| of_pass(&reading, pass));
    let said: Vec<VerdictLine> = sent.chain(reading.received.iter().map(of_reception)).collect();
    let (title, finding) = findings(&reading, &said);
    let workload = &run.workload;
    let mut about: Vec<String> = finding.into_iter().collect();
    about.extend([
        whereabouts(&run.zcprof, &run.kernel),
        format!(
            "{} of payload on {}, {}, received by {}",
            size_of(u128::from(workload.payload)),
            workload.file_system,
            workload.network,
            workload.consumer
        ),
    ]);
    about.extend(
        run.skipped.iter().map(|one| format!("{} was not measured: {}", one.transfer, one.reason)),
    );
    Ok(Page {
        title,
        about,
        said,
        nothing_said: Some("No pass was made."),
        files,
        stacks: run.stacks.as_ref(),
        columns: verdicts_first(columns(&reading)),
        coverage: Some(&run.coverage),
        text: "table.txt",
    }
    .html())
}

/// The title, and what the pictures say in theirs if that is something else: what is refuted comes
/// first.
fn findings(reading: &Reading<'_>, said: &[VerdictLine]) -> (String, Option<String>) {
    let finding = finding::of_run(reading);
    let mut refuted: Vec<String> = vec![reading.refuted()];
    refuted.extend(title::refuted(&said[reading.passes.len()..]));
    refuted.retain(|text| !text.is_empty());
    let only_received = reading.passes.is_empty();
    match title::of(said).filter(|_| only_received) {
        Some(received) => (received, None),
        None if refuted.is_empty() => (finding, None),
        None => (refuted.join("; "), Some(finding)),
    }
}

fn of_pass(reading: &Reading<'_>, pass: &Judged<'_>) -> VerdictLine {
    let judgement = &pass.judgement;
    let per_byte = |bytes| pass.per_byte(Some(bytes));
    let (transfer, cache) = (&judgement.transfer, judgement.cache.name());
    let presumed = if reading.sources.presumes_all() { "presumed " } else { "" };
    let number = per_payload_byte(
        &format!("{presumed}{}", pass.per_byte(pass.copied_by_the_best())),
        pass.later().map(|entry| per_byte(entry.bytes)),
        pass.transformed().map(per_byte),
    );
    let what = format!("{transfer} {cache}: {}", judgement.claim.name);
    VerdictLine::new(Word::of(&judgement.verdict), what, number, judgement.why())
}

fn of_reception(judgement: &ReceiveJudgement) -> VerdictLine {
    let (transfer, mode) = (&judgement.transfer, &judgement.mode);
    let what = format!("{transfer} received by {mode}: {}", judgement.claim.name);
    let number = format!("{} copied per received byte", received::copies(judgement));
    VerdictLine::new(Word::of(&judgement.verdict), what, number, judgement.why())
}
