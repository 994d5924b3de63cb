//! `path.svg` of a watched window: the textbook's picture, measured. A row for each program and port, and
//! on every arrow what went over it per byte that was sent. Parts of which the same is known share a row.

use zcprof_common::vocabulary::{Disposition, Hop, Instrument};

use super::ReportError;
use super::arrow::{Lane, arrow, open_arrow, pointed};
use super::canvas::{Canvas, LINE, MARGIN, Pen, SMALL, WIDTH};
use super::ink;
use super::lettering::Type;
use super::numbers::{size_of, thousandths};
use super::spot::{self, SpotCopies};
use super::verdicts::{Word, backdrop, badge, ground, judged, tally};
use super::watch_line::WatchLine;
use super::watched;
use super::watched_row::PathRow;
use crate::verdict::{per_byte, watching};
use crate::watch::judge::{ClaimJudgement, judge};
use crate::watch::record::{Direction, Of, Watch};

/// Name of the file.
pub(super) const FILE: &str = "path.svg";

/// Room for a part's name and its verdicts.
const NAMES: i32 = 136;

/// Width of a station, which runs down the picture.
const POST: i32 = 12;

/// Free space at the upper and lower edge of a row, and between its lanes.
const EDGE: i32 = 4;
const GAP: i32 = 2;

/// From the socket to the network.
const OUT: (i32, i32) = (636, 760);

/// Places where bytes are, with their middles, and whether they are in the kernel.
type Stations = &'static [(&'static str, i32, bool)];

const fn stations(direction: Direction) -> Stations {
    match direction {
        Direction::Tx => &[
            ("storage", 168, true),
            ("page cache", 300, true),
            ("user buffer", 462, false),
            ("socket", 628, true),
            ("network", 768, true),
        ],
        Direction::Rx => {
            &[("socket", 300, true), ("user buffer", 462, false), ("page cache", 628, true)]
        }
        Direction::File => &[
            ("page cache, read", 300, true),
            ("user buffer", 462, false),
            ("page cache, written", 628, true),
        ],
    }
}

/// The picture.
pub(super) fn render(watch: &Watch) -> Result<Vec<u8>, ReportError> {
    let judgements = judge(watch).map_err(ReportError::Claim)?;
    let blind = watching(Instrument::Callers, &watch.coverage).is_err();
    // What was claimed may differ where what is known is the same.
    let mut parts: Vec<(String, Vec<Of>, WatchLine)> = Vec::new();
    for line in WatchLine::all(watch).into_iter().filter(|line| line.traffic.sent() > 0) {
        let (of, known) = (line.of.clone(), PathRow::of(line, Vec::new(), &[], !blind));
        let (told, line) = (format!("{} {}", known.line.traffic.sent(), known.told()), known.line);
        match parts.iter_mut().find(|(other, ..)| *other == told) {
            Some((_, all, _)) => all.push(of),
            None => parts.push((told, vec![of], line)),
        }
    }
    let row = |(_, of, line): (_, Vec<Of>, _)| {
        let judged = of_part(&judgements, &of);
        PathRow::of(line, of, &judged, !blind)
    };
    let rows: Vec<PathRow> = parts.into_iter().map(row).collect();
    let title = match rows.first().filter(|_| watch.direction == Direction::Tx) {
        Some(row) => in_words(row),
        None => watched::finding(watch)?,
    };
    let (mut canvas, y) = Canvas::titled("path", &title);
    let words: Vec<_> = judgements.iter().map(|judged| Word::of(&judged.verdict)).collect();
    let y = tally(&mut canvas, y, &words, ("", &watched::about(watch)));
    let mut y = heading(&mut canvas, y, watch.direction, blind);
    for row in &rows {
        y = draw(&mut canvas, y, row, &of_part(&judgements, &row.of));
    }
    canvas.line((MARGIN, y), (WIDTH - MARGIN, y), Pen::new(ink::PALE, 1));
    y += EDGE;
    // What was claimed of a part that sent nothing.
    for judgement in judgements.iter().filter(|j| !rows.iter().any(|row| row.of.contains(&j.of))) {
        let about = format!("{} of {}", judgement.promise, judgement.of);
        y = judged(&mut canvas, (MARGIN, y), Word::of(&judgement.verdict), &about);
    }
    Ok(canvas.finish())
}

