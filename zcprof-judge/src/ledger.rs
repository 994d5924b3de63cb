//! Pure: one pass of a [`Run`](crate::run::Run) into bytes by hop and disposition, as each
//! instrument saw them. The ledger balances against the payload and shows what it cannot explain.

use std::collections::BTreeMap;

use zcprof_common::sites::{SYSCALL_RESULTS, Sign, Site, Term};
use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary::{Disposition, File, Hop, Instrument, Iter, Process};

use crate::run::{Count, Named, Pass};
use crate::syscall::InSyscall;
use crate::unexplained::Unexplained;

/// What every instrument saw of one pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// Payload bytes that the consumer received.
    pub payload: u64,
    /// Whether the consumer's own copies are in the accounts.
    pub watched_consumer: bool,
    /// One account per instrument, in the order of [`Instrument::ALL`].
    pub accounts: Vec<InstrumentAccount>,
    /// What leaves copied by ways that no caller is on, where their stacks were looked at.
    pub unexplained: Option<Vec<Unexplained>>,
}

/// What one instrument saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstrumentAccount {
    /// Which.
    pub instrument: Instrument,
    /// Sorted by process, hop and disposition; named bytes are already subtracted.
    pub entries: Vec<Entry>,
    /// Control bytes by system call: arguments of calls that move no data.
    pub control: Vec<ControlBytes>,
    /// Bytes that the table or the workload cannot explain: counted under no known case,
    /// taken away but never added, or named but not seen.
    pub unexplained: u64,
    /// Of these, bytes that were counted under no known case: they may have been copied anywhere.
    pub unknown: u64,
}

/// Bytes of one process at one hop with one disposition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whose.
    pub process: Process,
    /// Where.
    pub hop: Hop,
    /// What happened.
    pub disposition: Disposition,
    /// Bytes, after `named` is subtracted.
    pub bytes: u64,
    /// Header and argument bytes that the workload named and that were subtracted.
    pub named: u64,
    /// Calls at the sites that add to this entry.
    pub calls: u64,
    /// Those sites.
    pub sites: Vec<String>,
    /// The system calls that they ran in.
    pub syscalls: Vec<InSyscall>,
}

/// Control bytes of one system call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlBytes {
    /// Whose.
    pub process: Process,
    /// Which system call.
    pub syscall: InSyscall,
    /// Bytes.
    pub bytes: u64,
}

/// The accumulating form of an [`Entry`]: signed, because terms may take away.
#[derive(Default)]
struct Sum {
    bytes: i128,
    calls: u64,
    sites: Vec<String>,
    syscalls: Vec<InSyscall>,
}

/// Most bytes that one call's arguments take: `struct statx`, the largest that the workload's
/// control calls pass, is 256.
const MAX_ARGUMENT: u64 = 512;

/// The system call whose bytes the kernel makes up itself: they are in no file and no packet, though
/// they leave through an iterator (`get_random_bytes_user()`, drivers/char/random.c, 6.1 to 7.3). A
/// TLS handshake asks for 32 at a time, which is much of a small payload.
const RANDOM_NUMBERS: Syscall = Syscall::Getrandom;

type EntryKey = (Process, Hop, Disposition);

impl Ledger {
    /// Balances one pass.
    #[must_use]
    pub fn of(pass: &Pass) -> Self {
        Self::of_counts(pass, &|_| true)
    }

    /// The same of some of its counts, and all results of system calls.
    #[must_use]
    pub(crate) fn of_counts(pass: &Pass, is_chosen: &dyn Fn(&Count) -> bool) -> Self {
        let accounts = Instrument::ALL
            .iter()
            .map(|instrument| InstrumentAccount::of(*instrument, pass, is_chosen))
            .collect();
        let (payload, watched_consumer) = (pass.payload.bytes, pass.watched_consumer);
        Self { payload, watched_consumer, accounts, unexplained: None }
    }

    /// The account of one instrument.
    #[must_use]
    pub fn account(&self, instrument: Instrument) -> &InstrumentAccount {
        let at = Instrument::ALL.iter().position(|i| *i == instrument).unwrap_or_default();
        &self.accounts[at]
    }

    /// Bytes that entered the server's socket by reference over this hop, moved or pinned: the
    /// witness of a zero. Only the callers see it.
    #[must_use]
    pub fn handed_over(&self, hop: Hop) -> u64 {
        let callers = self.account(Instrument::Callers);
        let bytes = |disposition: &_| callers.bytes(Process::Server, hop, *disposition);
        sum([Disposition::Moved, Disposition::Pinned].iter().map(bytes))
    }

    /// The same over both hops: whichever way the pages came, they were handed over.
    #[must_use]
    pub fn handed_over_at_all(&self) -> u64 {
        sum([Hop::PageCacheToSocket, Hop::UserToSocket]
            .into_iter()
            .map(|hop| self.handed_over(hop)))
    }

