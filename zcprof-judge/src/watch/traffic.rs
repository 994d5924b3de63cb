//! Pure: a part of what was sent in a window, as a ledger per sent byte.

use std::collections::BTreeSet;

use zcprof_common::sites::Site;
use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary::{Disposition, Family, File, Hop, Instrument, Process};

use super::apart::LedgersByPipe;
use super::as_pass::{BelowAnyPort, below_any_port, exits, leaf_stacks, pass};
use super::chosen::{Part, is_program, sent_by};
use super::direction;
use super::record::{Direction, Of, Tolerance, Watch, WatchedCount};
use crate::ledger::{Entry, InstrumentAccount, Ledger, sum};
use crate::run::{DeviceExit, Doubt, Pass};
use crate::syscall::InSyscall;
use crate::unexplained;

/// A part of what was sent.
#[derive(Clone, Debug)]
pub struct Traffic {
    /// The account of it; the payload is what was sent.
    pub ledger: Ledger,
    /// The window as a pass of that part.
    pub(super) pass: Pass,
    /// What is known below the sockets and may be of another port.
    pub(super) below_any_port: BelowAnyPort,
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
    /// Bytes that system calls say they sent, as far as a call names a socket.
    pub(super) said: u64,
    /// The most that one of these calls says.
    pub(super) said_at_once: u64,
    /// What missed runs may hide.
    pub(super) hidden: Hidden,
    /// The most that the kernel may have copied or encrypted below the sockets after the window.
    pub(super) late: u64,
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
    /// Sent by a function whose other runs were seen, within system calls whose results were.
    pub(super) in_results: u64,
}

/// System calls that send pages of a file or a pipe, and no user memory.
const SPLICES: [InSyscall; 2] =
    [InSyscall::Known(Syscall::Sendfile), InSyscall::Known(Syscall::Splice)];

impl Traffic {
    /// The part of a window.
    #[must_use]
    pub fn of(watch: &Watch, of: &Of) -> Self {
        let part = Part::of(&watch.counts, of);
        let mut traffic = Self::counted_of(&watch.counts, &part, watch.direction);
        traffic.pass.exits = exits(watch, &part);
        traffic.below_any_port = below_any_port(watch, &part);
        traffic.late = match (&watch.queued, watch.direction) {
            (Some(queued), Direction::Tx) => queued.most_below(&part),
            _ => 0,
        };
        traffic.pass.doubts.clone_from(&watch.doubts);
        traffic.pass.leaves = vec![watch.leaves.clone()];
        traffic.pass.leaf_stacks = leaf_stacks(watch, &part);
        traffic.ledger.unexplained = (!watch.leaf_stacks.is_empty())
            .then(|| unexplained::of(&traffic.pass, &watch.coverage));
        traffic.doubts.clone_from(&watch.doubts);
        traffic
    }

    /// The same of counts alone, for which nobody vouches.
    #[must_use]
    pub fn counted(counts: &[WatchedCount], of: &Of, direction: Direction) -> Self {
        Self::counted_of(counts, &Part::of(counts, of), direction)
    }

    fn counted_of(counts: &[WatchedCount], part: &Part<'_>, direction: Direction) -> Self {
        let theirs: Vec<_> = counts.iter().filter(|count| part.is_theirs(count)).collect();
        let everywhere = pass(part, &theirs, 0);
        let counts: Vec<_> = counts.iter().filter(|count| part.is_chosen(count)).collect();
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
        let says = counts.iter().filter(|count| is_program(count) && says_sent(count));
        let said = sum(says.clone().map(|count| count.bytes));
        let said_at_once = says.map(|count| count.largest).max().unwrap_or(0);
        let sent = sum(families.iter().map(|(_, bytes)| *bytes));
        let mut pass = pass(part, &counts, sent);
        let by_pipe = LedgersByPipe::of(&pass, &everywhere);
        let mut ledger = Ledger::of(&pass);
        ledger.payload = direction::amount(direction, &ledger, &pass);
        pass.payload.bytes = ledger.payload;
        let (hidden, doubts) = (Hidden::default(), Vec::new());
        Self {
            ledger,
            pass,
            below_any_port: BelowAnyPort::default(),
            by_pipe,
            families,
            calls,
            largest,
            direction,
            said,
            said_at_once,
            hidden,
            late: 0,
            doubts,
        }
    }

