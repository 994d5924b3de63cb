//! Bars of bytes in the pictures of copies: what was copied, and what was handed over.

use plotters::style::RGBColor;
use zcprof_common::vocabulary::Hop;

use super::canvas::{Canvas, Pen, Point, ink};

/// A stacked piece: brightness and pattern both tell the hop.
pub(super) fn segment(canvas: &mut Canvas, at: Point, size: Point, hop: Hop) {
    let (fill, stripes) = pattern(hop);
    canvas.rect(at, size, fill, Pen::new(ink::BLACK, 1));
    canvas.hatch(at, size, stripes, Pen::new(ink::WHITE, 2));
    canvas.outline(at, size, Pen::new(ink::BLACK, 1));
}

pub(super) fn moved_bar(canvas: &mut Canvas, at: Point, size: Point) {
    canvas.rect(at, size, ink::WHITE, Pen::new(ink::BLUE, 2));
    canvas.hatch(at, size, 8, Pen::new(ink::BLUE, 1));
}

fn pattern(hop: Hop) -> (RGBColor, i32) {
    const FILLS: [RGBColor; 3] =
        [RGBColor(225, 130, 70), RGBColor(140, 20, 35), RGBColor(235, 160, 60)];
    let index = Hop::ALL.iter().position(|known| *known == hop).unwrap_or(0);
    (FILLS[index % FILLS.len()], [6, 0, 12, -12][index % 4])
}
