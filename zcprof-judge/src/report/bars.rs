//! Bars of bytes in the pictures of copies: what was copied, and what was handed over.

use zcprof_common::vocabulary::Hop;

use super::canvas::{Canvas, Pen, Point};
use super::ink::{self, Ink};
use super::stripes::Stripes;

/// A stacked piece: brightness and pattern both tell the hop.
pub(super) fn segment(canvas: &mut Canvas, at: Point, size: Point, hop: Hop) {
    let (fill, stripes) = pattern(hop);
    canvas.block(at, size, fill);
    if let Some(stripes) = stripes {
        canvas.hatch(at, size, stripes);
    }
    canvas.outline(at, size, Pen::new(ink::BLACK, 1));
}

pub(super) fn moved_bar(canvas: &mut Canvas, at: Point, size: Point) {
    canvas.block(at, size, ink::WHITE);
    canvas.hatch(at, size, Stripes::new(8, Pen::new(ink::BLUE, 1)));
    canvas.outline(at, size, Pen::new(ink::BLUE, 2));
}

fn pattern(hop: Hop) -> (Ink, Option<Stripes>) {
    let index = Hop::ALL.iter().position(|known| *known == hop).unwrap_or(0);
    let gap = [Some(6), None, Some(12), Some(-12)][index % 4];
    let stripes = gap.map(|gap| Stripes::new(gap, Pen::new(ink::WHITE, 2)));
    (ink::HOPS[index % ink::HOPS.len()], stripes)
}
