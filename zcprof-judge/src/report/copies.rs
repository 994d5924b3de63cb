//! `copies-per-byte.svg`: what the server copies of each payload byte, stacked by hop, with the
//! claim as a mark and the bytes that moved instead beside it.

use zcprof_common::vocabulary::{Disposition, Hop};

use super::bars::{moved_bar, segment};
use super::canvas::{Canvas, MARGIN, Pen, Point, SMALL, WIDTH, ink};
use super::legend::Legend;
use super::lettering::Type;
use super::numbers::{along, size, thousandths};
use super::reading::{Judged, Reading};
use super::{Format, ReportError};
use crate::run::Run;
use crate::verdict::Verdict;

pub(super) const FORMAT: Format = Format {
    name: "copies",
    file_name: "copies-per-byte.svg",
    summary: "A picture: copies per payload byte by hop, with claim and verdict",
    render,
};

/// Where the bars begin.
const LEFT: i32 = 150;
/// Length of the axis; behind it is room for a number.
const LENGTH: u32 = 490;
/// Height of a bar of copies.
const BAR: i32 = 24;
/// Height of a bar of moves.
const MOVE_BAR: i32 = 12;

fn render(run: &Run) -> Result<Vec<u8>, ReportError> {
    let reading = Reading::of(run)?;
    let mut canvas = Canvas::new();
    let top = heading(&mut canvas, &reading);
    let bars = bars(&reading);
    let end = axis_end(&bars, &reading);
    let mut y = top + 24;
    let mut shapes = Canvas::new();
    for bar in &bars {
        y = draw(&mut shapes, y, bar, &reading, end);
    }
    axis(&mut canvas, top, y, end);
    canvas.append(shapes);
    if bars.is_empty() {
        canvas.text((LEFT, y), "No pass was measured.", Type::new(SMALL).bold());
    }
    legend(&mut canvas, y + 34, &reading);
    canvas.finish()
}

/// Passes of one transfer that show the same.
struct Bar<'a> {
    pass: &'a Judged<'a>,
    caches: Vec<&'static str>,
}

fn bars<'a>(reading: &'a Reading<'a>) -> Vec<Bar<'a>> {
    let shows = |pass: &Judged<'_>| {
        let hops: Vec<_> = Hop::ALL.iter().map(|hop| pass.copied_at(*hop)).collect();
        let numbers = [pass.copied(reading.sources.second), pass.moved(), pass.pinned()];
        (hops, numbers.map(|bytes| pass.per_byte(bytes)), pass.outcome())
    };
    let mut bars: Vec<Bar<'_>> = Vec::new();
    for pass in reading.by_transfer().into_iter().flatten() {
        let cache = pass.pass.cache.name();
        match bars.last_mut() {
            Some(bar)
                if bar.pass.pass.transfer == pass.pass.transfer
                    && shows(bar.pass) == shows(pass) =>
            {
                bar.caches.push(cache);
            }
            _ => bars.push(Bar { pass, caches: vec![cache] }),
        }
    }
    bars
}

fn heading(canvas: &mut Canvas, reading: &Reading<'_>) -> i32 {
    let (run, width) = (reading.run, WIDTH - 2 * MARGIN);
    canvas.text((MARGIN, 14), "Copies per payload byte, on the server", Type::new(20).bold());
    let subtitle = format!(
        "Linux {} · {} of payload per pass · {} · {}",
        run.kernel.release,
        size(run.workload.payload),
        run.workload.file_system,
        run.workload.network
    );
    let mut y = canvas.paragraph((MARGIN, 42), &subtitle, width, Type::new(SMALL));
    if reading.sources.presumes_all() {
        let text = "EVERY NUMBER IS PRESUMED FROM SYSTEM CALLS: no copy was seen.";
        y = canvas.paragraph((MARGIN, y), text, width, Type::new(SMALL).bold());
    }
    y + 26
}

