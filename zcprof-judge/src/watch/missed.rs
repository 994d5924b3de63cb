//! Pure: what the runs that a probe missed may hide, where something else bounds it.
//!
//! A kernel that preempts a probe's program skips the program's next run on that CPU and counts it
//! (`__bpf_prog_enter_recur()`, kernel/bpf/trampoline.c, 6.1 to 7.3). What such a run would have counted
//! is bounded in two ways. A page fault copies one page. And whatever a function around the leaves copies,
//! it copies by a leaf, whose program no one preempts: the audit has the copy, and the results of the
//! system calls have the bytes. No verdict rests on how much such runs usually count.

use zcprof_common::sites::{Bytes, SITES, Sign, Site, Term};
use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary::{Disposition, File, Hop, Instrument, Iter, Process};

use super::chosen::{is_deferred, is_read_by_exec};
use super::direction::spliced_away;
use super::record::{Charged, Direction, Of, Watch, WatchedCount};
use super::taken;
use super::traffic::{Hidden, Traffic};
use crate::ledger::sum;
use crate::run::{Doubt, SyscallCount};
use crate::syscall::InSyscall;
use crate::unexplained::INTO_SOCKET;
use crate::verdict::instruments::usable;
use crate::verdict::leaves;

/// Bytes of a page that a fault copies, on x86.
const PAGE: u64 = 4096;

/// Most bytes that one call of `skb_splice_from_iter()` hands over of what sendfile gives it: its pipe
/// holds so many buffers (`PIPE_DEF_BUFFERS`, include/linux/pipe_fs_i.h) of at most a page
/// (`splice_folio_into_pipe()`, mm/filemap.c; both 6.5 to 7.3).
const HANDED_OVER: u64 = 16 * PAGE;

/// A part of a window, with what missed runs may hide of it.
#[must_use]
pub(super) fn traffic(watch: &Watch, of: &Of) -> Traffic {
    let mut traffic = Traffic::of(watch, of);
    (traffic.hidden, traffic.doubts) = bounds(watch, &traffic);
    traffic
}

/// What the missed runs of a window may hide, and the doubts that nothing bounds.
fn bounds(watch: &Watch, traffic: &Traffic) -> (Hidden, Vec<Doubt>) {
    let mut hidden = Hidden::default();
    let mut unbounded = Vec::new();
    for doubt in &watch.doubts {
        let missed = match doubt {
            Doubt::Missed { site, runs } => Site::find(site).map(|(_, site)| (site, *runs)),
            _ => None,
        };
        let bound = missed.and_then(|(site, runs)| bound(watch, traffic, site, runs));
        match bound {
            Some(bound) => {
                // The balance is one for all sites at the socket.
                hidden.passed = hidden.passed.max(bound.passed);
                hidden.unplaced = hidden.unplaced.max(bound.unplaced);
                hidden.handed_over = hidden.handed_over.saturating_add(bound.handed_over);
                hidden.by_faults = hidden.by_faults.saturating_add(bound.by_faults);
                hidden.in_results = hidden.in_results.saturating_add(bound.in_results);
            }
            None => unbounded.push(doubt.clone()),
        }
    }
    (hidden, unbounded)
}

fn bound(watch: &Watch, traffic: &Traffic, site: &Site, runs: u64) -> Option<Hidden> {
    match site.bytes {
        Bytes::Replaced(_) | Bytes::Unshared(_) => {
            Some(Hidden { by_faults: runs.saturating_mul(PAGE), ..Hidden::default() })
        }
        // It counts nothing unless a socket of UDP sends, whose own function says how much.
        Bytes::ReturnedToUdp(_) if !leaves::sends_by_udp(&traffic.pass) => Some(Hidden::default()),
        Bytes::Returned
        | Bytes::ReturnedByIpv4(_)
        | Bytes::ReturnedBesideKernfs(_)
        | Bytes::ReturnedLess(_)
        | Bytes::IfZero(_)
            if site.instrument == Instrument::Callers && is_around_leaves(watch, traffic, site) =>
        {
            let takes_away =
                |term: &Term| (term.sign, term.hop) == (Sign::Minus, Hop::UserToSocket);
            let mistaken = if terms(site).any(takes_away) { HANDED_OVER } else { 0 };
            let deferred = if site.sends.is_some() { deferred_elsewhere(watch) } else { 0 };
            let passed = if can_send(site) { open_in_the_balance(traffic)? } else { 0 };
            // No run within a call can have counted more than the call says.
            let most = if has_sent(traffic, site) { traffic.said_at_once } else { 0 };
            let beyond = traffic.said.saturating_sub(traffic.sent());
            Some(Hidden {
                passed,
                unplaced: copied_in_calls_without_a_file(watch).saturating_add(deferred),
                handed_over: runs.saturating_mul(mistaken),
                by_faults: 0,
                in_results: beyond.min(runs.saturating_mul(most)),
            })
        }
        // It says a second time what was taken out of sockets, and no claim of what is sent asks it.
        _ if site.instrument == Instrument::Syscalls
            && traffic.direction == Direction::Tx
            && terms(site).map(|term| term.hop).eq([Hop::SocketToUser]) =>
        {
            Some(Hidden::default())
        }
        _ => None,
    }
}

