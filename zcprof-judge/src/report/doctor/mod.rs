//! Pure: a [`Diagnosis`] in, text out. Its first lines alone say what matters, one instrument to
//! a line.

mod layout;
mod matrix;

use std::fmt::Write as _;

use zcprof_common::vocabulary::Instrument;

use super::ReportError;
use crate::doctor::record::{Diagnosis, Expected, Gap, InstrumentCoverage, SiteHere};
use crate::run::ProbeState;
use layout::{lay_out, wrap};

/// The record itself.
pub fn json(diagnosis: &Diagnosis) -> Result<Vec<u8>, ReportError> {
    let mut bytes = serde_json::to_vec_pretty(diagnosis)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The JSON schema of [`Diagnosis`], as text.
#[must_use]
pub fn schema() -> String {
    format!("{:#}\n", schemars::schema_for!(Diagnosis).to_value())
}

/// What the terminal shows unless it is asked for all: what matters, and where the rest is.
#[must_use]
pub fn short(diagnosis: &Diagnosis) -> String {
    let mut text = summary(diagnosis);
    let blind = diagnosis.instruments.iter().filter(|_| diagnosis.barred.is_none());
    for (watch, code) in blind.filter_map(|watch| Some((watch, watch.code.as_deref()?))) {
        let _ = writeln!(text, "  zcprof explain {code} has more on {}", watch.instrument.name());
    }
    text.push_str("zcprof doctor -v lists hops, holes, sites, settings and capabilities\n");
    text
}

/// All of it.
#[must_use]
pub fn table(diagnosis: &Diagnosis) -> String {
    let parts = [summary, matrix::render, holes, sites, environment, capabilities];
    parts.map(|part| part(diagnosis)).concat()
}

fn summary(diagnosis: &Diagnosis) -> String {
    let kernel = &diagnosis.kernel;
    let outcome = match (&diagnosis.barred, diagnosis.complete) {
        (Some(_), _) => "nothing can be measured here as things are",
        (None, true) => "complete: every copy at the sites can be seen",
        (None, false) => "incomplete: what is measured here is inconclusive",
    };
    let mut text = format!("Linux {} {}: {outcome}\n", kernel.release, kernel.machine);
    if let Some(obstacle) = &diagnosis.barred {
        wrap(&mut text, "  ", "      ", &format!("{}; {}", obstacle.reason, obstacle.remedy));
    }
    for watch in &diagnosis.instruments {
        wrap(&mut text, "  ", "      ", &instrument(watch, diagnosis));
    }
    text
}

fn instrument(watch: &InstrumentCoverage, diagnosis: &Diagnosis) -> String {
    let InstrumentCoverage { instrument, attached, expected, .. } = watch;
    let name = instrument.name();
    let gaps: Vec<_> = numbered(diagnosis).filter(|(_, g)| g.instrument == *instrument).collect();
    if diagnosis.barred.is_some() {
        let listed = diagnosis.sites.iter().filter(|s| s.instrument == *instrument);
        let listed = listed.filter(|site| site.symbol.is_some()).count();
        let mut words = format!("{name:<9} not tried: {expected} sites should be here");
        if *instrument != Instrument::Syscalls {
            let _ = write!(words, ", {listed} of them listed in /proc/kallsyms");
        }
        let barred = diagnosis.barred.as_ref().map(|obstacle| &obstacle.reason);
        if let Some((number, gap)) = gaps.iter().find(|(_, gap)| Some(&gap.reason) != barred) {
            let _ = write!(words, "; even then hole [{number}]: {}", gap.reason);
        }
        return words;
    }
    let count = format!("{name:<9} {attached} of {expected} sites attached");
    match (&watch.code, gaps.first()) {
        (Some(code), Some((number, gap))) => {
            format!("{count} ({code}, hole [{number}]): {}", gap.remedy)
        }
        (Some(code), None) => format!("{count} ({code})"),
        (None, _) => count,
    }
}

/// The holes, as they are numbered in the text.
fn numbered(diagnosis: &Diagnosis) -> impl Iterator<Item = (usize, &Gap)> {
    diagnosis.holes.iter().enumerate().map(|(at, gap)| (at + 1, gap))
}

/// Such as `[1,3]`.
fn references<'a>(holes: impl Iterator<Item = (usize, &'a Gap)>) -> String {
    let numbers: Vec<_> = holes.map(|(number, _)| number.to_string()).collect();
    if numbers.is_empty() { String::new() } else { format!("[{}]", numbers.join(",")) }
}

