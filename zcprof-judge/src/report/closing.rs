//! The five last lines of a run: verdict, cause, exit code, reports, and what to type next.

use std::cmp::Reverse;

use super::reading::{Judged, Reading};
use super::received;
use super::screen::{Terminal, of_verdict, painted};
use crate::receive::ReceiveJudgement;
use crate::verdict::{Exit, Verdict, exit_of};

/// Exactly five lines, each as wide as the terminal where its words allow.
pub(super) fn lines(reading: &Reading<'_>, terminal: &Terminal<'_>) -> String {
    let sent = reading.passes.iter().map(|pass| &pass.judgement.verdict);
    let verdicts_of_all = sent.chain(reading.received.iter().map(|judged| &judged.verdict));
    let exit = exit_of(verdicts_of_all.clone());
    let style = verdicts_of_all.max_by_key(|verdict| rank(verdict));
    let style = style.map(of_verdict).unwrap_or_default();
    let room = terminal.width.saturating_sub("Verdict: ".len());
    let lines = [
        ("Verdict", painted(&fit(&verdicts(reading), room), style, terminal.colour)),
        ("Cause", fit(&causes(reading), room)),
        ("Exit", format!("{}, {}", exit as u8, exit.meaning())),
        ("Reports", reports(terminal)),
        ("Next", next(reading, exit, terminal)),
    ];
    lines.map(|(label, said)| format!("{:<8} {said}\n", format!("{label}:"))).concat()
}

/// How much a verdict weighs against the others.
fn rank(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Holds => 0,
        Verdict::Inconclusive(_) => 1,
        Verdict::Refuted(_) => 2,
    }
}

/// `refuted: sendfile zero-copy`, then what is inconclusive, then what holds; with the number of
/// transfers in each.
fn verdicts(reading: &Reading<'_>) -> Vec<(usize, String)> {
    let mut groups: Vec<(&Judged<'_>, Vec<&str>)> = Vec::new();
    for passes in reading.by_transfer() {
        let Some(worst) = passes.into_iter().max_by_key(|pass| rank(&pass.judgement.verdict))
        else {
            continue;
        };
        let same = |known: &&Judged<'_>| {
            let (one, other) = (&known.judgement, &worst.judgement);
            one.claim.name == other.claim.name && one.verdict.name() == other.verdict.name()
        };
        match groups.iter_mut().find(|(known, _)| same(known)) {
            Some((_, names)) => names.push(&worst.pass.transfer),
            None => groups.push((worst, vec![&worst.pass.transfer])),
        }
    }
    groups.sort_by_key(|(pass, _)| {
        (Reverse(rank(&pass.judgement.verdict)), pass.judgement.claim.copies())
    });
    let mut said = "";
    let items = groups.iter().map(|(pass, names)| {
        let (word, claim) = (pass.judgement.verdict.name(), pass.judgement.claim.phrase);
        let word_again = std::mem::replace(&mut said, word) == word;
        let item = format!("{} {claim}", names.join(", "));
        (names.len(), if word_again { item } else { format!("{word}: {item}") })
    });
    let mut items: Vec<_> = items.collect();
    if items.is_empty() {
        items.push((0, "inconclusive: nothing was measured".to_owned()));
    }
    // What receiving came to stands first where it is worse than what sending came to.
    let received = received::verdicts(&reading.received);
    let sent = groups.iter().map(|(pass, _)| rank(&pass.judgement.verdict)).max().unwrap_or(1);
    let worst = reading.received.iter().map(|judged| rank(&judged.verdict)).max().unwrap_or(0);
    let at = if worst > sent { 0 } else { items.len() };
    items.splice(at..at, received);
    items
}

