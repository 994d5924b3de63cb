//! Pure: a claim, a ledger and the coverage into a verdict, and verdicts into an exit code.
//!
//! Excess is evidence: one instrument that passed its control and sees a copy too many refutes.
//! A zero is not: it needs the leaves (audit) to have been watched without a gap, and a site
//! that saw the payload go by instead. Whatever is short of that is `inconclusive`.

pub(crate) mod below;
pub(crate) mod bounce_buffers;
pub mod code;
pub mod explain;
mod fill;
pub(crate) mod findings;
pub mod instruments;
pub(crate) mod leaves;
pub(crate) mod rules;
mod tolerance;
mod words;

use std::process::ExitCode;

use zcprof_common::vocabulary::{Disposition, Hop, Instrument, Process};

use crate::claim::Claim;
use crate::ledger::Ledger;
use crate::run::{Cache, Doubt, Pass, Run};
use crate::syscall::InSyscall;
use crate::unexplained;

pub use findings::lacks_a_caller;
pub use instruments::{control_failure, watching};
pub(crate) use leaves::blind_hops;
pub use tolerance::{TOLERANCE_PER_MILLE, beyond_tolerance};
pub use words::per_byte;

/// How zcprof ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Every claim holds.
    Holds = 0,
    /// At least one claim is refuted.
    Refuted = 1,
    /// Wrong usage, or an error while running; nothing was judged.
    Error = 2,
    /// No claim is refuted, and at least one could not be judged.
    Inconclusive = 3,
    /// This environment can measure nothing; the message says what is missing.
    CannotMeasure = 4,
}

impl Exit {
    /// The verdict over all claims; an exit that judged nothing decides nothing.
    #[must_use]
    pub const fn verdict(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Refuted => "refuted",
            Self::Error | Self::Inconclusive | Self::CannotMeasure => "inconclusive",
        }
    }

    /// What it means, for somebody who sees the number.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Holds => "every claim holds",
            Self::Refuted => "a claim is false",
            Self::Error => "wrong usage, or an error",
            Self::Inconclusive => "a copy could have gone unseen, so there is no verdict",
            Self::CannotMeasure => "nothing can be measured here",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A run claims nothing that this version can judge.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// The claim's name.
    #[error("the run names the claim {0:?}, which this zcprof does not know")]
    Claim(String),
    /// A pass without a claim: the transfer's name.
    #[error("the run does not say what the transfer {0:?} promises")]
    Promise(String),
}

/// The judgement of one pass.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// The pass's transfer.
    pub transfer: String,
    /// The pass's cache state.
    pub cache: Cache,
    /// What was claimed.
    pub claim: &'static Claim,
    /// The outcome.
    pub verdict: Verdict,
    /// The pass's ledger.
    pub ledger: Ledger,
}

/// Does the claim hold?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes, and every copy would have been seen.
    Holds,
    /// No; where it fails.
    Refuted(Vec<Finding>),
    /// It cannot be said; why.
    Inconclusive(Vec<Reason>),
}

impl Verdict {
    /// The word as it is printed.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Refuted(_) => "refuted",
            Self::Inconclusive(_) => "inconclusive",
        }
    }
}

/// A number that contradicts the claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Who saw it.
    pub instrument: Instrument,
    /// Where.
    pub hop: Hop,
    /// `copied` or `moved`.
    pub disposition: Disposition,
    /// Bytes seen.
    pub bytes: u64,
    /// Bytes claimed.
    pub claimed: u64,
    /// Payload bytes.
    pub payload: u64,
    /// The sites that saw them, and in which system calls.
    pub at: String,
}

impl Finding {
    /// What an instrument saw of the server at a hop, where it is `bytes` and something else is claimed.
    pub(crate) fn of(
        ledger: &Ledger,
        (instrument, hop, disposition): (Instrument, Hop, Disposition),
        bytes: u64,
        claimed: u64,
    ) -> Self {
        let entry = ledger.account(instrument).entry(Process::Server, hop, disposition);
        let at = entry.map_or_else(String::new, |entry| {
            format!("{} in {}", entry.sites.join(", "), InSyscall::joined(&entry.syscalls))
        });
        Self { instrument, hop, disposition, bytes, claimed, payload: ledger.payload, at }
    }

    /// Whether there are too many bytes, and not too few.
    pub(crate) const fn is_excess(&self) -> bool {
        self.bytes > self.claimed
    }
}