    /// Payload bytes that this instrument cannot explain: what entered the server's socket by
    /// copy or by reference, and what left the consumer's (if that was watched), must each be the
    /// payload.
    #[must_use]
    pub fn residual(&self, instrument: Instrument) -> u64 {
        let account = self.account(instrument);
        let bytes = |hop: &_| account.bytes(Process::Server, *hop, Disposition::Copied);
        let copied = sum([Hop::UserToSocket, Hop::PageCacheToSocket].iter().map(bytes));
        let moved = match instrument {
            Instrument::Syscalls => {
                account.bytes(Process::Server, Hop::PageCacheToSocket, Disposition::Moved)
            }
            Instrument::Audit | Instrument::Callers => self.handed_over_at_all(),
        };
        let sent = copied.saturating_add(moved).abs_diff(self.payload);
        let copied = account.bytes(Process::Consumer, Hop::SocketToUser, Disposition::Copied);
        let received = if self.watched_consumer { copied.abs_diff(self.payload) } else { 0 };
        sent.max(received).saturating_add(account.unexplained)
    }
}

impl InstrumentAccount {
    fn of(instrument: Instrument, pass: &Pass, is_chosen: &dyn Fn(&Count) -> bool) -> Self {
        let mut sums: BTreeMap<EntryKey, Sum> = BTreeMap::new();
        let mut control: BTreeMap<(Process, InSyscall), u64> = BTreeMap::new();
        let mut unknown: u64 = 0;
        for seen in ResolvedCount::all(instrument, pass, is_chosen) {
            if seen.is_control() {
                let bytes = control.entry((seen.process, seen.syscall)).or_default();
                *bytes = bytes.saturating_add(seen.tally.bytes);
                continue;
            }
            let Some(terms) = &seen.terms else {
                if seen.process != Process::Elsewhere {
                    unknown = unknown.saturating_add(seen.tally.bytes);
                }
                continue;
            };
            for term in terms {
                let place = (seen.process, term.hop, term.disposition);
                sums.entry(place).or_default().add(term.sign, &seen);
            }
        }
        // Named bytes must be seen, so their places are visited even where nothing was counted.
        for named in pass.named.iter().filter(|named| visible(instrument, named)) {
            sums.entry((named.process, named.hop, named.disposition)).or_default();
        }
        let mut entries = Vec::new();
        let mut unexplained = unknown;
        for ((process, hop, disposition), sum) in sums {
            let named = named_bytes(instrument, pass, (process, hop, disposition));
            let bytes = sum.bytes - i128::from(named);
            if process != Process::Elsewhere {
                unexplained = unexplained.saturating_add(clamped(-bytes));
            }
            entries.push(Entry {
                process,
                hop,
                disposition,
                bytes: clamped(bytes),
                named,
                calls: sum.calls,
                sites: sum.sites,
                syscalls: sum.syscalls,
            });
        }
        let control = control
            .into_iter()
            .map(|((process, syscall), bytes)| ControlBytes { process, syscall, bytes })
            .collect();
        Self { instrument, entries, control, unexplained, unknown }
    }

    /// Bytes of one entry; zero if there is none.
    #[must_use]
    pub fn bytes(&self, process: Process, hop: Hop, disposition: Disposition) -> u64 {
        self.entry(process, hop, disposition).map_or(0, |entry| entry.bytes)
    }

    /// One entry.
    #[must_use]
    pub fn entry(&self, process: Process, hop: Hop, disposition: Disposition) -> Option<&Entry> {
        self.entries
            .iter()
            .find(|e| (e.process, e.hop, e.disposition) == (process, hop, disposition))
    }

    /// Bytes that the CPU copied for a process, over all hops.
    #[must_use]
    pub fn copied(&self, process: Process) -> u64 {
        let of_it = |e: &&Entry| e.process == process && e.disposition == Disposition::Copied;
        sum(self.entries.iter().filter(of_it).map(|entry| entry.bytes))
    }
}

impl Sum {
    fn add(&mut self, sign: Sign, seen: &ResolvedCount<'_>) {
        let bytes = i128::from(seen.tally.bytes);
        match sign {
            Sign::Plus => {
                self.bytes += bytes;
                self.calls = self.calls.saturating_add(seen.tally.calls);
                if !self.sites.iter().any(|site| site == seen.site) {
                    self.sites.push(seen.site.to_owned());
                }
                if !self.syscalls.contains(&seen.syscall) {
                    self.syscalls.push(seen.syscall);
                }
            }
            Sign::Minus => self.bytes -= bytes,
        }
    }
}

/// Calls and bytes, added up without ever coming back to zero.
#[derive(Default)]
struct ByteTally {
    calls: u64,
    bytes: u64,
}