/// What was claimed of some parts.
fn of_part<'a>(judgements: &'a [ClaimJudgement], of: &[Of]) -> Vec<&'a ClaimJudgement> {
    judgements.iter().filter(|judgement| of.contains(&judgement.of)).collect()
}

/// How the bytes entered the socket, in a sentence.
fn in_words(row: &PathRow) -> String {
    let (line, sent) = (&row.line, row.line.traffic.sent());
    let copied = line.bytes(Hop::UserToSocket, Disposition::Copied);
    let moved = line.bytes(Hop::PageCacheToSocket, Disposition::Moved);
    let pinned = line.bytes(Hop::UserToSocket, Disposition::Pinned);
    let by_reference = moved.saturating_add(pinned);
    let [into, over] = [copied, by_reference].map(|bytes| thousandths(bytes, sent));
    let size = size_of(u128::from(sent));
    match (into, over) {
        (..20, 980..) => {
            format!("{size} entered the socket as pages, with little more than headers copied")
        }
        (980.., ..20) => format!("{size} entered the socket as copies of user memory"),
        _ => {
            let [copied, over] = [copied, by_reference].map(|bytes| per_byte(bytes, sent));
            format!(
                "Of each byte sent {over} entered the socket as a page, {copied} as a copy of user memory"
            )
        }
    }
}

fn heading(canvas: &mut Canvas, top: i32, direction: Direction, blind: bool) -> i32 {
    let (mut y, width, text) = (top, WIDTH - 2 * MARGIN, Type::new(SMALL));
    if blind {
        let warning = "SOME SITES WERE NOT WATCHED: numbers may be too small.";
        canvas.tell(warning);
        y = canvas.paragraph((MARGIN, y), warning, width, text.bold());
    }
    y += 6;
    let mut x = MARGIN;
    for (what, label) in [
        (Some(Disposition::Copied), "copied by the CPU"),
        (Some(Disposition::Moved), "pages handed over"),
        (Some(Disposition::Deferred), "copied later"),
        (Some(Disposition::Filled), "filled by storage"),
        (None, "nothing"),
    ] {
        arrow(canvas, (x, y + 7), (x + 26, y + 7), what);
        canvas.text((x + 32, y), label, text);
        x += 32 + text.width(label) + 14;
    }
    y += LINE + 5;
    let label =
        format!("read, and {} if it was what was read: the kernel cannot tell", direction.done());
    open_arrow(canvas, (MARGIN, y + 7), (MARGIN + 26, y + 7));
    canvas.text((MARGIN + 32, y), &label, text);
    let note = format!("Bytes per byte {}, as the callers saw it, and calls.", direction.done());
    canvas.tell(&note);
    y = canvas.paragraph((MARGIN, y + LINE + 3), &note, width, Type::new(11).ink(ink::GREY)) + 6;
    for (name, x, in_kernel) in stations(direction) {
        let (bold, side) = (Type::new(SMALL).bold(), Type::new(10).ink(ink::GREY));
        let x = (*x).min(WIDTH - MARGIN - bold.width(name) / 2);
        canvas.text((x, y), name, bold.centred());
        let space = if *in_kernel { "kernel" } else { "user space" };
        canvas.text((x, y + LINE), space, side.centred());
    }
    y + 2 * LINE + 4
}

