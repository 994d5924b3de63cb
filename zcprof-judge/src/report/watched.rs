//! `copies-per-byte.svg` of a watched window: what was copied of each sent byte, for all that was sent
//! and for each program and port, stacked by hop. What may have been copied, or not, is drawn as that.

use zcprof_common::vocabulary::Hop;

use super::ReportError;
use super::bars::{moved_bar, segment};
use super::canvas::{Canvas, MARGIN, Pen, SMALL};
use super::ink;
use super::legend::Legend;
use super::lettering::Type;
use super::numbers::{along, size, thousandths};
use super::verdicts::{Word, backdrop, ground, judged, tally};
use crate::ledger::sum;
use crate::verdict::code::why;
use crate::verdict::{Verdict, per_byte};
use crate::watch::judge::{ClaimJudgement, Span, judge, shown_spans};
use crate::watch::promise::Promise;
use crate::watch::record::{Direction, Of, Watch};
use crate::watch::traffic::{Traffic, parts};

/// Name of the file.
pub(super) const FILE: &str = "copies-per-byte.svg";

/// Where the bars begin.
const LEFT: i32 = 170;
/// Length of the axis; behind it is room for a number.
const LENGTH: u32 = 430;
/// Height of a bar of copies.
const BAR: i32 = 24;
/// Height of a bar of moves.
const MOVE_BAR: i32 = 12;

/// A part of what was sent, with its bar.
struct TrafficBar {
    of: Of,
    traffic: Traffic,
    spans: Vec<Span>,
}

impl TrafficBar {
    fn of(watch: &Watch, of: Of) -> Self {
        let traffic = Traffic::of(watch, &of);
        let mut spans = shown_spans(&traffic);
        spans.retain(|span| span.most > 0);
        Self { of, traffic, spans }
    }

    fn least(&self) -> u64 {
        sum(self.spans.iter().map(|span| span.least))
    }

    fn most(&self) -> u64 {
        sum(self.spans.iter().map(|span| span.most))
    }

    fn thousandths(&self, bytes: u64) -> u64 {
        thousandths(bytes, self.traffic.sent())
    }

    /// The hops that copied more than some headers, most first: all of them where none did.
    fn places(&self) -> String {
        let mut spans: Vec<&Span> = self.spans.iter().collect();
        spans.sort_by_key(|span| std::cmp::Reverse(span.most));
        if self.thousandths(spans.first().map_or(0, |span| span.most)) >= 20 {
            spans.retain(|span| self.thousandths(span.most) >= 20);
        }
        spans.iter().map(|span| span.hop.name()).collect::<Vec<_>>().join(", ")
    }

    /// `0.000 to 1.003`, or one number where both are the same.
    fn number(&self) -> String {
        let [least, most] =
            [self.least(), self.most()].map(|bytes| per_byte(bytes, self.traffic.sent()));
        if least == most { most } else { format!("{least} to {most}") }
    }
}

/// The picture.
pub(super) fn render(watch: &Watch) -> Result<Vec<u8>, ReportError> {
    let judgements = judge(watch).map_err(ReportError::Claim)?;
    let parts = bars(watch);
    let words: Vec<_> = judgements.iter().map(|judged| Word::of(&judged.verdict)).collect();
    let title = in_words(&parts, watch.direction, is_zero(&judgements));
    let (mut canvas, y) = Canvas::titled("watched", &title);
    let said = (refuted(&judgements), about(watch));
    let top = tally(&mut canvas, y, &words, (&said.0, &said.1)) + 24;
    let widest = parts.iter().map(|part| part.thousandths(part.most()).max(1000)).max();
    let end = widest.unwrap_or(0).max(2000).div_ceil(1000).saturating_mul(1000);
    let (mut rows, mut shapes) = (canvas.layer(ink::WHITE), canvas.layer(ink::WHITE));
    let mut y = top + 14;
    for part in &parts {
        let its: Vec<_> = judgements.iter().filter(|judged| judged.of == part.of).collect();
        let word = its.iter().map(|judged| Word::of(&judged.verdict)).min();
        let mut bar = canvas.layer(ground(word));
        let next = draw(&mut bar, y, part, &its, end);
        canvas.tell(&told(part, &its));
        backdrop(&mut rows, (y - 8, next - 14), word);
        shapes.append(bar);
        y = next;
    }
    canvas.append(rows);
    if !parts.is_empty() {
        axis(&mut canvas, top, y - 12, end);
    }
    // What was claimed of a part that sent nothing.
    for judgement in judgements.iter().filter(|j| !parts.iter().any(|part| part.of == j.of)) {
        y = verdict(&mut shapes, y, judgement);
    }
    canvas.append(shapes);
    legend(&mut canvas, y + 14, &parts);
    Ok(canvas.finish())
}

