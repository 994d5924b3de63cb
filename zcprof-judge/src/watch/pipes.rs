//! Pure: pages that left pipes by a socket. Counts name no pipe, and nothing in a pipe is at a port: whose
//! bytes the pages hold is known within bounds. They were put there from files, from the program's memory
//! (copied or by reference), or by somebody else.
//!
//! sendfile(2) is apart: its pipe is its own, and no program can write into it
//! (`splice_direct_to_actor()`, fs/splice.c, 5.10 to 7.3). Where the target is a pipe, sendfile is splice(2)
//! into that (`do_sendfile()`, fs/read_write.c, since 5.12).

use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary::{Disposition, File, Hop, Instrument, Process};

use super::apart::PipeLedgers;
use super::direction::by_syscall;
use super::span::Span;
use super::traffic::Traffic;
use crate::ledger::{Ledger, sum};
use crate::run::Pass;

use Disposition::{Bounced, Copied, Moved, Transformed};

/// What one instrument saw of one kind of pipe, in bytes.
struct KindBytes {
    /// Handed over to the part's sockets.
    left: u64,
    /// Handed over to the other sockets of those who send the part.
    left_elsewhere: u64,
    /// Pages of files that went in, those that copies filled among them.
    of_files: u64,
    /// Fresh pages that were filled for files.
    bounced: u64,
    /// Copied out of files.
    copied_from_files: u64,
}

impl KindBytes {
    fn of(ledgers: &PipeLedgers, instrument: Instrument) -> Self {
        let PipeLedgers { here, everywhere } = ledgers;
        // Only the callers see pages being handed over.
        let callers = Instrument::Callers;
        let left = |ledger, how| at(ledger, callers, Hop::PageCacheToSocket, how);
        // What was encrypted leaves in new pages, whatever was in pipes.
        let [moved, new] =
            [Moved, Transformed].map(|how| left(everywhere, how).saturating_sub(left(here, how)));
        let into = |of, how| at(everywhere, of, Hop::PageCacheToPipe, how);
        Self {
            left: left(here, Moved),
            left_elsewhere: moved.saturating_sub(new),
            of_files: sum([Moved, Bounced].into_iter().map(|how| into(callers, how))),
            bounced: into(callers, Bounced),
            copied_from_files: into(instrument, Copied),
        }
    }

    /// The least and the most that was sent of so much, if so much went in: all but what stayed there, at
    /// least.
    fn sent_of(&self, some: u64, filled: u64) -> (u64, u64) {
        let most = some.min(self.left);
        (some.saturating_sub(filled.saturating_sub(self.left)).min(most), most)
    }
}

/// What one instrument saw of pipes, in bytes.
pub(super) struct PipeBytes {
    /// Of those that programs have.
    programs: KindBytes,
    /// Of sendfile's own.
    sendfile: KindBytes,
    /// Copied out of memory.
    copied_from_memory: u64,
    /// Put there by reference out of memory.
    vmspliced: u64,
    /// Whether some pages were encrypted into new ones, which are nobody's.
    are_new: bool,
}

impl PipeBytes {
    pub(super) fn of(traffic: &Traffic, instrument: Instrument) -> Self {
        let by_pipe = &traffic.by_pipe;
        let [mut programs, sendfile] =
            [&by_pipe.programs, &by_pipe.sendfile].map(|kind| KindBytes::of(kind, instrument));
        // What sendfile put into a pipe that it was given may be any of what it handled.
        let given = by_syscall(&traffic.pass, Syscall::Sendfile, File::Pipe);
        let add = |bytes: &mut u64, more| *bytes = bytes.saturating_add(more);
        add(&mut programs.of_files, given);
        add(&mut programs.bounced, sendfile.bounced.min(given));
        add(&mut programs.copied_from_files, sendfile.copied_from_files.min(given));
        let everywhere = &by_pipe.programs.everywhere;
        Self {
            programs,
            sendfile,
            copied_from_memory: at(everywhere, instrument, Hop::UserToPipe, Copied),
            vmspliced: vmspliced(&traffic.pass),
            are_new: traffic.seen(Hop::PageCacheToSocket, Transformed) > 0,
        }
    }

