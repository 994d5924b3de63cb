//! Slanted stripes, by which shapes differ where colours do not help. A picture has each kind once, as a
//! pattern.

use super::pen::Pen;

/// A kind of stripes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stripes {
    /// Pixels from one to the next along an edge; they fall if it is negative, else they rise.
    gap: i32,
    pub(super) pen: Pen,
}

impl Stripes {
    pub(super) const fn new(gap: i32, pen: Pen) -> Self {
        Self { gap, pen }
    }

    /// The pattern's name in a picture.
    pub(super) fn name(self, picture: &str) -> String {
        let way = if self.gap < 0 { "falling" } else { "rising" };
        let (gap, Pen { ink, width, .. }) = (self.gap.abs(), self.pen);
        format!("{picture}-{way}-{gap}-{width}-{}", ink.name)
    }

    /// The pattern: one stripe, and its neighbours as far as they reach into the corners.
    pub(super) fn pattern(self, picture: &str) -> String {
        let (name, gap) = (self.name(picture), self.gap.abs());
        let (ink, width, next) = (self.pen.ink.name, self.pen.width, gap + 1);
        let before = gap - 1;
        let way = if self.gap < 0 {
            format!("M0,0L{gap},{gap}M-1,{before}L1,{next}M{before},-1L{next},1")
        } else {
            format!("M0,{gap}L{gap},0M-1,1L1,-1M{before},{next}L{next},{before}")
        };
        format!(
            r#"<pattern id="{name}" width="{gap}" height="{gap}" patternUnits="userSpaceOnUse"><path class="none s-{ink}" stroke-width="{width}" d="{way}"/></pattern>"#
        )
    }
}
