//! The rules that make a verdict, in order.

use zcprof_common::sites::{Bytes, SITES, Sign, Site};
use zcprof_common::vocabulary::{Disposition, Hop, Instrument, Need, Process};

use super::leaves::{self, Blind};
use super::tolerance::beyond_tolerance;
use super::{Finding, Reason, Verdict};
use super::{below, fill};
use crate::claim::Claim;
use crate::ledger::{Entry, Ledger, sum};
use crate::run::{Control, ControlPath, Coverage, Doubt, Pass, Probe, ProbeState, Run};

/// File systems whose every way to copy into the page cache is a site: generic_perform_write(),
/// iomap_file_buffered_write() and btrfs_buffered_write() are what they write by.
const WATCHED_WRITERS: &[&str] =
    &["ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "ramfs", "devtmpfs"];

/// A transfer that writes a file and was seen to copy nothing into it, on a file system that may
/// have copied it by a function that is no site.
pub(super) fn unseen_writes(promise: &Claim, ledger: &Ledger, file_system: &str) -> Option<Reason> {
    let hop = Hop::PageCacheToPageCache;
    let writes = promise.copied.iter().any(|(at, _)| *at == hop);
    let copied = ledger.account(Instrument::Callers).bytes(Process::Server, hop, COPIED);
    let unseen = writes && beyond_tolerance(ledger.payload.saturating_sub(copied), ledger.payload);
    (unseen && !WATCHED_WRITERS.contains(&file_system)).then(|| {
        let why = format!("no site is known by which {file_system} writes");
        Reason::NotWatching(Instrument::Callers, why)
    })
}

/// The rules, in order; `reasons` are those for no verdict that are known before.
pub(super) fn decide(
    claim: &Claim,
    pass: &Pass,
    ledger: &Ledger,
    run: &Run,
    mut reasons: Vec<Reason>,
) -> Verdict {
    let (coverage, controls) = (&run.coverage, &run.controls);
    if ledger.payload == 0 {
        return Verdict::Inconclusive(vec![Reason::NoPayload]);
    }
    if !pass.payload.verified {
        return Verdict::Inconclusive(vec![Reason::PayloadUnverified]);
    }
    let (usable, unusable) = usable(pass, coverage, controls);
    reasons.extend(unusable);
    let blind = leaves::unwatched(pass, coverage);
    let disagreements = disagreements(&usable, &blind, ledger);
    let contested = is_contested(&disagreements);
    reasons.extend(disagreements);
    reasons.extend(pass.doubts.iter().cloned().map(Reason::Doubt));
    // Only the callers see what is moved; without them nothing can be balanced.
    let balanced = if usable.contains(&Instrument::Callers) { usable.as_slice() } else { &[] };
    for instrument in balanced {
        let residual = ledger.residual(*instrument);
        if beyond_tolerance(residual, ledger.payload) {
            reasons.push(Reason::Residual(*instrument, residual));
        }
    }
    if usable.contains(&Instrument::Callers) {
        reasons.extend(unowned(ledger));
    }
    if usable.contains(&Instrument::Audit) {
        reasons.extend(leaves::missing(&blind, claim, ledger));
    }
    let mut findings: Vec<_> =
        usable.iter().flat_map(|i| contradictions(claim, *i, &blind, ledger)).collect();
    if !usable.contains(&Instrument::Callers) && misplaces(ledger) {
        // What is placed wrongly is missing elsewhere; the sum is right all the same.
        let all: u32 = claim.copied.iter().map(|(_, copies)| copies).sum();
        let copied = ledger.account(Instrument::Audit).copied(Process::Server);
        let too_much = copied.saturating_sub(ledger.payload.saturating_mul(u64::from(all)));
        findings.retain(|f| f.is_excess() && beyond_tolerance(too_much, ledger.payload));
    }
    if usable.contains(&Instrument::Callers) {
        findings.extend(bounced(ledger));
        findings.extend(late(claim, ledger));
        let (encrypted, unknown) = transformed(claim, ledger, 0);
        findings.extend(encrypted);
        reasons.extend(unknown);
    }
    let (filled, unknown) = fill::judge(claim, pass, ledger, &run.workload.storage);
    findings.extend(filled);
    reasons.extend(unknown);
    let (on_the_way, unknown) = below::judge(claim, pass, ledger);
    findings.extend(on_the_way);
    reasons.extend(unknown);
    if claim.moved.is_some() {
        reasons.extend(below::unbalanced(pass));
    }
    retain_sound(&mut findings, &pass.doubts);
    if is_refuted(&findings, &reasons, contested) {
        return Verdict::Refuted(findings);
    }
    if let Some(hop) = claim.moved {
        let moved = ledger.handed_over_at_all();
        if usable.contains(&Instrument::Callers)
            && beyond_tolerance(moved.abs_diff(ledger.payload), ledger.payload)
        {
            reasons.push(Reason::NoWitness(hop, moved));
        }
    }
    if reasons.is_empty() { Verdict::Holds } else { Verdict::Inconclusive(reasons) }
}

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

/// Whether a disagreement weakens what the leaves saw. The callers are a list that may lack a row, so
/// that seeing less than the leaves does not. Seeing more does.
pub(crate) fn is_contested(disagreements: &[Reason]) -> bool {
    let more = |r: &Reason| matches!(r, Reason::Disagree(_, audit, callers) if callers > audit);
    disagreements.iter().any(more)
}

/// Leaves out what the callers saw too much of while a probe did not always look that takes from others' counts
/// what they must not have: a sending function counts pages that are handed over until the row of the
/// hand-over takes them away, and a packet's copy is the server's until the row says that a capture
/// made it.
pub(crate) fn retain_sound(findings: &mut Vec<Finding>, doubts: &[Doubt]) {
    let takes_away = |site: &Site| {
        let mut terms = site.cases.iter().flat_map(|case| case.terms);
        let says_for_whom = matches!(
            site.bytes,
            Bytes::Causes
                | Bytes::Lends(_)
                | Bytes::Queues { .. }
                | Bytes::Serves { .. }
                | Bytes::Forgets(_)
        );
        says_for_whom || terms.any(|term| term.sign == Sign::Minus)
    };
    let is_off = |doubt: &Doubt| match doubt {
        Doubt::ProbeOff { site } | Doubt::ProbeGone { site } | Doubt::Missed { site, .. } => {
            Site::find(site).is_none_or(|(_, site)| takes_away(site))
        }
        _ => false,
    };
    if doubts.iter().any(is_off) {
        findings.retain(|f| f.instrument != Instrument::Callers || !f.is_excess());
    }
}

/// Whether findings refute. What an instrument saw too much of, it did see, whatever else is missing.
pub(crate) fn is_refuted(findings: &[Finding], reasons: &[Reason], contested: bool) -> bool {
    let excess = findings.iter().any(Finding::is_excess);
    !contested && excess || reasons.is_empty() && !findings.is_empty()
}

const COPIED: Disposition = Disposition::Copied;

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
            ProbeState::NotOnThisKernel | ProbeState::NotNeeded { .. } => continue,
            ProbeState::Absent { reason } | ProbeState::Refused { reason } => reason.as_str(),
            ProbeState::Withheld => "withheld on request",
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
        Doubt::UnwatchedCpu { .. } => instrument == Instrument::Audit,
        Doubt::ModuleLoaded { .. } => instrument == Instrument::Callers,
        Doubt::Lost { .. }
        | Doubt::CacheState { .. }
        | Doubt::Unlike { .. }
        | Doubt::Unfollowed { .. } => true,
    }
}

