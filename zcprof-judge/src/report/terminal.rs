//! A run for somebody who waits at a terminal: a small table, and five last lines that say the
//! verdict, its cause, the exit code, where the reports are and what to type next.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::columns::lay_out;
use super::reading::{Judged, Reading};
use super::received;
pub use super::screen::Terminal;
use super::screen::{of_verdict, painted};
use super::{ReportError, closing, table};
use crate::run::Run;
use crate::verdict::Verdict;

/// How much of a run to show above the last lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Copies, whether that is zero-copy, what was expected, and the verdict.
    Brief,
    /// Every number of a pass.
    Wide,
    /// That, and what the numbers rest on: `table.txt`.
    Full,
}

/// Shows a run.
///
/// # Errors
/// The run claims nothing that this version can judge.
pub fn show(run: &Run, detail: Detail, terminal: &Terminal<'_>) -> Result<String, ReportError> {
    let reading = Reading::of(run)?;
    let mut text = table::heading(&reading);
    match detail {
        Detail::Brief => text.push_str(&brief(&reading, terminal)),
        Detail::Wide => text.push_str(&lay_out(&table::columns(&reading))),
        Detail::Full => text = table::text(&reading),
    }
    if detail != Detail::Full {
        text.push_str(&received::table(&reading.received));
    }
    text.push('\n');
    text.push_str(&closing::lines(&reading, terminal));
    Ok(text)
}

/// The five last lines alone.
///
/// # Errors
/// The run claims nothing that this version can judge.
pub fn last_lines(run: &Run, terminal: &Terminal<'_>) -> Result<String, ReportError> {
    Ok(closing::lines(&Reading::of(run)?, terminal))
}

/// A cell of the small table.
struct StyledText {
    text: String,
    style: Style,
}

fn plain(text: impl Into<String>) -> StyledText {
    StyledText { text: text.into(), style: Style::new() }
}

const HEADS: [&str; 5] = ["transfer", "copied", "zero-copy?", "expected", "verdict"];

/// One line per transfer, or per transfer and state of the page cache where these differ.
fn brief(reading: &Reading<'_>, terminal: &Terminal<'_>) -> String {
    let mut rows = vec![HEADS.map(plain)];
    for group in reading.by_transfer() {
        let mut lines: Vec<([String; 4], &Judged<'_>, Vec<&str>)> = Vec::new();
        for pass in group {
            let (said, cache) = (said_of(pass), pass.pass.cache.name());
            match lines.iter_mut().find(|(known, ..)| *known == said) {
                Some((.., caches)) => caches.push(cache),
                None => lines.push((said, pass, vec![cache])),
            }
        }
        let alike = lines.len() == 1;
        for ([copied, zero, expected, verdict], pass, caches) in lines {
            let transfer = &pass.pass.transfer;
            let name =
                if alike { transfer.clone() } else { format!("{transfer} {}", caches.join("+")) };
            let (zero, verdict) = (
                StyledText { text: zero, style: of_answer(&pass.zero_copy) },
                StyledText { text: verdict, style: of_verdict(&pass.judgement.verdict) },
            );
            rows.push([plain(name), plain(copied), zero, plain(expected), verdict]);
        }
    }
    let mut text = set(&rows, terminal.colour);
    let skipped: Vec<_> = reading.run.skipped.iter().map(|s| s.transfer.as_str()).collect();
    if !skipped.is_empty() {
        let _ = writeln!(text, "Not measured (-v says why): {}", skipped.join(", "));
    }
    text
}

fn said_of(pass: &Judged<'_>) -> [String; 4] {
    let claim = pass.judgement.claim;
    let verdict = pass.judgement.verdict.name();
    [
        pass.per_byte(pass.copied_in_all()),
        answer(&pass.zero_copy).to_owned(),
        format!("{}.000 {}", claim.copies(), claim.name),
        pass.why().map_or_else(|| verdict.to_owned(), |why| format!("{verdict} {why}")),
    ]
}

/// Whether the pass copied nothing; never yes unless every copy would have been seen.
fn answer(zero_copy: &Verdict) -> &'static str {
    match zero_copy {
        Verdict::Holds => "yes",
        Verdict::Refuted(_) => "no",
        Verdict::Inconclusive(_) => "unknown",
    }
}

/// Green is for bytes that were not copied, whatever was expected.
fn of_answer(zero_copy: &Verdict) -> Style {
    match zero_copy {
        Verdict::Holds => AnsiColor::Green.on_default(),
        Verdict::Refuted(_) => Style::new(),
        Verdict::Inconclusive(_) => AnsiColor::Yellow.on_default(),
    }
}

/// Numbers stand to the right, words to the left.
fn set(rows: &[[StyledText; 5]], colour: bool) -> String {
    let width = |at: usize| rows.iter().map(|row| row[at].text.len()).max().unwrap_or(0);
    let widths: Vec<_> = (0..HEADS.len()).map(width).collect();
    let mut text = String::new();
    for row in rows {
        for (at, cell) in row.iter().enumerate() {
            let pad = " ".repeat(widths[at] - cell.text.len());
            let word = painted(&cell.text, cell.style, colour);
            let last = at + 1 == row.len();
            match at {
                1 => text.extend([pad.as_str(), &word]),
                _ if last => text.push_str(&word),
                _ => text.extend([word.as_str(), &pad]),
            }
            text.push_str(if last { "\n" } else { "  " });
        }
    }
    text
}
