//! Pure: one row's hops, sites and stacks, line by line.

use zcprof_common::vocabulary::{Disposition, Instrument, Process};
use zcprof_judge::stacks::Stacks;
use zcprof_judge::stacks::record::{Frame, Stack};
use zcprof_judge::stacks::top::functions;
use zcprof_judge::stacks::tree::{frames, is_copied};
use zcprof_judge::verdict::per_byte;
use zcprof_judge::watch::judge::judge;
use zcprof_judge::watch::record::{Charged, Watch};
use zcprof_judge::watch::traffic::Traffic;

use super::columns::copies;
use super::rows::{Id, LiveRow};
use crate::syscall::InSyscall;
use crate::watch::size;

/// Functions and stacks that are listed.
const MOST: usize = 10;

/// A line, and whether it is a heading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Whether it stands out.
    pub(super) heading: bool,
    /// What it says.
    pub(super) text: String,
}

fn heading(text: String) -> Line {
    Line { heading: true, text }
}

fn plain(text: String) -> Line {
    Line { heading: false, text }
}

/// What is known of stacks while the window is open.
pub(super) enum KnownStacks {
    /// None are kept.
    NotKept,
    /// Their names are being looked up.
    Sought,
    /// Those of a program, as they were a moment ago.
    Of {
        /// Its name.
        program: String,
        /// All of its stacks.
        stacks: Stacks,
    },
}

/// What is known of a row.
pub(super) fn lines(record: &Watch, row: &LiveRow, known: &KnownStacks) -> Vec<Line> {
    let traffic = row.traffic(record);
    let done = record.direction.done();
    let mut lines = vec![
        heading(name(&row.id)),
        plain(format!(
            "{} {done}, {} copied per {done} byte",
            size(row.whole.sent),
            copies(&row.whole)
        )),
    ];
    lines.extend(verdicts(record, row));
    for instrument in [Instrument::Callers, Instrument::Audit] {
        lines.extend(hops(&traffic, instrument));
    }
    lines.extend(match known {
        KnownStacks::Of { program, stacks } if *program == row.id.program => {
            self::stacks(stacks, &row.id)
        }
        KnownStacks::NotKept => instead("none are kept; beside a claim --stacks keeps them"),
        _ => instead("being looked up"),
    });
    lines
}

/// What stands where stacks are not.
fn instead(why: &str) -> Vec<Line> {
    vec![heading("Stacks".to_owned()), plain(why.to_owned())]
}

/// A row by its name.
pub(super) fn name(id: &Id) -> String {
    let port = id.port.map_or_else(String::new, |port| format!(" port {port}"));
    format!("{}{port}", id.program)
}

/// What the verdicts would be now, and why.
fn verdicts(record: &Watch, row: &LiveRow) -> Vec<Line> {
    let judgements = judge(&row.record(record)).unwrap_or_default();
    let lines = judgements.iter().flat_map(|judgement| {
        let outcome = judgement.outcome();
        let verdict = plain(format!("{}: so far {}", outcome.claim, outcome.verdict));
        let why = outcome.reasons.into_iter().map(|reason| plain(format!("  {reason}")));
        std::iter::once(verdict).chain(why)
    });
    lines.collect()
}

/// What an instrument saw at each hop: of callers and audit each byte is in both.
fn hops(traffic: &Traffic, instrument: Instrument) -> Vec<Line> {
    let account = traffic.ledger.account(instrument);
    let seen = account.entries.iter().filter(|entry| entry.bytes > 0);
    let seen = seen.filter(|entry| entry.process == Process::Server);
    let mut lines = vec![heading(format!("Hops, as the {} saw them", who(instrument)))];
    for entry in seen {
        let per = per_byte(entry.bytes, traffic.sent());
        lines.push(plain(format!(
            "{per:>7} {} {}: {} in {} calls",
            entry.disposition.name(),
            entry.hop.name(),
            size(entry.bytes),
            entry.calls
        )));
        lines.push(plain(format!("        at {}", entry.sites.join(", "))));
        if !entry.syscalls.is_empty() {
            lines.push(plain(format!("        by {}", InSyscall::joined(&entry.syscalls))));
        }
    }
    if lines.len() == 1 {
        lines.push(plain("nothing".to_owned()));
    }
    lines
}

const fn who(instrument: Instrument) -> &'static str {
    match instrument {
        Instrument::Audit => "leaves",
        _ => "callers",
    }
}

/// The functions that copy most, and the stacks by which most is copied.
fn stacks(known: &Stacks, id: &Id) -> Vec<Line> {
    let its = |stack: &&Stack| {
        stack.charged == Charged::Program(id.program.clone())
            && (id.port.is_none() || stack.port.is_none() || stack.port == id.port)
    };
    let mut all: Vec<Stack> = known.stacks.iter().filter(its).cloned().collect();
    all.retain(|stack| is_copied(stack.disposition) && stack.disposition != Disposition::Aside);
    all.sort_by_key(|stack| std::cmp::Reverse(stack.bytes));
    let of_it = Stacks { stacks: all, ..known.clone() };
    let mut lines = vec![heading("Functions that copy most".to_owned())];
    let functions = functions(&of_it);
    for top in functions.iter().take(MOST) {
        let bytes = size(u64::try_from(top.bytes).unwrap_or(u64::MAX));
        lines.push(plain(format!("{bytes:>10} {}", frame(&top.frame))));
    }
    lines.push(heading("Stacks, the innermost frame first".to_owned()));
    for stack in of_it.stacks.iter().take(MOST) {
        let way: Vec<_> = frames(known, stack).map(|of| frame(&of)).collect();
        let way = way.into_iter().rev().collect::<Vec<_>>().join(" < ");
        lines.push(plain(format!("{:>10} {}: {way}", size(stack.bytes), stack.hop.name())));
    }
    if functions.is_empty() {
        lines.push(plain("nothing of its was copied".to_owned()));
    }
    lines
}

fn frame(frame: &Frame) -> String {
    if frame.file.is_empty() {
        frame.name.clone()
    } else {
        format!("{} ({})", frame.name, frame.file)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::rows::rows;
    use super::super::tests::golden;
    use super::*;

    fn text(record: &Watch, known: &KnownStacks) -> String {
        let row = &rows(record, None, &BTreeMap::new())[0];
        lines(record, row, known).into_iter().map(|line| line.text + "\n").collect()
    }

    #[test]
    fn details_have_hops_sites_calls_and_why_a_claim_fails() {
        let said = text(&golden(), &KnownStacks::NotKept);
        for word in [
            "so far refuted",
            "copied user->socket",
            "at tcp_sendmsg_locked",
            "by sendfile, writev",
            "_copy_from_iter",
        ] {
            assert!(said.contains(word), "{word:?} is missing: {said}");
        }
    }

    #[test]
    fn stacks_are_listed_when_they_are_found() {
        let record = golden();
        let stacks = record.stacks.clone().expect("the golden record has stacks");
        let top = functions(&stacks)[0].frame.name.clone();
        let program = record.programs[0].name.clone();
        let known = KnownStacks::Of { program, stacks: stacks.clone() };
        let said = text(&record, &known);
        assert!(said.contains(&top) && said.contains(" < "), "{top}: {said}");
        let others = KnownStacks::Of { program: "another".to_owned(), stacks };
        for (known, word) in [
            (KnownStacks::NotKept, "none are kept"),
            (KnownStacks::Sought, "being looked up"),
            (others, "being looked up"),
        ] {
            let said = text(&record, &known);
            assert!(said.contains(word) && !said.contains(&top), "{word}: {said}");
        }
    }
}
