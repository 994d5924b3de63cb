//! One small chart: a quantity against the size of fetch, for one number of connections.

use super::super::canvas::{Canvas, Pen, Point, ink};
use super::super::lettering::Type;
use super::super::numbers::{counted, float, size};
use super::axis::Axis;
use super::quantity::{Quantity, Quartiles};
use crate::bench::record::Cell;
use plotters::style::RGBColor;

/// Size of a panel with its axes, in pixels.
pub(super) const SIZE: Point = (306, 252);

/// Size of the part in which lines are drawn, and where in the panel that begins.
pub(super) const INNER: Point = (248, 188);
const ORIGIN: Point = (44, 24);

/// Free space at both ends of the horizontal axis.
const PADDING: i32 = 22;

/// Colours that differ, also for those who see fewer of them; eight of them, and then again with
/// dashes (after Okabe and Ito, with the pale ones darkened for white paper).
const COLORS: [RGBColor; 8] = [
    RGBColor(0, 0, 0),
    RGBColor(190, 80, 0),
    RGBColor(0, 114, 178),
    RGBColor(0, 130, 95),
    RGBColor(180, 80, 140),
    RGBColor(150, 120, 0),
    RGBColor(70, 150, 205),
    RGBColor(120, 120, 120),
];

/// Contestants that a panel is ready for.
const MOST: usize = COLORS.len() * 2;

/// The line that a contestant is drawn with.
pub(super) fn pen(contestant: usize) -> Pen {
    let pen = Pen::new(COLORS[contestant % COLORS.len()], 2);
    if contestant % MOST < COLORS.len() { pen } else { pen.dashed(4) }
}

/// A mark at a median: filled squares, and hollow ones for the dashed lines.
pub(super) fn mark(canvas: &mut Canvas, (x, y): Point, contestant: usize) {
    let pen = Pen { dash: 0, width: 1, ..pen(contestant) };
    let fill = if contestant % MOST < COLORS.len() { pen.color } else { ink::WHITE };
    canvas.rect((x - 3, y - 3), (6, 6), fill, pen);
}

/// Draws a panel; its upper left corner is at `at`.
pub(super) fn draw(
    canvas: &mut Canvas,
    at: Point,
    cells: &[&Cell],
    quantity: &Quantity,
    axes: (&Axis, &Axis),
) {
    let connections = cells.first().map_or(0, |cell| u64::from(cell.connections));
    let title = counted(connections, "connection", "connections");
    canvas.text((at.0 + ORIGIN.0, at.1), title, Type::new(13).bold());
    let (left, top) = (at.0 + ORIGIN.0, at.1 + ORIGIN.1);
    let (right, bottom) = (left + INNER.0, top + INNER.1);
    let (across, up) = axes;
    let small = Type::new(11).color(ink::GREY);
    for value in up.marks() {
        let y = bottom - up.at(value);
        canvas.line((left, y), (right, y), Pen::new(ink::PALE, 1));
        canvas.text((left - 5, y - 7), plain(value), small.right());
    }
    for cell in cells {
        let x = left + place(across, cell);
        canvas.line((x, bottom), (x, bottom + 4), Pen::new(ink::BLACK, 1));
        canvas.text((x, bottom + 6), size(cell.fetch_size), small.centred());
    }
    canvas.line((left, top), (left, bottom), Pen::new(ink::BLACK, 1));
    canvas.line((left, bottom), (right, bottom), Pen::new(ink::BLACK, 1));
    let all = cells.iter().map(|cell| cell.series.len()).max().unwrap_or(0);
    for contestant in 0..all {
        let mut before = None;
        for cell in cells {
            let spread = cell.series.get(contestant).and_then(|series| quantity.of(cell, series));
            let Some(spread) = spread else { continue };
            let x = left + place(across, cell) + aside(contestant, all);
            let point = (x, bottom - up.at(spread.median));
            if let Some(before) = before {
                canvas.line(before, point, pen(contestant));
            }
            whiskers(canvas, x, bottom, &spread, up, contestant);
            mark(canvas, point, contestant);
            before = Some(point);
        }
    }
}

/// Least to most as a thin line, the middle half as a thick one.
fn whiskers(canvas: &mut Canvas, x: i32, bottom: i32, of: &Quartiles, up: &Axis, who: usize) {
    let color = pen(who).color;
    for (from, to, width) in [(of.least, of.most, 1), (of.first, of.third, 3)] {
        let ends = (bottom - up.at(from), bottom - up.at(to));
        canvas.line((x, ends.0), (x, ends.1), Pen::new(color, width));
    }
}

/// Contestants stand side by side, so that no whisker hides another.
fn aside(contestant: usize, all: usize) -> i32 {
    let (contestant, all) = (i32::try_from(contestant), i32::try_from(all));
    let (contestant, all) = (contestant.unwrap_or(0), all.unwrap_or(1).max(1));
    // They may take up to thirty pixels.
    let step = (30 / all).clamp(1, 4);
    contestant * step - (all - 1) * step / 2
}

fn place(across: &Axis, cell: &Cell) -> i32 {
    PADDING + across.at(float(cell.fetch_size))
}

/// The horizontal axis of all panels.
pub(super) fn across(cells: &[Cell]) -> Option<Axis> {
    let sizes = cells.iter().map(|cell| float(cell.fetch_size));
    Axis::over(sizes, INNER.0 - 2 * PADDING)
}

/// The vertical axis of all panels.
pub(super) fn up(cells: &[Cell], quantity: &Quantity) -> Option<Axis> {
    let spreads = cells
        .iter()
        .flat_map(|cell| cell.series.iter().filter_map(|series| quantity.of(cell, series)));
    let ends = spreads.flat_map(|spread| [spread.least, spread.most]);
    Some(Axis::over(ends, INNER.1)?.wider(1.08))
}

/// A round number without needless digits.
fn plain(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