fn terms(site: &Site) -> impl Iterator<Item = &Term> {
    site.cases.iter().flat_map(|case| case.terms)
}

/// Whether a site counts bytes that are sent: only there a missed run hides some of them.
fn can_send(site: &Site) -> bool {
    site.sent.is_some() || terms(site).any(|term| INTO_SOCKET.contains(&term.hop))
}

/// Whether all that a site adds is copied by leaves that were watched, or is handed over.
fn is_around_leaves(watch: &Watch, traffic: &Traffic, site: &Site) -> bool {
    let (usable, _) = usable(&traffic.pass, &watch.coverage, &watch.controls);
    let blind = leaves::blind_hops(&traffic.pass, &watch.coverage);
    usable.contains(&Instrument::Audit)
        && terms(site).all(|term| match (term.sign, term.disposition) {
            (Sign::Minus, _) | (_, Disposition::Moved) => true,
            (_, Disposition::Copied) => has_leaf(watch, term.hop) && !blind.contains(&term.hop),
            _ => false,
        })
}

/// Whether a leaf that was watched copies at a hop.
fn has_leaf(watch: &Watch, hop: Hop) -> bool {
    let leaves = SITES.iter().filter(|site| site.instrument == Instrument::Audit);
    let mut watched = leaves.filter(|site| watch.leaves.iter().any(|leaf| leaf == site.name));
    watched.any(|site| {
        terms(site).any(|term| term.hop == hop && term.disposition == Disposition::Copied)
    })
}

/// Bytes that the results of the system calls say beyond what was seen. `None` where they do not tell:
/// what is spliced out of a pipe may go anywhere.
fn open_in_the_balance(traffic: &Traffic) -> Option<u64> {
    let pass = &traffic.pass;
    let server = |call: &&SyscallCount| call.process == Process::Server;
    let from_pipe = |call: &SyscallCount| {
        call.syscall == Syscall::Splice && call.file == File::Pipe && call.calls > 0
    };
    if pass.syscalls.iter().filter(server).any(from_pipe) {
        return None;
    }
    let said = match traffic.direction {
        Direction::Tx => traffic.said,
        Direction::Rx => taken::received_by_calls(pass).saturating_add(spliced_away(pass)),
        Direction::File => return None,
    };
    Some(said.abs_diff(traffic.sent()))
}

/// Whether other runs of a site were seen to send.
fn has_sent(traffic: &Traffic, site: &Site) -> bool {
    site.sent.is_some_and(|family| traffic.families.iter().any(|(known, _)| *known == family))
}

/// Bytes that the leaves copied while a program was in a system call that names no file (io_uring,
/// sendmmsg) or in none, from whatever port: a send among them shows its socket only to the probe that
/// missed the run.
fn copied_in_calls_without_a_file(watch: &Watch) -> u64 {
    let names_a_file = |call: InSyscall| call.spec().is_some_and(|row| row.fd.is_some());
    let of_leaf = |count: &&WatchedCount| {
        let instrument = Site::find(&count.site).map(|(_, site)| site.instrument);
        matches!(count.charged, Charged::Program(_))
            && instrument == Some(Instrument::Audit)
            && [Iter::User, Iter::Kernel].contains(&count.iter)
            && !is_read_by_exec(count)
            && !names_a_file(count.syscall)
    };
    sum(watch.counts.iter().filter(of_leaf).map(|count| count.bytes))
}

/// Deferred copies that are charged to nobody watched: a run that was missed where a connection first sent
/// did not say whose it is.
fn deferred_elsewhere(watch: &Watch) -> u64 {
    let elsewhere = watch
        .counts
        .iter()
        .filter(|count| count.charged == Charged::Elsewhere && is_deferred(count));
    sum(elsewhere.map(|count| count.bytes))
}
