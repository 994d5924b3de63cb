//! Records as pages, a function for each kind.

use super::grid::verdicts_first;
use super::page::Page;
use super::said::VerdictLine;
use crate::bench::record::BenchRun;
use crate::matrix::Matrix;
use crate::receive::ReceiveJudgement;
use crate::report::ReportError;
use crate::report::columns::Column;
use crate::report::numbers::size_of;
use crate::report::reading::{Judged, Reading};
use crate::report::received;
use crate::report::table::{columns, whereabouts};
use crate::run::Run;
use crate::verdict::code::why;
use crate::watch::judge::{ClaimJudgement, judge};
use crate::watch::record::Watch;

/// Files of a record that are rendered already.
type Files<'a> = &'a [(&'static str, Vec<u8>)];

/// A watched window.
pub(in super::super) fn watch(
    watch: &Watch,
    columns: Vec<Column>,
    files: Files<'_>,
) -> Result<Vec<u8>, ReportError> {
    let judgements = judge(watch).map_err(ReportError::Claim)?;
    let said: Vec<VerdictLine> = judgements.iter().map(of_window).collect();
    let targets = watch.targets.join(" and ");
    let title = match sentence(&said) {
        Some(verdicts) => format!("{targets}: {verdicts}"),
        None => format!("{targets}: nothing was claimed"),
    };
    let about = vec![
        format!("{}, for {:.1} s", whereabouts(&watch.zcprof, &watch.kernel), watch.seconds),
        watch.command.as_ref().map_or_else(String::new, |command| command.line.join(" ")),
    ];
    Ok(Page {
        title,
        about: about.into_iter().filter(|line| !line.is_empty()).collect(),
        said,
        nothing_said: "Nothing was claimed; --claim zero-copy would be judged.",
        files,
        stacks: watch.stacks.as_ref(),
        columns,
        coverage: Some(&watch.coverage),
        text: "table.txt",
    }
    .html())
}

fn of_window(judgement: &ClaimJudgement) -> VerdictLine {
    let copies = judgement.copies();
    let [least, most] = [copies.least, copies.most].map(|number| format!("{number:.3}"));
    let copies = if least == most { most } else { format!("{least} to {most}") };
    let sent = size_of(u128::from(judgement.traffic.sent()));
    let done = judgement.traffic.direction.done();
    let why = why(&judgement.verdict, &judgement.traffic.ledger).into_iter();
    VerdictLine {
        word: judgement.verdict.name().to_owned(),
        what: format!("{} of {}", judgement.promise, judgement.of),
        number: format!("{copies} copied per {done} byte, {sent} {done}"),
        why: why.map(|why| (names(&why.codes), why.text)).collect(),
    }
}

fn names(codes: &[&'static crate::verdict::explain::Code]) -> Vec<String> {
    codes.iter().map(|code| code.name.to_owned()).collect()
}

/// A measurement of the built-in workload.
pub(in super::super) fn run(run: &Run, files: Files<'_>) -> Result<Vec<u8>, ReportError> {
    let reading = Reading::of(run)?;
    let sent = reading.passes.iter().map(|pass| of_pass(&reading, pass));
    let said: Vec<VerdictLine> = sent.chain(reading.received.iter().map(of_reception)).collect();
    let workload = &run.workload;
    let mut about = vec![
        whereabouts(&run.zcprof, &run.kernel),
        format!(
            "{} of payload on {}, {}, received by {}",
            size_of(u128::from(workload.payload)),
            workload.file_system,
            workload.network,
            workload.consumer
        ),
    ];
    if reading.sources.presumes_all() {
        about
            .push("EVERY NUMBER BELOW IS PRESUMED FROM SYSTEM CALLS; no copy was seen.".to_owned());
    }
    about.extend(
        run.skipped.iter().map(|one| format!("{} was not measured: {}", one.transfer, one.reason)),
    );
    Ok(Page {
        title: sentence(&said).unwrap_or_else(|| "Nothing was measured".to_owned()),
        about,
        said,
        nothing_said: "No pass was made.",
        files,
        stacks: run.stacks.as_ref(),
        columns: verdicts_first(columns(&reading)),
        coverage: Some(&run.coverage),
        text: "table.txt",
    }
    .html())
}

fn of_reception(judgement: &ReceiveJudgement) -> VerdictLine {
    let why = judgement.why().into_iter();
    VerdictLine {
        word: judgement.verdict.name().to_owned(),
        what: format!(
            "{} received by {}: {}",
            judgement.transfer, judgement.mode, judgement.claim.name
        ),
        number: format!("{} copied per received byte", received::copies(judgement)),
        why: why.map(|why| (names(&why.codes), why.text)).collect(),
    }
}

fn of_pass(reading: &Reading<'_>, pass: &Judged<'_>) -> VerdictLine {
    let judgement = &pass.judgement;
    let copied = pass.per_byte(pass.copied(reading.sources.copied));
    VerdictLine {
        word: judgement.verdict.name().to_owned(),
        what: format!(
            "{} {}: {}",
            judgement.transfer,
            judgement.cache.name(),
            judgement.claim.name
        ),
        number: format!("{copied} copied per payload byte"),
        why: judgement.why().into_iter().map(|why| (names(&why.codes), why.text)).collect(),
    }
}

/// Several runs beside each other.
pub(in super::super) fn matrix(matrix: &Matrix, columns: Vec<Column>, files: Files<'_>) -> Vec<u8> {
    let said = matrix.cells.iter().map(|cell| {
        let setting = &cell.setting;
        let why = cell.why.iter().map(|why| (Vec::new(), why.clone()));
        let codes = (!cell.codes.is_empty() && cell.verdict != "holds")
            .then(|| (cell.codes.clone(), String::new()));
        VerdictLine {
            word: cell.verdict.clone(),
            what: format!(
                "{} {}: {} ({}, {}, {} CPUs, {})",
                cell.transfer,
                cell.cache.name(),
                cell.claim,
                setting.kernel,
                setting.file_system,
                setting.cpus,
                setting.network
            ),
            number: cell.copied().map_or_else(
                || "not seen".to_owned(),
                |bytes| {
                    format!(
                        "{} copied per payload byte",
                        crate::verdict::per_byte(bytes, cell.payload)
                    )
                },
            ),
            why: codes.into_iter().chain(why).collect(),
        }
    });
    let said: Vec<VerdictLine> = said.collect();
    let off = matrix.cells.iter().filter(|cell| cell.is_off()).count();
    let about = vec![
        format!("zcprof {}", matrix.zcprof),
        format!(
            "{off} cells are off by more than 0.001 from what is known before they are measured"
        ),
    ];
    Page {
        title: sentence(&said).unwrap_or_else(|| "Nothing was measured".to_owned()),
        about,
        said,
        nothing_said: "The matrix has no cell.",
        files,
        stacks: None,
        columns: verdicts_first(columns),
        coverage: None,
        text: "matrix.txt",
    }
    .html()
}

/// A benchmark: it claims nothing. `findings` are what its pictures say in their titles.
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

/// How many claims are refuted, inconclusive and hold; none where there is no claim.
fn sentence(said: &[VerdictLine]) -> Option<String> {
    if let [one] = said {
        return Some(
            format!("{} is {}, {}", one.what, one.word, one.number).replace("is holds", "holds"),
        );
    }
    let parts: Vec<String> = ["refuted", "inconclusive", "holds"]
        .into_iter()
        .filter_map(|word| {
            let count = said.iter().filter(|said| said.word == word).count();
            (count > 0).then(|| match (word, count) {
                ("holds", 1) => "1 claim holds".to_owned(),
                ("holds", _) => format!("{count} claims hold"),
                (word, 1) => format!("1 claim is {word}"),
                (word, _) => format!("{count} claims are {word}"),
            })
        })
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}
