//! What can be seen of the running kernel, by reading what anybody may read and, where that is
//! allowed, by trying.

mod config;
mod facts;
mod gaps;
mod matrix;
mod remedy;

pub use zcprof_judge::doctor::record;

use anyhow::Result;
use zcprof_common::sites::{SITES, Site, Version};
use zcprof_common::vocabulary::{Instrument, Need};

use crate::privilege::CAPABILITIES;
use crate::probe::{self, Options, Probes, Surveyed, kernel, symbols};
use crate::run::{Coverage, Probe, ProbeState};
use crate::verdict;
use record::{Diagnosis, Expected, InstrumentCoverage, Obstacle, Privilege, SCHEMA, SiteHere};
use remedy::KnownFacts;

/// Attaches every probe and detaches it again. Without the privileges for that, says what is
/// known all the same.
///
/// # Errors
/// `uname` or /sys cannot be read.
pub fn diagnose() -> Result<Diagnosis> {
    let kernel = kernel::running()?;
    let version = kernel::version()?;
    let functions = symbols::functions(&probe::wanted());
    let (facts, capabilities) = (facts::read_all(&kernel.release), own_capabilities());
    let known = KnownFacts { facts: &facts, capabilities: &capabilities };
    let (coverage, barred) = match attach(known) {
        Ok(coverage) => (Some(coverage), None),
        Err(obstacle) => (None, Some(obstacle)),
    };
    let sites = match functions {
        Ok(functions) => here(version, &probe::survey(version, &functions), coverage.as_ref()),
        // Names that cannot be read are no names that are not there.
        Err(_) => here(version, &[], coverage.as_ref()),
    };
    let holes = coverage.as_ref().map_or(&[][..], |coverage| &coverage.holes);
    let holes = gaps::gaps(&sites, holes, known, barred.as_ref());
    let coverage = coverage.unwrap_or_default();
    let instruments: Vec<_> =
        Instrument::ALL.iter().map(|i| watch(*i, &sites, &coverage)).collect();
    let judging = [Instrument::Audit, Instrument::Callers];
    Ok(Diagnosis {
        schema: SCHEMA,
        zcprof: env!("CARGO_PKG_VERSION").to_owned(),
        kernel,
        complete: instruments.iter().all(|w| w.complete || !judging.contains(&w.instrument)),
        barred,
        instruments,
        cells: matrix::cells(&sites),
        sites,
        holes,
        facts,
        capabilities,
    })
}

/// What this process may do of what zcprof needs.
fn own_capabilities() -> Vec<Privilege> {
    CAPABILITIES
        .iter()
        .map(|row| Privilege {
            name: row.capability.to_string(),
            held: row.is_held(),
            instruments: row.instruments.to_vec(),
            adds: row.adds.to_owned(),
        })
        .collect()
}

/// What was attached, for a moment; or why nothing could be.
fn attach(known: KnownFacts<'_>) -> Result<Coverage, Obstacle> {
    if let Some((reason, remedy)) = kernel::barred() {
        return Err(Obstacle { reason, remedy });
    }
    // What needs a device or a file system of its own is watched where a measurement has these.
    let unneeded =
        Need::ALL.iter().filter(|need| ![Need::Always, Need::Writes, Need::Process].contains(need));
    let options = Options {
        targets: vec![std::process::id()],
        unneeded: unneeded.map(|need| (*need, need.name().to_owned())).collect(),
        ..Options::default()
    };
    match Probes::attach(&options) {
        Ok(mut probes) => Ok(probes.coverage()),
        Err(error) => Err(Obstacle {
            reason: format!("{error:#}"),
            remedy: known.lacking(None).unwrap_or_else(|| {
                "measure in a guest with a kernel that can be watched: cargo xtask run".to_owned()
            }),
        }),
    }
}

/// Every row of the table: whether it should exist, what the kernel calls it, what became of it.
fn here(version: Version, survey: &[Surveyed], coverage: Option<&Coverage>) -> Vec<SiteHere> {
    SITES
        .iter()
        .enumerate()
        .map(|(at, site)| {
            let surveyed = survey.get(at);
            let known = surveyed.and_then(|surveyed| surveyed.state.clone());
            let symbol = surveyed.and_then(|surveyed| surveyed.symbol.clone());
            let state = match coverage.and_then(|coverage| coverage.probes.get(at)) {
                // Where addresses are hidden nobody looked for it; its name may be there.
                Some(Probe {
                    state: ProbeState::Absent { .. } | ProbeState::NotOnThisKernel,
                    ..
                })
                | None => known.clone(),
                Some(probe) => Some(probe.state.clone()),
            };
            SiteHere {
                site: site.name.to_owned(),
                instrument: site.instrument,
                source: site.source.to_owned(),
                expected: expected(site, version, known.as_ref()),
                symbol: symbol.filter(|_| site.holds_on(version)),
                state,
            }
        })
        .collect()
}

fn expected(site: &Site, version: Version, known: Option<&ProbeState>) -> Expected {
    let text = |(major, minor): Version| format!("{major}.{minor}");
    match (known, site.module) {
        _ if !site.holds_on(version) => {
            Expected::OtherVersions { since: text(site.since), until: site.until.map(text) }
        }
        (Some(ProbeState::NotOnThisKernel), Some(module)) => {
            Expected::ModuleNotLoaded { module: module.to_owned() }
        }
        _ => Expected::Here,
    }
}

fn watch(instrument: Instrument, sites: &[SiteHere], coverage: &Coverage) -> InstrumentCoverage {
    let of_it = || sites.iter().filter(|site| site.instrument == instrument);
    let wanted = |site: &&SiteHere| {
        let unneeded = matches!(site.state, Some(ProbeState::NotNeeded { .. }));
        site.expected == Expected::Here && !unneeded
    };
    let count = |sites: usize| u32::try_from(sites).unwrap_or(u32::MAX);
    let complete = verdict::watching(instrument, coverage).is_ok();
    InstrumentCoverage {
        instrument,
        complete,
        attached: count(of_it().filter(|site| matrix::attached(site)).count()),
        expected: count(of_it().filter(wanted).count()),
        code: (!complete).then(|| gaps::blind(instrument).to_owned()),
    }
}
