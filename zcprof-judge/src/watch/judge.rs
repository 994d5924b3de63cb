//! Pure: a claim about what a watched program sent, and its traffic, into a verdict.
//!
//! As with the built-in workload, excess refutes and a zero needs both instruments. What is new is
//! that nobody names bytes for us: which of the bytes that a program read it also sent is known
//! within bounds only, so that the copies at a hop are an interval.

use zcprof_common::vocabulary::{Disposition, Hop, Instrument, Process};

use super::direction;
use super::missed;
use super::pipes::PipeBytes;
use super::promise::{Bound, Promise};
use super::record::{
    ClaimResult, Direction, HopBytes, Interval, Of, Tolerance, Watch, WatchedCount,
};
use super::taken;
pub use super::traffic::Span;
use super::traffic::Traffic;
use crate::claim::Claim;
use crate::ledger::sum;
use crate::verdict::below;
use crate::verdict::code::why;
use crate::verdict::leaves;
use crate::verdict::{Exit, Finding, Reason, Verdict, exit_of};
use crate::verdict::{beyond_tolerance, rules};

/// The judgement of one claim.
#[derive(Clone, Debug)]
pub struct ClaimJudgement {
    /// What it is about.
    pub of: Of,
    /// What was claimed.
    pub promise: Promise,
    /// The outcome.
    pub verdict: Verdict,
    /// What was sent.
    pub traffic: Traffic,
    /// Bytes at each hop.
    pub hops: Vec<Span>,
    /// Framing that the verdict tolerates, in bytes.
    pub framing: u64,
}

use Disposition::{Copied, Deferred, Moved, Pinned, Transformed};

/// Most bytes of a TLS record that are not plaintext: header, explicit nonce and tag of TLS 1.2
/// (RFC 5288), which are more than TLS 1.3's (RFC 8446, 5.2).
const RECORD_OVERHEAD: u64 = 5 + 8 + 16;

/// Judges every claim of a record.
///
/// # Errors
/// A claim that this version does not know.
pub fn judge(watch: &Watch) -> Result<Vec<ClaimJudgement>, String> {
    let mut judgements = Vec::new();
    for asked in &watch.claims {
        let promise = Promise::parse(&asked.claim)?;
        direction::permits(watch.direction, &promise)?;
        let traffic = missed::traffic(watch, &asked.of);
        let hops = spans(&traffic, Instrument::Callers);
        let framing = if tolerates(&promise) { traffic.framing(watch.framing) } else { 0 };
        let verdict = decide(watch, &promise, &traffic, framing);
        judgements.push(ClaimJudgement {
            of: asked.of.clone(),
            promise,
            verdict,
            traffic,
            hops,
            framing,
        });
    }
    Ok(judgements)
}

/// Bytes sent, and copies per sent byte, as far as counts tell without anybody to vouch for them.
#[must_use]
pub fn so_far(counts: &[WatchedCount], direction: Direction) -> (u64, Interval) {
    let traffic = Traffic::counted(counts, &Of::All, direction);
    let (least, most) = total(&traffic, &spans(&traffic, Instrument::Callers));
    let sent = traffic.sent();
    (sent, Interval { least: ratio(least, sent), most: ratio(most, sent) })
}

/// Whether a claim held as far as counts tell without anybody to vouch for them; none where they do
/// not, or nothing was sent.
#[must_use]
pub(super) fn has_held(
    counts: &[WatchedCount],
    of: &Of,
    promise: &Promise,
    direction: Direction,
    framing: Tolerance,
) -> Option<bool> {
    let traffic = Traffic::counted(counts, of, direction);
    let framing = if tolerates(promise) { traffic.framing(framing) } else { 0 };
    let (found, open) = match promise {
        Promise::Named(claim) => against(claim, &traffic, Instrument::Callers, framing),
        Promise::Bound(bound) => against_bound(*bound, &traffic, Instrument::Callers),
    };
    match (traffic.sent(), found.is_empty(), open.is_empty()) {
        (0, ..) | (_, true, false) => None,
        (_, found, _) => Some(found),
    }
}

/// What a list of judgements means for the exit code.
#[must_use]
pub fn exit(judgements: &[ClaimJudgement]) -> Exit {
    exit_of(judgements.iter().map(|judgement| &judgement.verdict))
}

impl ClaimJudgement {
    /// What the record keeps of it.
    #[must_use]
    pub fn outcome(&self) -> ClaimResult {
        let why = why_of(self);
        let traffic = &self.traffic;
        let per_byte = |bytes| ratio(bytes, traffic.sent());
        let copies = self.hops.iter().map(|span| HopBytes {
            hop: span.hop,
            disposition: Copied,
            per_byte: Interval { least: per_byte(span.least), most: per_byte(span.most) },
        });
        let exact: &[(Hop, Disposition)] =
            if traffic.direction == Direction::Tx { &EXACT } else { &[] };
        let exact = exact.iter().map(|(hop, disposition)| {
            let bytes = per_byte(traffic.seen(*hop, *disposition));
            let per_byte = Interval { least: bytes, most: bytes };
            HopBytes { hop: *hop, disposition: *disposition, per_byte }
        });
        ClaimResult {
            of: self.of.clone(),
            claim: self.promise.to_string(),
            verdict: self.verdict.name().to_owned(),
            codes: why.iter().flat_map(|(codes, _)| codes.clone()).collect(),
            reasons: why.into_iter().map(|(_, text)| text).collect(),
            sent: traffic.sent(),
            copies: self.copies(),
            hops: copies.chain(exact).filter(|hop| hop.per_byte.most > 0.0).collect(),
        }
    }