    /// Bytes that were sent, or received, or written.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        self.ledger.payload
    }

    /// Devices that its packets left by, the one with most bytes first.
    #[must_use]
    pub fn devices(&self) -> Vec<&str> {
        let of_it = |exit: &&DeviceExit| exit.process == Process::Server;
        let mut exits: Vec<_> = self.pass.exits.iter().filter(of_it).collect();
        exits.sort_by_key(|exit| std::cmp::Reverse(exit.bytes));
        let mut names: Vec<&str> = Vec::new();
        for exit in exits {
            if !names.contains(&exit.name.as_str()) {
                names.push(&exit.name);
            }
        }
        names
    }

    /// Bytes at a hop, as the callers saw them: they alone see hand-overs. What storage filled tracepoints
    /// see.
    #[must_use]
    pub fn seen(&self, hop: Hop, disposition: Disposition) -> u64 {
        self.entry(hop, disposition).map_or(0, |entry| entry.bytes)
    }

    /// The same with its calls.
    #[must_use]
    pub fn entry(&self, hop: Hop, disposition: Disposition) -> Option<&Entry> {
        let instrument = match disposition {
            Disposition::Filled => Instrument::Syscalls,
            _ => Instrument::Callers,
        };
        self.ledger.account(instrument).entry(Process::Server, hop, disposition)
    }

    /// Bytes that an instrument took for copied into sockets because a run was missed that would have seen
    /// them handed over: no leaf copied them.
    pub(super) fn mistaken(&self, account: &InstrumentAccount) -> u64 {
        into_sockets(account).saturating_sub(self.by_leaves()).min(self.hidden.handed_over)
    }

    /// Bytes that an instrument did not see copied into sockets because a run was missed that would have
    /// seen them: the leaves copied them. None if the leaves copied more than missed runs hide: then something
    /// else is wrong too.
    pub(super) fn overlooked(&self, account: &InstrumentAccount) -> u64 {
        let unseen = self.by_leaves().saturating_sub(into_sockets(account));
        if unseen <= self.hidden.in_results { unseen } else { 0 }
    }

    /// Bytes that the leaves copied into sockets.
    fn by_leaves(&self) -> u64 {
        into_sockets(self.ledger.account(Instrument::Audit))
    }

    /// Bytes that the sockets took from user memory, if they are framing: pages were handed over
    /// too, and these bytes are no larger a share of what was sent than the record tolerates.
    #[must_use]
    pub fn framing(&self, framing: Tolerance) -> u64 {
        let callers = self.ledger.account(Instrument::Callers);
        let copied = into_sockets(callers).saturating_sub(self.mistaken(callers));
        let copied = copied.saturating_add(self.overlooked(callers));
        let most = u128::from(self.sent()) * u128::from(framing.millionths) / 1_000_000;
        let handed_over = self.ledger.handed_over_at_all() > 0;
        if handed_over && u128::from(copied) <= most { copied } else { 0 }
    }
}

/// Bytes that were copied from user memory into sockets.
fn into_sockets(account: &InstrumentAccount) -> u64 {
    account.bytes(Process::Server, Hop::UserToSocket, Disposition::Copied)
}

/// Whether a count is the results of system calls that send by a socket. The file of sendfile(2) is the one
/// that it reads, and its port the socket's.
fn says_sent(count: &WatchedCount) -> bool {
    let is_result =
        Site::find(&count.site).is_some_and(|(_, site)| site.instrument == Instrument::Syscalls);
    let writes = count.syscall.spec().is_some_and(|row| {
        row.presumed.iter().any(|(file, hop, _)| (*file, *hop) == (File::Socket, Hop::UserToSocket))
    });
    let is_socket = count.file == File::Socket;
    let sendfile = count.syscall == InSyscall::Known(Syscall::Sendfile);
    is_result && (is_socket && writes || sendfile && (is_socket || count.port.is_some()))
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

#[cfg(test)]
mod tests {
    use zcprof_common::vocabulary::Iter;

    use super::*;
    use crate::watch::record::Charged;

    /// Results of writes into sockets, and of sendfile(2) into one, say what was sent, and nothing else does.
    #[test]
    fn only_results_of_sends_by_sockets_say_what_was_sent() {
        let count = |site: &str, syscall, file, port| WatchedCount {
            site: site.to_owned(),
            charged: Charged::Program("nginx".to_owned()),
            port,
            syscall: InSyscall::Known(syscall),
            iter: Iter::None,
            file,
            calls: 1,
            bytes: 1,
            small_calls: 0,
            small_bytes: 0,
            largest: 1,
            sizes: Vec::new(),
        };
        let (socket, disk, port) = (File::Socket, File::Regular, Some(80));
        for (site, syscall, file, port, says) in [
            ("sys_exit", Syscall::Write, socket, port, true),
            ("sys_exit", Syscall::Write, socket, None, true),
            ("tcp_sendmsg_locked", Syscall::Write, socket, port, false),
            ("sys_exit", Syscall::Write, disk, None, false),
            ("sys_exit", Syscall::Write, disk, port, false),
            ("sys_exit", Syscall::Read, socket, port, false),
            ("sys_exit", Syscall::Sendfile, disk, port, true),
            ("sys_exit", Syscall::Sendfile, socket, None, true),
            ("sys_exit", Syscall::Sendfile, disk, None, false),
            ("tcp_sendmsg_locked", Syscall::Sendfile, disk, port, false),
        ] {
            let count = count(site, syscall, file, port);
            assert_eq!(says_sent(&count), says, "{count:?}");
        }
    }
}
