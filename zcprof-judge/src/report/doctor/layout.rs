//! Lines and columns of text that fit a terminal.

use std::fmt::Write as _;

/// Widest line.
const COLUMNS: usize = 100;

/// Columns to the left, as wide as their widest word; the last one is wrapped.
pub(super) fn lay_out<const N: usize>(text: &mut String, rows: &[[String; N]]) {
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    for row in rows {
        let Some((last, others)) = row.split_last() else { continue };
        let mut before = String::new();
        for (word, width) in others.iter().zip(widths) {
            let _ = write!(before, "  {word:width$}");
        }
        let below = " ".repeat(before.chars().count() + 2);
        wrap(text, &format!("{before}  "), &below, last);
    }
}

/// A paragraph: what stands before its first line, and before the others.
pub(super) fn wrap(text: &mut String, first: &str, others: &str, words: &str) {
    let options = textwrap::Options::new(COLUMNS)
        .initial_indent(first)
        .subsequent_indent(others)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    line(text, &textwrap::fill(words, options));
}

pub(super) fn line(text: &mut String, words: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{words}");
}