/// The last whole number on the axis, in thousandths.
fn axis_end(bars: &[Bar<'_>], reading: &Reading<'_>) -> u64 {
    let of = |bar: &Bar<'_>| {
        let payload = bar.pass.pass.payload.bytes;
        let share = |bytes: Option<u64>| thousandths(bytes.unwrap_or(0), payload);
        let later = share(bar.pass.deferred());
        let copied = share(bar.pass.copied_by_the_best()) + later;
        let second = share(bar.pass.copied(reading.sources.second)) + later;
        let claimed = u64::from(bar.pass.judgement.claim.copies()) * 1000;
        copied.max(second).max(claimed).max(share(bar.pass.moved())).max(share(bar.pass.pinned()))
    };
    bars.iter().map(of).max().unwrap_or(0).max(2000).div_ceil(1000).saturating_mul(1000)
}

fn axis(canvas: &mut Canvas, top: i32, bottom: i32, end: u64) {
    let step = (end / 8000 + 1) * 1000;
    let mut value = 0;
    while value <= end {
        let x = LEFT + along(value, end, LENGTH);
        let pen = Pen::new(if value == 0 { ink::BLACK } else { ink::PALE }, 1);
        canvas.line((x, top), (x, bottom), pen);
        let text = Type::new(SMALL).centred();
        canvas.text((x, top - 17), (value / 1000).to_string(), text);
        canvas.text((x, bottom + 4), (value / 1000).to_string(), text);
        value += step;
    }
}

fn draw(canvas: &mut Canvas, y: i32, bar: &Bar<'_>, reading: &Reading<'_>, end: u64) -> i32 {
    let (pass, payload) = (bar.pass, bar.pass.pass.payload.bytes);
    let name_width = LEFT - MARGIN - 10;
    let below =
        canvas.paragraph((MARGIN, y), &pass.pass.transfer, name_width, Type::new(14).bold());
    let note = Type::new(SMALL).color(ink::GREY);
    let name_end = canvas.paragraph((MARGIN, below), &bar.caches.join(" = "), name_width, note);

    // The copies, hop by hop.
    let mut sum: u64 = 0;
    for hop in reading.copying_hops() {
        let copied = pass.copied_at(hop);
        let (from, to) = (along(sum, end, LENGTH), along(sum.saturating_add(copied), end, LENGTH));
        sum = sum.saturating_add(copied);
        if copied > 0 {
            segment(canvas, (LEFT + from, y), (to - from, BAR), hop);
            let (text, style) = (hop.name(), Type::new(11).centred());
            if style.width(text) + 16 < to - from {
                canvas.halo((LEFT + i32::midpoint(from, to), y + 7), text, style);
            }
        }
    }
    let copied = pass.copied_by_the_best();
    let x = LEFT + along(sum, end, LENGTH) + 10;
    let number = if payload == 0 {
        "no payload".to_owned()
    } else {
        match pass.deferred().filter(|bytes| thousandths(*bytes, payload) > 0) {
            Some(later) => format!(
                "{} copied, {} copied later",
                pass.per_byte(copied),
                pass.per_byte(Some(later))
            ),
            None => format!("{} copied", pass.per_byte(copied)),
        }
    };
    canvas.halo((x, y + 4), number, Type::new(14).bold());
    if reading.sources.presumes_all() {
        canvas.halo((x, y + 21), "presumed", Type::new(11));
    }

    // The claim above, the second instrument below.
    let claim = u64::from(pass.judgement.claim.copies());
    let x = LEFT + along(claim * 1000, end, LENGTH);
    canvas.line((x, y - 5), (x, y + BAR + 2), Pen::new(ink::BLACK, 3));
    canvas.fill(vec![(x - 7, y - 12), (x + 7, y - 12), (x, y - 2)], ink::BLACK);
    canvas.halo((x + 11, y - 16), format!("claim {claim}"), Type::new(11));
    if let Some(second) = pass.copied(reading.sources.second) {
        let second = second.saturating_add(pass.deferred().unwrap_or(0));
        let x = LEFT + along(thousandths(second, payload), end, LENGTH);
        callers_mark(canvas, (x, y + BAR));
    }

    // What was handed over instead: pages of the page cache, or of user memory.
    let y_move = y + BAR + 15;
    let pinned = pass.pinned().filter(|bytes| thousandths(*bytes, payload) > 0);
    let (bytes, word) = match pinned {
        Some(pinned) => (Some(pinned), "pinned"),
        None => (pass.moved(), "moved"),
    };
    let width = along(thousandths(bytes.unwrap_or(0), payload), end, LENGTH);
    if width > 0 {
        moved_bar(canvas, (LEFT, y_move), (width, MOVE_BAR));
    }
    let presumed = if reading.sources.presumed(Disposition::Moved) { "presumed " } else { "" };
    let mut number = format!("{} {presumed}{word}", pass.per_byte(bytes));
    if let Some(transformed) = pass.transformed() {
        number = format!("{} transformed, {number}", pass.per_byte(Some(transformed)));
    }
    canvas.halo((LEFT + width + 10, y_move - 2), number, Type::new(SMALL));

    let y_verdict = y_move + MOVE_BAR + 7;
    verdict(canvas, (LEFT + 10, y_verdict), pass);
    (y_verdict + 20).max(name_end) + 30
}