/// What the picture shows, in a sentence.
pub(super) fn finding(watch: &Watch) -> Result<String, ReportError> {
    let judgements = judge(watch).map_err(ReportError::Claim)?;
    Ok(in_words(&bars(watch), watch.direction, is_zero(&judgements)))
}

/// The parts that something is known of.
fn bars(watch: &Watch) -> Vec<TrafficBar> {
    let parts = parts(watch).into_iter().map(|of| TrafficBar::of(watch, of));
    parts.filter(|part| part.traffic.sent() > 0).collect()
}

/// Whether a copy would have been seen: no zero is concluded but by a claim of it that holds.
fn is_zero(judgements: &[ClaimJudgement]) -> bool {
    judgements.iter().any(|judged| {
        let zero = matches!(&judged.promise, Promise::Named(claim) if claim.copies() == 0);
        zero && judged.of == Of::All && judged.verdict == Verdict::Holds
    })
}

/// Which claims are refuted.
fn refuted(judgements: &[ClaimJudgement]) -> String {
    let refuted = judgements.iter().filter(|j| Word::of(&j.verdict) == Word::Refuted);
    refuted.map(claimed).collect::<Vec<_>>().join(" · ")
}

/// A part in words.
fn told(part: &TrafficBar, judged: &[&ClaimJudgement]) -> String {
    let (sent, done) = (size(part.traffic.sent()), part.traffic.direction.done());
    let moved = per_byte(part.traffic.ledger.handed_over_at_all(), part.traffic.sent());
    let number = part.number();
    let numbers = format!("{}: {number} copied, {moved} moved per byte of {sent} {done}", part.of);
    let verdicts = judged.iter().map(|one| format!("; {}: {}", claimed(one), one.said()));
    verdicts.fold(numbers, |said, verdict| said + &verdict) + "."
}

/// Where the window was, in a line.
pub(super) fn about(watch: &Watch) -> String {
    format!(
        "Linux {} · {}, watched for {:.1} s",
        watch.kernel.release,
        watch.targets.join(" and "),
        watch.seconds
    )
}

/// The same of its bars; `seen` if a copy would have been seen.
fn in_words(parts: &[TrafficBar], direction: Direction, seen: bool) -> String {
    let done = direction.done();
    let Some(all) = parts.first() else { return format!("Nothing was {done}") };
    let sent = size(all.traffic.sent());
    let [least, most] = [all.least(), all.most()].map(|bytes| all.thousandths(bytes));
    if all.most() == 0 {
        let nothing = if seen { "Nothing was copied" } else { "No copy was seen" };
        return format!("{nothing} of {sent} that were {done}");
    }
    if let Some(told) = by_port(parts) {
        return format!("Copies per byte {done}: {told}");
    }
    let number = all.number();
    let by = by_whom(parts);
    if most < 20 {
        format!("{number} copies per {done} byte: of {sent} little more than headers")
    } else if least == most && least % 1000 <= 20 {
        format!("Each byte of {sent} {done} was copied {number} times{by}: {}", all.places())
    } else if least == most {
        format!("{number} copies per byte of {sent} {done}{by}: {}", all.places())
    } else {
        let places = all.places();
        format!(
            "{number} copies per byte of {sent} {done}{by}: {places}; what was read may be what was {done}"
        )
    }
}

/// Whose bytes were copied, where it is one program's, or those of one above all.
fn by_whom(parts: &[TrafficBar]) -> String {
    let programs = parts.iter().filter(|part| matches!(part.of, Of::Program(_)));
    let mut programs: Vec<_> = programs.filter(|part| part.most() > 0).collect();
    programs.sort_by_key(|part| std::cmp::Reverse(part.most()));
    match &*programs {
        [] => String::new(),
        [only] => format!(", by {}", only.of),
        [first, ..] => format!(", most by {}", first.of),
    }
}

/// The ports, the one with most copies first, if they are few and differ.
fn by_port(parts: &[TrafficBar]) -> Option<String> {
    let mut bound: Vec<_> = parts.iter().filter(|part| matches!(part.of, Of::Port(_))).collect();
    let differ = bound.windows(2).any(|two| two[0].number() != two[1].number());
    if !differ || bound.len() > 3 {
        return None;
    }
    bound.sort_by_key(|part| std::cmp::Reverse(part.thousandths(part.most())));
    let told: Vec<_> =
        bound.iter().map(|part| format!("{} at {}", part.number(), part.of)).collect();
    Some(told.join(", "))
}

fn axis(canvas: &mut Canvas, top: i32, bottom: i32, end: u64) {
    let step = (end / 8000 + 1) * 1000;
    let mut value = 0;
    while value <= end {
        let x = LEFT + along(value, end, LENGTH);
        let pen = Pen::new(if value == 0 { ink::BLACK } else { ink::PALE }, 1);
        canvas.line((x, top), (x, bottom), pen);
        let text = Type::new(SMALL).centred();
        canvas.text((x, top - 17), &(value / 1000).to_string(), text);
        value += step;
    }
}

