//! The rules that make a verdict on what a watched program sent, in order.

use zcprof_common::sites::SYSCALL_RESULTS;
use zcprof_common::vocabulary::{Disposition, Hop, Instrument};

use super::against::{against, against_bound, disagreements};
use super::below;
use super::pipes::PipeBytes;
use super::promise::Promise;
use super::record::{Direction, Watch};
use super::span::Span;
use super::taken;
use super::traffic::Traffic;
use super::unnamed;
use crate::claim::Claim;
use crate::verdict::instruments::usable;
use crate::verdict::{Finding, Reason, Verdict};
use crate::verdict::{beyond_tolerance, bounce_buffers, findings as found_by, leaves, rules};

/// Most bytes of a TLS record that are not plaintext: header, explicit nonce and tag of TLS 1.2
/// (RFC 5288), which are more than TLS 1.3's (RFC 8446, 5.2).
const RECORD_OVERHEAD: u64 = 5 + 8 + 16;

pub(super) fn decide(watch: &Watch, promise: &Promise, traffic: &Traffic, framing: u64) -> Verdict {
    let ledger = &traffic.ledger;
    if ledger.payload < watch.min_bytes.max(1) {
        return Verdict::Inconclusive(vec![Reason::NoPayload]);
    }
    let (usable, mut reasons) = usable(&traffic.pass, &watch.coverage, &watch.controls);
    let disagreements = disagreements(&usable, traffic);
    let contested = rules::is_contested(&disagreements);
    reasons.extend(disagreements);
    reasons.extend(traffic.doubts.iter().cloned().map(Reason::Doubt));
    if usable.contains(&Instrument::Callers) && traffic.direction == Direction::Tx {
        reasons.extend(found_by::unowned(ledger));
    }
    if usable.contains(&Instrument::Audit) {
        reasons.extend(leaves::unseen(&traffic.pass, &watch.coverage));
    }
    if usable.contains(&Instrument::Audit) && traffic.direction == Direction::Tx {
        reasons.extend(unnamed::untaken(traffic));
    }
    reasons.extend(failed_command(watch));
    reasons.extend(unseen_results(watch));
    if usable.contains(&Instrument::Callers) {
        reasons.extend(uncounted(traffic));
    }
    let mut findings = Vec::new();
    let for_callers = taken::is_for_callers(traffic.direction);
    let tells = |instrument: &&Instrument| !for_callers || **instrument == Instrument::Callers;
    for instrument in usable.iter().filter(tells) {
        // Nobody balances them against the payload, as a pass does.
        let unknown = ledger.account(*instrument).unknown;
        if beyond_tolerance(unknown, ledger.payload) {
            reasons.push(Reason::Residual(*instrument, unknown));
        }
        let (found, open) = match promise {
            Promise::Named(claim) => against(claim, traffic, *instrument, framing),
            Promise::Bound(bound) => against_bound(*bound, traffic, *instrument),
        };
        findings.extend(found);
        reasons.extend(
            open.into_iter().filter(|reason| !reasons.contains(reason)).collect::<Vec<_>>(),
        );
    }
    if traffic.direction == Direction::Tx {
        let (on_the_way, unknown) = below::judge(promise, traffic);
        findings.extend(on_the_way);
        reasons.extend(unknown);
    }
    if let (Promise::Named(claim), true) = (promise, usable.contains(&Instrument::Callers)) {
        let (bounced, unknown) = bounced(traffic);
        findings.extend(bounced);
        reasons.extend(unknown);
        findings.extend(below::deferred(claim, traffic));
        let (encrypted, unknown) = found_by::transformed(claim, ledger, RECORD_OVERHEAD);
        findings.extend(encrypted);
        reasons.extend(unknown);
    }
    rules::retain_sound(&mut findings, &traffic.doubts);
    if rules::is_refuted(&findings, &reasons, contested) {
        return Verdict::Refuted(findings);
    }
    if traffic.direction == Direction::Tx && below::promises_no_more(promise) {
        reasons.extend(below::unseen(watch, traffic));
        // For whomever it was: the tracepoint does not tell.
        let counted = watch.counts.iter().map(|count| (&count.site as &str, count.bytes));
        reasons.extend(bounce_buffers::judge(counted, &watch.coverage, ledger.payload));
    }
    // A bound is judged by both ends.
    if let Promise::Named(_) = promise {
        reasons.extend(below::waiting(traffic));
    }
    if let Promise::Named(Claim { moved: Some(hop), .. }) = promise {
        reasons.extend(witness(traffic, *hop, framing));
    }
    if reasons.is_empty() { Verdict::Holds } else { Verdict::Inconclusive(reasons) }
}

/// Fresh pages that were filled although calls hand pages over (`verdict::findings::bounced()`), as far as they were
/// sent.
fn bounced(traffic: &Traffic) -> (Option<Finding>, Option<Reason>) {
    let Span { hop, least, most } = PipeBytes::of(traffic, Instrument::Callers).bounced();
    let is_much = |bytes| beyond_tolerance(bytes, traffic.sent());
    let place = (Instrument::Callers, hop, Disposition::Bounced);
    let finding = is_much(least).then(|| Finding::of(&traffic.ledger, place, least, 0));
    let reason = (!is_much(least) && is_much(most)).then_some(Reason::MayBeSent(hop, most));
    (finding, reason)
}

/// A zero is worth what was seen to be handed over instead, from a file's pages.
fn witness(traffic: &Traffic, hop: Hop, framing: u64) -> Option<Reason> {
    let callers = traffic.ledger.account(Instrument::Callers);
    let mistaken = traffic.mistaken(callers);
    let moved = traffic.ledger.handed_over_at_all().saturating_add(mistaken);
    let missing = traffic.sent().saturating_sub(moved.saturating_add(framing));
    if beyond_tolerance(missing, traffic.sent()) {
        return Some(Reason::NoWitness(hop, moved));
    }
    let unexplained = PipeBytes::of(traffic, Instrument::Callers).unexplained();
    beyond_tolerance(unexplained, traffic.sent())
        .then(|| Reason::NoWitness(Hop::PageCacheToPipe, moved.saturating_sub(unexplained)))
}

/// What system calls say that they moved, where that is more than the rows saw and missed runs hide.
fn uncounted(traffic: &Traffic) -> Option<Reason> {
    let missing = taken::uncounted(traffic).saturating_sub(traffic.hidden.in_results);
    beyond_tolerance(missing, traffic.sent()).then_some(Reason::Uncounted(missing))
}

/// Without the results of system calls nobody knows what was handed over from memory (vmsplice(2)).
fn unseen_results(watch: &Watch) -> Option<Reason> {
    let is_watched =
        watch.coverage.probe(SYSCALL_RESULTS).is_some_and(crate::run::Probe::is_attached);
    let said = format!("{SYSCALL_RESULTS} is not attached");
    (!is_watched).then_some(Reason::NotWatching(Instrument::Syscalls, said))
}

/// A command that failed may not have done what it was started for.
fn failed_command(watch: &Watch) -> Option<Reason> {
    let command = watch.command.as_ref()?;
    let status = command.status.filter(|status| *status != 0)?;
    (!watch.ignore_status && !command.ended_by_us).then_some(Reason::CommandFailed(status))
}
