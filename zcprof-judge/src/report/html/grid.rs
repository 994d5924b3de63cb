//! A table of columns, which the page's script sorts by any of them.

use std::fmt::Write as _;

use crate::report::columns::Column;
use crate::report::xml::escaped;

/// The table; `caption` says what it is.
pub(super) fn html(caption: &str, columns: &[Column]) -> String {
    let mut text = format!(
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><table class=\"sort\"><caption>{0}</caption>\n<thead><tr>",
        escaped(caption)
    );
    for column in columns {
        let heading = escaped(&column.heading.join(" ")).replace("-&gt; ", "-&gt;");
        let _ = write!(text, "<th scope=\"col\"{}>{heading}</th>", class(column));
    }
    text.push_str("</tr></thead>\n<tbody>\n");
    let rows = columns.first().map_or(0, |column| column.cells.len());
    for row in 0..rows {
        text.push_str("<tr>");
        for column in columns {
            let cell = escaped(column.cells.get(row).map_or("", String::as_str));
            let mark = mark(&cell);
            let _ = write!(text, "<td{}>{mark}{cell}</td>", class(column));
        }
        text.push_str("</tr>\n");
    }
    text + "</tbody></table></div>\n"
}

fn class(column: &Column) -> &'static str {
    if column.left { "" } else { " class=\"n\"" }
}

/// A verdict's sign stands before its word, so that colour is never alone.
fn mark(cell: &str) -> &'static str {
    match cell.split(' ').next() {
        Some("refuted") => "<span class=\"mark refuted\" aria-hidden=\"true\">✗</span> ",
        Some("holds") => "<span class=\"mark holds\" aria-hidden=\"true\">✓</span> ",
        Some("inconclusive") => "<span class=\"mark inconclusive\" aria-hidden=\"true\">?</span> ",
        _ => "",
    }
}
