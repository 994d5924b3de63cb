//! Pure: what happens to bytes below the sockets, where no site copies them: the devices that they
//! leave by, and what encrypts them.

use zcprof_common::sites::{Bytes, SITES, Site};
use zcprof_common::vocabulary::{Disposition, Family, Hop, Instrument, Process};

use super::tolerance::beyond_tolerance;
use super::{Finding, Reason};
use crate::claim::Claim;
use crate::devices::{self, DeviceKind, Effect};
use crate::ledger::{Ledger, sum};
use crate::run::{Coverage, DeviceExit, Pass, Probe};

/// What the devices of a pass have against a claim.
pub(crate) fn judge(claim: &Claim, pass: &Pass, ledger: &Ledger) -> (Vec<Finding>, Vec<Reason>) {
    let (mut findings, mut reasons) = (Vec::new(), Vec::new());
    let place = (Instrument::Callers, Hop::SocketToWire, Disposition::Transformed);
    let by_policy = ledger.account(place.0).bytes(Process::Server, place.1, place.2);
    if beyond_tolerance(by_policy, ledger.payload) {
        findings.push(Finding::of(ledger, place, by_policy, 0));
    }
    let ours = || pass.exits.iter().filter(|exit| exit.process == Process::Server);
    for exit in ours().filter(|exit| beyond_tolerance(exit.bytes, ledger.payload)) {
        match devices::find(&exit.kind) {
            Some(DeviceKind { effect: Effect::Encrypts, source, .. }) => findings.push(Finding {
                at: format!("{}, {source}", name(exit)),
                // With headers, which are no payload.
                ..Finding::of(ledger, place, exit.bytes.min(ledger.payload), 0)
            }),
            // Only for those who promise that nothing is copied.
            None if claim.moved.is_some() => reasons.push(Reason::UnknownDevice(name(exit))),
            _ => {}
        }
    }
    (findings, reasons)
}

/// What was sent over TCP or UDP and no device was seen to get, if that is more than nothing: each byte that
/// leaves a socket reaches at least one.
pub(crate) fn unbalanced(pass: &Pass) -> Option<Reason> {
    let sent = sent_by_ip(pass);
    let ours = pass.exits.iter().filter(|exit| exit.process == Process::Server);
    let reached = sum(ours.map(|exit| exit.bytes));
    beyond_tolerance(sent.saturating_sub(reached), sent)
        .then_some(Reason::ReachedNoDevice(sent, reached))
}

/// What was sent over TCP or UDP, where nobody watched which devices got it.
pub(crate) fn unwatched(pass: &Pass, coverage: &Coverage) -> Option<Reason> {
    let site = SITES.iter().find(|site| matches!(site.bytes, Bytes::Exits(_)))?;
    let probe = coverage.probe(site.name);
    let is_watched = probe.is_some_and(Probe::is_attached);
    let sent = sent_by_ip(pass);
    (!is_watched && sent > 0).then_some(Reason::ReachedNoDevice(sent, 0))
}

fn sent_by_ip(pass: &Pass) -> u64 {
    let by_ip = |site: &str| {
        let family = Site::find(site).and_then(|(_, site)| site.sent);
        matches!(family, Some(Family::Tcp | Family::Udp))
    };
    let counts = pass.counts.iter().filter(|count| count.process == Process::Server);
    sum(counts.filter(|count| by_ip(&count.site)).map(|count| count.bytes))
}

fn name(exit: &DeviceExit) -> String {
    if exit.kind.is_empty() { exit.name.clone() } else { format!("{} ({})", exit.name, exit.kind) }
}
