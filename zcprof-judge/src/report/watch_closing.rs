//! The last lines of a watched window: verdict, exit code and its meaning, reports, and what to type next.

use std::cmp::Reverse;

use super::ReportError;
use super::closing::fit;
use super::screen::{Terminal, of_verdict, painted};
use crate::verdict::code::why;
use crate::verdict::{Verdict, exit_of};
use crate::watch::judge::{ClaimJudgement, judge};
use crate::watch::record::Watch;

/// The lines; `code` is the one with which the watch ends where nothing is claimed, and none for who only
/// judges its record.
///
/// # Errors
/// A claim that this version does not know.
pub(super) fn lines(
    watch: &Watch,
    code: Option<u8>,
    terminal: &Terminal<'_>,
) -> Result<String, ReportError> {
    let mut judgements = judge(watch).map_err(ReportError::Claim)?;
    judgements.sort_by_key(|judgement| Reverse(rank(&judgement.verdict)));
    let room = terminal.width.saturating_sub("Verdict: ".len());
    let style = judgements.first().map(|worst| of_verdict(&worst.verdict)).unwrap_or_default();
    let verdicts = fit(&verdicts(&judgements), room);
    let lines = [
        ("Verdict", painted(&verdicts, style, terminal.colour)),
        ("Exit", exit(watch, &judgements, code)),
        ("Reports", reports(watch, terminal)),
        ("Next", next(&judgements, terminal)),
    ];
    Ok(lines.map(|(label, said)| format!("{:<8} {said}\n", format!("{label}:"))).concat())
}

/// The gravest first.
fn rank(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Holds => 0,
        Verdict::Inconclusive(_) => 1,
        Verdict::Refuted(_) => 2,
    }
}

/// `refuted: zero-copy of port 8081`, then what is inconclusive, then what holds.
fn verdicts(judgements: &[ClaimJudgement]) -> Vec<(usize, String)> {
    let mut said = "";
    let items = judgements.iter().map(|judgement| {
        let (word, claim) = (judgement.verdict.name(), &judgement.promise);
        let item = format!("{claim} of {}", judgement.of);
        let again = std::mem::replace(&mut said, word) == word;
        (1, if again { item } else { format!("{word}: {item}") })
    });
    let items: Vec<_> = items.collect();
    if items.is_empty() { vec![(0, "none, for nothing is claimed".to_owned())] } else { items }
}

fn exit(watch: &Watch, judgements: &[ClaimJudgement], code: Option<u8>) -> String {
    let exit = exit_of(judgements.iter().map(|judgement| &judgement.verdict));
    let code = match code.filter(|_| judgements.is_empty()) {
        Some(code) => code,
        None if judgements.is_empty() => return format!("{}, nothing is claimed", exit as u8),
        None => return format!("{}, {}", exit as u8, exit.meaning()),
    };
    let meaning = match &watch.command {
        None => "the window is over",
        Some(command) if command.ended_by_us => "the command was ended with the window",
        Some(_) => "the command's own",
    };
    format!("{code}, {meaning}; nothing is claimed")
}

fn reports(watch: &Watch, terminal: &Terminal<'_>) -> String {
    match (terminal.place, &watch.stacks) {
        (Some(place), _) => {
            format!("{place}/report.html to open; table.txt beside it has every number")
        }
        (None, Some(_)) => "none written; --out DIR for the flame graph and the report".to_owned(),
        (None, None) => "none written; --out DIR for the pictures and the report".to_owned(),
    }
}

/// What explains the verdict, or leads to one.
fn next(judgements: &[ClaimJudgement], terminal: &Terminal<'_>) -> String {
    let program = terminal.program;
    let Some(worst) = judgements.first() else {
        return "the same with --claim zero-copy, for a verdict".to_owned();
    };
    let why = why(&worst.verdict, &worst.traffic.ledger);
    let code = why.first().and_then(|why| why.codes.first());
    match (code, &worst.verdict, terminal.place) {
        (Some(code), Verdict::Inconclusive(_), _) => {
            format!("{program} explain {}; {program} doctor", code.name)
        }
        (Some(code), ..) => format!("{program} explain {}", code.name),
        (None, _, Some(place)) => format!("{program} report {place} --print"),
        (None, ..) => format!("{program} explain"),
    }
}
