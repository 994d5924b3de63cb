//! The arrows of `path.svg`: which there are, what went over each, and how that looks.

use zcprof_common::vocabulary::{Disposition, Hop, Process};

use super::canvas::{Canvas, Pen, Point};
use super::ink;
use super::lettering::Type;
use super::numbers::{grouped, thousandths};
use super::reading::{Judged, Reading, codes_at};
use crate::ledger::sum;
use crate::storage::Storage;

/// Size of numbers, and of what is said below an arrow.
const VALUE: i32 = 12;
const NOTE: i32 = 10;

/// Height of their lines.
const VALUE_LINE: i32 = 13;
const NOTE_LINE: i32 = 12;

/// Height that an arrow itself takes, and one that nothing went over, with its words.
const SHAFT: i32 = 11;
const EMPTY: i32 = 13;

/// An arrow of this length has room for all of its words in one line.
const LONG: i32 = 250;

/// An arrow of the picture.
pub(super) struct Arrow {
    pub(super) process: Process,
    pub(super) hop: Hop,
    pub(super) lane: Lane,
    pub(super) from: i32,
    pub(super) to: i32,
}

/// Where in a row an arrow runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// At the side, in the middle of the row.
    Side,
    /// By way of the user buffer.
    User,
    /// Past it, within the kernel.
    Kernel,
}

/// Every arrow.
pub(super) const ARROWS: &[Arrow] = &[
    Arrow {
        process: Process::Server,
        hop: Hop::StorageToPageCache,
        lane: Lane::Side,
        from: 176,
        to: 292,
    },
    Arrow {
        process: Process::Server,
        hop: Hop::PageCacheToUser,
        lane: Lane::User,
        from: 308,
        to: 454,
    },
    Arrow {
        process: Process::Server,
        hop: Hop::UserToSocket,
        lane: Lane::User,
        from: 470,
        to: 620,
    },
    Arrow {
        process: Process::Server,
        hop: Hop::PageCacheToSocket,
        lane: Lane::Kernel,
        from: 308,
        to: 620,
    },
    Arrow {
        process: Process::Consumer,
        hop: Hop::SocketToUser,
        lane: Lane::Side,
        from: 636,
        to: 760,
    },
];

/// What all passes of a transfer say of one arrow.
pub(super) struct ArrowSummary {
    /// What decides how the arrow looks; `None` if nothing went over it.
    strongest: Option<Disposition>,
    /// Whether a claim fails here.
    guilty: bool,
    /// Whether no claim is about it.
    quiet: bool,
    /// Whether what is copied here may not have been what was sent.
    is_open: bool,
    /// Bytes per payload byte, over the arrow; lines that fit.
    values: Vec<String>,
    /// How large they are written.
    size: i32,
    /// What else there is to say, and the calls; below it.
    notes: Vec<String>,
    /// The same where it stands beside the bytes.
    aside: Option<String>,
}

/// What each pass says, once if all say the same: `0.000 / 1.000`, in the order of the passes.
pub(super) fn each(texts: impl Iterator<Item = String>) -> String {
    let texts: Vec<String> = texts.collect();
    match texts.split_first() {
        Some((first, rest)) if rest.iter().all(|text| text == first) => first.clone(),
        _ => texts.join(" / "),
    }
}

