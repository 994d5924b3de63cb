//! `path.svg`: the textbook's picture, measured. For each transfer the way from storage to the
//! consumer, the boundary between kernel and user space, and on every arrow what went over it.

use zcprof_common::vocabulary::{Disposition, Hop, Process};

use super::arrow::{ARROWS, Seen, Way, arrow, label};
use super::canvas::{Canvas, LINE, MARGIN, Pen, SMALL, WIDTH, ink};
use super::lettering::Type;
use super::numbers::{counted, size};
use super::reading::{Judged, Reading};
use super::spot::{self, Copies, Spot};
use super::{Format, ReportError};
use crate::ledger::Entry;
use crate::run::Run;

pub(super) const FORMAT: Format = Format {
    name: "path",
    file_name: "path.svg",
    summary: "A picture: the way of the bytes, with bytes per payload byte and calls on every arrow",
    render,
};

/// Height of a station, and where those in user space begin.
const BOX: i32 = 36;
const USER: i32 = 30;

/// A place where bytes are.
struct Station {
    name: &'static str,
    left: i32,
    width: i32,
    in_kernel: bool,
}

const STATIONS: &[Station] = &[
    Station { name: "storage", left: 16, width: 84, in_kernel: true },
    Station { name: "page cache", left: 212, width: 104, in_kernel: true },
    Station { name: "socket", left: 566, width: 218, in_kernel: true },
    Station { name: "user buffer", left: 212, width: 412, in_kernel: false },
    Station { name: "consumer", left: 650, width: 134, in_kernel: false },
];

fn render(run: &Run) -> Result<Vec<u8>, ReportError> {
    let reading = Reading::of(run)?;
    let mut canvas = Canvas::new();
    let mut y = heading(&mut canvas, &reading);
    for passes in reading.by_transfer() {
        y = panel(&mut canvas, y, &passes, &reading);
    }
    if reading.passes.is_empty() {
        canvas.text((MARGIN, y), "No pass was measured.", Type::new(SMALL).bold());
    }
    canvas.finish()
}

fn heading(canvas: &mut Canvas, reading: &Reading<'_>) -> i32 {
    let (run, width, text) = (reading.run, WIDTH - 2 * MARGIN, Type::new(SMALL));
    canvas.text((MARGIN, 14), "The textbook's picture, measured", Type::new(20).bold());
    let subtitle = format!(
        "Linux {} · {} of payload per pass. Every arrow: bytes per payload byte, and calls.",
        run.kernel.release,
        size(run.workload.payload)
    );
    let mut y = canvas.paragraph((MARGIN, 42), &subtitle, width, text);
    if reading.sources.presumes_all() {
        let warning = "EVERY NUMBER IS PRESUMED FROM SYSTEM CALLS: no copy was seen.";
        y = canvas.paragraph((MARGIN, y), warning, width, text.bold());
    }
    y += 8;
    let mut x = MARGIN;
    for (what, label) in [
        (Some(Disposition::Copied), "copied by the CPU"),
        (Some(Disposition::Moved), "pages handed over"),
        (Some(Disposition::Filled), "filled by storage"),
        (None, "nothing"),
    ] {
        arrow(canvas, (x, y + 7), (x + 50, y + 7), what);
        canvas.text((x + 58, y), label, text);
        x += 58 + text.width(label) + 24;
    }
    let note = "A code such as ZC101 stands where a claim fails; `zcprof explain` has its page. The \
                consumer's own copy is in no claim. Named header and argument bytes are subtracted; \
                their calls are counted.";
    canvas.paragraph((MARGIN, y + LINE + 6), note, width, text.color(ink::GREY)) + 12
}

