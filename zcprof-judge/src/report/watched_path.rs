//! `path.svg` of a watched window: the textbook's picture, measured. A row for each program and port, and
//! on every arrow what went over it per byte that was sent. Parts of which the same is known share a row.

use zcprof_common::vocabulary::{Disposition, Hop, Instrument};

use super::ReportError;
use super::arrow::{open_arrow, pointed};
use super::canvas::{Canvas, LINE, MARGIN, Pen, SMALL, WIDTH};
use super::course::{self, CourseRow, NAMES, Station};
use super::ink;
use super::lettering::Type;
use super::numbers::{size_of, thousandths};
use super::verdicts::{Word, badge, judged, tally};
use super::watch_line::WatchLine;
use super::watched;
use super::watched_row::PathRow;
use crate::verdict::{per_byte, watching};
use crate::watch::judge::{ClaimJudgement, judge};
use crate::watch::record::{Direction, Of, Watch};

/// Name of the file.
pub(super) const FILE: &str = "path.svg";

/// From the socket to the network.
const OUT: (i32, i32) = (636, 760);

const SENT: &[Station] = &[
    Station::kernel("storage", 168),
    Station::kernel("page cache", 300),
    Station::buffer(462),
    Station::kernel("socket", 628),
    Station::kernel("network", 768),
];
const RECEIVED: &[Station] =
    &[Station::kernel("socket", 300), Station::buffer(462), Station::kernel("page cache", 628)];
const WRITTEN: &[Station] = &[
    Station::kernel("page cache, read", 300),
    Station::buffer(462),
    Station::kernel("page cache, written", 628),
];

const fn stations(direction: Direction) -> &'static [Station] {
    match direction {
        Direction::Tx => SENT,
        Direction::Rx => RECEIVED,
        Direction::File => WRITTEN,
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
    y += 4;
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
    y = course::key(canvas, y + 6, "copied later") + 5;
    let label =
        format!("read, and {} if it was what was read: the kernel cannot tell", direction.done());
    open_arrow(canvas, (MARGIN, y + 7), (MARGIN + 26, y + 7));
    canvas.text((MARGIN + 32, y), &label, text);
    let note = format!("Bytes per byte {}, as the callers saw it, and calls.", direction.done());
    course::heads(canvas, y + LINE, &note, stations(direction))
}

/// A part's row; says where the next one begins.
fn draw(canvas: &mut Canvas, top: i32, row: &PathRow, judged: &[&ClaimJudgement]) -> i32 {
    let direction = row.line.traffic.direction;
    let worst = judged.iter().map(|one| Word::of(&one.verdict)).min();
    canvas.tell(&format!("{}: {}.", whose(row), row.told()));
    let shown =
        CourseRow { arrows: &row.arrows, loops: &row.loops, beside: &row.also, air: 1, worst };
    let names = |canvas: &mut Canvas, top| names(canvas, top, row, judged);
    course::row(canvas, top, stations(direction), &shown, names, |canvas, middle| {
        if direction == Direction::Tx {
            out(canvas, middle, &row.exits());
        }
    })
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
