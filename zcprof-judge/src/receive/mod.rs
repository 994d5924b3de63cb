//! Pure: what a way to receive promises, and what the probes counted of the consumer, into a verdict.
//!
//! The rules are those of the server's claims: excess refutes, a zero needs both instruments and a
//! witness, and whatever is short of that is inconclusive. The account begins at the receive queue of
//! the consumer's socket; what the kernel copied before is the sender's.

mod account;
pub mod claim;

use zcprof_common::sites::{SITES, Site};
use zcprof_common::vocabulary::{Disposition, Hop, Instrument, Need, Process};

pub use account::Received;
use claim::{ReceiveClaim, Rest};

use crate::interval::{HopBytes, Interval};
use crate::ledger::{Ledger, sum};
use crate::run::{Control, ControlPath, Coverage, Pass, ProbeState, ReceiveResult, Reception, Run};
use crate::verdict::code::{Why, codes_and_reasons, why};
use crate::verdict::{Exit, Finding, Judgement, Reason, Unknown, Verdict, exit_of};
use crate::verdict::{beyond_tolerance, instruments, leaves, rules};

use Disposition::{Bounced, Copied, Moved};

/// Hops by which received bytes go on, and at which they may be copied: out of the socket, out of the
/// pipe that they were moved into, and from there into another pipe or a file.
const ONWARD: [Hop; 5] = [
    Hop::SocketToUser,
    Hop::PipeToUser,
    Hop::UserToPipe,
    Hop::UserToPageCache,
    Hop::PageCacheToPageCache,
];

/// The judgement of one reception.
#[derive(Clone, Debug)]
pub struct ReceiveJudgement {
    /// The transfer by which the bytes were sent.
    pub transfer: String,
    /// The consumer's mode.
    pub mode: String,
    /// What the mode promises.
    pub claim: &'static ReceiveClaim,
    /// The outcome.
    pub verdict: Verdict,
    /// What became of the bytes.
    pub received: Received,
    /// Whether both instruments could look, without which these numbers say nothing.
    pub seen: bool,
    /// The consumer's account: in it the consumer is the process that claims are about.
    pub ledger: Ledger,
}

/// Judges every reception of a run.
///
/// # Errors
/// A promise that this version does not know.
pub fn judge(run: &Run) -> Result<Vec<ReceiveJudgement>, Unknown> {
    run.receptions.iter().map(|reception| judge_reception(run, reception)).collect()
}

/// Notes in a run what its receptions came to.
///
/// # Errors
/// A promise that this version does not know.
pub fn note(run: &mut Run) -> Result<(), Unknown> {
    let results: Vec<_> = judge(run)?.iter().map(ReceiveJudgement::result).collect();
    for (reception, result) in run.receptions.iter_mut().zip(results) {
        reception.result = Some(result);
    }
    Ok(())
}

/// What a run comes to, its receptions included.
///
/// # Errors
/// A promise that this version does not know.
pub fn exit_with(run: &Run, judgements: &[Judgement]) -> Result<Exit, Unknown> {
    let receptions = judge(run)?;
    let sent = judgements.iter().map(|judgement| &judgement.verdict);
    Ok(exit_of(sent.chain(receptions.iter().map(|judgement| &judgement.verdict))))
}

fn judge_reception(run: &Run, reception: &Reception) -> Result<ReceiveJudgement, Unknown> {
    let claim = ReceiveClaim::find(&reception.claim)
        .ok_or_else(|| Unknown::Claim(reception.claim.clone()))?;
    let pass = account::of_consumer(&reception.pass);
    let ledger = Ledger::of(&pass);
    let received = Received::of(&pass, &ledger);
    let (usable, unusable) = usable(&pass, run);
    let seen = usable.len() == 2;
    let verdict =
        decide(claim, reception, (&pass, &ledger), &received, (&usable, unusable), &run.coverage);
    Ok(ReceiveJudgement {
        transfer: reception.pass.transfer.clone(),
        mode: reception.mode.clone(),
        claim,
        verdict,
        received,
        seen,
        ledger,
    })
}

/// The instruments whose numbers count, and what speaks against the others.
fn usable(pass: &Pass, run: &Run) -> (Vec<Instrument>, Vec<Reason>) {
    let (mut usable, mut reasons) = instruments::usable(pass, &run.coverage, &run.controls);
    usable.retain(|instrument| match control(*instrument, &run.controls) {
        Ok(()) => true,
        Err(reason) => {
            reasons.push(reason);
            false
        }
    });
    (usable, reasons)
}

