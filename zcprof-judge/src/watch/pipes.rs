//! Pure: pages that left pipes by a socket. Counts name no pipe, and nothing in a pipe is at a port: whose
//! bytes the pages hold is known within bounds. They were put there from files, from the program's memory
//! (copied or by reference), or by somebody else.
//!
//! sendfile(2) is apart: its pipe is its own, and no program can write into it
//! (`splice_direct_to_actor()`, fs/splice.c, 5.10 to 7.3). Where the target is a pipe, sendfile is splice(2)
//! into that (`do_sendfile()`, fs/read_write.c, since 5.12).

use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary::{Disposition, File, Hop, Instrument, Process};

use super::direction::by_syscall;
use super::traffic::{Span, Traffic};
use crate::ledger::{Ledger, sum};
use crate::run::Pass;
use crate::syscall::InSyscall;

use Disposition::{Bounced, Copied, Moved, Transformed};

/// What one instrument saw of pipes, in bytes.
pub(super) struct PipeBytes {
    /// Handed over to the part's sockets out of pipes.
    left: u64,
    /// The same by sendfile(2), out of its own pipe.
    left_sendfile: u64,
    /// Handed over out of pipes to the other sockets of those who send the part.
    left_elsewhere: u64,
    /// The same by sendfile(2).
    left_elsewhere_sendfile: u64,
    /// Pages of files that went into pipes, those that copies filled among them.
    of_files: u64,
    /// The same by sendfile(2), into its own pipe or into one that it was given.
    of_files_sendfile: u64,
    /// Fresh pages that were filled in pipes for files.
    bounced: u64,
    /// The same by sendfile(2).
    bounced_sendfile: u64,
    /// Copied out of files into pipes.
    copied_from_files: u64,
    /// The same by sendfile(2).
    copied_from_files_sendfile: u64,
    /// Copied out of memory.
    copied_from_memory: u64,
    /// Put there by reference out of memory.
    vmspliced: u64,
    /// Whether some pages were encrypted into new ones, which are nobody's.
    are_new: bool,
}

impl PipeBytes {
    pub(super) fn of(traffic: &Traffic, instrument: Instrument) -> Self {
        let [here, in_sendfile_here] = apart(&traffic.pass);
        let [everywhere, in_sendfile] = apart(&traffic.everywhere);
        let at =
            |ledger: &Ledger, of, hop, how| ledger.account(of).bytes(Process::Server, hop, how);
        // Only the callers see pages being handed over.
        let callers = Instrument::Callers;
        let left = |ledger: &Ledger, how| at(ledger, callers, Hop::PageCacheToSocket, how);
        // What was encrypted leaves in new pages, whatever was in pipes.
        let left_elsewhere = |here: &Ledger, all: &Ledger| {
            let [moved, new] =
                [Moved, Transformed].map(|how| left(all, how).saturating_sub(left(here, how)));
            moved.saturating_sub(new)
        };
        let into = |ledger: &Ledger, of, how| at(ledger, of, Hop::PageCacheToPipe, how);
        let of_files = |ledger: &Ledger| {
            sum([Moved, Bounced].into_iter().map(|how| into(ledger, callers, how)))
        };
        let into_given = by_syscall(&traffic.pass, Syscall::Sendfile, File::Pipe);
        // What sendfile put into a pipe that it was given may be any of what it handled.
        let with_given = |of, how| {
            into(&everywhere, of, how).saturating_add(into(&in_sendfile, of, how).min(into_given))
        };
        Self {
            left: left(&here, Moved),
            left_sendfile: left(&in_sendfile_here, Moved),
            left_elsewhere: left_elsewhere(&here, &everywhere),
            left_elsewhere_sendfile: left_elsewhere(&in_sendfile_here, &in_sendfile),
            of_files: of_files(&everywhere).saturating_add(into_given),
            of_files_sendfile: of_files(&in_sendfile),
            bounced: with_given(callers, Bounced),
            bounced_sendfile: into(&in_sendfile, callers, Bounced),
            copied_from_files: with_given(instrument, Copied),
            copied_from_files_sendfile: into(&in_sendfile, instrument, Copied),
            copied_from_memory: at(&everywhere, instrument, Hop::UserToPipe, Copied),
            vmspliced: vmspliced(&traffic.pass),
            are_new: left(&traffic.ledger, Transformed) > 0,
        }
    }

