//! `copies-per-byte.svg`: what the server copies of each payload byte, stacked by hop, with the
//! claim as a mark and the bytes that moved instead beside it.

use zcprof_common::vocabulary::{Disposition, Hop};

use super::bars::{moved_bar, segment};
use super::canvas::{Canvas, MARGIN, Pen, Point, SMALL, WIDTH};
use super::ink;
use super::legend::Legend;
use super::lettering::Type;
use super::numbers::{along, size, thousandths};
use super::reading::{Judged, Reading};
use super::verdicts::{Word, backdrop, badge, ground, tally};
use super::{ReportError, RunFormat, finding};
use crate::run::Run;

pub(super) const FORMAT: RunFormat = RunFormat {
    name: "copies",
    file_name: "copies-per-byte.svg",
    summary: "A picture: copies per payload byte by hop, with claim and verdict",
    render,
};

/// Where the bars begin.
const LEFT: i32 = 176;
/// Length of the axis; behind it is room for a number.
const LENGTH: u32 = 470;
/// Height of a bar of copies.
const BAR: i32 = 18;
/// Height of a bar of moves.
const MOVE_BAR: i32 = 9;
/// Room above a bar, for its claim.
const CLAIM: i32 = 17;

fn render(run: &Run) -> Result<Vec<u8>, ReportError> {
    let reading = Reading::of(run)?;
    let (mut canvas, y) = Canvas::titled("copies", &finding::of_run(&reading));
    let top = heading(&mut canvas, y, &reading);
    let bars = bars(&reading);
    let end = axis_end(&bars, &reading);
    let mut y = top + 2;
    let (mut rows, mut shapes) = (canvas.layer(ink::WHITE), canvas.layer(ink::WHITE));
    for bar in &bars {
        let word = Some(Word::of(&bar.pass.judgement.verdict));
        let mut row = canvas.layer(ground(word));
        let next = draw(&mut row, y, bar, &reading, end);
        canvas.tell(&told(bar, &reading));
        backdrop(&mut rows, (y, next), word);
        shapes.append(row);
        y = next;
    }
    canvas.append(rows);
    axis(&mut canvas, top, y, end);
    canvas.append(shapes);
    if bars.is_empty() {
        canvas.text((LEFT, y), "No pass was measured.", Type::new(SMALL).bold());
    }
    legend(&mut canvas, y + 26, &reading);
    Ok(canvas.finish())
}

/// A bar in words.
fn told(bar: &TransferBar<'_>, reading: &Reading<'_>) -> String {
    let pass = bar.pass;
    let presumed = if reading.sources.presumes_all() { "presumed " } else { "" };
    format!(
        "{} {}: {presumed}{} copied, {presumed}{} moved per byte; claim {}.",
        pass.pass.transfer,
        bar.caches.join(" and "),
        pass.per_byte(pass.copied_in_all()),
        pass.per_byte(pass.moved()),
        pass.outcome()
    )
}

/// Passes of one transfer that show the same.
struct TransferBar<'a> {
    pass: &'a Judged<'a>,
    caches: Vec<&'static str>,
    /// Names of their claims, each once.
    claims: Vec<&'static str>,
}

fn bars<'a>(reading: &'a Reading<'a>) -> Vec<TransferBar<'a>> {
    let shows = |pass: &Judged<'_>| {
        let hops: Vec<_> = Hop::ALL.iter().map(|hop| pass.copied_at(*hop)).collect();
        let numbers = [pass.copied(reading.sources.second), pass.moved(), pass.pinned()];
        let word = Word::of(&pass.judgement.verdict);
        let allowed = pass.judgement.claim.copies();
        (hops, numbers.map(|bytes| pass.per_byte(bytes)), word, allowed, pass.why())
    };
    let mut bars: Vec<TransferBar<'_>> = Vec::new();
    for pass in reading.by_transfer().into_iter().flatten() {
        let (cache, claim) = (pass.pass.cache.name(), pass.judgement.claim.name);
        match bars.last_mut() {
            Some(bar)
                if bar.pass.pass.transfer == pass.pass.transfer
                    && shows(bar.pass) == shows(pass) =>
            {
                bar.caches.push(cache);
                if !bar.claims.contains(&claim) {
                    bar.claims.push(claim);
                }
            }
            _ => bars.push(TransferBar { pass, caches: vec![cache], claims: vec![claim] }),
        }
    }
    bars
}

fn heading(canvas: &mut Canvas, top: i32, reading: &Reading<'_>) -> i32 {
    let (run, width) = (reading.run, WIDTH - 2 * MARGIN);
    let subtitle = format!(
        "Copies per payload byte, on the server · Linux {} · {} of payload per pass · {} · {}",
        run.kernel.release,
        size(run.workload.payload),
        run.workload.file_system,
        run.workload.network
    );
    let said = (reading.refuted(), subtitle);
    let mut y = tally(canvas, top, &reading.words(), (&said.0, &said.1));
    if reading.sources.presumes_all() {
        let text = "EVERY NUMBER IS PRESUMED FROM SYSTEM CALLS: no copy was seen.";
        canvas.tell(text);
        y = canvas.paragraph((MARGIN, y), text, width, Type::new(SMALL).bold());
    }
    y + 26
}

/// The last whole number on the axis, in thousandths.
fn axis_end(bars: &[TransferBar<'_>], reading: &Reading<'_>) -> u64 {
    let of = |bar: &TransferBar<'_>| {
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
        let number = (value / 1000).to_string();
        canvas.text((x, top - 17), &number, text);
        canvas.text((x, bottom + 4), &number, text);
        value += step;
    }
}

