//! What the ledger of a pass or a window says against a claim, rule by rule.

use zcprof_common::vocabulary::{Disposition, Hop, Instrument, Process};

use super::instruments::{sees_copies, usable};
use super::leaves::{self, Blind};
use super::tolerance::beyond_tolerance;
use super::{Finding, Reason};
use crate::claim::Claim;
use crate::ledger::{Entry, Ledger, sum};
use crate::run::{Pass, Run};

const COPIED: Disposition = Disposition::Copied;

/// Places at which both instruments can see copies, and say different things. Into the socket
/// they are compared as one, because only the leaves know whether the source is user memory.
pub(super) fn disagreements(
    usable: &[Instrument],
    blind: &[Blind],
    ledger: &Ledger,
) -> Vec<Reason> {
    const PLACES: &[&[Hop]] = &[
        &[Hop::PageCacheToUser],
        &[Hop::UserToSocket, Hop::PageCacheToSocket],
        &[Hop::SocketToUser],
        &[Hop::PageCacheToPipe],
        &[Hop::PageCacheToPageCache],
    ];
    let &[first, second] = usable else { return Vec::new() };
    let sees = |instrument, process, hops: &[Hop]| -> u64 {
        let account = ledger.account(instrument);
        sum(hops.iter().map(|hop| account.bytes(process, *hop, COPIED)))
    };
    PLACES
        .iter()
        .filter(|hops| !hops.iter().any(|hop| leaves::at(blind, *hop)))
        .flat_map(|hops| [(Process::Server, *hops), (Process::Consumer, *hops)])
        .map(|(process, hops)| (hops[0], sees(first, process, hops), sees(second, process, hops)))
        .filter(|(_, a, b)| beyond_tolerance(a.abs_diff(*b), ledger.payload))
        .map(|(hop, a, b)| Reason::Disagree(hop, a, b))
        .collect()
}

/// Whether the leaves saw copies of a pass that the callers did not: the table may lack a row, which the
/// kernel's stacks name if the pass is made again. A pass that is in doubt has its reason already: what was
/// lost or missed may be what the callers lack.
#[must_use]
pub fn lacks_a_caller(run: &Run, pass: &Pass) -> bool {
    if !pass.doubts.is_empty() {
        return false;
    }
    let (usable, _) = usable(pass, &run.coverage, &run.controls);
    let both = [Instrument::Audit, Instrument::Callers];
    let ledger = Ledger::of(pass);
    let copied = |instrument, process, hop: Hop| match hop {
        // Compared as one, as disagreements are.
        Hop::UserToSocket | Hop::PageCacheToSocket => sum([
            ledger.account(instrument).bytes(process, Hop::UserToSocket, COPIED),
            ledger.account(instrument).bytes(process, Hop::PageCacheToSocket, COPIED),
        ]
        .into_iter()),
        hop => ledger.account(instrument).bytes(process, hop, COPIED),
    };
    let unseen = |process, hop| {
        let [audit, callers] = both.map(|instrument| copied(instrument, process, hop));
        beyond_tolerance(audit.saturating_sub(callers), ledger.payload)
    };
    let data = || Hop::ALL.iter().copied().filter(|hop| *hop != Hop::Arguments);
    let unknown = ledger.account(Instrument::Audit).unknown;
    both.iter().all(|instrument| usable.contains(instrument))
        && (beyond_tolerance(unknown, ledger.payload)
            || data().any(|hop| unseen(Process::Server, hop) || unseen(Process::Consumer, hop)))
}

/// The hops at which an instrument's numbers contradict the claim.
pub(super) fn contradictions(
    claim: &Claim,
    instrument: Instrument,
    blind: &[Blind],
    ledger: &Ledger,
) -> Vec<Finding> {
    let account = ledger.account(instrument);
    let mut findings = Vec::new();
    for hop in Hop::ALL.iter().copied().filter(|hop| sees_copies(instrument, *hop)) {
        // How the page cache was filled is for claims that begin at storage (`fill.rs`).
        if hop == Hop::StorageToPageCache {
            continue;
        }
        // The server answers requests from its socket; the workload named those bytes.
        let copies = claim.copied.iter().find(|(at, _)| *at == hop).map_or(0, |(_, n)| *n);
        let claimed = ledger.payload.saturating_mul(u64::from(copies));
        let bytes = account.bytes(Process::Server, hop, COPIED);
        let excess = beyond_tolerance(bytes.saturating_sub(claimed), ledger.payload);
        let lack = beyond_tolerance(claimed.saturating_sub(bytes), ledger.payload);
        // A leaf that was not watched can only have copied more.
        let is_blind = instrument == Instrument::Audit && leaves::at(blind, hop);
        if excess || lack && !is_blind {
            let place = (instrument, hop, COPIED);
            findings.push(Finding::of(ledger, place, bytes, claimed));
        }
    }
    findings
}

