//! Pure: a claim about what a watched program sent, and its traffic, into a verdict.
//!
//! As with the built-in workload, excess refutes and a zero needs both instruments. What is new is
//! that nobody names bytes for us: which of the bytes that a program read it also sent is known
//! within bounds only, so that the copies at a hop are an interval.

use zcprof_common::vocabulary::{Disposition, Hop, Instrument};

use super::against::{against, against_bound, tolerates};
use super::below;
use super::direction;
use super::missed;
use super::promise::Promise;
use super::record::{
    ClaimResult, Direction, HopBytes, Interval, Of, Tolerance, Watch, WatchedCount,
};
use super::rules::decide;
pub use super::span::Span;
use super::spans::total;
pub use super::spans::{shown_spans, spans};
use super::traffic::Traffic;
use crate::verdict::code::{codes_and_reasons, why};
use crate::verdict::{Exit, Verdict, exit_of};

use Disposition::{Copied, Deferred, Moved, Pinned, Transformed};

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
    /// Devices up to which a claim holds: behind them a process reads the packets.
    pub up_to: Vec<String>,
}

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
        let ends = verdict == Verdict::Holds && watch.direction == Direction::Tx;
        let up_to = if ends { below::ends(&traffic) } else { Vec::new() };
        judgements.push(ClaimJudgement {
            of: asked.of.clone(),
            promise,
            verdict,
            traffic,
            hops,
            framing,
            up_to,
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
    (sent, Interval::per_byte(least, most, sent))
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
        let traffic = &self.traffic;
        let (codes, reasons) = codes_and_reasons(why(&self.verdict, &traffic.ledger));
        let interval = |least, most| Interval::per_byte(least, most, traffic.sent());
        let copies = self.hops.iter().map(|span| HopBytes {
            hop: span.hop,
            disposition: Copied,
            per_byte: interval(span.least, span.most),
        });
        let exact: &[(Hop, Disposition)] =
            if traffic.direction == Direction::Tx { &EXACT } else { &[] };
        let exact = exact.iter().map(|(hop, disposition)| {
            let bytes = traffic.seen(*hop, *disposition);
            // For which port storage filled nobody can tell.
            let is_any = matches!(self.of, Of::Port(_)) && *disposition == Disposition::Filled;
            let least = if is_any { 0 } else { bytes };
            HopBytes { hop: *hop, disposition: *disposition, per_byte: interval(least, bytes) }
        });
        ClaimResult {
            of: self.of.clone(),
            claim: self.promise.to_string(),
            verdict: self.verdict.name().to_owned(),
            up_to: self.up_to.clone(),
            codes,
            reasons,
            sent: traffic.sent(),
            copies: self.copies(),
            hops: copies.chain(exact).filter(|hop| hop.per_byte.most > 0.0).collect(),
        }
    }

    /// The verdict, and up to which devices it is known.
    #[must_use]
    pub fn said(&self) -> String {
        let verdict = self.verdict.name();
        match self.up_to.as_slice() {
            [] => verdict.to_owned(),
            devices => format!("{verdict} up to {}", devices.join(", ")),
        }
    }

    /// What is not known behind these devices.
    #[must_use]
    pub fn beyond(&self) -> Option<String> {
        (!self.up_to.is_empty()).then(|| {
            let devices = self.up_to.join(", ");
            format!("behind {devices} a process reads the packets; which, and what it copies, is not known")
        })
    }

    /// Copies per sent byte over all hops, deferred copies and framing included.
    #[must_use]
    pub fn copies(&self) -> Interval {
        let (least, most) = total(&self.traffic, &self.hops);
        Interval::per_byte(least, most, self.traffic.sent())
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
