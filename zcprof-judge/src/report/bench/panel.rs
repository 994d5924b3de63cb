//! A panel of a benchmark's picture: a quantity of all contestants, one below the other, for one number
//! of connections.

use super::super::canvas::{Canvas, Pen, Point};
use super::super::ink;
use super::super::lettering::Type;
use super::super::numbers::counted;
use super::super::rounds::Quartiles;
use super::axis::Axis;
use super::quantity::Quantity;
use crate::bench::record::BenchCell;

/// Height of a contestant's row, and of what stands above the first.
pub(super) const ROW: i32 = 24;
pub(super) const HEADING: i32 = 36;

/// Room at the right edge for a number, and on both sides of the axis.
const NUMBER: i32 = 44;
const PADDING: i32 = 10;

/// One number of connections.
pub(super) struct Panel<'a> {
    /// By rising size of fetch.
    pub(super) cells: &'a [&'a BenchCell],
    pub(super) quantity: &'a Quantity,
    pub(super) axis: &'a Axis,
    /// Every size of fetch of the benchmark.
    pub(super) sizes: &'a [u64],
    /// The contestants from top to bottom.
    pub(super) order: &'a [usize],
    /// Contestants whose numbers are bold.
    pub(super) lead: Vec<usize>,
}

/// The axis of all panels of this width.
pub(super) fn axis(cells: &[BenchCell], quantity: &Quantity, width: i32) -> Option<Axis> {
    let spreads = cells
        .iter()
        .flat_map(|cell| cell.series.iter().filter_map(|series| quantity.of(cell, series)));
    let ends = spreads.flat_map(|spread| [spread.least, spread.most]);
    Some(Axis::over(ends, width - NUMBER - 2 * PADDING)?.wider(1.02))
}

/// A mark at a median: the larger the fetch the larger and darker; the largest is black.
pub(super) fn mark(canvas: &mut Canvas, (x, y): Point, (at, all): (usize, usize)) {
    let half = 2 + i32::try_from(at).unwrap_or(0).min(3);
    let fill = if at + 1 == all { ink::BLACK } else { ink::WHITE };
    let corner = (x - half, y - half);
    canvas.rect(corner, (2 * half, 2 * half), fill, Pen::new(ink::BLACK, 1));
}

impl Panel<'_> {
    /// Draws it; its upper left corner is at `at`.
    pub(super) fn draw(&self, canvas: &mut Canvas, at: Point, width: i32) {
        let connections = self.cells.first().map_or(0, |cell| u64::from(cell.connections));
        let title = counted(connections, "connection", "connections");
        let left = at.0 + PADDING;
        canvas.text((left, at.1), &title, Type::new(13).bold());
        let top = at.1 + HEADING;
        let bottom = top + i32::try_from(self.order.len()).unwrap_or(0) * ROW;
        let small = Type::new(10).ink(ink::GREY).centred();
        for value in self.axis.marks(34) {
            let x = left + self.axis.at(value);
            canvas.line((x, top), (x, bottom), Pen::new(ink::PALE, 1));
            canvas.text((x, top - 15), &plain(value), small);
        }
        canvas.line((at.0, top), (at.0, bottom), Pen::new(ink::BLACK, 1));
        for (contestant, y) in self.order.iter().zip((top + ROW / 2..).step_by(24)) {
            self.row(canvas, (left, y), *contestant, at.0 + width - 8);
        }
    }

    fn row(&self, canvas: &mut Canvas, (left, y): Point, contestant: usize, right: i32) {
        let spread = |cell: &BenchCell| self.quantity.of(cell, cell.series.get(contestant)?);
        for cell in self.cells {
            let Some(spread) = spread(cell) else { continue };
            let at = self.sizes.iter().position(|size| *size == cell.fetch_size).unwrap_or(0);
            self.whiskers(canvas, (left, y), &spread);
            mark(canvas, (left + self.axis.at(spread.median), y), (at, self.sizes.len()));
        }
        let last = self.cells.last().and_then(|cell| spread(cell));
        let (text, style) = match last {
            Some(spread) => {
                let digits = if spread.median < 100.0 { 2 } else { 0 };
                let style = Type::new(12);
                let style = if self.lead.contains(&contestant) { style.bold() } else { style };
                (format!("{:.digits$}", spread.median), style)
            }
            None => ("not timed".to_owned(), Type::new(9).ink(ink::GREY)),
        };
        canvas.text((right, y - style.size / 2 - 1), &text, style.right());
    }

    /// Least to most as a thin line, the middle half as a thick one.
    fn whiskers(&self, canvas: &mut Canvas, (left, y): Point, of: &Quartiles) {
        for (from, to, width) in [(of.least, of.most, 1), (of.first, of.third, 3)] {
            let ends = (left + self.axis.at(from), left + self.axis.at(to));
            canvas.line((ends.0, y), (ends.1, y), Pen::new(ink::BLUE, width));
        }
    }
}

/// A round number without needless digits.
fn plain(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
