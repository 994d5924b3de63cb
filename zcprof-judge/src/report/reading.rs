//! A run as the formats read it: every pass with its judgement, and which instrument each kind
//! of number is taken from.

use zcprof_common::sites::{Bytes, Site};
use zcprof_common::vocabulary::{Disposition, Hop, Instrument, Process};

use super::ReportError;
use super::numbers::{MIB, thousandths};
use super::verdicts::Word;
use crate::claim::{ZERO_COPY, ZERO_COPY_FROM_STORAGE};
use crate::ledger::{Entry, sum};
use crate::receive::{self, ReceiveJudgement};
use crate::run::{Pass, Probe, Run};
use crate::verdict::code::of_finding;
use crate::verdict::instruments::sees_copies;
use crate::verdict::{Judgement, Unknown, Verdict, blind_hops, judge, judge_as, per_byte};

/// Transfers that are named where they break their claims; of more only the number is said.
const LISTED: usize = 3;

/// A run with its judgements.
pub(super) struct Reading<'a> {
    pub(super) run: &'a Run,
    pub(super) sources: Sources,
    pub(super) passes: Vec<Judged<'a>>,
    /// What ways to receive came to.
    pub(super) received: Vec<ReceiveJudgement>,
}

/// One pass with its judgement.
pub(super) struct Judged<'a> {
    pub(super) pass: &'a Pass,
    pub(super) judgement: Judgement,
    /// What would be said to the claim that nothing is copied.
    pub(super) zero_copy: Verdict,
    sources: Sources,
    /// Where the audit watched not every leaf in this pass.
    blind: Vec<Hop>,
}

/// The instruments that watch, best first for each kind of number.
#[derive(Clone, Copy)]
pub(super) struct Sources {
    /// Who saw the copies that are shown.
    pub(super) copied: Option<Instrument>,
    /// Who saw the pages that were handed over.
    pub(super) moved: Option<Instrument>,
    /// Who saw the page cache being filled, and the system calls.
    pub(super) filled: Option<Instrument>,
    /// Who saw the copies a second time, independently.
    pub(super) second: Option<Instrument>,
    /// Who saw every page fault.
    pub(super) faults: Option<Instrument>,
}

impl Sources {
    fn of(run: &Run) -> Self {
        let watches = |instrument: &Instrument| {
            run.coverage
                .probes
                .iter()
                .any(|probe| probe.instrument == *instrument && probe.is_attached())
        };
        let first = |of: &[Instrument]| of.iter().copied().find(watches);
        let mut faults =
            run.coverage.probes.iter().filter(|probe| is_fault(&probe.site)).peekable();
        let sees_faults = faults.peek().is_some() && faults.all(Probe::is_attached);
        let copied = first(Instrument::ALL);
        Self {
            copied,
            moved: first(&[Instrument::Callers, Instrument::Syscalls]),
            filled: first(&[Instrument::Syscalls]),
            second: first(&[Instrument::Callers]).filter(|_| copied == Some(Instrument::Audit)),
            faults: sees_faults.then_some(Instrument::Syscalls),
        }
    }

    /// Who saw copies at this hop: the best that has a site there, all of whose leaves were watched.
    pub(super) fn for_copies_at(self, hop: Hop, blind: &[Hop]) -> Option<Instrument> {
        let sees = |instrument: &Instrument| {
            let is_blind = *instrument == Instrument::Audit && blind.contains(&hop);
            sees_copies(*instrument, hop) && !is_blind
        };
        self.copied.filter(sees).or_else(|| self.second.filter(sees)).or(self.copied)
    }

    /// Whether nothing but system calls was seen.
    pub(super) fn presumes_all(self) -> bool {
        self.copied == Some(Instrument::Syscalls)
    }

    /// Who saw what has this disposition.
    pub(super) fn for_disposition(self, disposition: Disposition) -> Option<Instrument> {
        match disposition {
            Disposition::Copied => self.copied,
            Disposition::Filled => self.filled,
            Disposition::Moved
            | Disposition::Pinned
            | Disposition::Deferred
            | Disposition::Bounced
            | Disposition::Transformed
            | Disposition::Aside => self.moved,
        }
    }