/// The rules, in order; `reasons` are those for no verdict that are known before.
fn decide(
    claim: &ReceiveClaim,
    reception: &Reception,
    (pass, ledger): (&Pass, &Ledger),
    received: &Received,
    (usable, mut reasons): (&[Instrument], Vec<Reason>),
    coverage: &Coverage,
) -> Verdict {
    let payload = ledger.payload;
    if payload == 0 {
        return Verdict::Inconclusive(vec![Reason::NoPayload]);
    }
    if reception.sees && !pass.payload.verified {
        return Verdict::Inconclusive(vec![Reason::PayloadUnverified]);
    }
    let disagreements = disagreements(usable, ledger);
    let contested = rules::is_contested(&disagreements);
    reasons.extend(disagreements);
    reasons.extend(pass.doubts.iter().cloned().map(Reason::Doubt));
    if usable.contains(&Instrument::Audit) {
        reasons.extend(leaves::unseen(pass, coverage));
    }
    for instrument in usable {
        let unexplained = ledger.account(*instrument).unexplained;
        if beyond_tolerance(unexplained, payload) {
            reasons.push(Reason::Residual(*instrument, unexplained));
        }
    }
    let mut findings: Vec<_> =
        usable.iter().flat_map(|instrument| contradictions(claim, *instrument, ledger)).collect();
    rules::retain_sound(&mut findings, &pass.doubts);
    if rules::is_refuted(&findings, &reasons, contested) {
        return Verdict::Refuted(findings);
    }
    reasons.extend(witness(claim, received, payload, coverage));
    if usable.contains(&Instrument::Callers) {
        let off = received.all().abs_diff(payload);
        if beyond_tolerance(off, payload) {
            reasons.push(Reason::Residual(Instrument::Callers, off));
        }
    }
    if reasons.is_empty() { Verdict::Holds } else { Verdict::Inconclusive(reasons) }
}

/// Whether the instrument saw what the consumer certainly copied out of its socket in the controls.
fn control(instrument: Instrument, controls: &[Control]) -> Result<(), Reason> {
    let failed = |why: String| Err(Reason::ControlFailed(instrument, why));
    let is_known = |c: &&Control| c.way == ControlPath::Plain && c.pass.payload.bytes > 0;
    let mut was_run = false;
    for control in controls.iter().filter(is_known) {
        was_run = true;
        let ledger = Ledger::of(&account::of_consumer(&control.pass));
        let seen = ledger.account(instrument).bytes(Process::Server, Hop::SocketToUser, Copied);
        if seen != ledger.payload {
            let (name, known) = (&control.name, ledger.payload);
            return failed(format!("{name}: the consumer copied {seen} bytes, known {known}"));
        }
    }
    if was_run { Ok(()) } else { failed("no bytes were received in it".to_owned()) }
}

/// Hops at which both instruments see what the consumer copies, and say different things.
fn disagreements(usable: &[Instrument], ledger: &Ledger) -> Vec<Reason> {
    let &[first, second] = usable else { return Vec::new() };
    let sees = |instrument, hop| ledger.account(instrument).bytes(Process::Server, hop, Copied);
    [Hop::SocketToUser, Hop::PipeToUser, Hop::UserToPipe]
        .into_iter()
        .map(|hop| (hop, sees(first, hop), sees(second, hop)))
        .filter(|(_, a, b)| beyond_tolerance(a.abs_diff(*b), ledger.payload))
        .map(|(hop, a, b)| Reason::Disagree(hop, a, b))
        .collect()
}

/// So many thousandths of the payload.
fn part(payload: u64, thousandths: u32) -> u64 {
    let part = u128::from(payload) * u128::from(thousandths) / 1000;
    u64::try_from(part).unwrap_or(u64::MAX)
}

/// The hops at which an instrument's numbers contradict the promise.
fn contradictions(claim: &ReceiveClaim, instrument: Instrument, ledger: &Ledger) -> Vec<Finding> {
    let payload = ledger.payload;
    let mut findings = Vec::new();
    for hop in ONWARD.into_iter().filter(|hop| instruments::sees_copies(instrument, *hop)) {
        let (least, most) = if hop == Hop::SocketToUser {
            (part(payload, claim.least), part(payload, claim.most))
        } else {
            (0, 0)
        };
        let bytes = ledger.account(instrument).bytes(Process::Server, hop, Copied);
        let claimed = bytes.clamp(least, most);
        if beyond_tolerance(bytes.abs_diff(claimed), payload) {
            findings.push(Finding::of(ledger, (instrument, hop, Copied), bytes, claimed));
        }
    }
    findings
}

