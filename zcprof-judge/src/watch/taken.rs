//! Pure: what was copied of the bytes that a program took from sockets or wrote into files, as
//! intervals, and what of them nobody saw.

use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary::{Disposition, File, Hop, Instrument, Process};

use super::direction::{by_syscall, spliced_away};
use super::record::Direction;
use super::traffic::{Span, Traffic};
use crate::ledger::sum;
use crate::run::SyscallCount;

use Disposition::{Copied, Moved, Transformed};

/// Bytes at each hop that copies.
pub(super) fn spans(traffic: &Traffic, instrument: Instrument) -> Vec<Span> {
    let account = traffic.ledger.account(instrument);
    let copied = |hop| account.bytes(Process::Server, hop, Copied);
    let exactly = |hop| Span { hop, least: copied(hop), most: copied(hop) };
    let at_most = |hop, most: u64| Span { hop, least: 0, most: copied(hop).min(most) };
    let written = traffic.seen(Hop::UserToPageCache, Copied);
    match traffic.direction {
        Direction::Tx => Vec::new(),
        Direction::Rx => {
            let taken = traffic.sent();
            vec![
                exactly(Hop::SocketToUser),
                at_most(Hop::UserToPageCache, taken),
                at_most(Hop::UserToPipe, taken),
                at_most(Hop::PageCacheToPageCache, taken),
            ]
        }
        Direction::File => {
            let spliced = traffic.seen(Hop::PageCacheToPageCache, Copied);
            vec![
                at_most(Hop::PageCacheToUser, written),
                at_most(Hop::PipeToUser, written),
                at_most(Hop::SocketToUser, written),
                exactly(Hop::UserToPageCache),
                exactly(Hop::PageCacheToPageCache),
                at_most(Hop::UserToPipe, spliced),
                at_most(Hop::PageCacheToPipe, spliced),
            ]
        }
    }
}

/// Hops that the audit has no leaf for while programs are watched: only the callers tell about them.
pub(super) const fn is_for_callers(direction: Direction) -> bool {
    matches!(direction, Direction::File)
}

/// Bytes that system calls say were taken or written, beyond what the sites saw: they took a way that
/// has no row, or were cloned.
pub(super) fn uncounted(traffic: &Traffic) -> u64 {
    let pass = &traffic.pass;
    match traffic.direction {
        Direction::Tx => 0,
        Direction::Rx => {
            const READS: [&str; 4] = ["read", "readv", "recvfrom", "recvmsg"];
            let said = sum(READS.iter().map(|call| by_syscall(pass, call, File::Socket)));
            said.saturating_sub(traffic.seen(Hop::SocketToUser, Copied))
        }
        Direction::File => written_unseen(traffic).saturating_add(spliced_unseen(traffic)),
    }
}

/// What was written from memory and no site saw.
fn written_unseen(traffic: &Traffic) -> u64 {
    let writes = |call: &&SyscallCount| {
        let into = (File::Regular, Hop::UserToPageCache);
        let row = Syscall::by_name(&call.syscall);
        call.process == Process::Server
            && call.file == File::Regular
            && row
                .is_some_and(|row| row.presumed.iter().any(|(file, hop, _)| (*file, *hop) == into))
    };
    let said = sum(traffic.pass.syscalls.iter().filter(writes).map(|call| call.bytes));
    said.saturating_sub(traffic.seen(Hop::UserToPageCache, Copied))
}

/// What was spliced from file to file and no site saw.
fn spliced_unseen(traffic: &Traffic) -> u64 {
    let pass = &traffic.pass;
    let said = sum([
        by_syscall(pass, "copy_file_range", File::Regular),
        by_syscall(pass, "sendfile", File::Regular),
        by_syscall(pass, "splice", File::Pipe),
    ]
    .into_iter());
    let to_sockets =
        [Moved, Copied, Transformed].map(|how| traffic.seen(Hop::PageCacheToSocket, how));
    let seen = sum(to_sockets.into_iter());
    said.saturating_sub(seen.saturating_add(traffic.seen(Hop::PageCacheToPageCache, Copied)))
}

/// Bytes that were handed over, in this direction.
pub(super) fn moved(traffic: &Traffic) -> u64 {
    match traffic.direction {
        Direction::Rx => spliced_away(&traffic.pass),
        Direction::Tx | Direction::File => traffic.ledger.handed_over_at_all(),
    }
}
