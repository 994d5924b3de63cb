//! Pure: what was copied from memory in system calls that name no file, and no row around the leaf says
//! where it went.
//!
//! The programs know which socket io_uring and sendmmsg(2) work on only within a function that is a row
//! (`Site::scope`). A family without a row (raw_sendmsg(), net/ipv4/raw.c; sctp_sendmsg(), net/sctp/socket.c;
//! packet_sendmsg(), net/packet/af_packet.c; tls_sw_sendmsg(), net/tls/tls_sw.c) copies by a leaf that is
//! then in no socket, and no result says how many bytes were sent.

use zcprof_common::sites::{Site, Term};
use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary::{Disposition, Hop, Instrument, Iter, Process};

use super::traffic::Traffic;
use crate::ledger::sum;
use crate::run::Count;
use crate::syscall::InSyscall;
use crate::verdict::{Reason, beyond_tolerance};

/// Bytes that a leaf copied from memory in such calls and no row took, if they are more than nothing and than
/// what missed runs hide.
pub(super) fn untaken(traffic: &Traffic) -> Option<Reason> {
    let counts = || traffic.pass.counts.iter().filter(|count| sends_unnamed(count));
    let by_leaf = |source| counts().filter(move |count| is_by_leaf(count, source));
    let taken = |hop| sum(counts().filter(|count| is_taken(count, hop)).map(|count| count.bytes));
    let bytes = |source| sum(by_leaf(source).map(|count| count.bytes));
    let (by_iter, by_routine) = (bytes(Iter::User), bytes(Iter::FromUser));
    // From 6.0 on another leaf copies into files; before, it is the same routine.
    let into_files = taken(Hop::UserToPageCache).min(by_routine);
    let others = sum([taken(Hop::UserToPipe), into_files, traffic.hidden.unplaced].into_iter());
    let untaken = by_iter.saturating_add(by_routine).saturating_sub(others);
    let mut calls: Vec<_> =
        by_leaf(Iter::User).chain(by_leaf(Iter::FromUser)).map(|count| count.syscall).collect();
    calls.sort();
    calls.dedup();
    beyond_tolerance(untaken, traffic.sent())
        .then(|| Reason::Untaken(untaken, InSyscall::joined(&calls)))
}

/// Whether something was counted for the part in a call that may send, and names no file.
fn sends_unnamed(count: &Count) -> bool {
    let call = count.syscall;
    count.process == Process::Server && (call.may_be_by_ring() || call == Syscall::Sendmmsg)
}

/// Whether a leaf that copies into sockets copied from memory, into no file that is known.
fn is_by_leaf(count: &Count, source: Iter) -> bool {
    let Some(site) = site_of(count, Instrument::Audit) else { return false };
    let mut all = site.cases.iter().flat_map(|case| case.terms);
    count.syscall.memory_of(count.iter) == source
        && all.any(|term| is_copied(*term, Hop::UserToSocket))
        && terms(site, count).iter().any(|term| is_copied(*term, Hop::Arguments))
}

/// Whether a row around the leaves says that it took what was copied from memory over a hop.
fn is_taken(count: &Count, hop: Hop) -> bool {
    site_of(count, Instrument::Callers)
        .is_some_and(|site| terms(site, count).iter().any(|term| is_copied(*term, hop)))
}

fn site_of(count: &Count, instrument: Instrument) -> Option<&'static Site> {
    let site = Site::find(&count.site).map(|(_, site)| site);
    site.filter(|site| site.instrument == instrument)
}

fn terms(site: &'static Site, count: &Count) -> &'static [Term] {
    site.terms(count.syscall.memory_of(count.iter), count.file).unwrap_or_default()
}

fn is_copied(term: Term, hop: Hop) -> bool {
    (term.hop, term.disposition) == (hop, Disposition::Copied)
}