    /// What left pipes, at least, that was none of so much which other pages account for.
    const fn left_beyond(&self, others: u64) -> u64 {
        if self.are_new { 0 } else { self.left.saturating_sub(others) }
    }

    /// The same at most: the other pages may have left by other sockets.
    fn may_have_left_beyond(&self, others: u64) -> u64 {
        if self.are_new { 0 } else { part_beyond(self.left, self.left_elsewhere, others) }
    }

    /// What left by sockets and no file's pages account for.
    pub(super) fn unexplained(&self) -> u64 {
        let [left, elsewhere] = [self.left_sendfile, self.left_elsewhere_sendfile];
        let by_sendfile = part_beyond(left, elsewhere, self.of_files_sendfile);
        let by_sendfile = if self.are_new { 0 } else { by_sendfile };
        self.may_have_left_beyond(self.of_files).saturating_add(by_sendfile)
    }

    /// What went into pipes by the program itself.
    fn own(&self) -> u64 {
        sum([self.copied_from_memory, self.vmspliced, self.of_files].into_iter())
    }

    /// What left pipes and was neither a file's nor the program's own: those who filled the pipes may have
    /// copied it.
    fn of_others(&self) -> u64 {
        self.may_have_left_beyond(self.own())
    }

    /// The same by all sockets of the senders: it may be what left by one of them.
    fn of_others_anywhere(&self) -> u64 {
        let left = self.left.saturating_add(self.left_elsewhere);
        if self.are_new { 0 } else { left.saturating_sub(self.own()) }
    }

    /// Copied out of memory into pipes, and sent from there.
    pub(super) fn sent_out_of_memory(&self) -> Span {
        let others = sum([self.of_files, self.vmspliced, self.of_others_anywhere()].into_iter());
        let most = self.sent_of_own().saturating_add(self.of_others());
        Span {
            hop: Hop::UserToPipe,
            least: self.copied_from_memory.min(self.left_beyond(others)),
            most: most.min(self.left),
        }
    }

    /// The most of what the program copied into pipes that it sent from there.
    pub(super) fn sent_of_own(&self) -> u64 {
        self.copied_from_memory.min(self.left)
    }

    /// Copied out of files into pipes, and sent from there.
    pub(super) fn sent_out_of_files(&self) -> Span {
        self.sent_of(self.copied_from_files, self.copied_from_files_sendfile)
    }

    /// Filled in pipes as fresh pages for files, and sent from there.
    pub(super) fn bounced(&self) -> Span {
        self.sent_of(self.bounced, self.bounced_sendfile)
    }

    /// What was sent of so much in pipes and in those of sendfile: all but what stayed there, at least.
    fn sent_of(&self, in_pipes: u64, in_sendfile: u64) -> Span {
        let filled = self.own().saturating_add(self.of_others_anywhere());
        let pipes = [
            (in_pipes, filled, self.left),
            (in_sendfile, self.of_files_sendfile, self.left_sendfile),
        ];
        let most = |(some, _, left): &(u64, u64, u64)| *some.min(left);
        let least = |pipe: &(u64, u64, u64)| {
            let (some, filled, left) = pipe;
            some.saturating_sub(filled.saturating_sub(*left)).min(most(pipe))
        };
        Span {
            hop: Hop::PageCacheToPipe,
            least: sum(pipes.iter().map(least)),
            most: sum(pipes.iter().map(most)),
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

/// What was counted in other calls than sendfile(2), and in that.
fn apart(pass: &Pass) -> [Ledger; 2] {
    [false, true].map(|in_sendfile| {
        let is_here =
            |call: InSyscall| (call == InSyscall::Known(Syscall::Sendfile)) == in_sendfile;
        let counts = pass.counts.iter().filter(|count| is_here(count.syscall)).cloned().collect();
        Ledger::of(&Pass { counts, ..pass.clone() })
    })
}

fn vmspliced(pass: &Pass) -> u64 {
    let of_it = pass.syscalls.iter().filter(|call| call.syscall == Syscall::Vmsplice);
    sum(of_it.filter(|call| call.process == Process::Server).map(|call| call.bytes))
}
