//! Pure: a part of what was sent in a window, as a ledger per sent byte.

use std::collections::BTreeSet;

use zcprof_common::sites::Site;
use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary::{Disposition, Family, File, Hop, Instrument, Iter, Process};

use super::apart::LedgersByPipe;
use super::direction;
use super::record::{
    Charged, Direction, Of, Tolerance, Watch, WatchedCount, WatchedExit, WatchedLeafStack,
};
use crate::ledger::{InstrumentAccount, Ledger, sum};
use crate::run::{
    Cache, Count, DeviceExit, Doubt, LeafStack, Notices, Pass, Payload, SyscallCount,
};
use crate::syscall::InSyscall;
use crate::unexplained;

/// A part of what was sent.
#[derive(Clone, Debug)]
pub struct Traffic {
    /// The account of it; the payload is what was sent.
    pub ledger: Ledger,
    /// The window as a pass of that part.
    pub(super) pass: Pass,
    /// Ledgers by kind of pipe.
    pub(super) by_pipe: LedgersByPipe,
    /// Bytes sent by each family of sockets, those that sent nothing left out.
    pub families: Vec<(Family, u64)>,
    /// Calls that sent from user memory.
    pub calls: u64,
    /// Bytes of the largest of these.
    pub largest: u64,
    /// Which bytes are the denominator.
    pub direction: Direction,
    /// What missed runs may hide.
    pub(super) hidden: Hidden,
    /// What else leaves the window in doubt.
    pub(super) doubts: Vec<Doubt>,
}

/// The most that missed runs may hide, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hidden {
    /// Sent or received beyond what was seen. What of it was copied the audit saw.
    pub(super) passed: u64,
    /// Copied at a socket by system calls that name no file, or later for an unknown sender.
    pub(super) unplaced: u64,
    /// Handed over, and taken for copied by the callers.
    pub(super) handed_over: u64,
    /// Copied by page faults.
    pub(super) by_faults: u64,
}

/// Bytes that were copied at a hop and sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where.
    pub hop: Hop,
    /// The least.
    pub least: u64,
    /// The most.
    pub most: u64,
}

impl Span {
    /// All that an account says was copied at a hop.
    pub(super) fn exactly(account: &InstrumentAccount, hop: Hop) -> Self {
        let copied = account.bytes(Process::Server, hop, Disposition::Copied);
        Self { hop, least: copied, most: copied }
    }

    /// At most all of it, and so much.
    pub(super) fn at_most(account: &InstrumentAccount, hop: Hop, most: u64) -> Self {
        let copied = account.bytes(Process::Server, hop, Disposition::Copied);
        Self { hop, least: 0, most: copied.min(most) }
    }

    /// The same, less so much that was not copied.
    pub(super) const fn less(self, bytes: u64) -> Self {
        let (least, most) = (self.least.saturating_sub(bytes), self.most.saturating_sub(bytes));
        Self { least, most, ..self }
    }

    /// The same, and so much more that may have been copied unseen.
    pub(super) const fn and_hidden(self, bytes: u64) -> Self {
        Self { most: self.most.saturating_add(bytes), ..self }
    }
}

/// System calls that send pages of a file or a pipe, and no user memory.
const SPLICES: [InSyscall; 2] =
    [InSyscall::Known(Syscall::Sendfile), InSyscall::Known(Syscall::Splice)];

impl Traffic {
    /// The part of a window.
    #[must_use]
    pub fn of(watch: &Watch, of: &Of) -> Self {
        let mut traffic = Self::counted(&watch.counts, of, watch.direction);
        traffic.pass.exits = exits(watch, of);
        traffic.pass.doubts.clone_from(&watch.doubts);
        traffic.pass.leaves = vec![watch.leaves.clone()];
        traffic.pass.leaf_stacks = leaf_stacks(watch, of);
        traffic.ledger.unexplained = (!watch.leaf_stacks.is_empty())
            .then(|| unexplained::of(&traffic.pass, &watch.coverage));
        traffic.doubts.clone_from(&watch.doubts);
        traffic
    }

    /// The same of counts alone, for which nobody vouches.
    #[must_use]
    pub fn counted(counts: &[WatchedCount], of: &Of, direction: Direction) -> Self {
        let senders = senders(counts, of);
        let theirs: Vec<_> = counts.iter().filter(|c| is_theirs(c, of, &senders)).collect();
        let everywhere = pass(of, &theirs, 0);
        let chosen = |count: &&WatchedCount| is_chosen(count, of, &senders);
        let counts: Vec<_> = counts.iter().filter(chosen).collect();
        let mut families = Vec::new();
        for family in Family::ALL.iter().copied().filter(|family| *family != Family::Pipe) {
            let by_it = counts.iter().filter(|count| sent_by(count) == Some(family));
            let by_it = by_it.filter(|count| is_program(count));
            let bytes = sum(by_it.map(|count| count.bytes));
            if bytes > 0 {
                families.push((family, bytes));
            }
        }
        let writes = counts.iter().filter(|count| {
            let socket = sent_by(count).is_some_and(|family| family != Family::Pipe);
            socket && is_program(count) && !SPLICES.contains(&count.syscall)
        });
        let calls = sum(writes.clone().map(|count| count.calls));
        let largest = writes.map(|count| count.largest).max().unwrap_or(0);
        let sent = sum(families.iter().map(|(_, bytes)| *bytes));
        let mut pass = pass(of, &counts, sent);
        let by_pipe = LedgersByPipe::of(&pass, &everywhere);
        let mut ledger = Ledger::of(&pass);
        ledger.payload = direction::amount(direction, &ledger, &pass);
        pass.payload.bytes = ledger.payload;
        let (hidden, doubts) = (Hidden::default(), Vec::new());
        Self { ledger, pass, by_pipe, families, calls, largest, direction, hidden, doubts }
    }

