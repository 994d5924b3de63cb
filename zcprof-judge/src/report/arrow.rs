//! The arrows of `path.svg`: which there are, what went over each, and how that looks.

use zcprof_common::vocabulary::{Disposition, Hop, Process};

use super::canvas::{Canvas, Pen, Point, ink};
use super::lettering::Type;
use super::numbers::{counted, grouped, thousandths};
use super::reading::{Judged, Reading, codes_at};
use crate::ledger::sum;
use crate::storage::Storage;

/// Size of a label's smaller text.
const NOTE: i32 = 11;

/// An arrow of the picture.
pub(super) struct Arrow {
    pub(super) process: Process,
    pub(super) hop: Hop,
    pub(super) way: Way,
    /// Room for its label.
    room: i32,
}

/// How an arrow runs; where its label stands follows from it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// From one station of the kernel to another; the label over and under it.
    Across(i32, i32),
    /// From the kernel to user space; the label to the right.
    Up(i32),
    /// From user space to the kernel; the label to the left.
    Down(i32),
}

/// Every arrow.
pub(super) const ARROWS: &[Arrow] = &[
    Arrow {
        process: Process::Server,
        hop: Hop::StorageToPageCache,
        way: Way::Across(102, 210),
        room: 104,
    },
    Arrow { process: Process::Server, hop: Hop::PageCacheToUser, way: Way::Up(264), room: 150 },
    Arrow { process: Process::Server, hop: Hop::UserToSocket, way: Way::Down(600), room: 150 },
    Arrow {
        process: Process::Server,
        hop: Hop::PageCacheToSocket,
        way: Way::Across(318, 564),
        room: 240,
    },
    Arrow { process: Process::Consumer, hop: Hop::SocketToUser, way: Way::Up(668), room: 105 },
];

/// What all passes of a transfer say of one arrow.
pub(super) struct Seen {
    /// What decides how the arrow looks; `None` if nothing went over it.
    pub(super) strongest: Option<Disposition>,
    /// Whether a claim fails here.
    guilty: bool,
    /// Whether no claim is about it.
    quiet: bool,
    /// Bytes per payload byte: a line per disposition, or per cache state where they differ.
    bytes: Vec<String>,
    /// What the bytes are, where `bytes` does not say, and the calls.
    notes: Vec<String>,
}

impl Seen {
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

