//! A watched window as a page.

use super::Files;
use super::page::Page;
use super::title;
use super::verdict_line::VerdictLine;
use crate::report::ReportError;
use crate::report::advice;
use crate::report::columns::Column;
use crate::report::numbers::size_of;
use crate::report::stacks::flame;
use crate::report::table::whereabouts;
use crate::report::verdicts::Word;
use crate::report::watched;
use crate::stacks::tree::Tree;
use crate::verdict::code::why;
use crate::watch::judge::{ClaimJudgement, judge};
use crate::watch::record::{Of, Watch};

/// What a window's targets are called if zcprof started the command itself.
const COMMAND: &str = "the command";

/// The page.
pub(in super::super) fn watch(
    watch: &Watch,
    columns: Vec<Column>,
    files: Files<'_>,
) -> Result<Vec<u8>, ReportError> {
    let judgements = judge(watch).map_err(ReportError::Claim)?;
    let said: Vec<VerdictLine> =
        judgements.iter().map(|judgement| of_window(watch, judgement)).collect();
    let targets = watch.targets.join(" and ");
    let mut found = findings(watch)?;
    let title = match title::of(&said) {
        // The line below names the command.
        Some(verdicts) if targets == COMMAND => verdicts,
        Some(verdicts) => format!("{targets}: {verdicts}"),
        None => found.remove(0),
    };
    let watched = format!("Watched {targets} for {:.1} s", watch.seconds);
    let watched = match &watch.command {
        Some(command) => format!("{watched}: {}", command.line.join(" ")),
        None => watched,
    };
    let mut about = found;
    about.extend([watched, whereabouts(&watch.zcprof, &watch.kernel)]);
    if said.is_empty() {
        about.push(
            "Nothing was claimed, so there is no verdict: --claim zero-copy asks for one".into(),
        );
    }
    Ok(Page {
        title,
        about,
        said,
        nothing_said: None,
        files,
        stacks: watch.stacks.as_ref(),
        columns: with_verdicts(columns, &judgements),
        coverage: Some(&watch.coverage),
        text: "table.txt",
    }
    .html())
}

/// What was found, the most particular first: which function copied most where there are stacks, and how
/// often each byte was copied.
fn findings(watch: &Watch) -> Result<Vec<String>, ReportError> {
    let known = watch.stacks.as_ref().map(|stacks| (stacks, Tree::of(stacks)));
    let known = known.filter(|(_, tree)| tree.root().copied() > 0);
    let by_whom = known.map(|(stacks, tree)| flame::finding(stacks, &tree));
    Ok(by_whom.into_iter().chain([watched::finding(watch)?]).collect())
}

/// The table's columns, with what was said of each row.
fn with_verdicts(mut columns: Vec<Column>, judgements: &[ClaimJudgement]) -> Vec<Column> {
    let Some(first) = columns.first_mut() else { return columns };
    first.heading = vec!["program or port".to_owned()];
    let said = |name: &String| {
        let its = judgements.iter().filter(|judgement| judgement.of.to_string() == *name);
        let words = its.map(|one| format!("{}: {}", one.said(), one.promise));
        words.collect::<Vec<_>>().join("; ")
    };
    let cells: Vec<String> = first.cells.iter().map(said).collect();
    if cells.iter().any(|cell| !cell.is_empty()) {
        columns.insert(1, Column { heading: vec!["verdict".to_owned()], cells, left: true });
    }
    columns
}

fn of_window(watch: &Watch, judgement: &ClaimJudgement) -> VerdictLine {
    let copies = judgement.copies();
    let [least, most] = [copies.least, copies.most].map(|number| format!("{number:.3}"));
    let copies = if least == most { most } else { format!("{least} to {most}") };
    let sent = size_of(u128::from(judgement.traffic.sent()));
    let done = judgement.traffic.direction.done();
    let of = match &judgement.of {
        Of::All => format!("all that was {done}"),
        of => of.to_string(),
    };
    let why = why(&judgement.verdict, &judgement.traffic.ledger);
    let what = format!("{} of {of}", judgement.promise);
    let mut number = format!("{copies} copied per {done} byte, {sent} {done}");
    if let Some(beyond) = judgement.beyond() {
        number = format!("{number}; {beyond}");
    }
    let line = VerdictLine::new(Word::of(&judgement.verdict), what, number, why);
    VerdictLine { advice: advice::lines(watch, judgement), ..line }
}