    /// What left pipes, at least, that was none of so much which other pages account for.
    const fn left_beyond(&self, others: u64) -> u64 {
        if self.are_new { 0 } else { self.programs.left.saturating_sub(others) }
    }

    /// The same at most: the other pages may have left by other sockets.
    fn may_have_left_beyond(&self, others: u64) -> u64 {
        let KindBytes { left, left_elsewhere, .. } = self.programs;
        if self.are_new { 0 } else { part_beyond(left, left_elsewhere, others) }
    }

    /// What left by sockets and no file's pages account for.
    pub(super) fn unexplained(&self) -> u64 {
        let KindBytes { left, left_elsewhere, of_files, .. } = self.sendfile;
        let by_sendfile = part_beyond(left, left_elsewhere, of_files);
        let by_sendfile = if self.are_new { 0 } else { by_sendfile };
        self.may_have_left_beyond(self.programs.of_files).saturating_add(by_sendfile)
    }

    /// What went into pipes by the program itself.
    fn own(&self) -> u64 {
        sum([self.copied_from_memory, self.vmspliced, self.programs.of_files].into_iter())
    }

    /// What left pipes and was neither a file's nor the program's own: those who filled the pipes may have
    /// copied it.
    fn of_others(&self) -> u64 {
        self.may_have_left_beyond(self.own())
    }

    /// The same by all sockets of the senders: it may be what left by one of them.
    fn of_others_anywhere(&self) -> u64 {
        let left = self.programs.left.saturating_add(self.programs.left_elsewhere);
        if self.are_new { 0 } else { left.saturating_sub(self.own()) }
    }

    /// Copied out of memory into pipes, and sent from there.
    pub(super) fn sent_out_of_memory(&self) -> Span {
        let others =
            sum([self.programs.of_files, self.vmspliced, self.of_others_anywhere()].into_iter());
        let most = self.sent_of_own().saturating_add(self.of_others());
        Span {
            hop: Hop::UserToPipe,
            least: self.copied_from_memory.min(self.left_beyond(others)),
            most: most.min(self.programs.left),
        }
    }

    /// The most of what the program copied into pipes that it sent from there.
    pub(super) fn sent_of_own(&self) -> u64 {
        self.copied_from_memory.min(self.programs.left)
    }

    /// Copied out of files into pipes, and sent from there.
    pub(super) fn sent_out_of_files(&self) -> Span {
        self.sent_of(|kind| kind.copied_from_files)
    }

    /// Filled in pipes as fresh pages for files, and sent from there.
    pub(super) fn bounced(&self) -> Span {
        self.sent_of(|kind| kind.bounced)
    }

    /// What was sent of so much in each kind of pipe.
    fn sent_of(&self, some: impl Fn(&KindBytes) -> u64) -> Span {
        let filled = self.own().saturating_add(self.of_others_anywhere());
        let kinds = [(&self.programs, filled), (&self.sendfile, self.sendfile.of_files)];
        let [programs, sendfile] = kinds.map(|(kind, filled)| kind.sent_of(some(kind), filled));
        Span {
            hop: Hop::PageCacheToPipe,
            least: programs.0.saturating_add(sendfile.0),
            most: programs.1.saturating_add(sendfile.1),
        }
    }

    /// Pages of memory that the program put into pipes by reference.
    pub(super) const fn by_reference(&self) -> u64 {
        self.vmspliced
    }
}

/// How much of a part is what it and the rest are more than others.
fn part_beyond(part: u64, rest: u64, others: u64) -> u64 {
    let beyond = (u128::from(part) + u128::from(rest)).saturating_sub(u128::from(others));
    u64::try_from(beyond).unwrap_or(u64::MAX).min(part)
}

/// Bytes of the part's senders in a ledger.
fn at(ledger: &Ledger, of: Instrument, hop: Hop, how: Disposition) -> u64 {
    ledger.account(of).bytes(Process::Server, hop, how)
}

fn vmspliced(pass: &Pass) -> u64 {
    let of_it = pass.syscalls.iter().filter(|call| call.syscall == Syscall::Vmsplice);
    sum(of_it.filter(|call| call.process == Process::Server).map(|call| call.bytes))
}
