//! Columns and lines of text, for tables in a terminal.

use std::fmt::Write as _;
use std::iter;

/// One column: heading lines, then one cell per line.
pub(super) struct Column {
    pub(super) heading: Vec<String>,
    pub(super) cells: Vec<String>,
    pub(super) left: bool,
}

/// Widest table that is not set closer.
const COLUMNS: usize = 120;

/// Headings stand on the lines above the first cell; numbers to the right, words to the left.
pub(super) fn lay_out(columns: &[Column]) -> String {
    let height = columns.iter().map(|column| column.heading.len()).max().unwrap_or(0);
    let cells = columns.first().map_or(0, |column| column.cells.len());
    let wide: usize = columns.iter().map(|column| column.width() + 2).sum();
    let gap = if wide > COLUMNS + 2 { " " } else { "  " };
    let mut lines = vec![String::new(); height + cells];
    for column in columns {
        let empty = iter::repeat_n("", height - column.heading.len());
        let width = column.width();
        for (line, cell) in lines.iter_mut().zip(empty.chain(column.words())) {
            let gap = if line.is_empty() { "" } else { gap };
            // Writing to a String cannot fail.
            let _ = if column.left {
                write!(line, "{gap}{cell:width$}")
            } else {
                write!(line, "{gap}{cell:>width$}")
            };
        }
    }
    let trimmed: Vec<_> = lines.iter().map(|line| line.trim_end()).collect();
    trimmed.join("\n") + "\n"
}

/// Text in lines of at most `width` letters, as far as its words allow.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

impl Column {
    fn words(&self) -> impl Iterator<Item = &str> {
        self.heading.iter().chain(&self.cells).map(String::as_str)
    }

    fn width(&self) -> usize {
        self.words().map(str::len).max().unwrap_or(0)
    }
}