/// Fresh pages that were filled although the call hands pages over. No claim promises them, for
/// whether the CPU, a device or another process fills them is more than this site can tell.
pub(crate) fn bounced(ledger: &Ledger) -> Option<Finding> {
    let place = (Instrument::Callers, Hop::PageCacheToPipe, Disposition::Bounced);
    let bytes = ledger.account(place.0).bytes(Process::Server, place.1, place.2);
    beyond_tolerance(bytes, ledger.payload).then(|| Finding::of(ledger, place, bytes, 0))
}

/// Deferred copies, against the claim. The kernel copies again what it sends again, so a claim of
/// deferred copies also holds with more copies than it says.
pub(crate) fn late(claim: &Claim, ledger: &Ledger) -> Option<Finding> {
    let (hop, disposition) = (Hop::SocketToSocket, Disposition::Deferred);
    let entry = ledger.account(Instrument::Callers).entry(Process::Server, hop, disposition);
    let bytes = entry.map_or(0, |entry| entry.bytes);
    let claimed = if claim.deferred == Some(hop) { ledger.payload } else { 0 };
    let kept = if claimed > 0 { bytes.min(claimed) } else { bytes };
    let place = (Instrument::Callers, hop, disposition);
    beyond_tolerance(kept.abs_diff(claimed), ledger.payload).then(|| Finding {
        // They are made in whatever system call runs just then.
        at: entry.map_or_else(String::new, |entry| entry.sites.join(", ")),
        ..Finding::of(ledger, place, bytes, claimed)
    })
}

/// Copies below the sockets that may have been the server's.
pub(crate) fn unowned(ledger: &Ledger) -> Option<Reason> {
    let (hop, disposition) = (Hop::SocketToSocket, Disposition::Deferred);
    let entry = ledger.account(Instrument::Callers).entry(Process::Unknown, hop, disposition)?;
    let known = !beyond_tolerance(entry.bytes, ledger.payload);
    (!known).then(|| Reason::Unowned(entry.bytes, entry.sites.join(", ")))
}

/// Bytes that were encrypted: at least, for the judged sockets, and at most, with those for a socket that
/// may have been one of them.
pub(crate) fn encrypted(ledger: &Ledger) -> (u64, u64) {
    let bytes = |process| entry_of_encryption(ledger, process).map_or(0, |entry| entry.bytes);
    let least = bytes(Process::Server);
    (least, least.saturating_add(bytes(Process::Unknown)))
}

fn entry_of_encryption(ledger: &Ledger, process: Process) -> Option<&Entry> {
    let (hop, disposition) = (Hop::PageCacheToSocket, Disposition::Transformed);
    ledger.account(Instrument::Callers).entry(process, hop, disposition)
}

/// Why it is not known how much was encrypted for the judged sockets.
pub(crate) fn encrypted_for_any(ledger: &Ledger) -> Option<Reason> {
    let entry = entry_of_encryption(ledger, Process::Unknown)?;
    Some(Reason::EncryptedForAny(entry.bytes, entry.sites.join(", ")))
}

/// Bytes that were encrypted, against the claim: what contradicts it, and what may. Of each record so
/// many bytes of the payload may be TLS's own, which are not encrypted.
pub(crate) fn transformed(
    claim: &Claim,
    ledger: &Ledger,
    overhead: u64,
) -> (Option<Finding>, Option<Reason>) {
    let place = (Instrument::Callers, Hop::PageCacheToSocket, Disposition::Transformed);
    let (least, most) = encrypted(ledger);
    let records = |process| entry_of_encryption(ledger, process).map_or(0, |entry| entry.calls);
    let (claimed, allowed) = if claim.transformed == Some(place.1) {
        let records = records(Process::Server).saturating_add(records(Process::Unknown));
        (ledger.payload, records.saturating_mul(overhead))
    } else {
        (0, 0)
    };
    let is_off = |more: u64, less: u64| {
        beyond_tolerance(more.saturating_sub(less).saturating_sub(allowed), ledger.payload)
    };
    if is_off(least, claimed) || is_off(claimed, most) {
        return (Some(Finding::of(ledger, place, least, claimed)), None);
    }
    let may_be_off = is_off(most, claimed) || is_off(claimed, least);
    (None, if may_be_off { encrypted_for_any(ledger) } else { None })
}