/// Draws a row; says where the next one begins.
fn draw(
    canvas: &mut Canvas,
    top: i32,
    bar: &TransferBar<'_>,
    reading: &Reading<'_>,
    end: u64,
) -> i32 {
    let (pass, payload) = (bar.pass, bar.pass.pass.payload.bytes);
    let names_end = names(canvas, top + 5, bar);
    let y = top + CLAIM;

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
                canvas.halo((LEFT + i32::midpoint(from, to), y + 3), text, style);
            }
        }
    }
    let copied = pass.copied_by_the_best();
    let x = LEFT + along(sum, end, LENGTH) + 10;
    let number = if payload == 0 {
        "no payload".to_owned()
    } else {
        let presumed = if reading.sources.presumes_all() { "presumed " } else { "" };
        match pass.deferred().filter(|bytes| thousandths(*bytes, payload) > 0) {
            Some(later) => format!(
                "{} {presumed}copied, {} copied later",
                pass.per_byte(copied),
                pass.per_byte(Some(later))
            ),
            None => format!("{} {presumed}copied", pass.per_byte(copied)),
        }
    };
    let style = Type::new(14).bold().fitting(&number, WIDTH - 6 - x, 10);
    canvas.halo((x, y + 1), &number, style);

    claim(canvas, y, bar, end);
    if let Some(second) = pass.copied(reading.sources.second) {
        let second = second.saturating_add(pass.deferred().unwrap_or(0));
        let x = LEFT + along(thousandths(second, payload), end, LENGTH);
        callers_mark(canvas, (x, y + BAR - 9));
    }

    // What was handed over instead: pages of the page cache, or of user memory.
    let y_move = y + BAR + 5;
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
    canvas.halo((LEFT + width + 10, y_move - 2), &number, Type::new(11));
    (y_move + MOVE_BAR + 6).max(names_end + 5)
}

/// The transfer's name, its verdict and the states of the page cache; says where they end.
fn names(canvas: &mut Canvas, top: i32, bar: &TransferBar<'_>) -> i32 {
    let (name, room) = (bar.pass.pass.transfer.as_str(), LEFT - MARGIN - 8);
    let word = Word::of(&bar.pass.judgement.verdict);
    canvas.text((MARGIN, top), name, Type::new(14).bold().fitting(name, room, 9));
    let size = if word == Word::Refuted { 14 } else { 11 };
    let (width, height) = badge(canvas, (MARGIN, top + 19), word, word.name(), size);
    let (caches, note) = (bar.caches.join(" = "), Type::new(11).ink(ink::GREY));
    let end = top + 19 + height;
    if width + 6 + note.width(&caches) <= room {
        canvas.text((MARGIN + width + 6, top + 19 + (height - 11) / 2 - 1), &caches, note);
        return end;
    }
    canvas.text((MARGIN, end + 2), &caches, note);
    end + 15
}

/// The claim above its bar: how many copies it allows, its name, and the codes of what speaks against it.
fn claim(canvas: &mut Canvas, y: i32, bar: &TransferBar<'_>, end: u64) {
    let pass = bar.pass;
    let copies = u64::from(pass.judgement.claim.copies());
    let x = LEFT + along(copies * 1000, end, LENGTH);
    canvas.line((x, y - 5), (x, y + BAR + 2), Pen::new(ink::BLACK, 3));
    canvas.fill(&[(x - 7, y - 12), (x + 7, y - 12), (x, y - 2)], ink::BLACK);
    let why = pass.why().map_or_else(String::new, |why| format!("; {why}"));
    let claims = if bar.claims.len() > 1 { "claims" } else { "claim" };
    let (text, style) =
        (format!("{claims} {}: {copies}{why}", bar.claims.join(" and ")), Type::new(11));
    if x + 11 + style.width(&text) <= WIDTH - MARGIN {
        canvas.halo((x + 11, y - 14), &text, style);
    } else {
        canvas.halo((x - 11, y - 14), &text, style.right());
    }
}

fn callers_mark(canvas: &mut Canvas, (x, y): Point) {
    canvas.fill(&[(x - 7, y + 10), (x + 7, y + 10), (x, y)], ink::BLACK);
    canvas.fill(&[(x - 4, y + 8), (x + 4, y + 8), (x, y + 3)], ink::WHITE);
}

fn legend(canvas: &mut Canvas, top: i32, reading: &Reading<'_>) {
    let mut legend = Legend::at(top);
    for hop in reading.copying_hops() {
        legend.hop(canvas, hop);
    }
    let (x, y) = legend.place(canvas, "moved, pinned: pages handed over, no copy yet");
    moved_bar(canvas, (x, y + 2), (26, MOVE_BAR));
    let mut passes = reading.by_transfer().into_iter().flatten();
    let sent_again = passes.any(|pass| pass.judgement.claim.name == "deferred");
    let allows = if sent_again {
        "copies that the claim allows (deferred: or more)"
    } else {
        "copies that the claim allows"
    };
    let (x, y) = legend.place(canvas, allows);
    canvas.fill(&[(x + 6, y + 3), (x + 20, y + 3), (x + 13, y + 13)], ink::BLACK);
    if reading.sources.second.is_some() {
        let (x, y) = legend.place(canvas, "copies as the callers account for them (bars: audit)");
        callers_mark(canvas, (x + 13, y + 3));
    }
}