    /// Whether bytes of this disposition are presumed from system calls and were not seen.
    pub(super) fn presumed(self, disposition: Disposition) -> bool {
        self.presumes_all()
            || disposition != Disposition::Filled
                && self.for_disposition(disposition) == Some(Instrument::Syscalls)
    }
}

/// Whether a site counts page faults: they alone are counted without bytes.
fn is_fault(site: &str) -> bool {
    Site::find(site).is_some_and(|(_, site)| site.bytes == Bytes::Calls)
}

impl<'a> Reading<'a> {
    pub(super) fn of(run: &'a Run) -> Result<Self, ReportError> {
        let sources = Sources::of(run);
        let judgements = judge(run)?;
        let passes = run
            .passes
            .iter()
            .zip(judgements)
            .map(|(pass, judgement)| {
                let blind = blind_hops(pass, &run.coverage);
                // Where the claim begins at storage, so does the answer.
                let from_storage = judgement.claim.from_storage;
                let nothing = if from_storage { &ZERO_COPY_FROM_STORAGE } else { &ZERO_COPY };
                let zero_copy = judge_as(nothing, run, pass)?;
                Ok(Judged { pass, judgement, zero_copy, sources, blind })
            })
            .collect::<Result<_, Unknown>>()?;
        Ok(Self { run, sources, passes, received: receive::judge(run)? })
    }

    /// The hops at which some pass's server copies, in reading order.
    pub(super) fn copying_hops(&self) -> Vec<Hop> {
        let copies = |hop: &Hop| self.passes.iter().any(|pass| pass.copied_at(*hop) > 0);
        Hop::ALL.iter().copied().filter(copies).collect()
    }

    /// Who saw the copies at this hop in the passes that have some.
    pub(super) fn who_saw_copies_at(&self, hop: Hop) -> Option<Instrument> {
        let copying = self.passes.iter().filter(|pass| pass.copied_at(hop) > 0);
        let blind: Vec<Hop> = copying.flat_map(|pass| pass.blind.clone()).collect();
        self.sources.for_copies_at(hop, &blind)
    }

    /// The verdict's word of every pass.
    pub(super) fn words(&self) -> Vec<Word> {
        self.passes.iter().map(|pass| Word::of(&pass.judgement.verdict)).collect()
    }

    /// Which transfers break their claim, and where: `read_write is not zero-copy: ZC101 ZC102`.
    pub(super) fn refuted(&self) -> String {
        let mut said: Vec<String> = Vec::new();
        for pass in &self.passes {
            if !matches!(pass.judgement.verdict, Verdict::Refuted(_)) {
                continue;
            }
            let why = pass.why().map_or_else(String::new, |why| format!(" ({why})"));
            let claim = pass.judgement.claim.name;
            let sentence = format!("{} is not {claim}{why}", pass.pass.transfer);
            if !said.contains(&sentence) {
                said.push(sentence);
            }
        }
        let more = said.len().saturating_sub(LISTED);
        said.truncate(LISTED);
        said.extend((more > 0).then(|| format!("{more} more")));
        said.join("; ")
    }

    /// The passes of each transfer, in the order first measured.
    pub(super) fn by_transfer(&self) -> Vec<Vec<&Judged<'a>>> {
        let mut groups: Vec<Vec<&Judged<'a>>> = Vec::new();
        for pass in &self.passes {
            match groups.iter_mut().find(|group| group[0].pass.transfer == pass.pass.transfer) {
                Some(group) => group.push(pass),
                None => groups.push(vec![pass]),
            }
        }
        groups
    }
}