impl ArrowSummary {
    pub(super) fn on(arrow: &Arrow, passes: &[&Judged<'_>], reading: &Reading<'_>) -> Self {
        let seen = |pass: &Judged<'_>, what: Disposition| {
            pass.entry(arrow.process, arrow.hop, what).map_or((0, 0), |e| (e.bytes, e.calls))
        };
        let occurs = |what: &Disposition| {
            let share = |p: &&Judged<'_>| thousandths(seen(p, *what).0, p.pass.payload.bytes);
            passes.iter().any(|pass| share(pass) > 0)
        };
        let occurring: Vec<_> = Disposition::ALL.iter().copied().filter(occurs).collect();
        let mut strongest = occurring.first().copied();
        let shown = if occurring.is_empty() { vec![usual(arrow.hop)] } else { occurring };

        let (mut values, mut notes) = (Vec::new(), Vec::new());
        for what in &shown {
            let foreign = arrow.process == Process::Consumer
                && passes.iter().all(|pass| !pass.pass.watched_consumer);
            if foreign || reading.sources.for_disposition(*what).is_none() {
                values.push("not watched".to_owned());
                continue;
            }
            let bytes = each(passes.iter().map(|pass| pass.per_byte(Some(seen(pass, *what).0))));
            values.push(format!("{bytes} {}", what.name()));
        }
        // What fills the page cache is told by the stack of storage, and by no site.
        let layers = &reading.run.workload.storage;
        if strongest == Some(Disposition::Filled) && !layers.is_empty() {
            let storage = Storage::of(layers);
            strongest = storage.by_cpu.first().map(|(_, what, ..)| *what).or(strongest);
            notes.push(storage.summary());
        }
        let presumed = shown.iter().any(|what| reading.sources.presumed(*what));
        if presumed && strongest.is_some() {
            notes.push("presumed".to_owned());
        } else if presumed {
            // What did not happen was no copy and no hand-over either.
            values = vec![format!("{} presumed", each(passes.iter().map(|p| p.per_byte(Some(0)))))];
        }
        let calls = passes.iter().map(|p| sum(shown.iter().map(|what| seen(p, *what).1)));
        let word = if calls.clone().all(|calls| calls == 1) { "call" } else { "calls" };
        notes.push(format!("{} {word}", each(calls.map(grouped))));
        let quiet = arrow.process == Process::Consumer;
        let codes = if quiet { Vec::new() } else { codes_at(arrow.hop, passes) };
        let mut value = values.join(", ");
        if !codes.is_empty() {
            value = format!("{value} {}", codes.join(" "));
        }
        let guilty = !codes.is_empty();
        Self::within(arrow, (strongest, guilty, quiet), &value, notes)
    }

    /// What is said of an arrow, as its room allows: what decides how it looks, whether a claim fails here, and
    /// whether none is about it; its bytes; and what else there is to say.
    pub(super) fn within(
        arrow: &Arrow,
        (strongest, guilty, quiet): (Option<Disposition>, bool, bool),
        value: &str,
        notes: Vec<String>,
    ) -> Self {
        let room = arrow.to - arrow.from - 4;
        let (bold, small) = (Type::new(VALUE).bold(), Type::new(NOTE));
        let mut seen = Self {
            strongest,
            guilty,
            quiet,
            is_open: false,
            values: Vec::new(),
            size: NOTE,
            notes,
            aside: None,
        };
        if seen.is_empty() {
            let notes = seen.notes.join(", ");
            let text =
                if notes.is_empty() { value.to_owned() } else { format!("{value} · {notes}") };
            let style = small.fitting(&text, room - 14, 8);
            return Self { values: style.wrap(&text, room - 14), size: style.size, ..seen };
        }
        let note = seen.notes.join(", ");
        if room > LONG && bold.width(value) + small.width(&note) + 12 <= room {
            return Self {
                values: vec![value.to_owned()],
                size: VALUE,
                notes: Vec::new(),
                aside: Some(note),
                ..seen
            };
        }
        let style = bold.fitting(value, room, 10);
        seen.notes = seen.notes.iter().flat_map(|note| small.wrap(note, room)).collect();
        Self { values: style.wrap(value, room), size: style.size, ..seen }
    }

    /// The same where what is copied is not certain.
    pub(super) fn open(self, is_open: bool) -> Self {
        Self { is_open, ..self }
    }

    /// Whether nothing went over it, and no claim fails for that.
    fn is_empty(&self) -> bool {
        self.strongest.is_none() && !self.guilty
    }

    /// Height of the arrow with all that is said of it.
    pub(super) fn height(&self) -> i32 {
        let lines = |of: &[String]| i32::try_from(of.len()).unwrap_or(0);
        if self.is_empty() {
            return EMPTY.max(lines(&self.values) * NOTE_LINE);
        }
        lines(&self.values) * VALUE_LINE + SHAFT + lines(&self.notes) * NOTE_LINE
    }

