//! Several runs beside each other as a page. Cells of one transfer that came to the same share a line,
//! which says in which settings.

use super::Files;
use super::grid::verdicts_first;
use super::page::Page;
use super::ratio::per_payload_byte;
use super::settings::place;
use super::verdict_line::VerdictLine;
use crate::matrix::{Matrix, MatrixCell, Setting};
use crate::report::columns::Column;
use crate::report::numbers::{counted, thousandths};
use crate::report::verdicts::Word;
use crate::verdict::code::Why;
use crate::verdict::explain::Code;
use crate::verdict::per_byte;

/// The page; `title` is what the picture says in its own.
pub(in super::super) fn matrix(
    matrix: &Matrix,
    title: String,
    columns: Vec<Column>,
    files: Files<'_>,
) -> Vec<u8> {
    let cells = &matrix.cells;
    let off = cells.iter().filter(|cell| cell.is_off()).count();
    let known = "from the number that was known beforehand";
    let off = match off {
        0 => format!("No cell is off by more than 0.001 per byte {known}"),
        1 => format!("1 cell is off by more than 0.001 per byte {known}"),
        _ => format!("{off} cells are off by more than 0.001 per byte {known}"),
    };
    let measured = counted(cells.len() as u64, "cell", "cells");
    Page {
        title,
        about: vec![
            format!(
                "zcprof {}, {measured}: a transfer in a setting, with the page cache warm or cold",
                matrix.zcprof
            ),
            off,
        ],
        said: lines(cells),
        nothing_said: Some("The matrix has no cell."),
        files,
        stacks: None,
        columns: verdicts_first(columns),
        coverage: None,
        text: "matrix.txt",
    }
    .html()
}

/// A line for the cells that came to the same.
fn lines(cells: &[MatrixCell]) -> Vec<VerdictLine> {
    let mut lines: Vec<(VerdictLine, Vec<&Setting>)> = Vec::new();
    for cell in cells {
        let line = of_cell(cell);
        match lines.iter_mut().find(|(known, _)| *known == line) {
            Some((_, settings)) => settings.push(&cell.setting),
            None => lines.push((line, vec![&cell.setting])),
        }
    }
    let placed = |(line, settings): (VerdictLine, Vec<&Setting>)| VerdictLine {
        place: place(&settings),
        count: settings.len(),
        ..line
    };
    lines.into_iter().map(placed).collect()
}

fn of_cell(cell: &MatrixCell) -> VerdictLine {
    let share = |bytes| per_byte(bytes, cell.payload);
    let seen = |bytes: u64| Some(bytes).filter(|bytes| thousandths(*bytes, cell.payload) > 0);
    let later = cell.callers.map_or(0, |callers| callers.deferred);
    let encrypted = cell.callers.map_or(0, |callers| callers.transformed);
    let number = cell.copied().map_or_else(
        || "copies were not seen".to_owned(),
        |bytes| {
            let at_once = share(bytes.saturating_sub(later));
            per_payload_byte(&at_once, seen(later).map(share), seen(encrypted).map(share))
        },
    );
    let (transfer, cache) = (&cell.transfer, cell.cache.name());
    let what = format!("{transfer} {cache}: {}", cell.claim);
    let why = cell.why.iter().map(|why| recorded(why)).collect();
    let line = VerdictLine::new(Word::named(&cell.verdict), what, number, why);
    VerdictLine { as_known: cell.is_refuted_as_known(), ..line }
}

/// A reason as a record has it: `ZC105+ZC106 socket->socket deferred 1.000 per byte`.
fn recorded(why: &str) -> Why {
    let all = |names: &str| names.split('+').map(Code::find).collect::<Option<Vec<_>>>();
    let split = why.split_once(' ').and_then(|(names, text)| Some((all(names)?, text)));
    let (codes, text) = split.unwrap_or((Vec::new(), why));
    Why { codes, text: text.to_owned() }
}