impl Judged<'_> {
    /// What the instrument in charge of the disposition saw there.
    pub(super) fn entry(&self, process: Process, hop: Hop, what: Disposition) -> Option<&Entry> {
        let source = match what {
            Disposition::Copied => self.sources.for_copies_at(hop, &self.blind),
            _ => self.sources.for_disposition(what),
        }?;
        self.judgement.ledger.account(source).entry(process, hop, what)
    }

    /// Bytes as printed, per payload byte; `-` if nobody watched.
    pub(super) fn per_byte(&self, bytes: Option<u64>) -> String {
        bytes.map_or_else(|| "-".to_owned(), |bytes| per_byte(bytes, self.pass.payload.bytes))
    }

    /// Thousandths of a copy per payload byte on the server at this hop, made at once or later.
    pub(super) fn copied_at(&self, hop: Hop) -> u64 {
        let of = |what| self.entry(Process::Server, hop, what).map_or(0, |entry| entry.bytes);
        let bytes = of(Disposition::Copied) + of(Disposition::Deferred);
        thousandths(bytes, self.pass.payload.bytes)
    }

    /// Bytes that the server copied, as this instrument saw them.
    pub(super) fn copied(&self, instrument: Option<Instrument>) -> Option<u64> {
        Some(self.judgement.ledger.account(instrument?).copied(Process::Server))
    }

    /// Bytes that the server copied at once, each hop as the best instrument for it saw them.
    pub(super) fn copied_by_the_best(&self) -> Option<u64> {
        self.sources.copied?;
        let at = |hop: &Hop| self.entry(Process::Server, *hop, Disposition::Copied);
        Some(sum(Hop::ALL.iter().filter_map(at).map(|entry| entry.bytes)))
    }

    /// Bytes that the server copied, at once or later.
    pub(super) fn copied_in_all(&self) -> Option<u64> {
        Some(self.copied_by_the_best()?.saturating_add(self.deferred().unwrap_or(0)))
    }

    /// The same in thousandths per payload byte.
    pub(super) fn copied_in_thousandths(&self) -> Option<u64> {
        Some(thousandths(self.copied_in_all()?, self.pass.payload.bytes))
    }

    /// Bytes of the page cache that entered the server's socket by reference.
    pub(super) fn moved(&self) -> Option<u64> {
        let account = self.judgement.ledger.account(self.sources.moved?);
        Some(account.bytes(Process::Server, Hop::PageCacheToSocket, Disposition::Moved))
    }

    /// Bytes of user memory that entered the server's socket by reference.
    pub(super) fn pinned(&self) -> Option<u64> {
        let account = self.judgement.ledger.account(self.sources.moved?);
        Some(account.bytes(Process::Server, Hop::UserToSocket, Disposition::Pinned))
    }

    /// Bytes that were encrypted into new pages on their way into the server's socket.
    pub(super) fn transformed(&self) -> Option<u64> {
        let (hop, what) = (Hop::PageCacheToSocket, Disposition::Transformed);
        let bytes = self.entry(Process::Server, hop, what)?.bytes;
        Some(bytes).filter(|bytes| thousandths(*bytes, self.pass.payload.bytes) > 0)
    }

    /// Bytes that were copied after all, after the server had handed them over.
    pub(super) fn deferred(&self) -> Option<u64> {
        self.sources.moved.map(|_| self.later().map_or(0, |entry| entry.bytes))
    }

    /// The same with its calls and sites, if there were any.
    pub(super) fn later(&self) -> Option<&Entry> {
        let entry = self.entry(Process::Server, Hop::SocketToSocket, Disposition::Deferred);
        entry.filter(|entry| thousandths(entry.bytes, self.pass.payload.bytes) > 0)
    }

    /// Bytes that storage put into the page cache.
    pub(super) fn filled(&self) -> Option<u64> {
        let account = self.judgement.ledger.account(self.sources.filled?);
        Some(account.bytes(Process::Server, Hop::StorageToPageCache, Disposition::Filled))
    }

    /// Bytes that the consumer copied out of its socket, if it was watched.
    pub(super) fn consumed(&self) -> Option<u64> {
        if !self.pass.watched_consumer {
            return None;
        }
        let account = self.judgement.ledger.account(self.sources.copied?);
        Some(account.bytes(Process::Consumer, Hop::SocketToUser, Disposition::Copied))
    }

    /// The larger of the instruments' residuals.
    pub(super) fn residual(&self) -> Option<u64> {
        let of = |instrument| Some(self.judgement.ledger.residual(instrument?));
        of(self.sources.copied).max(of(self.sources.second))
    }

    /// The server's system calls, as printed, per MiB of payload.
    pub(super) fn syscalls_per_mib(&self) -> String {
        let server = self.pass.syscalls.iter().filter(|s| s.process == Process::Server);
        let calls = sum(server.map(|s| s.calls));
        self.per_byte(self.sources.filled.map(|_| calls.saturating_mul(MIB)))
    }

    /// The server's page faults, as printed, per MiB of payload.
    pub(super) fn faults_per_mib(&self) -> String {
        let server = self.pass.counts.iter().filter(|count| count.process == Process::Server);
        let faults = sum(server.filter(|count| is_fault(&count.site)).map(|c| c.calls));
        self.per_byte(self.sources.faults.map(|_| faults.saturating_mul(MIB)))
    }

    /// What the server's other entries say, at least a thousandth per payload byte each: copies
    /// excepted, and what [`Self::moved`] and [`Self::filled`] say.
    pub(super) fn beside(&self) -> Vec<&Entry> {
        let known = [
            (Hop::PageCacheToSocket, Disposition::Moved),
            (Hop::UserToSocket, Disposition::Pinned),
            (Hop::SocketToSocket, Disposition::Deferred),
            (Hop::StorageToPageCache, Disposition::Filled),
        ];
        let accounts = self.judgement.ledger.accounts.iter();
        accounts
            .flat_map(|account| {
                account.entries.iter().map(move |entry| (account.instrument, entry))
            })
            .filter(|(by, entry)| self.sources.for_disposition(entry.disposition) == Some(*by))
            .map(|(_, entry)| entry)
            .filter(|entry| entry.process == Process::Server)
            .filter(|entry| entry.disposition != Disposition::Copied)
            .filter(|entry| !known.contains(&(entry.hop, entry.disposition)))
            .filter(|entry| thousandths(entry.bytes, self.pass.payload.bytes) > 0)
            .collect()
    }

    /// What the server copied, at least a thousandth per payload byte each.
    pub(super) fn copies(&self) -> Vec<&Entry> {
        let at = |hop: &Hop| self.entry(Process::Server, *hop, Disposition::Copied);
        Hop::ALL.iter().filter(|hop| self.copied_at(**hop) > 0).filter_map(at).collect()
    }

    /// What is promised and the outcome: `two-copies: holds`, `zero-copy: refuted ZC101`.
    pub(super) fn outcome(&self) -> String {
        let (claim, verdict) = (self.judgement.claim.name, self.judgement.verdict.name());
        self.why().map_or_else(
            || format!("{claim}: {verdict}"),
            |why| format!("{claim}: {verdict} {why}"),
        )
    }

    /// The codes of what refutes the claim at a hop.
    pub(super) fn codes_at(&self, hop: Hop) -> Vec<&'static str> {
        let Verdict::Refuted(findings) = &self.judgement.verdict else { return Vec::new() };
        let there = findings.iter().filter(|finding| finding.hop == hop);
        let codes = there.flat_map(|finding| of_finding(finding, &self.judgement.ledger));
        codes.map(|code| code.name).collect()
    }

    /// Why the claim does not hold, for a picture: the first codes, and how many more there are.
    pub(super) fn why(&self) -> Option<String> {
        const ROOM: usize = 3;
        let codes = self.judgement.codes();
        let first = codes.get(..ROOM.min(codes.len()))?.join(" ");
        let more = codes.len().saturating_sub(ROOM);
        let more = if more > 0 { format!(" +{more}") } else { String::new() };
        (!codes.is_empty()).then(|| first + &more)
    }
}

/// The codes of what refutes a claim at a hop.
pub(super) fn codes_at(hop: Hop, passes: &[&Judged<'_>]) -> Vec<&'static str> {
    let mut codes: Vec<_> = passes.iter().flat_map(|pass| pass.codes_at(hop)).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}
