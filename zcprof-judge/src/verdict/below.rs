//! Pure: what happens to bytes below the sockets, where no site copies them: the devices that they
//! leave by, and what encrypts them.

use zcprof_common::sites::{Bytes, SITES, Site};
use zcprof_common::vocabulary::{Disposition, Family, Hop, Instrument, Process};

use super::tolerance::beyond_tolerance;
use super::{Finding, Reason};
use crate::claim::Claim;
use crate::devices::{self, DeviceKind, Effect};
use crate::ledger::{Ledger, sum};
use crate::run::{Count, Coverage, DeviceExit, Pass, Probe};

/// What devices of the network send.
const IP: &[Family] = &[Family::Tcp, Family::Udp];

/// What the devices of a pass have against a claim.
pub(crate) fn judge(claim: &Claim, pass: &Pass, ledger: &Ledger) -> (Vec<Finding>, Vec<Reason>) {
    let (findings, mut reasons) = encrypted(pass, ledger);
    // Only for those who promise that nothing is copied.
    if claim.moved.is_some() {
        reasons.extend(unknown(pass, ledger));
    }
    (findings, reasons)
}

/// What was encrypted below the sockets, which no claim promises.
fn encrypted(pass: &Pass, ledger: &Ledger) -> (Vec<Finding>, Vec<Reason>) {
    let (mut findings, mut reasons) = (Vec::new(), Vec::new());
    let place = (Instrument::Callers, Hop::SocketToWire, Disposition::Transformed);
    let by_policy = ledger.account(place.0).bytes(Process::Server, place.1, place.2);
    if beyond_tolerance(by_policy, ledger.payload) {
        findings.push(Finding::of(ledger, place, by_policy, 0));
    }
    let large = |process| large_exits(&pass.exits, ledger, process);
    for (exit, source) in large(Process::Server).filter_map(encrypts) {
        findings.push(Finding {
            at: format!("{}, {source}", name(exit)),
            // With headers, which are no payload.
            ..Finding::of(ledger, place, exit.bytes.min(ledger.payload), 0)
        });
    }
    if sends_datagrams(pass) {
        let entry = ledger.account(place.0).entry(Process::Unknown, place.1, place.2);
        if let Some(entry) = entry.filter(|it| beyond_tolerance(it.bytes, ledger.payload)) {
            reasons.push(Reason::Unattributed(entry.bytes, entry.sites.join(", ")));
        }
        let unknown = large(Process::Unknown).filter_map(encrypts);
        reasons.extend(unknown.map(|(exit, _)| Reason::Unattributed(exit.bytes, name(exit))));
    }
    (findings, reasons)
}

/// Devices of which nobody knows what they do to packets.
pub(crate) fn unknown(pass: &Pass, ledger: &Ledger) -> Vec<Reason> {
    let of = |process| unknown_among(&pass.exits, ledger, process);
    let mut reasons = of(Process::Server);
    if sends_datagrams(pass) {
        reasons.extend(of(Process::Unknown));
    }
    reasons
}

/// The same of some devices.
pub(crate) fn unknown_among(
    exits: &[DeviceExit],
    ledger: &Ledger,
    process: Process,
) -> Vec<Reason> {
    let exits = large_exits(exits, ledger, process);
    let unknown = exits.filter(|exit| devices::find(&exit.kind).is_none());
    unknown.map(|exit| Reason::UnknownDevice(name(exit))).collect()
}

/// The device and the kernel's file, if the device encrypts.
pub(crate) fn encrypts(exit: &DeviceExit) -> Option<(&DeviceExit, &'static str)> {
    match devices::find(&exit.kind)? {
        DeviceKind { effect: Effect::Encrypts, source, .. } => Some((exit, source)),
        _ => None,
    }
}

/// The device, if a process reads what leaves by it.
pub(crate) fn hands_over(exit: &DeviceExit) -> Option<&DeviceExit> {
    let kind = devices::find(&exit.kind)?;
    (kind.effect == Effect::HandsOver).then_some(exit)
}

/// Whether the judged program sends by UDP, so that a datagram of an unknown sender may be its own.
pub(crate) fn sends_datagrams(pass: &Pass) -> bool {
    sent_by(pass, &[Family::Udp], is_server) > 0
}

/// Devices that got more of a process's packets than nothing.
pub(crate) fn large_exits<'a>(
    exits: &'a [DeviceExit],
    ledger: &Ledger,
    process: Process,
) -> impl Iterator<Item = &'a DeviceExit> {
    let payload = ledger.payload;
    let of_it = exits.iter().filter(move |exit| exit.process == process);
    of_it.filter(move |exit| beyond_tolerance(exit.bytes, payload))
}

/// What was sent over TCP or UDP and no device was seen to get, if that is more than nothing: each byte that
/// leaves a socket reaches at least one.
pub(crate) fn unbalanced(pass: &Pass) -> Option<Reason> {
    let sent = sent_by_network(pass);
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
    let sent = sent_by_network(pass);
    (!is_watched && sent > 0).then_some(Reason::ReachedNoDevice(sent, 0))
}

/// Whether devices get what is sent by sockets of a family.
pub(crate) fn is_network(family: Family) -> bool {
    IP.contains(&family)
}

/// What the judged program sent that devices get.
pub(crate) fn sent_by_network(pass: &Pass) -> u64 {
    sent_by(pass, IP, is_server)
}

/// What was sent by these families, by the processes that are asked for.
pub(super) fn sent_by(pass: &Pass, families: &[Family], of: impl Fn(Process) -> bool) -> u64 {
    let is_theirs = |count: &&Count| {
        let family = Site::find(&count.site).and_then(|(_, site)| site.sent);
        of(count.process) && family.is_some_and(|family| families.contains(&family))
    };
    sum(pass.counts.iter().filter(is_theirs).map(|count| count.bytes))
}

fn is_server(process: Process) -> bool {
    process == Process::Server
}

/// The device's name, with its kind.
pub(crate) fn name(exit: &DeviceExit) -> String {
    if exit.kind.is_empty() { exit.name.clone() } else { format!("{} ({})", exit.name, exit.kind) }
}
