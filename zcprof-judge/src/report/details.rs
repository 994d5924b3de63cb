//! What stands under the table: findings, reasons, and what the numbers rest on.

use std::fmt::Write as _;

use zcprof_common::vocabulary::{Disposition, Instrument, Process};

use super::numbers::{counted, grouped};
use super::reading::{Judged, Reading};
use super::received;
use super::rounds::Quartiles;
use super::timing;
use crate::ledger::Ledger;
use crate::run::{Control, Pass, Probe, ProbeState, Run};
use crate::storage::Storage;
use crate::verdict::code::of_doubt;
use crate::verdict::{Verdict, watching};

/// Widest line.
const COLUMNS: usize = 118;

/// Every section that has something to say, each after an empty line.
pub(super) fn details(reading: &Reading<'_>) -> String {
    let run = reading.run;
    let mut text = String::new();
    let mut section = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            let _ = write!(text, "\n{title}\n");
            for line in &lines {
                text.push_str(&wrap(line));
            }
        }
    };
    section(
        "Where the copies are (refuted; `zcprof explain CODE` says more)",
        per_pass(reading, findings),
    );
    section(
        "Why there is no verdict (inconclusive; `zcprof explain CODE` says more)",
        per_pass(reading, reasons),
    );
    section(
        "Where what was received was copied, or why there is no verdict (`zcprof explain CODE`)",
        received::whys(&reading.received),
    );
    let void = run.controls.iter().filter_map(|control| {
        let texts = again(&control.pass);
        let who = format!("control {}: ", control.name);
        (!texts.is_empty()).then(|| who + &texts.join("; "))
    });
    let void = void.chain(per_pass(reading, |pass| again(pass.pass)));
    section("Void attempts, made again", void.collect());
    section("Also seen on the server, per payload byte", per_pass(reading, beside));
    let skipped = run.skipped.iter().map(|s| format!("{}: {}", s.transfer, s.reason)).collect();
    section("Not measured (something is lacking that they need)", skipped);
    section(
        "What the kernel itself told the server of pinned sends (no input to a verdict)",
        per_pass(reading, notices),
    );
    section(
        "What stores the log (from the file down), and how it fills the page cache",
        storage(run),
    );
    section("Named bytes, subtracted", per_pass(reading, named));
    section("Control bytes (arguments of calls that move no data)", per_pass(reading, control));
    section("Controls (known truths)", controls(run));
    section("Leaves that were watched one group after the other", per_pass(reading, repetitions));
    section("Probes", Instrument::ALL.iter().filter_map(|i| probes(run, *i)).collect());
    let holes = run.coverage.holes.iter();
    section(
        "What could not be watched",
        holes
            .map(|h| format!("{}: {}. Remedy: {}", h.instrument.name(), h.reason, h.remedy))
            .collect(),
    );
    section("Time (passes without probes; no input to a verdict)", times(run));
    let phases = run.phases.iter().map(|phase| format!("{} {:.1} s", phase.name, phase.seconds));
    let phases: Vec<_> = phases.collect();
    section("Phases", if phases.is_empty() { phases } else { vec![phases.join(", ")] });
    text
}

/// The stack of storage, and what that comes to.
fn storage(run: &Run) -> Vec<String> {
    let layers: Vec<_> = run.workload.storage.iter().map(ToString::to_string).collect();
    let filled = Storage::of(&run.workload.storage).summary();
    if layers.is_empty() { layers } else { vec![format!("{}: {filled}", layers.join(", "))] }
}

/// What each pass has to say; passes that say the same share it.
fn per_pass(reading: &Reading<'_>, say: fn(&Judged<'_>) -> Vec<String>) -> Vec<String> {
    let mut said: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    for group in reading.by_transfer() {
        let mut of_transfer: Vec<(Vec<&str>, Vec<String>)> = Vec::new();
        for pass in group {
            let (cache, texts) = (pass.pass.cache.name(), say(pass));
            match of_transfer.iter_mut().find(|(_, known)| *known == texts) {
                Some((who, _)) => who.extend(["+", cache]),
                None => of_transfer.push((vec![&pass.pass.transfer, " ", cache], texts)),
            }
        }
        for (who, texts) in of_transfer.into_iter().filter(|(_, texts)| !texts.is_empty()) {
            match said.iter_mut().find(|(_, known)| *known == texts) {
                Some((all, _)) => all.push(who.concat()),
                None => said.push((vec![who.concat()], texts)),
            }
        }
    }
    said.iter().map(|(who, texts)| format!("{}: {}", who.join(", "), texts.join("; "))).collect()
}