/// A part's row; says where the next one begins.
fn draw(canvas: &mut Canvas, top: i32, row: &PathRow, judged: &[&ClaimJudgement]) -> i32 {
    let direction = row.line.traffic.direction;
    let word = judged.iter().map(|one| Word::of(&one.verdict)).min();
    let mut shapes = canvas.layer(ground(word));
    let tallest = |lane: Lane| {
        let in_lane = row.arrows.iter().filter(|(arrow, _)| arrow.lane == lane);
        in_lane.map(|(_, seen)| seen.height()).max().unwrap_or(0)
    };
    let (in_kernel, in_user): (Vec<_>, Vec<_>) =
        row.loops.iter().partition(|copies| copies.is_in_kernel());
    let user = top + EDGE;
    let loops = |shapes: &mut Canvas, mut y: i32, all: &[&SpotCopies]| {
        for copies in all {
            copies.draw(shapes, y);
            y += spot::HEIGHT;
        }
        y
    };
    let user_end = loops(&mut shapes, user + tallest(Lane::User) + GAP, &in_user);
    let kernel = user_end + GAP;
    let mut y = loops(&mut shapes, kernel + tallest(Lane::Kernel) + GAP, &in_kernel);
    if !row.also.is_empty() {
        y = shapes.paragraph((316, y), &format!("also {}", row.also), 300, Type::new(10));
    }
    let bottom =
        y.max(names(&mut shapes, top + EDGE, row, judged)).max(user + tallest(Lane::Side)) + EDGE;
    for (_, x, in_kernel) in stations(direction) {
        let (from, to) = if *in_kernel { (top, bottom) } else { (user, user_end) };
        let (at, size) = ((x - POST / 2, from), (POST, to - from));
        if *in_kernel {
            shapes.block(at, size, ink::POST);
        } else {
            shapes.rect(at, size, ink::WHITE, Pen::new(ink::GREY, 1));
        }
    }
    for (arrow, seen) in &row.arrows {
        let y = match arrow.lane {
            Lane::Side => i32::midpoint(top, bottom) - seen.height() / 2,
            Lane::User => user + (tallest(Lane::User) - seen.height()) / 2,
            Lane::Kernel => kernel,
        };
        seen.draw(&mut shapes, (arrow.from, arrow.to), y);
    }
    if direction == Direction::Tx {
        out(&mut shapes, i32::midpoint(top, bottom), &row.exits());
    }
    shapes.line((MARGIN, top), (WIDTH - MARGIN, top), Pen::new(ink::PALE, 1));
    canvas.tell(&format!("{}: {}.", whose(row), row.told()));
    backdrop(canvas, (top, bottom), word);
    canvas.append(shapes);
    bottom
}

/// The way out of the socket.
fn out(canvas: &mut Canvas, middle: i32, exits: &str) {
    let (from, to) = OUT;
    let style = Type::new(10).ink(ink::GREY).fitting(exits, to - from, 8);
    canvas.text((i32::midpoint(from, to), middle - 14), exits, style.centred());
    pointed(canvas, (from, middle + 3), (to, middle + 3), Pen::new(ink::GREY, 2), 7);
}

fn whose(row: &PathRow) -> String {
    row.of.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The parts' names, how much they sent, and the verdicts; says where they end.
fn names(canvas: &mut Canvas, top: i32, row: &PathRow, judged: &[&ClaimJudgement]) -> i32 {
    let (name, note) = (whose(row), Type::new(10));
    let mut y = canvas.paragraph((MARGIN, top), &name, NAMES, Type::new(14).bold());
    let traffic = &row.line.traffic;
    let sent = format!("{} {}", size_of(u128::from(traffic.sent())), traffic.direction.done());
    y = canvas.paragraph((MARGIN, y), &sent, NAMES, note.ink(ink::GREY)) + 2;
    for judgement in judged {
        let word = Word::of(&judgement.verdict);
        let size = if word == Word::Refuted { 13 } else { 11 };
        let (_, height) = badge(canvas, (MARGIN, y), word, word.name(), size);
        let about = if row.of.len() > 1 {
            format!("{} of {}", judgement.promise, judgement.of)
        } else {
            judgement.promise.to_string()
        };
        y = canvas.paragraph((MARGIN, y + height + 1), &about, NAMES, note) + 2;
    }
    y
}