/// For each transfer that does not hold its first code, with its title.
fn causes(reading: &Reading<'_>) -> Vec<(usize, String)> {
    let mut causes: Vec<(String, Vec<&str>)> = Vec::new();
    let mut passes: Vec<_> = reading.passes.iter().collect();
    passes.sort_by_key(|pass| Reverse(rank(&pass.judgement.verdict)));
    for pass in passes {
        let why = pass.judgement.why();
        let Some(code) = why.first().and_then(|why| why.codes.first()) else { continue };
        let (cause, transfer) = (format!("{} {}", code.name, code.title), &pass.pass.transfer);
        match causes.iter_mut().find(|(known, _)| *known == cause) {
            Some((_, names)) if names.contains(&transfer.as_str()) => {}
            Some((_, names)) => names.push(transfer),
            None => causes.push((cause, vec![transfer])),
        }
    }
    for judged in &reading.received {
        let why = judged.why();
        let Some(code) = why.first().and_then(|why| why.codes.first()) else { continue };
        let cause = format!("{} {}", code.name, code.title);
        match causes.iter_mut().find(|(known, _)| *known == cause) {
            Some((_, names)) if names.contains(&judged.mode.as_str()) => {}
            Some((_, names)) => names.push(&judged.mode),
            None => causes.push((cause, vec![&judged.mode])),
        }
    }
    if causes.is_empty() {
        let none = if reading.passes.is_empty() {
            "no pass was made"
        } else {
            "both instruments agree, and would have seen every copy"
        };
        return vec![(0, none.to_owned())];
    }
    let said = |(cause, names): &(String, Vec<&str>)| {
        (names.len(), format!("{}: {cause}", names.join(", ")))
    };
    causes.iter().map(said).collect()
}

fn reports(terminal: &Terminal<'_>) -> String {
    terminal.place.map_or_else(
        || "none written (--out DIR writes them)".to_owned(),
        |place| format!("{place}/report.html to open; table.txt beside it has every number"),
    )
}

/// What explains the verdict.
fn next(reading: &Reading<'_>, exit: Exit, terminal: &Terminal<'_>) -> String {
    let program = terminal.program;
    let mut passes: Vec<_> = reading.passes.iter().collect();
    passes.sort_by_key(|pass| Reverse(rank(&pass.judgement.verdict)));
    let why = passes.first().map(|pass| pass.judgement.why()).unwrap_or_default();
    let of_received = reading.received.iter().max_by_key(|judged| rank(&judged.verdict));
    let of_received = of_received.map(ReceiveJudgement::why).unwrap_or_default();
    let code = why.first().or(of_received.first()).and_then(|why| why.codes.first());
    match (exit, code, terminal.place) {
        (Exit::Inconclusive, Some(code), _) => {
            format!("{program} explain {}; {program} doctor", code.name)
        }
        (_, Some(code), _) => format!("{program} explain {}", code.name),
        (_, None, Some(place)) => format!("{program} report {place} --print --wide"),
        (_, None, None) => format!("{program} explain"),
    }
}

/// The items that fit, at least one, and how many more there are.
pub(super) fn fit(items: &[(usize, String)], room: usize) -> String {
    let more = |from: usize| {
        let count: usize = items[from..].iter().map(|(count, _)| count).sum();
        if from == items.len() { String::new() } else { format!("; and {count} more") }
    };
    let mut text = String::new();
    for (at, (_, item)) in items.iter().enumerate() {
        if at > 0 && text.len() + 2 + item.len() + more(at + 1).len() > room {
            text.push_str(&more(at));
            break;
        }
        if at > 0 {
            text.push_str("; ");
        }
        text.push_str(item);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::fit;

    #[test]
    fn what_does_not_fit_is_counted() {
        let items = [(1, "one"), (1, "two"), (3, "three")].map(|(n, item)| (n, item.to_owned()));
        assert_eq!(fit(&items, 80), "one; two; three");
        assert_eq!(fit(&items, 18), "one; and 4 more");
        assert_eq!(fit(&items, 0), "one; and 4 more");
        assert_eq!(fit(&[], 10), "");
    }
}
