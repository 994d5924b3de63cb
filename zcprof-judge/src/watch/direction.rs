//! Pure: the directions other than sending: what a program takes from sockets, or writes into files, is
//! the denominator there.

use zcprof_common::sites::Site;
use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary::{Disposition, File, Hop, Instrument, Iter, Process};

use super::promise::Promise;
use super::record::Direction;
use crate::ledger::{Ledger, sum};
use crate::run::Pass;
use crate::syscall::InSyscall;

use Disposition::{Copied, Moved};

/// Why a promise cannot be judged in a direction: what is named is about what is sent.
///
/// # Errors
/// Says what can be claimed instead.
pub fn permits(direction: Direction, promise: &Promise) -> Result<(), String> {
    let may = match (direction, promise) {
        (Direction::Tx, _) => true,
        (_, Promise::Named(_)) => false,
        (Direction::Rx, Promise::Bound(bound)) => [Copied, Moved].contains(&bound.what),
        (Direction::File, Promise::Bound(bound)) => bound.what == Copied,
    };
    let option = direction.name();
    let instead = if direction == Direction::Rx { " or moved>=0.99" } else { "" };
    if may {
        return Ok(());
    }
    Err(format!(
        "{promise} is about what is sent; with --direction {option} claim copied<=1{instead}"
    ))
}

/// Bytes that were taken or written: the denominator.
pub(super) fn amount(direction: Direction, ledger: &Ledger, pass: &Pass) -> u64 {
    let copied = |hop| ledger.account(Instrument::Callers).bytes(Process::Server, hop, Copied);
    match direction {
        Direction::Tx => pass.payload.bytes,
        // A look at what stays in the socket takes nothing.
        Direction::Rx => {
            let looked = looked_at(pass);
            copied(Hop::SocketToUser).saturating_sub(looked).saturating_add(spliced_away(pass))
        }
        Direction::File => {
            let between = copied(Hop::PageCacheToPageCache);
            let said = by_syscall(pass, Syscall::CopyFileRange, File::Regular);
            copied(Hop::UserToPageCache).saturating_add(between.max(said))
        }
    }
}

/// Bytes that were copied out of a socket and stayed in it (MSG_PEEK).
fn looked_at(pass: &Pass) -> u64 {
    let looks = pass.counts.iter().filter(|count| {
        let of_callers =
            Site::find(&count.site).is_some_and(|(_, site)| site.instrument == Instrument::Callers);
        count.process == Process::Server
            && matches!(count.syscall, InSyscall::Peeking(_))
            && of_callers
            && is_at(&count.site, count.iter, count.file, &[Hop::SocketToUser])
    });
    sum(looks.map(|count| count.bytes))
}

/// Bytes that were spliced out of sockets, as the system call says.
pub(super) fn spliced_away(pass: &Pass) -> u64 {
    by_syscall(pass, Syscall::Splice, File::Socket)
}

/// Results of a system call on a kind of file.
pub(super) fn by_syscall(pass: &Pass, syscall: Syscall, file: File) -> u64 {
    let of_it = pass.syscalls.iter().filter(|call| {
        call.process == Process::Server && call.syscall == syscall && call.file == file
    });
    sum(of_it.map(|call| call.bytes))
}

/// Whether bytes at a site are at one of some hops.
pub(super) fn is_at(site: &str, iter: Iter, file: File, hops: &[Hop]) -> bool {
    let terms = Site::find(site).and_then(|(_, site)| site.terms(iter, file));
    terms.is_some_and(|terms| terms.iter().any(|term| hops.contains(&term.hop)))
}
