//! How lines are drawn.

use super::ink::Ink;

/// How a line is drawn.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pen {
    pub(super) ink: Ink,
    pub(super) width: i32,
    /// Length of a dash; zero for none.
    pub(super) dash: i32,
}

impl Pen {
    pub(super) const fn new(ink: Ink, width: i32) -> Self {
        Self { ink, width, dash: 0 }
    }

    pub(super) const fn dashed(self, dash: i32) -> Self {
        Self { dash, ..self }
    }
}