/// Places at which both instruments can see copies, and say different things. Into the socket
/// they are compared as one, because only the leaves know whether the source is user memory.
fn disagreements(usable: &[Instrument], blind: &[Blind], ledger: &Ledger) -> Vec<Reason> {
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
fn contradictions(
    claim: &Claim,
    instrument: Instrument,
    blind: &[Blind],
    ledger: &Ledger,
) -> Vec<Finding> {
    let account = ledger.account(instrument);
    let mut findings = Vec::new();
    for hop in Hop::ALL.iter().copied().filter(|hop| sees_copies(instrument, *hop)) {
        // How the page cache was filled is for claims that begin at storage.
        if hop == Hop::StorageToPageCache && !claim.from_storage {
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

/// Whether the audit may have filed copies at the wrong hop: io_uring and its workers are in no
/// system call that names a file, and only the callers around a leaf know what they work on.
fn misplaces(ledger: &Ledger) -> bool {
    let arguments =
        ledger.account(Instrument::Audit).entry(Process::Server, Hop::Arguments, COPIED);
    arguments.is_some_and(|entry| entry.syscalls.iter().any(|syscall| syscall.may_be_by_ring()))
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

/// Whether the instrument has a site that would see a copy at this hop.
#[must_use]
pub fn sees_copies(instrument: Instrument, hop: Hop) -> bool {
    SITES
        .iter()
        .filter(|site| site.instrument == instrument)
        .flat_map(|site| site.cases)
        .flat_map(|case| case.terms)
        .any(|term| term.hop == hop && term.disposition == COPIED)
}
