//! A watched window as a table for the terminal: the verdict of each claim first, then the numbers of
//! all that was sent, of each program and of each port.

use std::fmt::Write as _;

use zcprof_common::vocabulary::{Disposition, Family, Hop, Instrument};

use super::advice;
use super::columns::{Column, lay_out};
use super::numbers::{counted, size};
use super::objects;
use super::stacks;
use super::table::whereabouts;
use super::terminal::Terminal;
use super::watch_closing;
use super::watch_line::WatchLine;
use super::watched;
use super::watched_path;
use super::{ReportError, html};
use crate::verdict::code::why;
use crate::verdict::{control_failure, per_byte, watching};
use crate::watch::judge::{ClaimJudgement, judge};
use crate::watch::record::{Direction, MapMemory, Watch};
use crate::watch::series;

use Disposition::Filled;

/// Files of a watched window, in the order in which they are written.
///
/// # Errors
/// A claim that this version does not know, or a record that cannot be written as JSON.
pub fn render_all(watch: &Watch) -> Result<Vec<(&'static str, Vec<u8>)>, ReportError> {
    let mut files = vec![
        ("watch.json", json(watch)?),
        ("table.txt", full_table(watch)?.into_bytes()),
        (watched::FILE, watched::render(watch)?),
        (watched_path::FILE, watched_path::render(watch)?),
    ];
    if let Some(known) = &watch.stacks {
        files.extend(stacks::render_all(known, &watched::about(watch))?);
    }
    files.push((
        html::FILE,
        html::watch(watch, columns(&WatchLine::all(watch), watch.direction), &files)?,
    ));
    Ok(files)
}

/// The record as it is written.
///
/// # Errors
/// It cannot be written as JSON.
pub fn json(watch: &Watch) -> Result<Vec<u8>, ReportError> {
    let mut text = serde_json::to_vec_pretty(watch)?;
    text.push(b'\n');
    Ok(text)
}

/// The JSON schema of [`Watch`], as text.
#[must_use]
pub fn schema() -> String {
    format!("{:#}\n", schemars::schema_for!(Watch).to_value())
}

/// The table.
///
/// # Errors
/// A claim that this version does not know.
pub fn table(watch: &Watch) -> Result<String, ReportError> {
    let judgements = judge(watch).map_err(ReportError::Claim)?;
    let mut text = heading(watch);
    for judgement in &judgements {
        text.push_str(&verdict(watch, judgement));
    }
    if judgements.is_empty() {
        text.push_str("Nothing is claimed (--claim zero-copy).\n");
    }
    text.push_str(&stretches(watch));
    text.push_str(&waited(watch));
    text.push_str(&objects::strangers(watch));
    text.push('\n');
    text.push_str(&numbers(watch));
    if let Some(known) = &watch.stacks {
        text.push('\n');
        text.push_str(&stacks::summary(known));
    }
    text.push_str(&notes(watch));
    Ok(text)
}

/// The table with what system calls moved by file, by peer and by size below it.
///
/// # Errors
/// A claim that this version does not know.
pub fn full_table(watch: &Watch) -> Result<String, ReportError> {
    Ok(table(watch)? + &objects::tables(watch))
}

/// What stands below the table when a window is over; `code` is the exit code of a watch where nothing is
/// claimed.
///
/// # Errors
/// A claim that this version does not know.
pub fn last_lines(
    watch: &Watch,
    code: Option<u8>,
    terminal: &Terminal<'_>,
) -> Result<String, ReportError> {
    watch_closing::lines(watch, code, terminal)
}

fn heading(watch: &Watch) -> String {
    let mut text = format!(
        "{}: watched {} for {:.1} s\n",
        whereabouts(&watch.zcprof, &watch.kernel),
        watch.targets.join(" and "),
        watch.seconds
    );
    if let Some(command) = &watch.command {
        let ended = match command.status {
            _ if command.ended_by_us => "was ended with the window".to_owned(),
            Some(status) => format!("ended with {status}"),
            None => "did not end".to_owned(),
        };
        let _ = writeln!(text, "The command {ended}: {}", command.line.join(" "));
    }
    text
}

fn verdict(watch: &Watch, judgement: &ClaimJudgement) -> String {
    let traffic = &judgement.traffic;
    let (copies, done) = (interval(judgement), traffic.direction.done());
    let mut text = format!(
        "{} of {}: {} ({copies} copied per {done} byte, {} {done})\n",
        judgement.promise,
        judgement.of,
        judgement.said(),
        size(traffic.sent())
    );
    if let Some(beyond) = judgement.beyond() {
        let _ = writeln!(text, "  {beyond}");
    }
    // What to change comes before the evidence.
    text.push_str(&advice::text(watch, judgement));
    for why in why(&judgement.verdict, &traffic.ledger) {
        let codes: Vec<_> = why.codes.iter().map(|code| code.name).collect();
        let _ = writeln!(text, "  {} {}", codes.join(" "), why.text);
    }
    if judgement.framing > 0 {
        let _ = writeln!(
            text,
            "  framing tolerated: {} per byte in {}, the largest of {}",
            per_byte(judgement.framing, traffic.sent()),
            counted(traffic.calls, "call", "calls"),
            size(traffic.largest)
        );
    }
    text
}

/// The worst stretch of the window, and in how many the claims failed.
fn stretches(watch: &Watch) -> String {
    let Some(worst) = series::worst(&watch.series).filter(|_| watch.series.len() > 1) else {
        return String::new();
    };
    let mut text = format!(
        "Worst stretch: {:.1} to {:.1} s, up to {:.3} copied per byte of {}",
        worst.from,
        worst.to,
        worst.copies.most,
        size(worst.sent)
    );
    let sent = watch.series.iter().filter(|stretch| stretch.sent > 0).count();
    let failed = watch.series.iter().filter(|stretch| stretch.held == Some(false)).count();
    if failed > 0 {
        let _ = write!(text, "; a claim failed in {failed} of {sent} stretches that sent");
    }
    text + "\n"
}

