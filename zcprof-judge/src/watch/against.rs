//! What one instrument saw against a claim: what contradicts it, and what may.

use zcprof_common::vocabulary::{Disposition, Hop, Instrument};

use super::below;
use super::promise::{Bound, Promise};
use super::record::Direction;
use super::spans::{spans, total, with_fresh_pages};
use super::taken;
use super::traffic::Traffic;
use crate::claim::Claim;
use crate::ledger::sum;
use crate::verdict::{Finding, Reason, beyond_tolerance};

use Disposition::{Copied, Deferred};

/// Whether framing is tolerated: a claim without a copy into the socket.
pub(super) fn tolerates(promise: &Promise) -> bool {
    match promise {
        Promise::Named(claim) => !claim.copied.iter().any(|(hop, _)| *hop == Hop::UserToSocket),
        Promise::Bound(_) => false,
    }
}

/// Hops that framing takes: into the program's memory, and out of it.
const FRAMED: [Hop; 4] =
    [Hop::PageCacheToUser, Hop::PipeToUser, Hop::SocketToUser, Hop::UserToSocket];

/// What one instrument saw against a claim: what contradicts it, and what may.
pub(super) fn against(
    claim: &Claim,
    traffic: &Traffic,
    instrument: Instrument,
    framing: u64,
) -> (Vec<Finding>, Vec<Reason>) {
    let (mut findings, mut open) = (Vec::new(), Vec::new());
    let sent = traffic.sent();
    for span in spans(traffic, instrument) {
        let copies = claim.copied.iter().find(|(hop, _)| *hop == span.hop).map_or(0, |(_, n)| *n);
        let claimed = sent.saturating_mul(u64::from(copies));
        let unseen = traffic.hidden.passed.saturating_mul(u64::from(copies));
        let tolerated = if claimed == 0 && FRAMED.contains(&span.hop) { framing } else { 0 };
        let (least, most) =
            (span.least.saturating_sub(tolerated), span.most.saturating_sub(tolerated));
        let excess = least.saturating_sub(claimed.saturating_add(unseen));
        let too_many = beyond_tolerance(excess, sent);
        let too_few = beyond_tolerance(claimed.saturating_sub(most), sent);
        if too_many || too_few {
            let bytes = if too_many { span.least } else { span.most };
            let place = (instrument, span.hop, Copied);
            findings.push(Finding::of(&traffic.ledger, place, bytes, claimed));
        } else if beyond_tolerance(most.saturating_sub(claimed), sent) {
            open.push(Reason::MayBeSent(span.hop, most));
        }
    }
    (findings, open)
}

/// The same against a bound.
pub(super) fn against_bound(
    bound: Bound,
    traffic: &Traffic,
    instrument: Instrument,
) -> (Vec<Finding>, Vec<Reason>) {
    let sent = traffic.sent();
    let (hop, least, most) = match bound.what {
        Disposition::Moved => {
            let moved = taken::moved(traffic);
            (Hop::PageCacheToSocket, moved, moved)
        }
        Disposition::Deferred => {
            let late = traffic.seen(Hop::SocketToSocket, Deferred);
            (Hop::SocketToSocket, late, late.saturating_add(traffic.late))
        }
        Disposition::Transformed => {
            let below::Encrypted { least, most, hop, .. } = below::encrypted(traffic);
            (hop, least, most.saturating_add(traffic.late))
        }
        _ => {
            let spans = with_fresh_pages(traffic, spans(traffic, instrument));
            let (least, most) = total(traffic, &spans);
            // Where most of it was copied, or may have been.
            let widest = spans.iter().max_by_key(|span| (span.most, span.most - span.least));
            (widest.map_or(Hop::UserToSocket, |span| span.hop), least, most)
        }
    };
    let claimed = u128::from(sent) * u128::from(bound.millionths) / 1_000_000;
    let claimed = u64::try_from(claimed).unwrap_or(u64::MAX);
    let fails = |bytes: u64| if bound.at_most { bytes > claimed } else { bytes < claimed };
    match (fails(least), fails(most)) {
        (false, false) => (Vec::new(), Vec::new()),
        (true, true) => {
            let bytes = if bound.at_most { least } else { most };
            let place = (instrument, hop, bound.what);
            let mut finding = Finding::of(&traffic.ledger, place, bytes, claimed);
            if hop == Hop::SocketToWire && finding.at.is_empty() {
                finding.at = below::encrypted(traffic).devices;
            }
            (vec![finding], Vec::new())
        }
        _ => {
            let is_encrypted = bound.what == Disposition::Transformed;
            let for_any = if is_encrypted { below::open(traffic) } else { None };
            let open = for_any.or_else(|| below::waiting(traffic));
            (Vec::new(), vec![open.unwrap_or(Reason::MayBeSent(hop, most - least))])
        }
    }
}

/// Places at which both instruments can see copies of what was sent, and say different things.
pub(super) fn disagreements(usable: &[Instrument], traffic: &Traffic) -> Vec<Reason> {
    const TAKEN: [&[Hop]; 1] = [&[Hop::SocketToUser]];
    const SENT: [&[Hop]; 3] = [
        &[Hop::PageCacheToUser],
        &[Hop::UserToSocket, Hop::PageCacheToSocket],
        &[Hop::PageCacheToPipe],
    ];
    let &[first, second] = usable else { return Vec::new() };
    let sees = |instrument, hops: &[Hop]| {
        let spans = spans(traffic, instrument);
        sum(spans.iter().filter(|span| hops.contains(&span.hop)).map(|span| span.most))
    };
    let places: &[&[Hop]] = if traffic.direction == Direction::Rx { &TAKEN } else { &SENT };
    places
        .iter()
        .map(|hops| (hops[0], sees(first, hops), sees(second, hops)))
        .filter(|(_, a, b)| beyond_tolerance(a.abs_diff(*b), traffic.sent()))
        .map(|(hop, a, b)| Reason::Disagree(hop, a, b))
        .collect()
}
