//! `matrix.svg`: a heat map. Rows are transfers, columns are settings; a field has the copies per
//! payload byte and the verdict, and under them stands why some do not hold.

use super::super::canvas::{Canvas, LINE, MARGIN, Pen, SMALL, WIDTH};
use super::super::ink;
use super::super::lettering::Type;
use super::super::stripes::Stripes;
use super::super::verdicts::{Word, tally};
use super::field;
use super::notes::{Note, finding, notes, short};
use crate::matrix::{Matrix, MatrixCell, Setting};
use crate::run::Cache;

/// Room for a transfer's name.
const NAMES: i32 = 120;
/// Widest column.
const WIDEST: i32 = 76;
/// Most columns in a row of the picture.
const COLUMNS: usize = 17;

pub(super) fn draw(matrix: &Matrix) -> Vec<u8> {
    let notes = notes(matrix);
    let (mut canvas, y) = Canvas::titled("matrix", &finding(matrix, &notes));
    let words: Vec<_> = matrix.cells.iter().map(|cell| Word::named(&cell.verdict)).collect();
    let codes = notes.iter().filter(|note| note.is_refuted()).map(Note::text);
    let about = "Copies per payload byte on the server, at once and later, as far as they were seen. Two \
                 numbers: warm, then cold.";
    let mut y = tally(&mut canvas, y, &words, ("", about)) + 8;
    codes.for_each(|text| canvas.tell(&text));
    for panel in &panels(matrix) {
        y = panel.draw(&mut canvas, y, matrix) + 14;
    }
    y = legend(&mut canvas, y) + 6;
    explain(&mut canvas, y, &notes);
    canvas.finish()
}

/// Why fields do not hold, in words.
fn explain(canvas: &mut Canvas, top: i32, notes: &[Note]) {
    let (mut y, width) = (top, WIDTH - 2 * MARGIN);
    for note in notes {
        let style = Type::new(SMALL);
        let style = if note.is_refuted() { style.bold() } else { style };
        y = canvas.paragraph((MARGIN, y), &note.text(), width, style) + 2;
        for why in note.explained().iter().filter(|_| note.is_refuted()) {
            let grey = Type::new(SMALL).ink(ink::GREY);
            y = canvas.paragraph((MARGIN + 14, y), why, width - 14, grey) + 4;
        }
    }
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

/// A line of headings, and what it says of a setting.
type Heading = fn(&Setting) -> String;

impl Panel<'_> {
    fn draw(&self, canvas: &mut Canvas, top: i32, matrix: &Matrix) -> i32 {
        canvas.text((MARGIN, top), &self.title, Type::new(14).bold());
        let mut y = self.headings(canvas, top + 20);
        for transfer in transfers(matrix, &self.columns) {
            let fields: Vec<Vec<&MatrixCell>> = self
                .columns
                .iter()
                .map(|setting| {
                    let of_it = |c: &&MatrixCell| c.setting == **setting && c.transfer == transfer;
                    let mut cells: Vec<_> = matrix.cells.iter().filter(of_it).collect();
                    cells.sort_by_key(|cell| cell.cache == Cache::Cold);
                    cells
                })
                .collect();
            let tallest = fields.iter().map(|cells| field::height(cells)).max().unwrap_or(0);
            let name = Type::new(SMALL).fitting(transfer, NAMES - 6, 9);
            canvas.text((MARGIN, y + (tallest - name.size) / 2 - 1), transfer, name);
            for (at, cells) in fields.iter().enumerate() {
                field::draw(canvas, (self.left(at), y), (self.column(), tallest), cells);
            }
            y += tallest;
        }
        y
    }

    /// The kernel once for all of its columns; and below it what differs from column to column.
    fn headings(&self, canvas: &mut Canvas, top: i32) -> i32 {
        let mut at = 0;
        for same in self.columns.chunk_by(|a, b| a.kernel == b.kernel) {
            let (left, right) = (self.left(at), self.left(at + same.len()));
            let (name, bold) = (short(&same[0].kernel), Type::new(SMALL).bold().centred());
            let style = bold.fitting(&name, right - left - 2, 9);
            canvas.text((i32::midpoint(left, right), top), &name, style);
            canvas.line((left + 2, top + LINE), (right - 3, top + LINE), Pen::new(ink::BLACK, 1));
            at += same.len();
        }
        // A layer below the file system has a line of its own: columns are narrow.
        let lines: [Heading; 4] = [
            |setting| layers(setting).0.to_owned(),
            |setting| layers(setting).1.trim_start_matches("dm-").to_owned(),
            |setting| match setting.cpus {
                1 => "1 CPU".to_owned(),
                cpus => format!("{cpus} CPUs"),
            },
            |setting| setting.network.clone(),
        ];
        let differs = |of: &&Heading| self.columns.iter().any(|one| of(one) != of(self.columns[0]));
        let mut y = top + LINE + 3;
        for (index, of) in lines.iter().enumerate() {
            // The file system stands in no title.
            let none = self.columns.iter().all(|setting| of(setting).is_empty());
            if none || index > 1 && !differs(&of) && self.title.contains('(') {
                continue;
            }
            for (at, setting) in self.columns.iter().enumerate() {
                let text = of(setting);
                let style = Type::new(11).centred().fitting(&text, self.column() - 1, 9);
                canvas.text((self.left(at) + self.column() / 2, y), &text, style);
            }
            y += LINE - 1;
        }
        y + 3
    }

    fn column(&self) -> i32 {
        ((WIDTH - 2 * MARGIN - NAMES) / pixels(self.columns.len().max(1))).min(WIDEST)
    }

    fn left(&self, column: usize) -> i32 {
        MARGIN + NAMES + self.column() * pixels(column)
    }
}