fn findings(pass: &Judged<'_>) -> Vec<String> {
    if let Verdict::Refuted(_) = pass.judgement.verdict { why(pass) } else { Vec::new() }
}

fn reasons(pass: &Judged<'_>) -> Vec<String> {
    if let Verdict::Inconclusive(_) = pass.judgement.verdict { why(pass) } else { Vec::new() }
}

/// Each finding or reason behind its codes.
fn why(pass: &Judged<'_>) -> Vec<String> {
    pass.judgement.why().iter().map(ToString::to_string).collect()
}

/// What no column shows.
fn beside(pass: &Judged<'_>) -> Vec<String> {
    pass.beside()
        .iter()
        .map(|entry| {
            let bytes = pass.per_byte(Some(entry.bytes));
            format!(
                "{} {} {bytes} ({})",
                entry.hop.name(),
                entry.disposition.name(),
                entry.sites.join(", ")
            )
        })
        .collect()
}

/// The kernel's own word on what became of pinned pages.
fn notices(pass: &Judged<'_>) -> Vec<String> {
    let told = &pass.pass.notices;
    if told.asked == 0 {
        return Vec::new();
    }
    let sends = counted(told.asked, "send", "sends");
    let copied = if told.untold {
        "which of them were copied this kernel does not say".to_owned()
    } else {
        format!("{} of them \"copied\"", grouped(told.copied))
    };
    vec![format!("{sends}, {} completed, {copied}", grouped(told.completed))]
}

/// Attempts that proved nothing, and why.
fn again(pass: &Pass) -> Vec<String> {
    let doubts = pass.void.iter().flatten();
    doubts.map(|doubt| format!("{} {doubt}", of_doubt(doubt).name)).collect()
}

fn named(pass: &Judged<'_>) -> Vec<String> {
    let one = |n: &crate::run::Named| {
        format!(
            "{} {}{} {} B {} ({})",
            n.process.name(),
            n.hop.name(),
            if n.disposition == Disposition::Copied {
                String::new()
            } else {
                format!(" {}", n.disposition.name())
            },
            grouped(n.bytes),
            n.what,
            n.syscall
        )
    };
    pass.pass.named.iter().map(one).collect()
}

fn control(pass: &Judged<'_>) -> Vec<String> {
    let accounts = pass.judgement.ledger.accounts.iter();
    accounts
        .flat_map(|account| &account.control)
        .filter(|control| control.process != Process::Elsewhere && control.bytes > 0)
        .map(|c| format!("{} {} {} B", c.process.name(), c.syscall, grouped(c.bytes)))
        .collect()
}

/// Which leaves each repetition watched, where there was more than one.
fn repetitions(pass: &Judged<'_>) -> Vec<String> {
    let groups = &pass.pass.leaves;
    if groups.len() < 2 {
        return Vec::new();
    }
    (1..).zip(groups).map(|(at, leaves)| format!("{at}: {}", leaves.join(", "))).collect()
}

/// One line for all that showed what is known, and what the others showed.
fn controls(run: &Run) -> Vec<String> {
    let (held, others): (Vec<_>, Vec<_>) =
        run.controls.iter().partition(|control| departures(run, control).is_empty());
    let names: Vec<_> = held.iter().map(|control| control.name.as_str()).collect();
    let eyes = Instrument::ALL.iter().filter(|by| checked(run, **by)).map(|by| by.name());
    let eyes: Vec<_> = eyes.collect();
    let (of, by) = (run.controls.len(), eyes.join(" and "));
    let held = if eyes.is_empty() {
        (of > 0).then(|| "no instrument was there to check".to_owned())
    } else {
        let line = format!("{} of {of} held, as {by} saw: {}", held.len(), names.join(", "));
        (!held.is_empty()).then_some(line)
    };
    let others = others.iter().map(|c| format!("{}: {}", c.name, departures(run, c).join("; ")));
    held.into_iter().chain(others).collect()
}

