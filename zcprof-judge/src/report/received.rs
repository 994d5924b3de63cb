//! What ways to receive came to, for a terminal: a table of its own beside that of the transfers.

use super::columns::{Column, lay_out};
use crate::receive::ReceiveJudgement;
use crate::verdict::per_byte;

/// The table with its title, after an empty line; nothing if no way to receive was judged.
pub(super) fn table(judged: &[ReceiveJudgement]) -> String {
    if judged.is_empty() {
        return String::new();
    }
    let column = |heading: &str, left, cell: &dyn Fn(&ReceiveJudgement) -> String| Column {
        heading: heading.split('|').map(str::to_owned).collect(),
        cells: judged.iter().map(cell).collect(),
        left,
    };
    let bytes = |heading: &str, of: fn(&ReceiveJudgement) -> u64| {
        // Where an instrument could not look, no number is one.
        let cell = |one: &ReceiveJudgement| {
            if one.seen { per_byte(of(one), one.ledger.payload) } else { "-".to_owned() }
        };
        column(heading, false, &cell)
    };
    let columns = [
        column("received by", true, &|one| one.mode.clone()),
        column("transfer", true, &|one| one.transfer.clone()),
        column("all|copied", false, &copies),
        bytes("moved|into pipe", |one| one.received.piped),
        bytes("mapped", |one| one.received.mapped),
        bytes("dropped", |one| one.received.dropped),
        column("promise", true, &|one| one.claim.name.to_owned()),
        column("verdict", true, &|one| one.verdict.name().to_owned()),
    ];
    format!("\nIn the consumer, per received byte:\n\n{}", lay_out(&columns))
}

/// `0.000`, or `0.000 to 0.031` where it is not known exactly, or `-` where it is not known.
pub(super) fn copies(judged: &ReceiveJudgement) -> String {
    let Some((least, most)) = judged.copies() else { return "-".to_owned() };
    let [least, most] = [least, most].map(|bytes| per_byte(bytes, judged.ledger.payload));
    if least == most { least } else { format!("{least} to {most}") }
}

/// What refutes each promise, or is missing.
pub(super) fn whys(judged: &[ReceiveJudgement]) -> Vec<String> {
    let whys = judged.iter().map(|one| {
        let texts: Vec<_> = one.why().iter().map(ToString::to_string).collect();
        (format!("{} of {}", one.mode, one.transfer), texts)
    });
    whys.filter(|(_, texts)| !texts.is_empty())
        .map(|(who, texts)| format!("{who}: {}", texts.join("; ")))
        .collect()
}

/// `received by splice: holds`, for each mode the worst, with how many were judged.
pub(super) fn verdicts(judged: &[ReceiveJudgement]) -> Vec<(usize, String)> {
    let mut modes: Vec<(&str, Vec<&str>)> = Vec::new();
    for one in judged {
        match modes.iter_mut().find(|(mode, _)| *mode == one.mode) {
            Some((_, words)) => words.push(one.verdict.name()),
            None => modes.push((&one.mode, vec![one.verdict.name()])),
        }
    }
    let said = modes.into_iter().map(|(mode, words)| {
        let worst = ["refuted", "inconclusive"].into_iter().find(|word| words.contains(word));
        (words.len(), format!("received by {mode}: {}", worst.unwrap_or("holds")))
    });
    said.collect()
}
