//! `path.svg`: the textbook's picture, measured. A row for each transfer, the way from storage to the
//! consumer from left to right, and on every arrow what went over it.

use zcprof_common::vocabulary::{Disposition, Hop, Process};

use super::arrow::{ARROWS, ArrowSummary, each};
use super::canvas::{Canvas, MARGIN, Pen, SMALL, WIDTH};
use super::course::{self, CourseRow, NAMES, Station};
use super::ink;
use super::lettering::Type;
use super::numbers::{grouped, size};
use super::reading::{Judged, Reading};
use super::spot::{self, Spot, SpotCopies};
use super::verdicts::{Word, badge, tally};
use super::{ReportError, RunFormat, finding};
use crate::run::{Cache, Run};

pub(super) const FORMAT: RunFormat = RunFormat {
    name: "path",
    file_name: "path.svg",
    summary: "A picture: the way of the bytes, with bytes per payload byte and calls on every arrow",
    render,
};

const STATIONS: &[Station] = &[
    Station::kernel("storage", 168),
    Station::kernel("page cache", 300),
    Station::buffer(462),
    Station::kernel("socket", 628),
    Station::process("consumer", 768),
];

fn render(run: &Run) -> Result<Vec<u8>, ReportError> {
    let reading = Reading::of(run)?;
    let (mut canvas, y) = Canvas::titled("path", &finding::of_run(&reading));
    let mut y = heading(&mut canvas, y, &reading);
    let mut transfers = reading.by_transfer();
    for passes in &mut transfers {
        passes.sort_by_key(|pass| pass.pass.cache == Cache::Cold);
        y = transfer(&mut canvas, y, passes, &reading);
    }
    if transfers.is_empty() {
        canvas.text((MARGIN, y), "No pass was measured.", Type::new(SMALL).bold());
    } else {
        canvas.line((MARGIN, y), (WIDTH - MARGIN, y), Pen::new(ink::PALE, 1));
    }
    Ok(canvas.finish())
}

fn heading(canvas: &mut Canvas, top: i32, reading: &Reading<'_>) -> i32 {
    let (run, width, text) = (reading.run, WIDTH - 2 * MARGIN, Type::new(SMALL));
    let subtitle = format!(
        "Linux {} · {} of payload per pass",
        run.kernel.release,
        size(run.workload.payload)
    );
    let said = (reading.refuted(), subtitle);
    let mut y = tally(canvas, top, &reading.words(), (&said.0, &said.1));
    if reading.sources.presumes_all() {
        let warning = "EVERY NUMBER IS PRESUMED FROM SYSTEM CALLS: no copy was seen.";
        canvas.tell(warning);
        y = canvas.paragraph((MARGIN, y), warning, width, text.bold());
    }
    y = course::key(canvas, y + 6, "copied later or elsewhere");
    let both = reading.passes.iter().any(|pass| pass.pass.cache == Cache::Cold)
        && reading.passes.iter().any(|pass| pass.pass.cache == Cache::Warm);
    let two = if both { " (warm / cold)" } else { "" };
    let note = format!(
        "Bytes per payload byte, and calls{two}. Grey: in no claim. Bytes of headers and arguments are \
         subtracted, their calls are not."
    );
    course::heads(canvas, y, &note, STATIONS)
}

