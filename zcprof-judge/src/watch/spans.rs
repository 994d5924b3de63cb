//! How many bytes were copied at each hop of what was sent, received or written: at least and at most.

use zcprof_common::vocabulary::{Disposition, Hop, Instrument, Process};

use super::pipes::PipeBytes;
use super::record::Direction;
use super::span::Span;
use super::taken;
use super::traffic::Traffic;
use crate::ledger::sum;

use Disposition::{Copied, Deferred, Moved, Pinned};

/// Bytes at each hop that copies, as one instrument saw them. What a program got into its memory it
/// sent at most as often as it sent from there; whether it did is not known.
#[must_use]
pub fn spans(traffic: &Traffic, instrument: Instrument) -> Vec<Span> {
    let account = traffic.ledger.account(instrument);
    match traffic.direction {
        Direction::Tx => sent(traffic, instrument),
        Direction::Rx => taken::received(traffic, account),
        Direction::File => taken::written(traffic, account),
    }
}

/// The same as the callers saw it, with what was copied later of what was sent: all that a picture or a
/// live view shows.
#[must_use]
pub fn shown_spans(traffic: &Traffic) -> Vec<Span> {
    let mut all = spans(traffic, Instrument::Callers);
    if traffic.direction == Direction::Tx {
        let later = traffic.seen(Hop::SocketToSocket, Disposition::Deferred);
        all.push(Span { hop: Hop::SocketToSocket, least: later, most: later });
    }
    all
}

fn sent(traffic: &Traffic, instrument: Instrument) -> Vec<Span> {
    let account = traffic.ledger.account(instrument);
    let pipes = PipeBytes::of(traffic, instrument);
    let moved = traffic.seen(Hop::PageCacheToSocket, Moved);
    let pinned = traffic.seen(Hop::UserToSocket, Pinned);
    // Pages of its memory that were handed over, and those that a fault copied while they were.
    let by_reference = sum([pipes.by_reference(), pinned].into_iter());
    let unshared = traffic.seen(Hop::UserToUser, Copied);
    let unshared = unshared.saturating_add(traffic.seen(Hop::UserToUser, Disposition::Aside));
    // Runs that were missed may hide more of these, and of no others.
    let unshared = unshared.saturating_add(traffic.hidden.by_faults);
    // What was copied into a file may be what was then handed over from it.
    let staged = taken::into_files(traffic, account, moved);
    let copied = account.bytes(Process::Server, Hop::UserToSocket, Copied);
    // A program may have read into memory that is a file's.
    let mapped = traffic.seen(Hop::UserToPageCache, Moved).min(moved);
    let left = sum([copied, by_reference, pipes.sent_of_own(), staged, mapped].into_iter());
    let exactly = |hop| Span::exactly(account, hop);
    let into_socket = exactly(Hop::UserToSocket)
        .less(traffic.mistaken(account))
        .and_hidden(traffic.hidden.unplaced)
        .and_hidden(traffic.overlooked(account));
    let at_most = |hop, most| Span::at_most(account, hop, most);
    vec![
        at_most(Hop::PageCacheToUser, left),
        at_most(Hop::PipeToUser, left),
        at_most(Hop::SocketToUser, left),
        into_socket,
        pipes.sent_out_of_files(),
        exactly(Hop::PageCacheToSocket),
        pipes.sent_out_of_memory(),
        Span { hop: Hop::UserToPageCache, least: 0, most: staged },
        at_most(Hop::PageCacheToPageCache, moved),
        Span { hop: Hop::UserToUser, least: 0, most: unshared.min(by_reference) },
    ]
}

/// The same, for a bound on copies. Fresh pages that were filled although a call hands pages over may have
/// been filled by a copy, which the leaves saw or did not: whether the CPU, a device or another process
/// fills them is more than their site can tell.
pub(super) fn with_fresh_pages(traffic: &Traffic, mut spans: Vec<Span>) -> Vec<Span> {
    if traffic.direction == Direction::Tx {
        let fresh = PipeBytes::of(traffic, Instrument::Callers).bounced();
        for span in spans.iter_mut().filter(|span| span.hop == fresh.hop) {
            span.most = span.most.max(fresh.most);
        }
    }
    spans
}

/// The least and the most that was copied over all hops, and later.
pub(super) fn total(traffic: &Traffic, spans: &[Span]) -> (u64, u64) {
    let late = match traffic.direction {
        Direction::Tx => traffic.seen(Hop::SocketToSocket, Deferred),
        Direction::Rx | Direction::File => 0,
    };
    let least = sum(spans.iter().map(|span| span.least)).saturating_add(late);
    let most = sum(spans.iter().map(|span| span.most)).saturating_add(late);
    (least, most.saturating_add(traffic.late))
}
