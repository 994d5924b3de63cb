//! What the pictures of a path have in common: the key, the stations, and the layout of a row. What goes by
//! way of user space runs in the upper half of a row, what stays within the kernel in the lower one.

use zcprof_common::vocabulary::Disposition;

use super::arrow::{Arrow, ArrowSummary, Lane, arrow};
use super::canvas::{Canvas, LINE, MARGIN, Pen, SMALL, WIDTH};
use super::ink;
use super::lettering::Type;
use super::spot::{self, SpotCopies};
use super::verdicts::{Word, backdrop, ground};

/// Room for a row's name and its verdicts.
pub(super) const NAMES: i32 = 136;

/// Width of a station, which runs down the picture.
const POST: i32 = 12;

/// Least free space at the upper and lower edge of a row, and between its lanes.
const EDGE: i32 = 3;
const GAP: i32 = 1;

/// A place where bytes are.
pub(super) struct Station {
    pub(super) name: &'static str,
    /// Its middle.
    pub(super) x: i32,
    /// Whether what does not go by way of user space reaches it.
    pub(super) in_kernel: bool,
    /// Whether it is as high as the row; else as its upper half.
    pub(super) is_whole: bool,
}

impl Station {
    /// In the kernel.
    pub(super) const fn kernel(name: &'static str, x: i32) -> Self {
        Self { name, x, in_kernel: true, is_whole: true }
    }

    /// The buffer that only what goes by way of user space reaches.
    pub(super) const fn buffer(x: i32) -> Self {
        Self { name: "user buffer", x, in_kernel: false, is_whole: false }
    }

    /// Another process.
    pub(super) const fn process(name: &'static str, x: i32) -> Self {
        Self { name, x, in_kernel: false, is_whole: true }
    }
}

/// What a row has.
pub(super) struct CourseRow<'a> {
    pub(super) arrows: &'a [(&'static Arrow, ArrowSummary)],
    pub(super) loops: &'a [SpotCopies],
    /// What has neither an arrow nor a loop; empty if nothing.
    pub(super) beside: &'a str,
    /// Pixels of free space more than the least: fifteen transfers must fit a page, and programs are few.
    pub(super) air: i32,
    /// The gravest verdict.
    pub(super) worst: Option<Word>,
}

/// The key of arrows; says where the next line would begin. `later` is what a copy is called that was
/// deferred.
pub(super) fn key(canvas: &mut Canvas, y: i32, later: &str) -> i32 {
    let (mut x, text) = (MARGIN, Type::new(SMALL));
    for (what, label) in [
        (Some(Disposition::Copied), "copied by the CPU"),
        (Some(Disposition::Moved), "pages handed over"),
        (Some(Disposition::Deferred), later),
        (Some(Disposition::Filled), "filled by storage"),
        (None, "nothing"),
    ] {
        arrow(canvas, (x, y + 7), (x + 26, y + 7), what);
        canvas.text((x + 32, y), label, text);
        x += 32 + text.width(label) + 14;
    }
    y + LINE
}

/// A note, and the stations' names below it; says where the first row begins.
pub(super) fn heads(canvas: &mut Canvas, y: i32, note: &str, stations: &[Station]) -> i32 {
    canvas.tell(note);
    let (width, small) = (WIDTH - 2 * MARGIN, Type::new(11).ink(ink::GREY));
    let y = canvas.paragraph((MARGIN, y + 3), note, width, small) + 6;
    for station in stations {
        let (name, side) = (Type::new(SMALL).bold(), Type::new(10).ink(ink::GREY));
        let x = station.x.min(WIDTH - MARGIN - name.width(station.name) / 2);
        canvas.text((x, y), station.name, name.centred());
        let space = if station.in_kernel { "kernel" } else { "user space" };
        canvas.text((x, y + LINE), space, side.centred());
    }
    y + 2 * LINE + 4
}

/// Draws a row; says where the next one begins. `names` draws at its side and says where that ends, and `more`
/// what is in the middle of the row besides.
pub(super) fn row(
    canvas: &mut Canvas,
    top: i32,
    stations: &[Station],
    row: &CourseRow<'_>,
    names: impl FnOnce(&mut Canvas, i32) -> i32,
    more: impl FnOnce(&mut Canvas, i32),
) -> i32 {
    let mut shapes = canvas.layer(ground(row.worst));
    let (edge, gap) = (EDGE + row.air, GAP + row.air);
    let tallest = |lane: Lane| {
        let in_lane = row.arrows.iter().filter(|(arrow, _)| arrow.lane == lane);
        in_lane.map(|(_, seen)| seen.height()).max().unwrap_or(0)
    };
    let mut loops = |is_in_kernel: bool, mut y: i32| {
        for copies in row.loops.iter().filter(|copies| copies.is_in_kernel() == is_in_kernel) {
            copies.draw(&mut shapes, y);
            y += spot::HEIGHT;
        }
        y
    };
    let user = top + edge;
    let user_end = loops(false, user + tallest(Lane::User) + gap);
    let kernel = user_end + gap;
    let mut y = loops(true, kernel + tallest(Lane::Kernel) + gap);
    if !row.beside.is_empty() {
        let (text, style) = (format!("also {}", row.beside), Type::new(10));
        y = shapes.paragraph((316, y), &text, 300, style);
    }
    let bottom = y.max(names(&mut shapes, top + edge)).max(user + tallest(Lane::Side)) + edge;
    for station in stations {
        let (from, to) = if station.is_whole { (top, bottom) } else { (user, user_end) };
        let (at, size) = ((station.x - POST / 2, from), (POST, to - from));
        if station.in_kernel {
            shapes.block(at, size, ink::POST);
        } else {
            shapes.rect(at, size, ink::WHITE, Pen::new(ink::GREY, 1));
        }
    }
    let middle = i32::midpoint(top, bottom);
    for (arrow, seen) in row.arrows {
        let y = match arrow.lane {
            Lane::Side => middle - seen.height() / 2,
            Lane::User => user + (tallest(Lane::User) - seen.height()) / 2,
            Lane::Kernel => kernel,
        };
        seen.draw(&mut shapes, (arrow.from, arrow.to), y);
    }
    more(&mut shapes, middle);
    shapes.line((MARGIN, top), (WIDTH - MARGIN, top), Pen::new(ink::PALE, 1));
    backdrop(canvas, (top, bottom), row.worst);
    canvas.append(shapes);
    bottom
}
