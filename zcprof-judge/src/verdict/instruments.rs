//! Whether an instrument's numbers count: what it needs is attached, and it saw in its controls what is
//! certainly there.

use zcprof_common::sites::{SITES, Site};
use zcprof_common::vocabulary::{Disposition, Hop, Instrument, Need, Process};

use super::Reason;
use super::leaves;
use crate::ledger::Ledger;
use crate::run::{Control, ControlPath, Coverage, Doubt, Pass, Probe, ProbeState};

/// The instruments whose numbers count, and what speaks against the others, and against the way.
pub(crate) fn usable(
    pass: &Pass,
    coverage: &Coverage,
    controls: &[Control],
) -> (Vec<Instrument>, Vec<Reason>) {
    let (mut usable, mut reasons) = (Vec::new(), Vec::new());
    for instrument in [Instrument::Audit, Instrument::Callers] {
        let failed = watching(instrument, coverage)
            .and_then(|()| leaves::said(instrument, pass))
            .and_then(|()| control(instrument, controls));
        match failed {
            Ok(()) => {
                usable.push(instrument);
                reasons.extend(way(instrument, controls));
            }
            Err(reason) => reasons.push(reason),
        }
    }
    (usable, reasons)
}

/// Whether every site that the instrument needs on this kernel is attached, to judge what is sent.
///
/// # Errors
/// What it lacks.
pub fn watching(instrument: Instrument, coverage: &Coverage) -> Result<(), Reason> {
    let hole = coverage.holes.iter().find(|hole| hole.instrument == instrument);
    if let Some(hole) = hole {
        return Err(Reason::NotWatching(instrument, hole.reason.clone()));
    }
    // A record that an older table made tells nothing of the sites that it did not have. One from before
    // UDP was counted has none of UDP's, and no byte that was sent by UDP either.
    let is_asked = |site: &Site| site.instrument == instrument && site.need != Need::Receives;
    let mut of_it = SITES.iter().filter(|site| is_asked(site));
    let is_in = |site: &Site| coverage.probes.iter().any(|probe| probe.site == site.name);
    let is_udps = |site: &Site| site.need == Need::Datagrams;
    let has_udp = SITES.iter().any(|site| is_udps(site) && is_in(site));
    let has = |site: &&Site| is_in(site) || is_udps(site) && !has_udp;
    if let Some(site) = of_it.find(|site| !has(site)) {
        let reason = format!("{}: the record has no such site; measure anew", site.name);
        return Err(Reason::NotWatching(instrument, reason));
    }
    let mut is_attached = false;
    let receives = |probe: &Probe| {
        Site::find(&probe.site).is_some_and(|(_, site)| site.need == Need::Receives)
    };
    let probes = coverage.probes.iter().filter(|probe| probe.instrument == instrument);
    for probe in probes.filter(|probe| !receives(probe)) {
        let reason = match &probe.state {
            // A zero at a leaf is worth nothing if its program may have been skipped unseen.
            ProbeState::Attached { missed: None, .. } if instrument == Instrument::Audit => {
                "this kernel does not count the runs that it missed"
            }
            ProbeState::Attached { .. } => {
                is_attached = true;
                continue;
            }
            unattached => {
                let Some(reason) = unattached.lack() else { continue };
                reason
            }
        };
        return Err(Reason::NotWatching(instrument, format!("{}: {reason}", probe.site)));
    }
    if !is_attached {
        return Err(Reason::NotWatching(instrument, "no site is attached".to_owned()));
    }
    Ok(())
}

/// Whether the instrument saw what is certainly there, and nothing when nothing moved.
fn control(instrument: Instrument, controls: &[Control]) -> Result<(), Reason> {
    let failed = |why: String| Err(Reason::ControlFailed(instrument, why));
    let mut plain = controls.iter().filter(|control| control.way == ControlPath::Plain);
    let is_run = |c: &Control| c.truth.iter().any(|truth| truth.instrument == instrument);
    if !plain.clone().any(is_run) {
        return failed("it was not run".to_owned());
    }
    match plain.find_map(|control| control_failure(control, instrument)) {
        Some(why) => failed(why),
        None => Ok(()),
    }
}

/// A control that an instrument failed only over the way that is measured.
fn way(instrument: Instrument, controls: &[Control]) -> Option<Reason> {
    let mut measured = controls.iter().filter(|control| control.way == ControlPath::Measured);
    let why = measured.find_map(|control| control_failure(control, instrument))?;
    Some(Reason::WayDiffers(instrument, why))
}

/// In which way an instrument failed a control; `None` if it passed.
#[must_use]
pub fn control_failure(control: &Control, instrument: Instrument) -> Option<String> {
    let name = &control.name;
    let ledger = Ledger::of(&control.pass);
    let account = ledger.account(instrument);
    if account.unexplained > 0 {
        return Some(format!("{name}: {} bytes without an explanation", account.unexplained));
    }
    for truth in control.truth.iter().filter(|truth| truth.instrument == instrument) {
        let seen = account.bytes(Process::Server, truth.hop, truth.disposition);
        if seen != truth.bytes {
            let (hop, what) = (truth.hop.name(), truth.disposition.name());
            return Some(format!("{name}: {hop} {what} {seen} bytes, known {}", truth.bytes));
        }
    }
    // A run that a probe missed was somebody else's where all that is known was seen. What the window's
    // own missed runs hide is judged with the window.
    let tells = |doubt: &&Doubt| {
        concerns(doubt, instrument)
            && !(instrument == Instrument::Callers && matches!(doubt, Doubt::Missed { .. }))
    };
    let doubt = control.pass.doubts.iter().find(tells);
    doubt.map(|doubt| format!("{name}: {doubt}"))
}

/// Whether a doubt touches what an instrument saw.
fn concerns(doubt: &Doubt, instrument: Instrument) -> bool {
    match doubt {
        Doubt::Missed { site, .. } | Doubt::ProbeGone { site } | Doubt::ProbeOff { site } => {
            Site::find(site).is_none_or(|(_, site)| site.instrument == instrument)
        }
        Doubt::UnwatchedCpu { .. } | Doubt::UnreachedCpu { .. } => instrument == Instrument::Audit,
        Doubt::ModuleLoaded { .. } => instrument == Instrument::Callers,
        Doubt::Lost { .. }
        | Doubt::CacheState { .. }
        | Doubt::Unlike { .. }
        | Doubt::Unfollowed { .. } => true,
    }
}

/// The fewest and the most of the server's bytes that an instrument saw copied at this hop, of the two that
/// look into the kernel and would see it.
pub(crate) fn copied(ledger: &Ledger, hop: Hop) -> (u64, u64) {
    let all = [Instrument::Audit, Instrument::Callers].into_iter();
    let seen = all.filter(|instrument| sees_copies(*instrument, hop)).map(|instrument| {
        ledger.account(instrument).bytes(Process::Server, hop, Disposition::Copied)
    });
    (seen.clone().min().unwrap_or(0), seen.max().unwrap_or(0))
}

/// Whether the instrument has a site that would see a copy at this hop.
#[must_use]
pub fn sees_copies(instrument: Instrument, hop: Hop) -> bool {
    SITES
        .iter()
        .filter(|site| site.instrument == instrument)
        .flat_map(|site| site.cases)
        .flat_map(|case| case.terms)
        .any(|term| term.hop == hop && term.disposition == Disposition::Copied)
}
