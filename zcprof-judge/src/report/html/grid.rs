//! A table of columns, which the page's script sorts by any of them.

use std::fmt::Write as _;

use super::arrows::unbroken;
use crate::report::columns::Column;
use crate::report::xml::escaped;

/// Letters of a cell that is not broken into lines.
const SHORT: usize = 40;

/// The columns in the order of a page: the verdict and its claim stand right behind what they are about,
/// where they are seen on a narrow screen too.
pub(super) fn verdicts_first(columns: Vec<Column>) -> Vec<Column> {
    let is = |column: &Column, name: &str| column.heading.concat() == name;
    let (verdicts, mut others): (Vec<_>, Vec<_>) =
        columns.into_iter().partition(|column| is(column, "verdict") || is(column, "claim"));
    let subject = others.iter().position(|column| is(column, "cache")).unwrap_or(0);
    let at = (subject + 1).min(others.len());
    // The claim comes before the verdict in a terminal.
    others.splice(at..at, verdicts.into_iter().rev());
    others
}

/// The table; `caption` says what it is.
pub(super) fn html(caption: &str, columns: &[Column]) -> String {
    let mut text = format!(
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><table class=\"sort\"><caption>{0}</caption>\n<thead><tr>",
        escaped(caption)
    );
    let classes: Vec<_> = columns.iter().map(class).collect();
    for (column, class) in columns.iter().zip(&classes) {
        let heading = unbroken(&column.heading.join(" ").replace("-> ", "->"));
        let _ = write!(text, "<th scope=\"col\"{class}>{heading}</th>");
    }
    text.push_str("</tr></thead>\n<tbody>\n");
    let rows = columns.first().map_or(0, |column| column.cells.len());
    for row in 0..rows {
        text.push_str("<tr>");
        for (column, class) in columns.iter().zip(&classes) {
            let cell = escaped(column.cells.get(row).map_or("", String::as_str));
            let mark = mark(&cell);
            let _ = write!(text, "<td{class}>{mark}{cell}</td>");
        }
        text.push_str("</tr>\n");
    }
    text + "</tbody></table></div>\n"
}

fn class(column: &Column) -> &'static str {
    let is_long = column.cells.iter().any(|cell| cell.chars().count() > SHORT);
    match (column.left, is_long) {
        (false, _) => " class=\"n\"",
        (true, true) => " class=\"long\"",
        (true, false) => "",
    }
}

/// A verdict's sign stands before its word, so that colour is never alone.
fn mark(cell: &str) -> &'static str {
    match cell.split([' ', ':']).next() {
        Some("refuted") => "<span class=\"mark refuted\" aria-hidden=\"true\">✗</span> ",
        Some("holds") => "<span class=\"mark holds\" aria-hidden=\"true\">✓</span> ",
        Some("inconclusive") => "<span class=\"mark inconclusive\" aria-hidden=\"true\">?</span> ",
        _ => "",
    }
}