    /// Copies per sent byte over all hops, deferred copies and framing included.
    #[must_use]
    pub fn copies(&self) -> Interval {
        let (least, most) = total(&self.traffic, &self.hops);
        let sent = self.traffic.sent();
        Interval { least: ratio(least, sent), most: ratio(most, sent) }
    }
}

/// What is known exactly, beside the copies.
const EXACT: [(Hop, Disposition); 5] = [
    (Hop::PageCacheToSocket, Moved),
    (Hop::UserToSocket, Pinned),
    (Hop::SocketToSocket, Deferred),
    (Hop::PageCacheToSocket, Transformed),
    (Hop::StorageToPageCache, Disposition::Filled),
];

/// Codes and words for what a judgement rests on, unless it holds.
fn why_of(judgement: &ClaimJudgement) -> Vec<(Vec<String>, String)> {
    let why = why(&judgement.verdict, &judgement.traffic.ledger);
    why.into_iter()
        .map(|why| (why.codes.iter().map(|code| code.name.to_owned()).collect(), why.text))
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "shown, and not judged by")]
fn ratio(bytes: u64, sent: u64) -> f64 {
    if sent == 0 { 0.0 } else { bytes as f64 / sent as f64 }
}

/// Whether framing is tolerated: a claim without a copy into the socket.
fn tolerates(promise: &Promise) -> bool {
    match promise {
        Promise::Named(claim) => !claim.copied.iter().any(|(hop, _)| *hop == Hop::UserToSocket),
        Promise::Bound(_) => false,
    }
}

/// Bytes at each hop that copies, as one instrument saw them. What a program got into its memory it
/// sent at most as often as it sent from there; whether it did is not known.
#[must_use]
pub fn spans(traffic: &Traffic, instrument: Instrument) -> Vec<Span> {
    let account = traffic.ledger.account(instrument);
    match traffic.direction {
        Direction::Tx => sent(traffic, instrument),
        Direction::Rx => taken::received(traffic, account),
        Direction::File => taken::written(traffic, account),
    }
}

/// The same as the callers saw it, with what was copied later of what was sent: all that a picture or a
/// live view shows.
#[must_use]
pub fn shown_spans(traffic: &Traffic) -> Vec<Span> {
    let mut all = spans(traffic, Instrument::Callers);
    if traffic.direction == Direction::Tx {
        let later = traffic.seen(Hop::SocketToSocket, Disposition::Deferred);
        all.push(Span { hop: Hop::SocketToSocket, least: later, most: later });
    }
    all
}

fn sent(traffic: &Traffic, instrument: Instrument) -> Vec<Span> {
    let account = traffic.ledger.account(instrument);
    let pipes = PipeBytes::of(traffic, instrument);
    let moved = traffic.seen(Hop::PageCacheToSocket, Moved);
    let pinned = traffic.seen(Hop::UserToSocket, Pinned);
    // Pages of its memory that were handed over, and those that a fault copied while they were.
    let by_reference = sum([pipes.by_reference(), pinned].into_iter());
    let unshared = traffic.seen(Hop::UserToUser, Copied);
    let unshared = unshared.saturating_add(traffic.seen(Hop::UserToUser, Disposition::Aside));
    // Runs that were missed may hide more of these, and of no others.
    let unshared = unshared.saturating_add(traffic.hidden.by_faults);
    // What was copied into a file may be what was then handed over from it. Only the callers are
    // sure to see that.
    let staged = traffic.seen(Hop::UserToPageCache, Copied).min(moved);
    let copied = account.bytes(Process::Server, Hop::UserToSocket, Copied);
    let left = sum([copied, by_reference, pipes.sent_of_own(), staged].into_iter());
    let exactly = |hop| Span::exactly(account, hop);
    let into_socket = exactly(Hop::UserToSocket)
        .less(traffic.mistaken(account))
        .and_hidden(traffic.hidden.unplaced);
    let at_most = |hop, most| Span::at_most(account, hop, most);
    vec![
        at_most(Hop::PageCacheToUser, left),
        at_most(Hop::PipeToUser, left),
        at_most(Hop::SocketToUser, left),
        into_socket,
        pipes.sent_out_of_files(),
        exactly(Hop::PageCacheToSocket),
        pipes.sent_out_of_memory(),
        at_most(Hop::UserToPageCache, moved),
        at_most(Hop::PageCacheToPageCache, moved),
        Span { hop: Hop::UserToUser, least: 0, most: unshared.min(by_reference) },
    ]
}