/// What waited in sockets when the window ended.
fn waited(watch: &Watch) -> String {
    let Some(queued) = watch.queued.as_ref().filter(|queued| !queued.sockets.is_empty()) else {
        return String::new();
    };
    let (all, left) = queued.bytes();
    let (all, left, seconds) = (size(all), size(left), queued.seconds);
    format!(
        "When the window ended, {all} waited in sockets; {left} of them still did {seconds:.1} s later\n"
    )
}

fn interval(judgement: &ClaimJudgement) -> String {
    let copies = judgement.copies();
    let (least, most) = (format!("{:.3}", copies.least), format!("{:.3}", copies.most));
    if least == most { most } else { format!("{least} to {most}") }
}

fn numbers(watch: &Watch) -> String {
    let lines = WatchLine::all(watch);
    if lines.iter().all(|line| line.traffic.sent() == 0) {
        return nothing(watch.direction).to_owned();
    }
    let done = watch.direction.done();
    let bound = match watch.direction {
        Direction::Tx => "; of what was read at most what was sent from memory",
        Direction::Rx => "",
        Direction::File => "; of what was read at most what was written from memory",
    };
    let columns = lay_out(&columns(&lines, watch.direction));
    format!("Per {done} byte, as the callers saw it{bound}:\n\n{columns}")
}

/// The numbers of each line.
fn columns(lines: &[WatchLine], direction: Direction) -> Vec<Column> {
    let mut columns = vec![
        column("", true, lines, |line| line.of.to_string()),
        column(direction.done(), false, lines, |line| size(line.traffic.sent())),
    ];
    for hop in Hop::ALL.iter().copied() {
        let most = |line: &WatchLine| line.bytes(hop, Disposition::Copied);
        if lines.iter().any(|line| most(line) > 0) {
            let heading = format!("{}|copied", hop.name().replace(' ', "|").replace("->", "->|"));
            columns.push(column(&heading, false, lines, |line| {
                per_byte(most(line), line.traffic.sent())
            }));
        }
    }
    let shown = [
        ("moved", Hop::PageCacheToSocket, Disposition::Moved),
        ("pinned", Hop::UserToSocket, Disposition::Pinned),
        ("copied|later", Hop::SocketToSocket, Disposition::Deferred),
        ("encrypted", Hop::PageCacheToSocket, Disposition::Transformed),
        ("bounced", Hop::PageCacheToPipe, Disposition::Bounced),
        ("filled|by storage", Hop::StorageToPageCache, Filled),
    ];
    for (heading, hop, disposition) in shown {
        let is_sent = direction == Direction::Tx;
        if is_sent && lines.iter().any(|line| line.bytes(hop, disposition) > 0) {
            let is_known = |line: &WatchLine| disposition != Filled || line.tells(hop, Filled);
            columns.push(column(heading, false, lines, |line| {
                let number = per_byte(line.bytes(hop, disposition), line.traffic.sent());
                if is_known(line) { number } else { "-".to_owned() }
            }));
        }
    }
    if direction == Direction::Tx {
        columns.push(column("by", true, lines, |line| families(&line.traffic.families)));
    }
    columns
}

const fn nothing(direction: Direction) -> &'static str {
    match direction {
        Direction::Tx => "Nothing was sent over a socket that zcprof knows.\n",
        Direction::Rx => "Nothing was received from a socket that zcprof knows.\n",
        Direction::File => "Nothing was written into a file through the page cache.\n",
    }
}

fn families(families: &[(Family, u64)]) -> String {
    families.iter().map(|(family, _)| family.name()).collect::<Vec<_>>().join(", ")
}

fn column(
    heading: &str,
    left: bool,
    lines: &[WatchLine],
    cell: impl Fn(&WatchLine) -> String,
) -> Column {
    let heading = heading.split('|').map(str::to_owned).collect();
    Column { heading, cells: lines.iter().map(cell).collect(), left }
}

/// Who else was there, and what every number rests on.
fn notes(watch: &Watch) -> String {
    let mut text = String::from("\n");
    let instruments = [Instrument::Audit, Instrument::Callers].into_iter();
    // One that was withheld, or could not look, saw nothing in the controls either.
    let looked = instruments.filter(|one| watching(*one, &watch.coverage).is_ok());
    let failed = watch.controls.iter().flat_map(|control| {
        let failure = |one| Some((one, control_failure(control, one)?));
        looked.clone().filter_map(failure)
    });
    let failed: Vec<_> = failed.collect();
    let looked: Vec<_> = looked.map(Instrument::name).collect();
    if failed.is_empty() && !looked.is_empty() {
        let known = counted(watch.controls.len() as u64, "known truth", "known truths");
        let by = looked.join(" and ");
        let _ = writeln!(text, "Controls: {known} seen as known by {by}.");
    }
    for (instrument, failure) in failed {
        let _ = writeln!(text, "Control of {} failed: {failure}", instrument.name());
    }
    if let Some(maps) = &watch.maps {
        text.push_str(&taken(maps));
    }
    if watch.kernel.hypervisor.is_some() {
        text.push_str("In a virtual machine: what its host copies is not seen from here.\n");
    }
    text
}

/// What the maps of the probes took.
fn taken(maps: &MapMemory) -> String {
    let MapMemory { bytes, per_cpu, cpus } = maps;
    let (all, each) = (size(*bytes), size(*per_cpu));
    format!(
        "Memory in the kernel for the probes' maps: {all}, of it {each} per CPU (CPUs: {cpus}).\n"
    )
}
