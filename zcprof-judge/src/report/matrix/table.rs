//! The terminal's table of a matrix: one line per cell, and below it the sum of it all.

use std::fmt::Write as _;

use super::super::columns::{Column, lay_out};
use super::super::numbers::counted;
use super::notes::many;
use crate::matrix::{Known, Matrix, MatrixCell};
use crate::verdict::per_byte;

pub(super) fn render(matrix: &Matrix) -> String {
    let mut text = format!(
        "zcprof {}: bytes per payload byte, on the server, beside what is known before it is \
         measured\n\n",
        matrix.zcprof
    );
    text.push_str(&lay_out(&columns(matrix)));
    text.push('\n');
    // Writing to a String cannot fail.
    for cell in matrix.cells.iter().filter(|cell| !cell.why.is_empty()) {
        let _ = writeln!(text, "{}: {}: {}", name(cell), cell.verdict, cell.why.join("; "));
    }
    for one in &matrix.skipped {
        let setting = setting(&one.setting);
        let _ = writeln!(text, "{setting}, {}: not measured: {}", one.transfer, one.reason);
    }
    text + &sum(matrix)
}

pub(super) fn columns(matrix: &Matrix) -> Vec<Column> {
    let column = |heading: &str, left: bool, cell: &dyn Fn(&MatrixCell) -> String| Column {
        heading: heading.split('|').map(str::to_owned).collect(),
        cells: matrix.cells.iter().map(cell).collect(),
        left,
    };
    let share = |cell: &MatrixCell, bytes: Option<u64>| {
        bytes.map_or_else(|| "-".to_owned(), |bytes| per_byte(bytes, cell.payload))
    };
    vec![
        column("kernel", true, &|cell| cell.setting.kernel.clone()),
        column("file|system", true, &|cell| cell.setting.file_system.clone()),
        column("CPUs", false, &|cell| cell.setting.cpus.to_string()),
        column("network", true, &|cell| cell.setting.network.clone()),
        column("transfer", true, &|cell| cell.transfer.clone()),
        column("cache", true, &|cell| cell.cache.name().to_owned()),
        column("MiB", false, &|cell| (cell.payload >> 20).to_string()),
        column("copied|audit", false, &|cell| share(cell, cell.audit_copied)),
        column("copied|callers", false, &|cell| share(cell, cell.callers.map(|c| c.copied))),
        column("copied|later", false, &|cell| share(cell, cell.callers.map(|c| c.deferred))),
        column("moved", false, &|cell| share(cell, cell.callers.map(|c| c.moved))),
        column("pinned", false, &|cell| share(cell, cell.callers.map(|c| c.pinned))),
        column("encrypted", false, &|cell| share(cell, cell.callers.map(|c| c.transformed))),
        column("residual", false, &|cell| share(cell, cell.residual)),
        column("known", true, &|cell| cell.known.map_or("-".to_owned(), words)),
        column("off", false, &|cell| share(cell, cell.off)),
        column("claim", true, &|cell| cell.claim.clone()),
        column("verdict", true, &|cell| {
            let known = cell.is_refuted_as_known().then(|| "as known".to_owned());
            let words = [vec![cell.verdict.clone()], cell.codes.clone()].concat();
            words.into_iter().chain(known).collect::<Vec<_>>().join(" ")
        }),
    ]
}

/// `1 copied, 1 moved`.
fn words(known: Known) -> String {
    let all = [
        (known.copied, "copied"),
        (known.moved, "moved"),
        (known.pinned, "pinned"),
        (known.deferred, "later"),
        (known.transformed, "encrypted"),
    ];
    let words: Vec<_> = all
        .iter()
        .filter(|(times, _)| *times > 0)
        .map(|(times, what)| format!("{times} {what}"))
        .collect();
    words.join(", ")
}

fn setting(setting: &crate::matrix::Setting) -> String {
    let crate::matrix::Setting { kernel, file_system, cpus, network } = setting;
    format!("{kernel}, {file_system}, {cpus} CPUs, {network}")
}

fn name(cell: &MatrixCell) -> String {
    format!("{}, {} {}", setting(&cell.setting), cell.transfer, cell.cache.name())
}

fn cells(number: usize) -> String {
    counted(number as u64, "cell", "cells")
}

fn sum(matrix: &Matrix) -> String {
    let count = |verdict: &str| matrix.cells.iter().filter(|c| c.verdict == verdict).count();
    let compared: Vec<_> = matrix.cells.iter().filter(|cell| cell.off.is_some()).collect();
    let as_known = matrix.cells.iter().filter(|cell| cell.is_refuted_as_known()).count();
    let as_known = if as_known > 0 {
        format!(" ({} as known beforehand)", many(as_known))
    } else {
        String::new()
    };
    let mut text = format!(
        "{}: {} hold, {} refuted{as_known}, {} inconclusive\n",
        cells(matrix.cells.len()),
        many(count("holds")),
        many(count("refuted")),
        many(count("inconclusive"))
    );
    let unseen = |cell: &&MatrixCell| {
        let between = cell.known.is_some_and(|known| known.between_files > 0);
        between && !cell.audit_between_files
    };
    if compared.iter().any(unseen) {
        text.push_str(
            "What is copied from one file into another the callers alone saw: in these passes that \
             leaf was not watched\n",
        );
    }
    let share = |cell: &MatrixCell| per_byte(cell.off.unwrap_or(0), cell.payload);
    let worst = compared.iter().max_by(|a, b| {
        let [a, b] = [a, b].map(|c| (u128::from(c.off.unwrap_or(0)), u128::from(c.payload)));
        (a.0 * b.1).cmp(&(b.0 * a.1))
    });
    if let Some(worst) = worst {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{} with a known truth: |measured - known| is at most {} per payload byte ({})",
            cells(compared.len()),
            share(worst),
            name(worst)
        );
    }
    for cell in matrix.cells.iter().filter(|cell| cell.is_false()) {
        let (must, is) = (cell.expected.as_deref().unwrap_or("holds"), &cell.verdict);
        let _ = writeln!(text, "FALSE: {}: {is}, and must be: {must}", name(cell));
    }
    for cell in compared.iter().filter(|cell| cell.is_off()) {
        let _ = writeln!(text, "OFF by {}: {}", share(cell), name(cell));
    }
    text
}