/// Without the results of system calls nobody knows what was handed over from memory (vmsplice(2)).
fn unseen_results(watch: &Watch) -> Option<Reason> {
    const RESULTS: &str = "sys_exit";
    let is_watched = watch.coverage.probe(RESULTS).is_some_and(crate::run::Probe::is_attached);
    let said = format!("{RESULTS} is not attached");
    (!is_watched).then_some(Reason::NotWatching(Instrument::Syscalls, said))
}

/// The least and the most that was copied over all hops, and later.
fn total(traffic: &Traffic, spans: &[Span]) -> (u64, u64) {
    let late = match traffic.direction {
        Direction::Tx => traffic.seen(Hop::SocketToSocket, Deferred),
        Direction::Rx | Direction::File => 0,
    };
    let least = sum(spans.iter().map(|span| span.least)).saturating_add(late);
    let most = sum(spans.iter().map(|span| span.most)).saturating_add(late);
    (least, most)
}

fn decide(watch: &Watch, promise: &Promise, traffic: &Traffic, framing: u64) -> Verdict {
    let ledger = &traffic.ledger;
    if ledger.payload < watch.min_bytes.max(1) {
        return Verdict::Inconclusive(vec![Reason::NoPayload]);
    }
    let (usable, mut reasons) = rules::usable(&traffic.pass, &watch.coverage, &watch.controls);
    let disagreements = disagreements(&usable, traffic);
    let contested = rules::is_contested(&disagreements);
    reasons.extend(disagreements);
    reasons.extend(traffic.doubts.iter().cloned().map(Reason::Doubt));
    if usable.contains(&Instrument::Callers) && traffic.direction == Direction::Tx {
        reasons.extend(rules::unowned(ledger));
    }
    if usable.contains(&Instrument::Audit) {
        reasons.extend(leaves::unseen(&traffic.pass, &watch.coverage));
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
    if let Promise::Named(claim) = promise {
        let (on_the_way, unknown) = below::judge(claim, &traffic.pass, ledger);
        findings.extend(on_the_way);
        reasons.extend(unknown);
    }
    if let (Promise::Named(claim), true) = (promise, usable.contains(&Instrument::Callers)) {
        let (bounced, unknown) = bounced(traffic);
        findings.extend(bounced);
        reasons.extend(unknown);
        findings.extend(rules::late(claim, ledger));
        let (encrypted, unknown) = rules::transformed(claim, ledger, RECORD_OVERHEAD);
        findings.extend(encrypted);
        reasons.extend(unknown);
    }
    rules::retain_sound(&mut findings, &traffic.doubts);
    if rules::is_refuted(&findings, &reasons, contested) {
        return Verdict::Refuted(findings);
    }
    if let Promise::Named(Claim { moved: Some(hop), .. }) = promise {
        reasons.extend(below::unwatched(&traffic.pass, &watch.coverage));
        reasons.extend(witness(traffic, *hop, framing));
    }
    if reasons.is_empty() { Verdict::Holds } else { Verdict::Inconclusive(reasons) }
}

/// Fresh pages that were filled although calls hand pages over (`rules::bounced()`), as far as they were
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

/// What system calls say that they moved, where that is more than the rows saw.
fn uncounted(traffic: &Traffic) -> Option<Reason> {
    let missing = taken::uncounted(traffic);
    beyond_tolerance(missing, traffic.sent()).then_some(Reason::Uncounted(missing))
}

/// A command that failed may not have done what it was started for.
fn failed_command(watch: &Watch) -> Option<Reason> {
    let command = watch.command.as_ref()?;
    let status = command.status.filter(|status| *status != 0)?;
    (!watch.ignore_status && !command.ended_by_us).then_some(Reason::CommandFailed(status))
}

/// Places at which both instruments can see copies of what was sent, and say different things.
fn disagreements(usable: &[Instrument], traffic: &Traffic) -> Vec<Reason> {
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

/// Hops that framing takes: into the program's memory, and out of it.
const FRAMED: [Hop; 4] =
    [Hop::PageCacheToUser, Hop::PipeToUser, Hop::SocketToUser, Hop::UserToSocket];

/// What one instrument saw against a claim: what contradicts it, and what may.
fn against(
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
fn against_bound(
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
            (Hop::SocketToSocket, late, late)
        }
        Disposition::Transformed => {
            let (least, most) = rules::encrypted(&traffic.ledger);
            (Hop::PageCacheToSocket, least, most)
        }
        _ => {
            let spans = spans(traffic, instrument);
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
            (vec![Finding::of(&traffic.ledger, place, bytes, claimed)], Vec::new())
        }
        _ => {
            let for_any = rules::encrypted_for_any(&traffic.ledger);
            let for_any = for_any.filter(|_| bound.what == Disposition::Transformed);
            let open = for_any.unwrap_or(Reason::MayBeSent(hop, most - least));
            (Vec::new(), vec![open])
        }
    }
}
