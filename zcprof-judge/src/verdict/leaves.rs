//! Pure: leaves that no repetition of a pass had watched. What they copied is not known.

use zcprof_common::sites::{SITES, Site};
use zcprof_common::vocabulary::{Disposition, Family, Hop, Instrument, Need, Process};

use super::tolerance::beyond_tolerance;
use super::{Reason, below};
use crate::claim::Claim;
use crate::ledger::Ledger;
use crate::run::{Coverage, Pass, ProbeState};

/// A hop at which the audit may have missed what a leaf copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Blind {
    hop: Hop,
    leaf: &'static str,
    /// What reaches the leaf.
    need: Need,
}

/// Whether the audit is blind at a hop.
pub(super) fn at(blind: &[Blind], hop: Hop) -> bool {
    blind.iter().any(|blind| blind.hop == hop)
}

/// Whether the pass says which leaves were watched in it.
///
/// # Errors
/// It does not, so that the audit's silence in it means nothing.
pub(crate) fn said(instrument: Instrument, pass: &Pass) -> Result<(), Reason> {
    if instrument == Instrument::Audit && pass.leaves.iter().all(Vec::is_empty) {
        let why = "the pass does not say which leaves were watched in it";
        return Err(Reason::NotWatching(instrument, why.to_owned()));
    }
    Ok(())
}

/// Where the audit is blind in a pass.
pub(super) fn unwatched(pass: &Pass, coverage: &Coverage) -> Vec<Blind> {
    let mut blind = Vec::new();
    for site in SITES.iter().filter(|site| site.instrument == Instrument::Audit) {
        let watched = pass.leaves.iter().flatten().any(|leaf| leaf == site.name);
        if watched || !can_be_reached(site, pass, coverage) {
            continue;
        }
        for term in site.cases.iter().flat_map(|case| case.terms) {
            let found = Blind { hop: term.hop, leaf: site.name, need: site.need };
            if term.disposition == Disposition::Copied && !blind.contains(&found) {
                blind.push(found);
            }
        }
    }
    blind
}

/// The hops at which the audit is blind in a pass.
pub(crate) fn blind_hops(pass: &Pass, coverage: &Coverage) -> Vec<Hop> {
    unwatched(pass, coverage).into_iter().map(|blind| blind.hop).collect()
}

/// Whether a leaf that was not watched may have been reached.
fn can_be_reached(site: &Site, pass: &Pass, coverage: &Coverage) -> bool {
    let probe = coverage.probe(site.name);
    match (site.need, probe.map(|probe| &probe.state)) {
        (_, Some(ProbeState::NotOnThisKernel)) => false,
        (Need::Datagrams, _) if !sends_by_udp(pass) => false,
        // A record that does not know UDP's leaves cannot have what was sent by it, and who says that he
        // writes nothing may write all the same.
        (Need::Datagrams, None) | (Need::Writes, _) | (_, Some(ProbeState::Attached { .. })) => {
            true
        }
        // Not needed; or refused, absent or withheld, which `watching` says.
        _ => false,
    }
}

/// Whether anybody who is watched sent by UDP.
pub(crate) fn sends_by_udp(pass: &Pass) -> bool {
    below::sent_by(pass, &[Family::Udp], |_| true) > 0
}

/// Leaves without which nothing can be said: everything reaches them, the claim has copies at their
/// hops, or the callers saw some there.
pub(super) fn missing(blind: &[Blind], claim: &Claim, ledger: &Ledger) -> Vec<Reason> {
    let callers = ledger.account(Instrument::Callers);
    let wanted = |blind: &&Blind| {
        let seen = callers.bytes(Process::Server, blind.hop, Disposition::Copied);
        blind.need == Need::Always
            || claim.copied.iter().any(|(hop, _)| *hop == blind.hop)
            || beyond_tolerance(seen, ledger.payload)
    };
    let reason = |blind: &Blind| Reason::Unwatched(blind.hop, blind.leaf.to_owned());
    blind.iter().filter(wanted).map(reason).collect()
}

/// Leaves that a watched program may have reached unseen. What it writes into files the callers and the
/// results of its system calls tell.
pub(crate) fn unseen(pass: &Pass, coverage: &Coverage) -> Vec<Reason> {
    let blind = unwatched(pass, coverage);
    let reachable = blind.iter().filter(|blind| blind.need != Need::Writes);
    reachable.map(|blind| Reason::Unwatched(blind.hop, blind.leaf.to_owned())).collect()
}