impl ByteTally {
    fn add(&mut self, calls: u64, bytes: u64) {
        self.calls = self.calls.saturating_add(calls);
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

/// A count with its meaning looked up.
struct ResolvedCount<'a> {
    site: &'a str,
    process: Process,
    syscall: InSyscall,
    tally: ByteTally,
    iter: Iter,
    /// `None` where the table does not say.
    terms: Option<Vec<Term>>,
}

impl<'a> ResolvedCount<'a> {
    /// Counts of one kind are one: neither their order nor how they are divided is evidence.
    fn all(
        instrument: Instrument,
        pass: &'a Pass,
        is_chosen: &dyn Fn(&Count) -> bool,
    ) -> Vec<Self> {
        let mut counts: BTreeMap<_, ByteTally> = BTreeMap::new();
        for count in pass.counts.iter().filter(|count| is_chosen(count)) {
            let key = (&*count.site, count.process, count.syscall, count.iter, count.file);
            counts.entry(key).or_default().add(count.calls, count.bytes);
        }
        let mut syscalls: BTreeMap<_, ByteTally> = BTreeMap::new();
        for call in pass.syscalls.iter().filter(|_| instrument == Instrument::Syscalls) {
            let key = (call.process, call.syscall, call.file);
            syscalls.entry(key).or_default().add(call.calls, call.bytes);
        }
        let counts = counts.into_iter().filter_map(|(key, tally)| {
            let (site, process, syscall, iter, file) = key;
            let (owner, terms) = meaning(site, syscall.memory_of(iter), file);
            // Nothing was counted under a case that the table does not know: no hole.
            let terms = terms.or((tally.bytes == 0).then(Vec::new));
            (owner == instrument).then_some(Self { site, process, syscall, tally, iter, terms })
        });
        let calls = syscalls.into_iter().map(|((process, syscall, file), tally)| {
            let terms = Some(presumed(syscall, file));
            Self { site: SYSCALL_RESULTS, process, syscall, tally, iter: Iter::None, terms }
        });
        counts.chain(calls).collect()
    }

    /// Arguments of a system call that moves no data: named by that system call. A copy through
    /// an iterator is never an argument, unless it is made of [`RANDOM_NUMBERS`], nor is one of
    /// more than [`MAX_ARGUMENT`] bytes.
    fn is_control(&self) -> bool {
        let arguments =
            |terms: &Vec<Term>| !terms.is_empty() && terms.iter().all(|t| t.hop == Hop::Arguments);
        self.syscall != InSyscall::None
            && self.syscall.spec().is_none()
            && (self.iter == Iter::None || self.syscall == RANDOM_NUMBERS)
            && self.tally.bytes <= MAX_ARGUMENT.saturating_mul(self.tally.calls)
            && self.terms.as_ref().is_some_and(arguments)
    }
}

/// Which instrument answers for a site, and what the site means where the table says so.
fn meaning(site: &str, iter: Iter, file: File) -> (Instrument, Option<Vec<Term>>) {
    // A site that this version does not know belongs to no instrument; the audit, which must
    // explain every copy, answers for it.
    let Some((_, site)) = Site::find(site) else { return (Instrument::Audit, None) };
    (site.instrument, site.terms(iter, file).map(<[Term]>::to_vec))
}

/// What a positive result of a system call is presumed to mean.
fn presumed(syscall: InSyscall, file: File) -> Vec<Term> {
    let rows = syscall.spec().into_iter();
    rows.flat_map(|row| row.presumed)
        .filter(|(kind, ..)| *kind == file)
        .map(|(_, hop, disposition)| Term {
            sign: Sign::Plus,
            hop: *hop,
            disposition: *disposition,
        })
        .collect()
}

/// Whether this instrument can see named bytes: system-call arguments are copied by leaves only,
/// and what is handed over or encrypted only callers see.
fn visible(instrument: Instrument, named: &Named) -> bool {
    let watches = match (named.disposition, named.hop) {
        (Disposition::Copied, Hop::Arguments) => instrument == Instrument::Audit,
        (Disposition::Copied, _) => true,
        _ => instrument == Instrument::Callers,
    };
    named.bytes > 0 && watches
}

fn named_bytes(instrument: Instrument, pass: &Pass, place: EntryKey) -> u64 {
    let here = |named: &&Named| {
        (named.process, named.hop, named.disposition) == place && visible(instrument, named)
    };
    sum(pass.named.iter().filter(here).map(|named| named.bytes))
}

/// A sum as the number of bytes that it stands for: none if more was taken away than added, which
/// the caller accounts for, and the most that there can be if it is more than a number holds.
fn clamped(bytes: i128) -> u64 {
    u64::try_from(bytes.max(0)).unwrap_or(u64::MAX)
}

/// Adds up without ever coming back to zero.
pub(crate) fn sum(bytes: impl Iterator<Item = u64>) -> u64 {
    bytes.fold(0, u64::saturating_add)
}