fn holes(diagnosis: &Diagnosis) -> String {
    let mut text = String::new();
    for (number, gap) in numbered(diagnosis) {
        if number == 1 {
            text.push_str("\nHoles (`zcprof explain` has a page for each code)\n");
        }
        let Gap { instrument, code, sites, reason, remedy } = gap;
        let own = diagnosis.sites.iter().filter(|site| site.instrument == *instrument);
        let own = own.filter(|site| site.expected == Expected::Here).count();
        let names = if sites.len() == own { format!("all {own} sites") } else { sites.join(", ") };
        let what = format!("[{number}] {code} {}: {names}", instrument.name());
        wrap(&mut text, "  ", "      ", &what);
        wrap(&mut text, "      ", "      ", reason);
        wrap(&mut text, "      ", "      ", &format!("remedy: {remedy}"));
    }
    text
}

fn sites(diagnosis: &Diagnosis) -> String {
    let rows: Vec<_> = diagnosis
        .sites
        .iter()
        .map(|site| {
            let became = became(site, diagnosis);
            [site.instrument.name().to_owned(), site.site.clone(), expected(site), became]
        })
        .collect();
    let mut text = "\nSites: whether each should be here, and what became of it\n".to_owned();
    lay_out(&mut text, &rows);
    text
}

fn expected(site: &SiteHere) -> String {
    match &site.expected {
        Expected::Here => "should be here".to_owned(),
        Expected::OtherVersions { since, until: None } => format!("from {since} on"),
        Expected::OtherVersions { since, until: Some(until) } => {
            format!("from {since} to before {until}")
        }
        Expected::ModuleNotLoaded { module } => format!("module {module} is not loaded"),
    }
}

fn became(site: &SiteHere, diagnosis: &Diagnosis) -> String {
    let holes = numbered(diagnosis).filter(|(_, gap)| gap.sites.contains(&site.site));
    let holes = references(holes);
    let holes = if holes.is_empty() { holes } else { format!(" {holes}") };
    // Its name is said only where the kernel has another for it.
    let other = |symbol: &str, word: &str| {
        if symbol == site.site { String::new() } else { format!(" {word} {symbol}") }
    };
    match (&site.state, &site.symbol) {
        (Some(ProbeState::Attached { symbol, by, .. }), _) => {
            format!("{by}{}{holes}", other(symbol, "at"))
        }
        (Some(ProbeState::NotOnThisKernel), _) => "-".to_owned(),
        (Some(ProbeState::Absent { .. }), _) => format!("ABSENT{holes}"),
        (Some(ProbeState::Refused { .. }), _) => format!("REFUSED{holes}"),
        (Some(ProbeState::NotNeeded { reason }), _) => format!("only for {reason}"),
        (Some(ProbeState::Withheld), _) => "withheld".to_owned(),
        (None, Some(symbol)) => format!("not tried; listed{}{holes}", other(symbol, "as")),
        (None, None) => format!("not tried{holes}"),
    }
}

fn environment(diagnosis: &Diagnosis) -> String {
    let mut text = "\nKernel and settings (-: not there, or not to be read)\n".to_owned();
    let rows: Vec<_> = diagnosis
        .facts
        .iter()
        .map(|fact| {
            let value = fact.value.clone().unwrap_or_else(|| "-".to_owned());
            let note = fact.obstacle.as_ref().map_or_else(
                || fact.meaning.clone(),
                |obstacle| format!("{}: {}", obstacle.reason, obstacle.remedy),
            );
            [fact.name.clone(), value, note]
        })
        .collect();
    lay_out(&mut text, &rows);
    text
}

fn capabilities(diagnosis: &Diagnosis) -> String {
    let mut text =
        "\nCapabilities of this process, and what each is for; root has them all\n".to_owned();
    let rows: Vec<_> = diagnosis
        .capabilities
        .iter()
        .map(|row| {
            let held = if row.held { "held" } else { "LACKING" };
            [row.name.clone(), held.to_owned(), row.adds.clone()]
        })
        .collect();
    lay_out(&mut text, &rows);
    text
}