/// The file system, and what is below it; empty if that is a device.
fn layers(setting: &Setting) -> (&str, &str) {
    setting.file_system.split_once(" on ").unwrap_or((&setting.file_system, ""))
}

/// Transfers that are in some columns, in every panel in the order of the matrix's first cells.
fn transfers<'a>(matrix: &'a Matrix, columns: &[&Setting]) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for cell in &matrix.cells {
        if !names.contains(&cell.transfer.as_str()) {
            names.push(&cell.transfer);
        }
    }
    let is_here = |name: &&str| {
        let of_it = |cell: &&MatrixCell| cell.transfer == *name && columns.contains(&&cell.setting);
        matrix.cells.iter().any(|cell| of_it(&cell))
    };
    names.retain(is_here);
    names
}

fn legend(canvas: &mut Canvas, top: i32) -> i32 {
    let (style, size) = (Type::new(SMALL), (26, 16));
    let edge = Pen::new(ink::PALE, 1);
    let (mut x, mut y) = (MARGIN, top);
    let key = |canvas: &mut Canvas, x: &mut i32, fill, text: &str| {
        let at = (*x, y);
        canvas.rect(at, size, fill, edge);
        canvas.text((at.0 + 32, y + 1), text, style);
        *x += 32 + style.width(text) + 16;
        at
    };
    for (fill, text) in ink::HEAT.into_iter().zip(["0 copies", "1 copy", "2 and more"]) {
        key(canvas, &mut x, fill, text);
    }
    let at = key(canvas, &mut x, ink::BLACK, "✗ refuted");
    canvas.text((at.0 + 13, y + 1), "✗", Type::new(SMALL).bold().ink(ink::WHITE).centred());
    let at = key(canvas, &mut x, ink::PAPER, "? something could not be seen");
    canvas.hatch(at, size, Stripes::new(7, edge));
    y += 22;
    let note = "✓: the claim holds. cold, warm: the sign is that pass's alone. ≥: at least so many copies were \
                seen; ? for a number: no instrument could look. OFF: more than 0.001 from what is known before \
                (of copies that happen later the least is known).";
    canvas.paragraph((MARGIN, y), note, WIDTH - 2 * MARGIN, style)
}

fn pixels(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX / 100)
}