/// Whether the controls can say anything about an instrument: it was there, and has known truths.
fn checked(run: &Run, instrument: Instrument) -> bool {
    let truths = run.controls.iter().flat_map(|control| &control.truth);
    watching(instrument, &run.coverage).is_ok()
        && truths.into_iter().any(|truth| truth.instrument == instrument)
}

/// Where a control did not show what is known.
fn departures(run: &Run, control: &Control) -> Vec<String> {
    let ledger = Ledger::of(&control.pass);
    let truths = control.truth.iter().filter(|truth| checked(run, truth.instrument));
    let truths = truths.filter_map(|truth| {
        let seen =
            ledger.account(truth.instrument).bytes(Process::Server, truth.hop, truth.disposition);
        let (by, hop, what) = (truth.instrument.name(), truth.hop.name(), truth.disposition.name());
        (seen != truth.bytes).then(|| {
            let (seen, known) = (grouped(seen), grouped(truth.bytes));
            format!("{by} {hop} {what} {seen} B, NOT the known {known} B")
        })
    });
    let unexplained = ledger.accounts.iter().filter(|account| account.unexplained > 0).map(|a| {
        format!("{} leaves {} B unexplained", a.instrument.name(), grouped(a.unexplained))
    });
    let doubts = control.pass.doubts.iter().map(ToString::to_string);
    truths.chain(unexplained).chain(doubts).collect()
}

/// One line per instrument: how many sites by which mechanism, and what became of the others.
fn probes(run: &Run, instrument: Instrument) -> Option<String> {
    let mut kinds: Vec<(String, Vec<&str>)> = Vec::new();
    for probe in run.coverage.probes.iter().filter(|probe| probe.instrument == instrument) {
        let kind = fate(probe);
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, sites)) => sites.push(&probe.site),
            None => kinds.push((kind, vec![&probe.site])),
        }
    }
    let texts: Vec<_> = kinds
        .iter()
        .map(|(kind, sites)| format!("{} {kind} ({})", sites.len(), sites.join(", ")))
        .collect();
    (!texts.is_empty()).then(|| format!("{}: {}", instrument.name(), texts.join("; ")))
}

fn fate(probe: &Probe) -> String {
    match &probe.state {
        ProbeState::Attached { by, missed: Some(missed), .. } if *missed > 0 => {
            format!("by {by}, {} missed", counted(*missed, "run", "runs"))
        }
        ProbeState::Attached { by, .. } => format!("by {by}"),
        ProbeState::NotOnThisKernel => "not on this kernel".to_owned(),
        ProbeState::Absent { reason } => format!("absent, {reason}"),
        ProbeState::Refused { reason } => format!("refused, {reason}"),
        ProbeState::NotNeeded { reason } => format!("not needed, {reason}"),
        ProbeState::Withheld => "withheld on request".to_owned(),
    }
}

fn times(run: &Run) -> Vec<String> {
    let number = |spread: Option<Quartiles>| {
        spread.map_or_else(|| "-".to_owned(), |spread| format!("{:.3}", spread.median))
    };
    let speeds = timing::speeds(run).into_iter().map(|speed| {
        format!(
            "{}: {} GiB/s, CPU s/GiB server {}, consumer {}; on {}",
            speed.transfer,
            number(speed.throughput),
            number(speed.server),
            number(speed.consumer),
            timing::named(speed.kernel)
        )
    });
    let costs = timing::costs(run).into_iter().map(|cost| {
        let (transfer, on) = (cost.transfer, timing::named(cost.kernel));
        let Quartiles { least, median, most, .. } = cost.ratio.quartiles;
        let spread = match cost.ratio.rounds {
            1 => "one round".to_owned(),
            rounds => format!("{least:.2} to {most:.2} in {rounds} rounds"),
        };
        format!("{transfer}: with probes {median:.2} times the CPU time ({spread}); on {on}")
    });
    speeds.chain(costs).collect()
}

/// Wraps at spaces, the first line indented by two, the others by six.
fn wrap(line: &str) -> String {
    let mut text = String::from(" ");
    let mut column = 1;
    for word in line.split(' ') {
        if column + 1 + word.len() > COLUMNS {
            text.push_str("\n     ");
            column = 5;
        }
        text.push(' ');
        text.push_str(word);
        column += 1 + word.len();
    }
    text.push('\n');
    text
}
