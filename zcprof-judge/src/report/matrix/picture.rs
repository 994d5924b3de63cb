//! `matrix.svg`: a heat map. Rows are transfers, columns are settings; a cell has the copies per
//! payload byte and the verdict.

use plotters::style::RGBColor;

use super::super::ReportError;
use super::super::canvas::{Canvas, LINE, MARGIN, Pen, Point, SMALL, ink};
use super::super::lettering::Type;
use super::super::numbers::thousandths;
use crate::matrix::{Cell, Matrix, Setting};
use crate::run::Cache;
use crate::verdict::per_byte;

/// Room for a transfer's name.
const NAMES: i32 = 130;
/// Size of a cell.
const CELL: Point = (76, 40);
/// The verdict whose cells have no colour.
const INCONCLUSIVE: &str = "inconclusive";
/// Most columns in a row of the picture.
const COLUMNS: usize = 17;

/// Fill of a cell by copies per payload byte, from none on; what is more than the last is as the
/// last.
const HEAT: [RGBColor; 3] =
    [RGBColor(226, 240, 250), RGBColor(253, 212, 158), RGBColor(239, 138, 98)];

pub(super) fn draw(matrix: &Matrix) -> Result<Vec<u8>, ReportError> {
    let panels = panels(matrix);
    let columns = panels.iter().map(|panel| panel.columns.len()).max().unwrap_or(0).max(8);
    let width = MARGIN * 2 + NAMES + CELL.0 * pixels(columns);
    let mut canvas = Canvas::wide(width);
    canvas.text((MARGIN, 14), "Copies per payload byte, on the server", Type::new(20).bold());
    let about = format!(
        "{} cells; at once and later, as far as they were seen. Two numbers: warm, then cold.",
        matrix.cells.len()
    );
    let mut y = canvas.paragraph((MARGIN, 42), &about, width - 2 * MARGIN, Type::new(SMALL)) + 14;
    for panel in &panels {
        y = panel.draw(&mut canvas, y, matrix) + 26;
    }
    legend(&mut canvas, y);
    canvas.finish()
}

/// Settings side by side under a title.
struct Panel<'a> {
    title: String,
    columns: Vec<&'a Setting>,
}

/// First those that differ in kernel and file system alone, then the others.
fn panels(matrix: &Matrix) -> Vec<Panel<'_>> {
    let mut settings: Vec<&Setting> = Vec::new();
    for cell in &matrix.cells {
        if !settings.contains(&&cell.setting) {
            settings.push(&cell.setting);
        }
    }
    let Some(first) = settings.first().copied() else { return Vec::new() };
    let usual = |s: &&&Setting| s.cpus == first.cpus && s.network == first.network;
    let title = format!("Kernels and file systems ({} CPUs, {})", first.cpus, first.network);
    let mut panels = pieces(&title, settings.iter().filter(usual).copied().collect());
    let others = settings.iter().filter(|s| !usual(s)).copied().collect();
    panels.extend(pieces("Other numbers of CPUs, other networks", others));
    panels
}

/// Panels of at most [`COLUMNS`], older kernels first.
fn pieces<'a>(title: &str, mut columns: Vec<&'a Setting>) -> Vec<Panel<'a>> {
    columns.sort_by_key(|setting| version(&setting.kernel));
    let panel =
        |columns: &[&'a Setting]| Panel { title: title.to_owned(), columns: columns.to_vec() };
    columns.chunks(COLUMNS).map(panel).collect()
}

/// The numbers that a release begins with, to sort by.
fn version(release: &str) -> Vec<u32> {
    release.split(|c: char| !c.is_ascii_digit()).map_while(|part| part.parse().ok()).collect()
}

/// `6.12` of `6.12.43+deb13-cloud-amd64`; what is real-time says so.
fn short(release: &str) -> String {
    let numbers: Vec<_> = release.split('.').take(2).collect();
    let flavour = if release.contains("-rt-") { " rt" } else { "" };
    numbers.join(".") + flavour
}