    /// Draws it, from `top` on.
    pub(super) fn draw(&self, canvas: &mut Canvas, (from, to): Point, top: i32) {
        let middle = i32::midpoint(from, to);
        if self.is_empty() {
            let style = Type::new(self.size).ink(ink::GREY).centred();
            let widest = self.values.iter().map(|line| style.width(line)).max().unwrap_or(0);
            let y = top + self.height() / 2;
            canvas.line((from, y), (middle - widest / 2 - 3, y), Pen::new(ink::PALE, 1));
            pointed(canvas, (middle + widest / 2 + 3, y), (to, y), Pen::new(ink::PALE, 1), 5);
            let lines = i32::try_from(self.values.len()).unwrap_or(1);
            let first = y - (lines * NOTE_LINE) / 2 + 1;
            for (line, y) in self.values.iter().zip((first..).step_by(12)) {
                canvas.text((middle, y), line, style);
            }
            return;
        }
        let loud = self.strongest.is_some() && !self.quiet;
        let color = if loud { ink::BLACK } else { ink::GREY };
        let style = Type { bold: loud || self.guilty, ..Type::new(self.size).ink(color).centred() };
        let style = if self.guilty { style.ink(ink::RED) } else { style };
        let mut y = top;
        for line in &self.values {
            if let Some(note) = &self.aside {
                let small = Type::new(NOTE).ink(color);
                let between = middle + (style.width(line) - small.width(note)) / 2;
                canvas.text((between - 6, y), line, style.right());
                canvas.text((between + 6, y + 2), note, small);
            } else {
                canvas.text((middle, y), line, style);
            }
            y += VALUE_LINE;
        }
        let shaft = y + SHAFT / 2 + 1;
        if self.quiet && self.strongest.is_some() {
            pointed(canvas, (from, shaft), (to, shaft), Pen::new(ink::GREY, 2), 7);
        } else if self.is_open {
            open_arrow(canvas, (from, shaft), (to, shaft));
        } else {
            arrow(canvas, (from, shaft), (to, shaft), self.strongest);
        }
        y += SHAFT;
        for line in &self.notes {
            canvas.text((middle, y), line, Type::new(NOTE).ink(color).centred());
            y += NOTE_LINE;
        }
    }

    /// The same in words.
    pub(super) fn told(&self, hop: Hop) -> String {
        let mut said = vec![self.values.join(" ")];
        said.extend(
            self.notes.iter().cloned().chain(self.aside.clone()).filter(|_| !self.is_empty()),
        );
        format!("{}: {}", hop.name(), said.join(", "))
    }
}

/// What an arrow is there for, if nothing went over it.
pub(super) fn usual(hop: Hop) -> Disposition {
    match hop {
        Hop::StorageToPageCache => Disposition::Filled,
        Hop::PageCacheToSocket => Disposition::Moved,
        _ => Disposition::Copied,
    }
}

/// An arrow whose look tells the disposition without colour: copies thick, hand-overs dashed,
/// fills thin, nothing pale.
pub(super) fn arrow(canvas: &mut Canvas, from: Point, to: Point, what: Option<Disposition>) {
    let (pen, head) = match what {
        Some(Disposition::Copied) => (Pen::new(ink::RED, 6), 11),
        Some(Disposition::Filled) => (Pen::new(ink::BLACK, 2), 7),
        Some(Disposition::Moved | Disposition::Pinned) => (Pen::new(ink::BLUE, 3).dashed(7), 9),
        Some(_) => (Pen::new(ink::RED, 4).dashed(3), 10),
        None => (Pen::new(ink::PALE, 1), 5),
    };
    pointed(canvas, from, to, pen, head);
}

/// An arrow for what may have been copied, or not.
pub(super) fn open_arrow(canvas: &mut Canvas, from: Point, to: Point) {
    pointed(canvas, from, to, Pen::new(ink::BLACK, 2).dashed(4), 9);
}

/// A line with a head of this length.
pub(super) fn pointed(canvas: &mut Canvas, from: Point, to: Point, pen: Pen, head: i32) {
    let (dx, dy) = ((to.0 - from.0).signum(), (to.1 - from.1).signum());
    let neck = (to.0 - dx * head, to.1 - dy * head);
    canvas.line(from, neck, pen);
    let half = head / 2;
    let sides =
        [(neck.0 - dy * half, neck.1 - dx * half), (neck.0 + dy * half, neck.1 + dx * half)];
    canvas.fill(&[sides[0], sides[1], to], pen.ink);
}
