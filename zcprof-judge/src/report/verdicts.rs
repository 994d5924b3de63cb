//! Verdicts in pictures. A refuted one is seen from afar: black on white turned round, with a cross,
//! larger than others, on ground of its own and with a bar at the edge.

use super::canvas::{Canvas, MARGIN, Pen, Point, SMALL, WIDTH};
use super::ink::{self, Ink};
use super::lettering::Type;
use crate::verdict::Verdict;

/// A verdict's word, the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Word {
    Refuted,
    Inconclusive,
    Holds,
}

impl Word {
    pub(super) const ALL: [Self; 3] = [Self::Refuted, Self::Inconclusive, Self::Holds];

    pub(super) const fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Refuted(_) => Self::Refuted,
            Verdict::Inconclusive(_) => Self::Inconclusive,
            Verdict::Holds => Self::Holds,
        }
    }

    /// As a record has it; what is not known holds nothing.
    pub(super) fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|word| word.name() == name).unwrap_or(Self::Inconclusive)
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Refuted => "refuted",
            Self::Inconclusive => "inconclusive",
            Self::Holds => "holds",
        }
    }
}

/// Draws a word, or words with it, in its box; says how wide and high that is.
pub(super) fn badge(
    canvas: &mut Canvas,
    (x, y): Point,
    word: Word,
    text: &str,
    size: i32,
) -> Point {
    let style = Type::new(size).bold();
    let (sign, pad) = (size, size / 2);
    let (width, height) = (pad + sign + pad / 2 + style.width(text) + pad, size + size / 2 + 2);
    let (fill, pen, color) = match word {
        Word::Refuted => (ink::BLACK, Pen::new(ink::BLACK, 1), ink::WHITE),
        Word::Inconclusive => (ink::WHITE, Pen::new(ink::BLACK, 1).dashed(4), ink::BLACK),
        Word::Holds => (ink::WHITE, Pen::new(ink::BLACK, 1), ink::BLACK),
    };
    canvas.rect((x, y), (width, height), fill, pen);
    let (left, top) = (x + pad, y + (height - sign * 3 / 4) / 2);
    let (half, edge) = (sign * 3 / 8, sign * 3 / 4);
    let stroke = Pen { ink: color, width: (size / 5).max(2), dash: 0 };
    match word {
        Word::Refuted => {
            canvas.line((left, top), (left + edge, top + edge), stroke);
            canvas.line((left, top + edge), (left + edge, top), stroke);
        }
        Word::Inconclusive => {
            let middle = (left + half, y + (height - size) / 2 - 1);
            canvas.text(middle, "?", style.centred());
        }
        Word::Holds => {
            let low = (left + half - 1, top + edge);
            canvas.line((left, top + half), low, stroke);
            canvas.line(low, (left + edge, top), stroke);
        }
    }
    let at = (left + sign + pad / 2, y + (height - size) / 2 - 1);
    canvas.text(at, text, style.ink(color));
    (width, height)
}

/// A verdict's word in its box, and what it is about; says where the next line would begin.
pub(super) fn judged(canvas: &mut Canvas, (x, y): Point, word: Word, about: &str) -> i32 {
    let size = if word == Word::Refuted { 14 } else { SMALL };
    let (width, height) = badge(canvas, (x, y), word, word.name(), size);
    canvas.halo((x + width + 8, y + (height - SMALL) / 2 - 1), about, Type::new(SMALL));
    y + height + 3
}

/// How many verdicts there are of each kind, and who is refuted, and then what it is about; says where the
/// next line would begin.
pub(super) fn tally(
    canvas: &mut Canvas,
    top: i32,
    words: &[Word],
    (refuted, about): (&str, &str),
) -> i32 {
    let (mut x, mut y, mut row) = (MARGIN, top, 0);
    for word in Word::ALL {
        let count = words.iter().filter(|other| **other == word).count();
        if count == 0 {
            continue;
        }
        let size = if word == Word::Refuted { 18 } else { 13 };
        let plural = if word == Word::Holds && count > 1 { "hold" } else { word.name() };
        let (width, height) = badge(canvas, (x, y), word, &format!("{count} {plural}"), size);
        x += width + 10;
        row = row.max(height);
        if word == Word::Refuted && !refuted.is_empty() {
            let (text, room) = (Type::new(13).bold(), WIDTH - MARGIN - x);
            let lines = text.wrap(refuted, room);
            let first = if lines.len() == 1 { y + (height - 13) / 2 - 1 } else { y };
            let end = canvas.paragraph((x, first), refuted, room, text);
            (x, y, row) = (MARGIN, (y + height).max(end) + 6, 0);
        }
    }
    canvas.tell(about);
    let text = Type::new(SMALL);
    if x > MARGIN && x + text.width(about) <= WIDTH - MARGIN {
        canvas.text((x, y + (row - SMALL) / 2 - 1), about, text);
        return y + row + 5;
    }
    y += row + if row > 0 { 6 } else { 0 };
    canvas.paragraph((MARGIN, y), about, WIDTH - 2 * MARGIN, text) + 2
}

/// What is behind a row of the picture.
pub(super) const fn ground(word: Option<Word>) -> Ink {
    match word {
        Some(Word::Refuted) => ink::ALARM,
        _ => ink::WHITE,
    }
}

/// Draws what is behind a row: what is refuted is seen from afar.
pub(super) fn backdrop(canvas: &mut Canvas, (top, bottom): Point, word: Option<Word>) {
    if word == Some(Word::Refuted) {
        canvas.block((0, top), (WIDTH, bottom - top), ground(word));
        canvas.block((0, top), (8, bottom - top), ink::BLACK);
    }
}