fn draw(
    canvas: &mut Canvas,
    y: i32,
    part: &TrafficBar,
    judged: &[&ClaimJudgement],
    end: u64,
) -> i32 {
    let name_width = LEFT - MARGIN - 10;
    let name = part.of.to_string();
    let bold = Type::new(14).bold().fitting(&name, name_width, 11);
    let below = canvas.paragraph((MARGIN, y), &name, name_width, bold);
    let sent = format!("{} {}", size(part.traffic.sent()), part.traffic.direction.done());
    let note = Type::new(SMALL).ink(ink::GREY);
    let name_end = canvas.paragraph((MARGIN, below), &sent, name_width, note);
    let mut done: u64 = 0;
    let mut place = |bytes: u64| {
        let from = along(part.thousandths(done), end, LENGTH);
        done = done.saturating_add(bytes);
        (LEFT + from, along(part.thousandths(done), end, LENGTH) - from)
    };
    for span in part.spans.iter().filter(|span| span.least > 0) {
        let (x, width) = place(span.least);
        segment(canvas, (x, y), (width, BAR), span.hop);
        let (text, style) = (span.hop.name(), Type::new(11).centred());
        if style.width(text) + 16 < width {
            canvas.halo((x + width / 2, y + 7), text, style);
        }
    }
    for span in part.spans.iter().filter(|span| span.most > span.least) {
        let (x, width) = place(span.most - span.least);
        canvas.rect((x, y), (width, BAR), ink::WHITE, Pen::new(ink::BLACK, 1).dashed(4));
        let (text, style) = (format!("{}?", span.hop.name()), Type::new(11).centred());
        if style.width(&text) + 16 < width {
            canvas.halo((x + width / 2, y + 7), &text, style);
        }
    }
    let x = LEFT + along(part.thousandths(part.most()), end, LENGTH) + 10;
    canvas.halo((x, y + 4), &format!("{} copied", part.number()), Type::new(14).bold());
    let moved = part.traffic.ledger.handed_over_at_all();
    let width = along(part.thousandths(moved), end, LENGTH);
    let y_move = y + BAR + 8;
    if width > 0 {
        moved_bar(canvas, (LEFT, y_move), (width, MOVE_BAR));
    }
    let text = format!("{} moved", per_byte(moved, part.traffic.sent()));
    canvas.halo((LEFT + width + 10, y_move - 2), &text, Type::new(SMALL));
    let mut y = y_move + MOVE_BAR + 8;
    for judgement in judged {
        y = verdict(canvas, y, judgement);
    }
    y.max(name_end) + 26
}

/// The verdict on a claim, and the codes that say why; says where the next line would be.
fn verdict(canvas: &mut Canvas, y: i32, judgement: &ClaimJudgement) -> i32 {
    judged(canvas, (LEFT + 10, y), Word::of(&judgement.verdict), &claimed(judgement))
}

/// What was claimed of what, and the codes of what speaks against it.
fn claimed(judgement: &ClaimJudgement) -> String {
    let why = why(&judgement.verdict, &judgement.traffic.ledger);
    let mut codes: Vec<_> = why.iter().flat_map(|why| &why.codes).map(|code| code.name).collect();
    codes.dedup();
    match (&judgement.of, codes.is_empty()) {
        (Of::All, true) => judgement.promise.to_string(),
        (Of::All, false) => format!("{}; {}", judgement.promise, codes.join(", ")),
        (of, true) => format!("{} of {of}", judgement.promise),
        (of, false) => format!("{} of {of}; {}", judgement.promise, codes.join(", ")),
    }
}

fn legend(canvas: &mut Canvas, top: i32, parts: &[TrafficBar]) {
    let mut legend = Legend::at(top);
    let spans = || parts.iter().flat_map(|part| &part.spans);
    for hop in Hop::ALL.iter().copied() {
        if spans().any(|span| span.hop == hop && span.least > 0) {
            legend.hop(canvas, hop);
        }
    }
    if spans().any(|span| span.most > span.least) {
        let (x, y) = legend
            .place(canvas, "copied, if what was read is what was sent: the kernel cannot tell");
        canvas.rect((x, y), (26, 16), ink::WHITE, Pen::new(ink::BLACK, 1).dashed(4));
    }
    let (x, y) = legend.place(canvas, "moved: pages handed over, no copy yet");
    moved_bar(canvas, (x, y + 2), (26, MOVE_BAR));
}

#[cfg(test)]
mod tests {
    use super::{Direction, in_words};

    #[test]
    fn a_window_without_traffic_says_so() {
        assert_eq!(in_words(&[], Direction::Tx, true), "Nothing was sent");
    }
}