fn panel(canvas: &mut Canvas, top: i32, passes: &[&Judged<'_>], reading: &Reading<'_>) -> i32 {
    let width = WIDTH - 2 * MARGIN;
    canvas.line((MARGIN, top), (WIDTH - MARGIN, top), Pen::new(ink::PALE, 1));
    canvas.text((MARGIN, top + 8), &passes[0].pass.transfer, Type::new(15).bold());
    canvas.text((WIDTH - MARGIN, top + 10), outcomes(passes), Type::new(SMALL).right());

    // The labels decide how far the rows of stations lie apart.
    let labels: Vec<_> = ARROWS.iter().map(|arrow| Seen::on(arrow, passes, reading)).collect();
    let tallest = |of: fn(&Seen, Way) -> i32| {
        labels.iter().zip(ARROWS).map(|(seen, arrow)| of(seen, arrow.way)).max().unwrap_or(0)
    };
    let spots = Spot::ALL.iter().filter_map(|spot| spot::at(*spot, passes, reading));
    let spots: Vec<_> = spots.collect();
    let in_user = spots.iter().filter(|copies| !copies.is_in_kernel()).map(Copies::height);
    let beside_line = tallest(Seen::beside_line).max(in_user.max().unwrap_or(0));
    let boundary = top + USER + BOX + 6 + beside_line.max(38);
    let kernel = boundary + 6 + (tallest(Seen::over_line) - BOX / 2).max(18);

    let pen = Pen::new(ink::BLACK, 1).dashed(3);
    canvas.line((MARGIN, boundary), (WIDTH - MARGIN, boundary), pen);
    let side = Type::new(11).color(ink::GREY);
    canvas.text((MARGIN, boundary - 15), "user space", side);
    canvas.text((MARGIN, boundary + 4), "kernel", side);
    for station in STATIONS {
        let y = if station.in_kernel { kernel } else { top + USER };
        let pen = Pen::new(ink::BLACK, 1);
        canvas.rect((station.left, y), (station.width, BOX), ink::PAPER, pen);
        let middle = (station.left + station.width / 2, y + BOX / 2 - 7);
        canvas.text(middle, station.name, Type::new(13).bold().centred());
    }
    let (upper, lower, lane) = (top + USER + BOX + 2, kernel - 2, kernel + BOX / 2);
    for (seen, at) in labels.iter().zip(ARROWS) {
        let (from, to) = match at.way {
            Way::Across(from, to) => ((from, lane), (to, lane)),
            Way::Up(x) => ((x, lower), (x, upper)),
            Way::Down(x) => ((x, upper), (x, lower)),
        };
        seen.draw(canvas, from, to);
        label(canvas, from, to, at.way, seen);
    }
    let mut y = kernel + BOX / 2 + tallest(Seen::under_line).max(BOX / 2) + 10;
    for copies in spots {
        let (from, label) = if !copies.is_in_kernel() {
            (upper, upper)
        } else if copies.is_on_the_way() {
            (lane, y - 10)
        } else {
            (kernel + BOX + 2, kernel + BOX + 2)
        };
        copies.draw(canvas, from, label);
        if copies.is_in_kernel() {
            y = y.max(label + copies.height());
        }
    }
    let beside = beside(passes, reading);
    if !beside.is_empty() {
        let text = format!("Also seen: {beside}");
        y = canvas.paragraph((MARGIN, y), &text, width, Type::new(SMALL)) + 8;
    }
    y + 2
}

fn outcomes(passes: &[&Judged<'_>]) -> String {
    let outcome = |pass: &&Judged<'_>| pass.outcome();
    let caches: Vec<_> = passes.iter().map(|pass| pass.pass.cache.name()).collect();
    let first = passes[0].outcome();
    if passes.iter().all(|pass| pass.outcome() == first) {
        return format!("claim {first} ({})", caches.join(" and "));
    }
    let each =
        passes.iter().map(outcome).zip(caches).map(|(text, cache)| format!("{text} ({cache})"));
    format!("claim {}", each.collect::<Vec<_>>().join(", "))
}

/// What has no arrow of its own.
fn beside(passes: &[&Judged<'_>], reading: &Reading<'_>) -> String {
    let drawn = |hop: Hop| ARROWS.iter().any(|a| a.process == Process::Server && a.hop == hop);
    let word = |what: Disposition| {
        let presumed = if reading.sources.presumed(what) { "presumed " } else { "" };
        format!("{presumed}{}", what.name())
    };
    let says = |pass: &Judged<'_>| {
        let entries = pass.beside().into_iter().chain(pass.copies()).chain(pass.later());
        let text = |entry: &Entry| {
            let bytes = pass.per_byte(Some(entry.bytes));
            let calls = counted(entry.calls, "call", "calls");
            format!("{} {bytes} {}, {calls}", entry.hop.name(), word(entry.disposition))
        };
        let entries = entries.filter(|e| !drawn(e.hop) && !spot::draws(e.hop, e.disposition));
        entries.map(text).collect::<Vec<_>>()
    };
    let first = says(passes[0]);
    if passes.iter().all(|pass| says(pass) == first) {
        return first.join("; ");
    }
    let each = passes.iter().filter(|pass| !says(pass).is_empty());
    let each = each.map(|pass| format!("{}: {}", pass.pass.cache.name(), says(pass).join("; ")));
    each.collect::<Vec<_>>().join("; ")
}