    /// Bytes that were sent, or received, or written.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        self.ledger.payload
    }

    /// Bytes at a hop, as the callers saw them: of all dispositions they are the only ones to see
    /// hand-overs.
    #[must_use]
    pub fn seen(&self, hop: Hop, disposition: Disposition) -> u64 {
        self.ledger.account(Instrument::Callers).bytes(Process::Server, hop, disposition)
    }

    /// Bytes that an instrument took for copied into sockets because a run was missed that would have seen
    /// them handed over: no leaf copied them.
    pub(super) fn mistaken(&self, account: &InstrumentAccount) -> u64 {
        let copied = |account: &InstrumentAccount| {
            account.bytes(Process::Server, Hop::UserToSocket, Disposition::Copied)
        };
        let by_leaves = copied(self.ledger.account(Instrument::Audit));
        copied(account).saturating_sub(by_leaves).min(self.hidden.handed_over)
    }

    /// Bytes that the sockets took from user memory, if they are framing: pages were handed over
    /// too, and these bytes are no larger a share of what was sent than the record tolerates.
    #[must_use]
    pub fn framing(&self, framing: Tolerance) -> u64 {
        let callers = self.ledger.account(Instrument::Callers);
        let copied = self.seen(Hop::UserToSocket, Disposition::Copied);
        let copied = copied.saturating_sub(self.mistaken(callers));
        let most = u128::from(self.sent()) * u128::from(framing.millionths) / 1_000_000;
        let handed_over = self.ledger.handed_over_at_all() > 0;
        if handed_over && u128::from(copied) <= most { copied } else { 0 }
    }
}

/// Whether execve(2) read a program's first bytes and headers, which it does into the kernel's memory
/// (kernel_read() in fs/exec.c and fs/binfmt_elf.c, 5.10 to 7.3): what goes there else is on its way
/// into a pipe.
pub(super) fn is_read_by_exec(count: &WatchedCount) -> bool {
    const EXECS: [InSyscall; 2] =
        [InSyscall::Known(Syscall::Execve), InSyscall::Known(Syscall::Execveat)];
    EXECS.contains(&count.syscall) && count.iter == Iter::Kernel
}

fn is_program(count: &WatchedCount) -> bool {
    matches!(count.charged, Charged::Program(_))
}

/// What the bytes leave by, if the site is a way to send.
fn sent_by(count: &WatchedCount) -> Option<Family> {
    Site::find(&count.site).and_then(|(_, site)| site.sent)
}

/// Programs that sent from a port.
fn senders<'a>(counts: &'a [WatchedCount], of: &Of) -> Vec<&'a str> {
    let Of::Port(port) = of else { return Vec::new() };
    let mut senders = Vec::new();
    for count in counts {
        if let (Charged::Program(name), true) = (&count.charged, count.port == Some(*port))
            && !senders.contains(&name.as_str())
        {
            senders.push(name);
        }
    }
    senders
}

/// Whether a count belongs to the part. What a program does at no socket may be for any of its ports.
fn is_chosen(count: &WatchedCount, of: &Of, senders: &[&str]) -> bool {
    let is_here = match (of, &count.charged) {
        (Of::Port(port), Charged::Program(_)) => {
            count.port.map_or_else(|| !is_at_socket(count) || is_encrypted(count), |at| at == *port)
        }
        _ => true,
    };
    is_here && is_theirs(count, of, senders)
}

/// The same at whatever port: whether a count is of those who send the part, and may be on the way of what
/// they send.
fn is_theirs(count: &WatchedCount, of: &Of, senders: &[&str]) -> bool {
    let is_of_them = match (of, &count.charged) {
        (Of::All, _) | (_, Charged::Unknown) => true,
        (_, Charged::Elsewhere) => false,
        (Of::Program(name), Charged::Program(of_it)) => name == of_it,
        (Of::Port(_), Charged::Program(name)) => senders.contains(&name.as_str()),
    };
    is_of_them && !is_read_by_exec(count)
}

