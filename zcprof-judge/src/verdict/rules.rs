//! The rules that make a verdict, in order.

use zcprof_common::sites::{Bytes, Sign, Site};
use zcprof_common::vocabulary::{Disposition, Hop, Instrument, Process};

use super::findings::{bounced, contradictions, disagreements, late, transformed, unowned};
use super::instruments::usable;
use super::leaves;
use super::tolerance::beyond_tolerance;
use super::{Finding, Reason, Verdict};
use super::{below, bounce_buffers, fill};
use crate::claim::Claim;
use crate::ledger::Ledger;
use crate::run::{Doubt, Pass, Run};

/// File systems whose every way to copy into the page cache is a site: generic_perform_write(),
/// iomap_file_buffered_write() and btrfs_buffered_write() are what they write by.
const WATCHED_WRITERS: &[&str] =
    &["ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "ramfs", "devtmpfs"];

/// A transfer that writes a file and was seen to copy nothing into it, on a file system that may
/// have copied it by a function that is no site.
pub(super) fn unseen_writes(promise: &Claim, ledger: &Ledger, file_system: &str) -> Option<Reason> {
    let hop = Hop::PageCacheToPageCache;
    let writes = promise.copied.iter().any(|(at, _)| *at == hop);
    let copied =
        ledger.account(Instrument::Callers).bytes(Process::Server, hop, Disposition::Copied);
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
    let mut findings = Vec::new();
    if usable.contains(&Instrument::Callers) {
        let (copied, unknown) = fill::answered(claim, pass, ledger, &run.workload.storage);
        findings.extend(copied);
        reasons.extend(unknown);
    }
    findings.extend(usable.iter().flat_map(|i| contradictions(claim, *i, &blind, ledger)));
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
        let counted = pass.counts.iter().map(|count| (&count.site as &str, count.bytes));
        reasons.extend(bounce_buffers::judge(counted, coverage, ledger.payload));
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

/// Whether the audit may have filed copies at the wrong hop: io_uring and its workers are in no
/// system call that names a file, and only the callers around a leaf know what they work on.
fn misplaces(ledger: &Ledger) -> bool {
    let arguments = ledger.account(Instrument::Audit).entry(
        Process::Server,
        Hop::Arguments,
        Disposition::Copied,
    );
    arguments.is_some_and(|entry| entry.syscalls.iter().any(|syscall| syscall.may_be_by_ring()))
}