/// A transfer's row; says where the next one begins.
fn transfer(canvas: &mut Canvas, top: i32, passes: &[&Judged<'_>], reading: &Reading<'_>) -> i32 {
    let worst = passes.iter().map(|pass| Word::of(&pass.judgement.verdict)).min();
    let seen: Vec<_> =
        ARROWS.iter().map(|arrow| (arrow, ArrowSummary::on(arrow, passes, reading))).collect();
    let spots = Spot::ALL.iter().flat_map(|spot| spot::at(*spot, passes, reading));
    let (in_kernel, in_user): (Vec<_>, Vec<_>) = spots.partition(SpotCopies::is_in_kernel);
    let loops = [in_user, in_kernel].into_iter().flatten().collect::<Vec<_>>();
    let beside = beside(passes, reading);
    let arrows = seen.iter().map(|(arrow, seen)| seen.told(arrow.hop));
    let told = loops.iter().map(|copies| copies.told().to_owned());
    let also = (!beside.is_empty()).then(|| beside.clone());
    let all: Vec<_> = arrows.chain(told).chain(also).collect();
    canvas.tell(&format!("{}, {}: {}.", passes[0].pass.transfer, outcomes(passes), all.join("; ")));
    let row = CourseRow { arrows: &seen, loops: &loops, beside: &beside, air: 0, worst };
    let names = |canvas: &mut Canvas, top| names(canvas, top, passes);
    course::row(canvas, top, STATIONS, &row, names, |_, _| ())
}

/// The transfer's name, its verdicts and claims; says where they end.
fn names(canvas: &mut Canvas, top: i32, passes: &[&Judged<'_>]) -> i32 {
    let name = passes[0].pass.transfer.as_str();
    let style = Type::new(14).bold().fitting(name, NAMES, 9);
    canvas.text((MARGIN, top), name, style);
    let mut y = top + 18;
    let word = |pass: &Judged<'_>| Word::of(&pass.judgement.verdict);
    let claim = |pass: &Judged<'_>| {
        let claim = pass.judgement.claim.name;
        pass.why().map_or_else(|| claim.to_owned(), |why| format!("{claim} {why}"))
    };
    let note = Type::new(10);
    let differ = passes.iter().any(|pass| word(pass) != word(passes[0]));
    let said = if differ { passes } else { &passes[..1] };
    for pass in said {
        let (cache, claims) = if differ {
            (format!(" {}", pass.pass.cache.name()), claim(pass))
        } else {
            (String::new(), each(passes.iter().map(|pass| claim(pass))))
        };
        let text = format!("{}{cache}", word(pass).name());
        let size = if word(pass) == Word::Refuted { 13 } else { 11 };
        let (width, height) = badge(canvas, (MARGIN, y), word(pass), &text, size);
        // As many words beside it as there is room for.
        let beside = note.wrap(&claims, NAMES - width - 5).into_iter().next().unwrap_or_default();
        let whole =
            claims.strip_prefix(&beside).filter(|rest| rest.is_empty() || rest.starts_with(' '));
        let rest = whole.map_or(claims.as_str(), str::trim_start);
        if whole.is_some() {
            canvas.text((MARGIN + width + 5, y + (height - 10) / 2 - 1), &beside, note);
        }
        y += height + 1;
        if !rest.is_empty() {
            y = canvas.paragraph((MARGIN, y), rest, NAMES, note);
        }
    }
    y
}

fn outcomes(passes: &[&Judged<'_>]) -> String {
    let caches: Vec<_> = passes.iter().map(|pass| pass.pass.cache.name()).collect();
    format!("claim {} ({})", each(passes.iter().map(|pass| pass.outcome())), caches.join(" / "))
}

/// What has no arrow of its own.
fn beside(passes: &[&Judged<'_>], reading: &Reading<'_>) -> String {
    let drawn = |hop: Hop| ARROWS.iter().any(|a| a.process == Process::Server && a.hop == hop);
    let mut kinds: Vec<(Hop, Disposition)> = Vec::new();
    for pass in passes {
        for entry in pass.beside().into_iter().chain(pass.copies()).chain(pass.later()) {
            let kind = (entry.hop, entry.disposition);
            if !drawn(kind.0) && !spot::draws(kind.0, kind.1) && !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
    }
    let says = |(hop, what): &(Hop, Disposition)| {
        let presumed = if reading.sources.presumed(*what) { "presumed " } else { "" };
        let of = |pass: &&Judged<'_>| {
            pass.entry(Process::Server, *hop, *what).map_or((0, 0), |e| (e.bytes, e.calls))
        };
        let bytes = each(passes.iter().map(|pass| pass.per_byte(Some(of(pass).0))));
        let calls = each(passes.iter().map(|pass| grouped(of(pass).1)));
        let word = if calls == "1" { "call" } else { "calls" };
        format!("{} {bytes} {presumed}{}, {calls} {word}", hop.name(), what.name())
    };
    kinds.iter().map(says).collect::<Vec<_>>().join("; ")
}