/// Why no verdict can be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The consumer did not get what was sent.
    PayloadUnverified,
    /// Nothing was sent, so nothing can be divided by it.
    NoPayload,
    /// An instrument is not there.
    NotWatching(Instrument, String),
    /// A leaf that the pass can reach was watched in none of its repetitions.
    Unwatched(Hop, String),
    /// An instrument failed its control.
    ControlFailed(Instrument, String),
    /// What is known of a control was not seen over the way that is measured, though it was over
    /// plain TCP.
    WayDiffers(Instrument, String),
    /// Something went wrong with the evidence.
    Doubt(Doubt),
    /// The account does not balance against the payload.
    Residual(Instrument, u64),
    /// The two instruments disagree.
    Disagree(Hop, u64, u64),
    /// Bytes were copied below the sockets, and nobody knows for whom.
    Unowned(u64, String),
    /// So many bytes of UDP, whose sender is not known, were encrypted there.
    Unattributed(u64, String),
    /// So many bytes were encrypted there for a socket whose port is not known.
    EncryptedForAny(u64, String),
    /// Nobody knows how a layer of storage fills the page cache.
    UnknownFiller(String),
    /// Nobody knows what a device does to packets.
    UnknownDevice(String),
    /// So many bytes were copied for devices that do not reach all memory, and nobody knows whose.
    BounceBuffers(u64),
    /// Of so many bytes that were sent, devices got no more than so many.
    ReachedNoDevice(u64, u64),
    /// So many bytes waited in sockets when the window ended, or were copied below them since.
    Queued(u64),
    /// A zero without a witness.
    NoWitness(Hop, u64),
    /// Bytes that a watched program got, and may have sent or not.
    MayBeSent(Hop, u64),
    /// Bytes that were handed over at a hop, and may have been copied there.
    MayBeCopied(Hop, u64),
    /// So many bytes were sent by sockets that no row counts.
    Uncounted(u64),
    /// So many bytes were copied from memory in these system calls, which name no file, and no row that counts
    /// says where they went.
    Untaken(u64, String),
    /// The watched command failed, with this exit code, or 128 and its signal.
    CommandFailed(i32),
}

/// Judges every pass of a run.
///
/// # Errors
/// A claim that this version does not know, or a pass without one.
pub fn judge(run: &Run) -> Result<Vec<Judgement>, Unknown> {
    run.passes.iter().map(|pass| judge_pass(run, pass)).collect()
}

/// What a list of judgements means for the exit code.
#[must_use]
pub fn exit(judgements: &[Judgement]) -> Exit {
    exit_of(judgements.iter().map(|judgement| &judgement.verdict))
}

/// What some verdicts mean for the exit code; none at all are inconclusive.
pub(crate) fn exit_of<'a>(verdicts: impl Iterator<Item = &'a Verdict>) -> Exit {
    let mut exit = None;
    for verdict in verdicts {
        match verdict {
            Verdict::Refuted(_) => return Exit::Refuted,
            Verdict::Inconclusive(_) => exit = Some(Exit::Inconclusive),
            Verdict::Holds => exit = exit.or(Some(Exit::Holds)),
        }
    }
    exit.unwrap_or(Exit::Inconclusive)
}

/// The verdict on a pass as if its transfer had promised something else.
pub(crate) fn judge_as(claim: &Claim, run: &Run, pass: &Pass) -> Result<Verdict, Unknown> {
    Ok(decide(claim, promise(pass)?, run, pass, &Ledger::of(pass)))
}

fn find(claim: &str) -> Result<&'static Claim, Unknown> {
    Claim::find(claim).ok_or_else(|| Unknown::Claim(claim.to_owned()))
}

/// What the pass's transfer promises by itself.
fn promise(pass: &Pass) -> Result<&'static Claim, Unknown> {
    find(pass.claim.as_deref().ok_or_else(|| Unknown::Promise(pass.transfer.clone()))?)
}

fn judge_pass(run: &Run, pass: &Pass) -> Result<Judgement, Unknown> {
    let promise = promise(pass)?;
    let claim = match run.claims.iter().find(|claim| claim.transfer == pass.transfer) {
        Some(named) => find(&named.claim)?,
        None => promise,
    };
    let mut ledger = Ledger::of(pass);
    // Who measures looks wherever something is unexplained.
    ledger.unexplained = Some(unexplained::of(pass, &run.coverage));
    let verdict = decide(claim, promise, run, pass, &ledger);
    Ok(Judgement { transfer: pass.transfer.clone(), cache: pass.cache, claim, verdict, ledger })
}

fn decide(claim: &Claim, promise: &Claim, run: &Run, pass: &Pass, ledger: &Ledger) -> Verdict {
    let blind = rules::unseen_writes(promise, ledger, &run.workload.file_system);
    rules::decide(claim, pass, ledger, run, blind.into_iter().collect())
}
