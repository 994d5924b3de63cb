//! The terminal's table: one line per pass, and under it what the numbers rest on.

use zcprof_common::vocabulary::{Disposition, Hop, Instrument, Process};

use super::columns::{Column, lay_out};
use super::details::details;
use super::reading::{Judged, Reading};
use super::received;
use super::{ReportError, RunFormat, stacks};
use crate::run::{Kernel, Run};

pub(super) const FORMAT: RunFormat = RunFormat {
    name: "table",
    file_name: "table.txt",
    summary: "A table for the terminal: copies per byte by hop, verdicts, and what they rest on",
    render,
};

fn render(run: &Run) -> Result<Vec<u8>, ReportError> {
    Ok(text(&Reading::of(run)?).into_bytes())
}

/// The whole report.
pub(super) fn text(reading: &Reading<'_>) -> String {
    let stacks = reading.run.stacks.as_ref();
    let stacks = stacks.map_or_else(String::new, |known| format!("\n{}", stacks::summary(known)));
    heading(reading)
        + &lay_out(&columns(reading))
        + &received::table(&reading.received)
        + &stacks
        + &details(reading)
}

pub(super) fn heading(reading: &Reading<'_>) -> String {
    let mut text = format!("{}\n", whereabouts(&reading.run.zcprof, &reading.run.kernel));
    if reading.sources.presumes_all() {
        text.push_str("EVERY NUMBER BELOW IS PRESUMED FROM SYSTEM CALLS; no copy was seen.\n");
    }
    text.push_str("On the server, per payload byte:\n\n");
    text
}

/// Which zcprof, and on what.
pub(super) fn whereabouts(zcprof: &str, kernel: &Kernel) -> String {
    let hypervisor = kernel.hypervisor.as_ref().map_or(String::new(), |by| format!(" under {by}"));
    let Kernel { release, machine, cpus, .. } = kernel;
    format!("zcprof {zcprof} on Linux {release} {machine}, {cpus} CPUs{hypervisor}")
}

pub(super) fn columns(reading: &Reading<'_>) -> Vec<Column> {
    let sources = reading.sources;
    let by = |instrument: Option<Instrument>| instrument.map_or("-", Instrument::name);
    let number = |heading: &str, by: &str, cell: &dyn Fn(&Judged<'_>) -> String| {
        let by = if sources.presumes_all() { "presumed" } else { by };
        let heading = heading.split('|').chain([by]).map(str::to_owned).collect();
        Column { heading, cells: reading.passes.iter().map(cell).collect(), left: false }
    };
    let word = |heading: &str, cell: &dyn Fn(&Judged<'_>) -> String| Column {
        heading: vec![heading.to_owned()],
        cells: reading.passes.iter().map(cell).collect(),
        left: true,
    };

    let mut columns = vec![
        word("transfer", &|pass| pass.pass.transfer.clone()),
        word("cache", &|pass| pass.pass.cache.name().to_owned()),
    ];
    for hop in reading.copying_hops().into_iter().filter(|hop| *hop != Hop::SocketToSocket) {
        let heading = hop.name().replace(' ', "|").replace("->", "->|");
        columns.push(number(&heading, by(reading.who_saw_copies_at(hop)), &|pass| {
            let what = Disposition::Copied;
            let entry = pass.entry(Process::Server, hop, what);
            pass.per_byte(Some(entry.map_or(0, |entry| entry.bytes)))
        }));
    }
    columns.push(number("all|copied", by(sources.copied), &|pass| {
        pass.per_byte(pass.copied(sources.copied))
    }));
    if sources.second.is_some() {
        columns.push(number("all|copied", by(sources.second), &|pass| {
            pass.per_byte(pass.copied(sources.second))
        }));
    }
    let moved_by =
        if sources.presumed(Disposition::Moved) { "presumed" } else { by(sources.moved) };
    let some = |of: &dyn Fn(&Judged<'_>) -> Option<u64>| {
        reading.passes.iter().any(|pass| of(pass).is_some_and(|bytes| bytes > 0))
    };
    let heading = if some(&|pass| pass.pinned()) { "moved,|pinned" } else { "moved" };
    columns.push(number(heading, moved_by, &|pass| {
        pass.per_byte(pass.moved().map(|moved| moved.saturating_add(pass.pinned().unwrap_or(0))))
    }));
    if some(&|pass| pass.deferred()) {
        let by = by(sources.moved);
        columns.push(number("copied|later", by, &|pass| pass.per_byte(pass.deferred())));
    }
    columns.extend([
        number("consumer|copied", by(sources.copied), &|pass| pass.per_byte(pass.consumed())),
        number("filled", by(sources.filled), &|pass| pass.per_byte(pass.filled())),
        number("calls|per MiB", by(sources.filled), &|pass| pass.syscalls_per_mib()),
    ]);
    if sources.faults.is_some() {
        let by = by(sources.faults);
        columns.push(number("page|faults|per MiB", by, &|pass| pass.faults_per_mib()));
    }
    columns.extend([
        number("residual", "", &|pass| pass.per_byte(pass.residual())),
        word("claim", &|pass| pass.judgement.claim.name.to_owned()),
        word("verdict", &|pass| pass.judgement.verdict.name().to_owned()),
    ]);
    columns
}