        let (mut bytes, mut notes) = (Vec::new(), Vec::new());
        for what in &shown {
            let foreign = arrow.process == Process::Consumer
                && passes.iter().all(|pass| !pass.pass.watched_consumer);
            if foreign || reading.sources.for_disposition(*what).is_none() {
                bytes.push("not watched".to_owned());
                continue;
            }
            let of = |p: &&Judged<'_>| p.per_byte(Some(seen(p, *what).0));
            let first = of(&passes[0]);
            if passes.iter().all(|pass| of(pass) == first) {
                bytes.push(format!("{first} {}", what.name()));
            } else if shown.len() > 1 {
                let line =
                    |p: &&Judged<'_>| format!("{} {} {}", of(p), what.name(), p.pass.cache.name());
                bytes.extend(passes.iter().map(line));
            } else {
                bytes.extend(passes.iter().map(|p| format!("{} {}", of(p), p.pass.cache.name())));
                notes.push(what.name().to_owned());
            }
        }
        // What fills the page cache is told by the stack of storage, and by no site.
        let layers = &reading.run.workload.storage;
        if strongest == Some(Disposition::Filled) && !layers.is_empty() {
            let storage = Storage::of(layers);
            strongest = storage.by_cpu.first().map(|(_, what, ..)| *what).or(strongest);
            notes.push(storage.summary());
        }
        if shown.iter().any(|what| reading.sources.presumed(*what)) {
            notes.push("presumed".to_owned());
        }
        let calls = passes.iter().map(|p| sum(shown.iter().map(|what| seen(p, *what).1)));
        let (least, most) = (calls.clone().min().unwrap_or(0), calls.max().unwrap_or(0));
        notes.push(if least == most {
            counted(most, "call", "calls")
        } else {
            format!("{}–{} calls", grouped(least), grouped(most))
        });
        let notes = notes.iter().flat_map(|note| Type::new(NOTE).wrap(note, arrow.room)).collect();
        let quiet = arrow.process == Process::Consumer;
        let codes = if quiet { Vec::new() } else { codes_at(arrow.hop, passes) };
        bytes.extend((!codes.is_empty()).then(|| codes.join(" ")));
        Self { strongest, guilty: !codes.is_empty(), quiet, bytes, notes }
    }

    /// Draws the arrow: one that no claim is about is grey.
    pub(super) fn draw(&self, canvas: &mut Canvas, from: Point, to: Point) {
        if self.quiet && self.strongest.is_some() {
            pointed(canvas, from, to, Pen::new(ink::GREY, 2), 7);
        } else {
            arrow(canvas, from, to, self.strongest);
        }
    }

    /// Height of the label beside a vertical arrow.
    pub(super) fn beside_line(&self, way: Way) -> i32 {
        let [bytes, notes] = self.heights();
        if matches!(way, Way::Across(..)) { 0 } else { bytes + notes }
    }

    /// Height of the label over a horizontal arrow.
    pub(super) fn over_line(&self, way: Way) -> i32 {
        if matches!(way, Way::Across(..)) { self.heights()[0] + 6 } else { 0 }
    }

    /// Height of the label under a horizontal arrow.
    pub(super) fn under_line(&self, way: Way) -> i32 {
        if matches!(way, Way::Across(..)) { self.heights()[1] + 9 } else { 0 }
    }

    fn heights(&self) -> [i32; 2] {
        let lines = |of: &[String]| i32::try_from(of.len()).unwrap_or(0);
        [16 * lines(&self.bytes), 14 * lines(&self.notes)]
    }
}

/// What an arrow is there for, if nothing went over it.
fn usual(hop: Hop) -> Disposition {
    match hop {
        Hop::StorageToPageCache => Disposition::Filled,
        Hop::PageCacheToSocket => Disposition::Moved,
        _ => Disposition::Copied,
    }
}

/// Writes beside an arrow what went over it.
pub(super) fn label(canvas: &mut Canvas, from: Point, to: Point, way: Way, seen: &Seen) {
    let loud = seen.strongest.is_some() && !seen.quiet;
    let color = if loud { ink::BLACK } else { ink::GREY };
    let (value, note) = (Type::new(13).color(color), Type::new(NOTE).color(color));
    let value = if loud { value.bold() } else { value };
    let value = if seen.guilty { value.bold().color(ink::RED) } else { value };
    let (x, mut y, align): (_, _, fn(Type) -> Type) = match way {
        Way::Across(..) => {
            (i32::midpoint(from.0, to.0) - 4, from.1 - seen.over_line(way), Type::centred)
        }
        Way::Up(x) => (x + 11, to.1 + 3, |style| style),
        Way::Down(x) => (x - 11, from.1 + 3, Type::right),
    };
    for line in &seen.bytes {
        canvas.text((x, y), line, align(value));
        y += 16;
    }
    if matches!(way, Way::Across(..)) {
        y = from.1 + 9;
    }
    for line in &seen.notes {
        canvas.text((x, y), line, align(note));
        y += 14;
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

/// A line with a head of this length.
fn pointed(canvas: &mut Canvas, from: Point, to: Point, pen: Pen, head: i32) {
    let (dx, dy) = ((to.0 - from.0).signum(), (to.1 - from.1).signum());
    let neck = (to.0 - dx * head, to.1 - dy * head);
    canvas.line(from, neck, pen);
    let half = head * 2 / 3;
    let sides =
        [(neck.0 - dy * half, neck.1 - dx * half), (neck.0 + dy * half, neck.1 + dx * half)];
    canvas.fill(vec![sides[0], sides[1], to], pen.color);
}