/// The verdict's word, told apart without colour, the claim's name, and the codes that say why.
fn verdict(canvas: &mut Canvas, at: Point, pass: &Judged<'_>) {
    let why = pass.why().map_or_else(String::new, |why| format!("; {why}"));
    let claim = format!("claim: {}{why}", pass.judgement.claim.name);
    judged(canvas, at, &pass.judgement.verdict, &claim);
}

/// A verdict's word in its box, and what it is about.
pub(super) fn judged(canvas: &mut Canvas, (x, y): Point, verdict: &Verdict, about: &str) {
    let style = Type::new(SMALL).bold();
    let width = style.width(verdict.name()) + 14;
    let (fill, pen, color) = match verdict {
        Verdict::Holds => (ink::WHITE, Pen::new(ink::BLACK, 1), ink::BLACK),
        Verdict::Refuted(_) => (ink::BLACK, Pen::new(ink::BLACK, 1), ink::WHITE),
        Verdict::Inconclusive(_) => (ink::WHITE, Pen::new(ink::BLACK, 1).dashed(4), ink::BLACK),
    };
    canvas.rect((x, y), (width, 19), fill, pen);
    canvas.text((x + width / 2, y + 4), verdict.name(), style.centred().color(color));
    canvas.halo((x + width + 8, y + 4), about, Type::new(SMALL));
}

fn callers_mark(canvas: &mut Canvas, (x, y): Point) {
    canvas.fill(vec![(x - 7, y + 10), (x + 7, y + 10), (x, y)], ink::BLACK);
    canvas.fill(vec![(x - 4, y + 8), (x + 4, y + 8), (x, y + 3)], ink::WHITE);
}

fn legend(canvas: &mut Canvas, top: i32, reading: &Reading<'_>) {
    let mut legend = Legend::at(top);
    for hop in reading.copying_hops() {
        legend.hop(canvas, hop);
    }
    let (x, y) = legend.place(canvas, "moved, pinned: pages handed over, no copy yet");
    moved_bar(canvas, (x, y + 2), (26, MOVE_BAR));
    let (x, y) = legend.place(canvas, "copies that the claim allows");
    canvas.fill(vec![(x + 6, y + 3), (x + 20, y + 3), (x + 13, y + 13)], ink::BLACK);
    if reading.sources.second.is_some() {
        let (x, y) = legend.place(canvas, "copies as the callers account for them (bars: audit)");
        callers_mark(canvas, (x + 13, y + 3));
    }
}
