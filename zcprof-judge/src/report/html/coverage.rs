//! What could be seen of the kernel: what a whole instrument lacks, and what became of each site.

use std::fmt::Write as _;

use super::grid;
use crate::report::columns::Column;
use crate::report::xml::escaped;
use crate::run::{Coverage, Probe, ProbeState};

/// Holes first, then the sites.
pub(super) fn html(coverage: &Coverage) -> String {
    let mut text = String::new();
    if coverage.holes.is_empty() {
        text.push_str("<p>No instrument lacks anything as a whole.</p>\n");
    } else {
        text.push_str("<ul>\n");
        for hole in &coverage.holes {
            let (what, remedy) = (escaped(&hole.reason), escaped(&hole.remedy));
            let by = hole.instrument.name();
            let _ = writeln!(text, "<li><strong>{by}</strong>: {what}. {remedy}</li>");
        }
        text.push_str("</ul>\n");
    }
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
    let attached = coverage.probes.iter().filter(|probe| probe.is_attached()).count();
    let all = coverage.probes.len();
    text + &format!(
        "<details><summary>{attached} of {all} sites watched</summary>\n{}</details>\n",
        grid::html("What became of each site", &columns)
    )
}

fn became(state: &ProbeState) -> String {
    match state {
        ProbeState::Attached { symbol, by, missed } => {
            let missed = match missed {
                Some(0) => "no run missed".to_owned(),
                Some(runs) => format!("{runs} runs missed"),
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