/// Devices that the senders of a part left by, and those that datagrams of unknown senders did.
fn exits(watch: &Watch, of: &Of) -> Vec<DeviceExit> {
    let senders = senders(&watch.counts, of);
    let is_chosen = |name: &String| match of {
        Of::All => true,
        Of::Program(wanted) => name == wanted,
        Of::Port(_) => senders.contains(&name.as_str()),
    };
    let of_whom = |exit: &WatchedExit| match &exit.charged {
        Charged::Program(name) if is_chosen(name) => Some(Process::Server),
        Charged::Unknown => Some(Process::Unknown),
        Charged::Program(_) | Charged::Elsewhere => None,
    };
    let exit = |exit: &WatchedExit| {
        Some(DeviceExit {
            process: of_whom(exit)?,
            name: exit.name.clone(),
            kind: exit.kind.clone(),
            bytes: exit.bytes,
        })
    };
    watch.exits.iter().filter_map(exit).collect()
}

/// Whether a count was made at a socket, be it one whose port is not told apart.
fn is_at_socket(count: &WatchedCount) -> bool {
    const AT_SOCKETS: [Hop; 3] = [Hop::UserToSocket, Hop::PageCacheToSocket, Hop::SocketToUser];
    count.file == File::Socket || direction::is_at(&count.site, count.iter, count.file, &AT_SOCKETS)
}

/// As whose a count is taken where a part of the window is judged.
fn process(count: &WatchedCount, of: &Of) -> Process {
    match (&count.charged, of) {
        (Charged::Unknown, _) => Process::Unknown,
        (Charged::Elsewhere, _) => Process::Elsewhere,
        // A deferred copy names a program, but no port: the copy may be another port's. So may the first
        // record that a call has encrypted, before TLS sends it by the socket that has the port.
        (Charged::Program(_), Of::Port(_))
            if count.port.is_none() && (is_deferred(count) || is_encrypted(count)) =>
        {
            Process::Unknown
        }
        (Charged::Program(_), _) => Process::Server,
    }
}

/// A count as a pass has it.
fn as_count(count: &WatchedCount, of: &Of) -> Count {
    Count {
        site: count.site.clone(),
        process: process(count, of),
        syscall: count.syscall,
        iter: count.iter,
        file: count.file,
        calls: count.calls,
        bytes: count.bytes,
    }
}

/// What leaves copied of a part, by stack.
fn leaf_stacks(watch: &Watch, of: &Of) -> Vec<LeafStack> {
    let senders = senders(&watch.counts, of);
    let chosen = watch.leaf_stacks.iter().filter(|stack| is_chosen(&stack.count, of, &senders));
    let stack = |stack: &WatchedLeafStack| LeafStack {
        count: as_count(&stack.count, of),
        functions: stack.functions.clone(),
    };
    chosen.map(stack).collect()
}

/// The window as if it were a pass in which a server sent so much.
fn pass(of: &Of, chosen: &[&WatchedCount], sent: u64) -> Pass {
    let (results, counts): (Vec<&WatchedCount>, Vec<&WatchedCount>) =
        chosen.iter().copied().partition(|count| count.site == "sys_exit");
    let counts = counts.into_iter().map(|count| as_count(count, of));
    let syscalls = results.into_iter().map(|count| SyscallCount {
        process: process(count, of),
        syscall: count.syscall,
        file: count.file,
        calls: count.calls,
        bytes: count.bytes,
    });
    Pass {
        transfer: of.to_string(),
        claim: None,
        cache: Cache::Warm,
        payload: Payload { bytes: sent, fetches: 0, verified: true },
        named: Vec::new(),
        counts: counts.collect(),
        exits: Vec::new(),
        syscalls: syscalls.collect(),
        notices: Notices::default(),
        doubts: Vec::new(),
        leaves: Vec::new(),
        leaf_stacks: Vec::new(),
        watched_consumer: false,
        seconds: 0.0,
        void: Vec::new(),
    }
}

pub(super) fn is_deferred(count: &WatchedCount) -> bool {
    direction::is_at(&count.site, count.iter, count.file, &[Hop::SocketToSocket])
}

/// Whether a count is of bytes that were encrypted for a socket.
fn is_encrypted(count: &WatchedCount) -> bool {
    let terms = Site::find(&count.site).and_then(|(_, site)| site.terms(count.iter, count.file));
    let mut terms = terms.unwrap_or_default().iter();
    terms.any(|term| {
        (term.hop, term.disposition) == (Hop::PageCacheToSocket, Disposition::Transformed)
    })
}

/// All that was sent, then each program and each port, if there are several.
pub(crate) fn parts(watch: &Watch) -> Vec<Of> {
    let mut parts = vec![Of::All];
    let sends = |of: &Of| Traffic::of(watch, of).sent() > 0;
    let programs = watch.programs.iter().map(|program| Of::Program(program.name.clone()));
    let at: BTreeSet<u16> = watch.counts.iter().filter_map(|count| count.port).collect();
    parts.extend(programs.chain(at.into_iter().map(Of::Port)).filter(sends));
    parts
}
