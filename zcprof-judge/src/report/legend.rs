//! The legend below bars of copies: keys from left to right, in as many lines as they need.

use zcprof_common::vocabulary::Hop;

use super::bars::segment;
use super::canvas::{Canvas, LINE, MARGIN, Point, SMALL, WIDTH};
use super::lettering::Type;

/// Where the next key goes.
pub(super) struct Legend(Point);

impl Legend {
    /// Keys from here on downwards.
    pub(super) const fn at(top: i32) -> Self {
        Self((MARGIN, top))
    }

    /// Writes a key's label; says where its sign goes.
    pub(super) fn place(&mut self, canvas: &mut Canvas, label: &str) -> Point {
        let text = Type::new(SMALL);
        let width = 34 + text.width(label) + 16;
        if self.0.0 + width > WIDTH - MARGIN && self.0.0 > MARGIN {
            self.0 = (MARGIN, self.0.1 + LINE + 9);
        }
        let here = self.0;
        canvas.text((here.0 + 34, here.1 + 2), label, text);
        self.0.0 += width;
        here
    }

    /// The key of copies at a hop.
    pub(super) fn hop(&mut self, canvas: &mut Canvas, hop: Hop) {
        let later = if hop == Hop::SocketToSocket { " later" } else { "" };
        let (x, y) = self.place(canvas, &format!("copied{later} {}", hop.name()));
        segment(canvas, (x, y), (26, 16), hop);
    }
}
