//! Pure: what was copied of the bytes that a program took from sockets or wrote into files, as
//! intervals; and in every direction, what system calls tell of and no site saw.

use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary::{Disposition, File, Hop, Process};

use super::direction::{by_syscall, spliced_away};
use super::record::Direction;
use super::span::Span;
use super::traffic::Traffic;
use crate::ledger::{InstrumentAccount, sum};
use crate::run::{Pass, SyscallCount};

use Disposition::{Copied, Moved, Pinned, Transformed};

/// Bytes that were copied of what was received.
pub(super) fn received(traffic: &Traffic, account: &InstrumentAccount) -> Vec<Span> {
    let taken = traffic.sent();
    vec![
        Span::exactly(account, Hop::SocketToUser).and_hidden(traffic.hidden.unplaced),
        Span { hop: Hop::UserToPageCache, least: 0, most: into_files(traffic, account, taken) },
        Span::at_most(account, Hop::UserToPipe, taken),
        Span::at_most(account, Hop::PageCacheToPageCache, taken),
    ]
}

/// Bytes that were copied of what was written into files.
pub(super) fn written(traffic: &Traffic, account: &InstrumentAccount) -> Vec<Span> {
    let from_memory = traffic.seen(Hop::UserToPageCache, Copied);
    let spliced = traffic.seen(Hop::PageCacheToPageCache, Copied);
    vec![
        Span::at_most(account, Hop::PageCacheToUser, from_memory),
        Span::at_most(account, Hop::PipeToUser, from_memory),
        Span::at_most(account, Hop::SocketToUser, from_memory),
        Span::exactly(account, Hop::UserToPageCache),
        Span::exactly(account, Hop::PageCacheToPageCache),
        Span::at_most(account, Hop::UserToPipe, spliced),
        Span::at_most(account, Hop::PageCacheToPipe, spliced),
    ]
}

/// Hops that the audit has no leaf for while programs are watched: only the callers tell about them.
pub(super) const fn is_for_callers(direction: Direction) -> bool {
    matches!(direction, Direction::File)
}

/// Bytes that system calls say were sent, taken or written, beyond what the sites saw: they took a way
/// that has no row, or were cloned.
pub(super) fn uncounted(traffic: &Traffic) -> u64 {
    let pass = &traffic.pass;
    match traffic.direction {
        Direction::Tx => sent_unseen(traffic),
        Direction::Rx => {
            received_by_calls(pass).saturating_sub(traffic.seen(Hop::SocketToUser, Copied))
        }
        Direction::File => written_unseen(traffic).saturating_add(spliced_unseen(traffic)),
    }
}

/// Bytes that system calls say they read from sockets into memory.
pub(super) fn received_by_calls(pass: &Pass) -> u64 {
    const READS: [Syscall; 4] =
        [Syscall::Read, Syscall::Readv, Syscall::Recvfrom, Syscall::Recvmsg];
    sum(READS.iter().map(|call| by_syscall(pass, *call, File::Socket)))
}

/// What was sent from memory and no family's row saw.
fn sent_unseen(traffic: &Traffic) -> u64 {
    let places = [Copied, Pinned].map(|how| traffic.seen(Hop::UserToSocket, how));
    // A socket that takes no pages copies under the other hop's name.
    let untaken = traffic.seen(Hop::PageCacheToSocket, Copied);
    let seen = sum(places.into_iter()).saturating_add(untaken);
    presumed(&traffic.pass, File::Socket, Hop::UserToSocket).saturating_sub(seen)
}

/// Bytes that may have been copied from memory into files, of at most so many. The callers see that where a
/// file system writes by a function that is a site. FUSE without its write-back cache (fs/fuse/file.c),
/// netfs (fs/netfs/buffered_write.c) and bcachefs (fs/bcachefs/fs-io-buffered.c) write by functions of
/// their own (6.12): there the results of the system calls say more.
pub(super) fn into_files(traffic: &Traffic, account: &InstrumentAccount, most: u64) -> u64 {
    let hop = Hop::UserToPageCache;
    let said = presumed(&traffic.pass, File::Regular, hop);
    let seen = account.bytes(Process::Server, hop, Copied).max(traffic.seen(hop, Copied));
    seen.max(said).min(most)
}

/// What was written from memory and no site saw.
fn written_unseen(traffic: &Traffic) -> u64 {
    presumed(&traffic.pass, File::Regular, Hop::UserToPageCache)
        .saturating_sub(traffic.seen(Hop::UserToPageCache, Copied))
}

/// Results of the system calls that are presumed to move bytes over a hop on a kind of file.
pub(super) fn presumed(pass: &Pass, file: File, hop: Hop) -> u64 {
    let moves = |call: &&SyscallCount| {
        let mut presumed = call.syscall.spec().into_iter().flat_map(|row| row.presumed);
        let here = presumed.any(|(kind, at, _)| (*kind, *at) == (file, hop));
        call.process == Process::Server && call.file == file && here
    };
    sum(pass.syscalls.iter().filter(moves).map(|call| call.bytes))
}

/// What was spliced from file to file and no site saw.
fn spliced_unseen(traffic: &Traffic) -> u64 {
    let pass = &traffic.pass;
    let said = sum([
        by_syscall(pass, Syscall::CopyFileRange, File::Regular),
        by_syscall(pass, Syscall::Sendfile, File::Regular),
        by_syscall(pass, Syscall::Splice, File::Pipe),
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