/// What a zero lacks: the bytes must have been seen where the promise says that they go.
fn witness(
    claim: &ReceiveClaim,
    received: &Received,
    payload: u64,
    coverage: &Coverage,
) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let (hop, seen) = match claim.rest {
        Rest::Nothing => return reasons,
        Rest::Dropped => {
            reasons.extend(instruments::watching(Instrument::Syscalls, coverage).err());
            (Hop::SocketToUser, received.dropped)
        }
        Rest::Piped => (Hop::SocketToPipe, received.piped.saturating_add(received.in_no_page)),
        Rest::Mapped => (Hop::SocketToUser, received.mapped),
    };
    if claim.rest != Rest::Dropped {
        reasons.extend(unattached(coverage));
    }
    let rest = payload.saturating_sub(received.copied);
    if beyond_tolerance(rest.saturating_sub(seen), payload) {
        reasons.push(Reason::NoWitness(hop, seen));
    }
    let open = received.in_no_page;
    let most = part(payload, claim.most);
    let over = received.copied.saturating_add(open).saturating_sub(most);
    if open > 0 && beyond_tolerance(over, payload) {
        reasons.push(Reason::MayBeCopied(Hop::SocketToPipe, open));
    }
    reasons
}

/// A site that tells how bytes are received without a copy, and is not watched.
fn unattached(coverage: &Coverage) -> Option<Reason> {
    let tells = |site: &&Site| site.need == Need::Receives;
    SITES.iter().filter(tells).find_map(|site| {
        let why = match coverage.probe(site.name).map(|probe| &probe.state) {
            Some(ProbeState::Attached { .. }) => return None,
            Some(
                ProbeState::Absent { reason }
                | ProbeState::Refused { reason }
                | ProbeState::NotNeeded { reason },
            ) => reason.as_str(),
            Some(ProbeState::Withheld) => "withheld on request",
            Some(ProbeState::NotOnThisKernel) => "this kernel has no such function",
            None => "the record has no such site; measure anew",
        };
        Some(Reason::NotWatching(Instrument::Callers, format!("{}: {why}", site.name)))
    })
}

impl ReceiveJudgement {
    /// Copies of the received bytes, the fewest and the most that there can have been; none if an
    /// instrument could not look.
    #[must_use]
    pub fn copies(&self) -> Option<(u64, u64)> {
        if !self.seen {
            return None;
        }
        let copied = |instrument| {
            let account = self.ledger.account(instrument);
            sum(ONWARD.iter().map(|hop| account.bytes(Process::Server, *hop, Copied)))
        };
        let [audit, callers] = [Instrument::Audit, Instrument::Callers].map(copied);
        Some((audit.min(callers), audit.max(callers).saturating_add(self.received.in_no_page)))
    }

    /// Every finding or reason with its codes; none if the promise holds.
    #[must_use]
    pub fn why(&self) -> Vec<Why> {
        why(&self.verdict, &self.ledger)
    }

    /// What the record keeps of it.
    #[must_use]
    pub fn result(&self) -> ReceiveResult {
        let (codes, reasons) = codes_and_reasons(self.why());
        let interval = |least, most| Interval::per_byte(least, most, self.ledger.payload);
        ReceiveResult {
            verdict: self.verdict.name().to_owned(),
            codes,
            reasons,
            received: self.ledger.payload,
            copies: self.copies().map(|(least, most)| interval(least, most)),
            hops: if self.seen { self.hops(interval) } else { Vec::new() },
        }
    }

    /// What is known of each hop, as far as anything was there.
    fn hops(&self, interval: impl Fn(u64, u64) -> Interval) -> Vec<HopBytes> {
        let copied = ONWARD.into_iter().map(|hop| {
            let (least, most) = instruments::copied(&self.ledger, hop);
            HopBytes { hop, disposition: Copied, per_byte: interval(least, most) }
        });
        let exactly = |hop, disposition, bytes| HopBytes {
            hop,
            disposition,
            per_byte: interval(bytes, bytes),
        };
        let others = [
            exactly(Hop::SocketToPipe, Moved, self.received.piped),
            exactly(Hop::SocketToPipe, Bounced, self.received.in_no_page),
            exactly(Hop::SocketToUser, Moved, self.received.mapped),
        ];
        copied.chain(others).filter(|hop| hop.per_byte.most > 0.0).collect()
    }
}
