//! What could be seen of the kernel: what a whole instrument lacks, and what became of each site.

use std::fmt::Write as _;

use zcprof_common::vocabulary::Instrument;

use super::grid;
use crate::report::columns::Column;
use crate::report::numbers::counted;
use crate::report::xml::escaped;
use crate::run::{Coverage, Probe, ProbeState};

/// What each instrument watched and what it lacks, then every site.
pub(super) fn html(coverage: &Coverage) -> String {
    let mut text = String::from("<ul>\n");
    for instrument in Instrument::ALL {
        text.push_str(&watched(*instrument, coverage));
    }
    for hole in &coverage.holes {
        let (what, remedy) = (escaped(&hole.reason), escaped(&hole.remedy));
        let by = hole.instrument.name();
        let _ = writeln!(text, "<li><strong>{by}</strong> could not watch: {what}. {remedy}</li>");
    }
    text.push_str("</ul>\n");
    let column = |heading: &str, cell: &dyn Fn(&Probe) -> String| Column {
        heading: vec![heading.to_owned()],
        cells: coverage.probes.iter().map(cell).collect(),
        left: true,
    };
    let columns = [
        column("site", &|probe| probe.site.clone()),
        column("instrument", &|probe| probe.instrument.name().to_owned()),
        column("became", &|probe| became(&probe.state)),
    ];
    let all = coverage.probes.len();
    text + &format!(
        "<details><summary>What became of each of the {all} sites</summary>\n{}</details>\n",
        grid::html("What became of each site", &columns)
    )
}

/// How many of the sites that an instrument needs on this kernel it watched; nothing if it needs none.
fn watched(instrument: Instrument, coverage: &Coverage) -> String {
    let its = coverage.probes.iter().filter(|probe| probe.instrument == instrument);
    let needed: Vec<_> = its.filter(|probe| is_needed(&probe.state)).collect();
    let (all, by) = (needed.len(), instrument.name());
    let attached = needed.iter().filter(|probe| probe.is_attached()).count();
    match (all, attached) {
        (0, _) => String::new(),
        (1, 1) => {
            format!("<li><strong>{by}</strong> watched the only site that it needs here</li>\n")
        }
        _ if all == attached => {
            format!("<li><strong>{by}</strong> watched all {all} sites that it needs here</li>\n")
        }
        _ => format!(
            "<li><strong>{by}</strong> watched {attached} of {all} sites that it needs here</li>\n"
        ),
    }
}

const fn is_needed(state: &ProbeState) -> bool {
    !matches!(state, ProbeState::NotOnThisKernel | ProbeState::NotNeeded { .. })
}

fn became(state: &ProbeState) -> String {
    match state {
        ProbeState::Attached { symbol, by, missed } => {
            let missed = match missed {
                Some(0) => "no run missed".to_owned(),
                Some(runs) => format!("{} missed", counted(*runs, "run", "runs")),
                None => "missed runs are not counted by this kernel".to_owned(),
            };
            format!("watched at {symbol} by {by}; {missed}")
        }
        ProbeState::NotOnThisKernel => "not on this kernel".to_owned(),
        ProbeState::Absent { reason } => format!("absent: {reason}"),
        ProbeState::Refused { reason } => format!("refused: {reason}"),
        ProbeState::NotNeeded { reason } => format!("not needed: {reason}"),
        ProbeState::Withheld => "withheld".to_owned(),
    }
}