impl Panel<'_> {
    fn draw(&self, canvas: &mut Canvas, top: i32, matrix: &Matrix) -> i32 {
        canvas.text((MARGIN, top), self.title.as_str(), Type::new(14).bold());
        let heading_end = self.headings(canvas, top + 24);
        let mut y = heading_end;
        for transfer in transfers(matrix, &self.columns) {
            let name = Type::new(SMALL);
            let lines = name.wrap(transfer, NAMES - 8);
            let height = pixels(lines.len()) * LINE;
            canvas.paragraph((MARGIN, y + (CELL.1 - height) / 2), transfer, NAMES - 8, name);
            for (at, setting) in self.columns.iter().enumerate() {
                let of_it = |c: &&Cell| c.setting == **setting && c.transfer == transfer;
                let mut cells: Vec<_> = matrix.cells.iter().filter(of_it).collect();
                cells.sort_by_key(|cell| cell.cache == Cache::Cold);
                draw_cells(canvas, (left(at), y), &cells);
            }
            y += CELL.1;
        }
        y
    }

    /// Four lines: kernel (once where it stays the same), file system, CPUs, network.
    fn headings(&self, canvas: &mut Canvas, top: i32) -> i32 {
        let style = Type::new(11).centred();
        for (at, setting) in self.columns.iter().enumerate() {
            let x = left(at) + CELL.0 / 2;
            canvas.text((x, top), short(&setting.kernel), style.bold());
            canvas.text((x, top + LINE), setting.file_system.as_str(), style);
            let cpus = if setting.cpus == 1 { "1 CPU" } else { &format!("{} CPUs", setting.cpus) };
            canvas.text((x, top + 2 * LINE), cpus, style);
            canvas.text((x, top + 3 * LINE), setting.network.as_str(), style);
        }
        top + 4 * LINE + 6
    }
}

/// Transfers in the order of their first cells.
fn transfers<'a>(matrix: &'a Matrix, columns: &[&Setting]) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for cell in matrix.cells.iter().filter(|cell| columns.contains(&&cell.setting)) {
        if !names.contains(&cell.transfer.as_str()) {
            names.push(&cell.transfer);
        }
    }
    names
}

/// One field for a transfer in a setting, warm and cold.
fn draw_cells(canvas: &mut Canvas, (x, y): Point, cells: &[&Cell]) {
    let edge = Pen::new(ink::WHITE, 2);
    let Some(first) = cells.first() else {
        canvas.rect((x, y), CELL, ink::PAPER, edge);
        let grey = Type::new(10).color(ink::GREY).centred();
        canvas.text((x + CELL.0 / 2, y + 14), "not measured", grey);
        return;
    };
    // What an inconclusive pass saw is no more than a lower bound.
    let at_least = |cell: &Cell| if cell.verdict == INCONCLUSIVE { ">" } else { "" };
    let copies = |cell: &&Cell| match cell.copied() {
        Some(bytes) => format!("{}{}", at_least(cell), per_byte(bytes, cell.payload)),
        None => "?".to_owned(),
    };
    let mut numbers: Vec<String> = cells.iter().map(copies).collect();
    numbers.dedup();
    let most = cells
        .iter()
        .filter_map(|cell| {
            Some(thousandths(cell.copied()?, cell.payload).saturating_add(500) / 1000)
        })
        .max();
    let fill = most.map_or(ink::PAPER, |most| {
        HEAT[usize::try_from(most).unwrap_or(usize::MAX).min(HEAT.len() - 1)]
    });
    let worst = cells.iter().find(|cell| cell.verdict != "holds").unwrap_or(first);
    let fill = if worst.verdict == INCONCLUSIVE { ink::PAPER } else { fill };
    canvas.rect((x, y), CELL, fill, edge);
    if worst.verdict == INCONCLUSIVE {
        let inner = (CELL.0 - 2, CELL.1 - 2);
        canvas.hatch((x + 1, y + 1), inner, 7, Pen::new(ink::PALE, 1));
    }
    let size = if numbers.len() > 1 { 10 } else { 13 };
    let centre = x + CELL.0 / 2;
    canvas.text((centre, y + 5), numbers.join(" "), Type::new(size).bold().centred());
    let color = if worst.verdict == "refuted" { ink::RED } else { ink::BLACK };
    let small = Type::new(10).color(color).centred();
    let off = if cells.iter().any(|cell| cell.is_off()) { "OFF " } else { "" };
    let word = match worst.verdict.as_str() {
        "refuted" => format!("{off}refuted"),
        INCONCLUSIVE => format!("{off}inconcl."),
        other => format!("{off}{other}"),
    };
    canvas.text((centre, y + 22), word, small);
}

fn legend(canvas: &mut Canvas, y: i32) {
    let style = Type::new(SMALL);
    let mut x = MARGIN;
    let texts = ["0 copies", "1 copy", "2 copies and more"];
    for (color, text) in HEAT.iter().zip(texts) {
        canvas.rect((x, y), (26, 16), *color, Pen::new(ink::PALE, 1));
        canvas.text((x + 32, y + 1), text, style);
        x += 32 + style.width(text) + 20;
    }
    canvas.rect((x, y), (26, 16), ink::PAPER, Pen::new(ink::PALE, 1));
    canvas.hatch((x, y), (26, 16), 7, Pen::new(ink::PALE, 1));
    canvas.text((x + 32, y + 1), "inconclusive: something could not be seen", style);
    let note = "?: no instrument could look. >: at least so many. OFF: more than 0.001 from what is known before.";
    canvas.text((MARGIN, y + 24), note, style);
}

fn left(column: usize) -> i32 {
    MARGIN + NAMES + CELL.0 * pixels(column)
}

fn pixels(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX / 100)
}
