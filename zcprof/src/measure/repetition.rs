//! A pass that was made again with other leaves watched: the audit is the sum, everything else the
//! first repetition's.

use zcprof_common::vocabulary::{Disposition, Hop, Instrument, Process};

use crate::ledger::{Entry, Ledger};
use crate::run::{Count, Doubt, Pass};
use crate::verdict::beyond_tolerance;

/// Adds what the leaves of a repetition saw that were not watched before.
pub(super) fn add(whole: &mut Pass, again: Pass) {
    whole.doubts.extend(differences(whole, &again));
    let known: Vec<&String> = whole.leaves.iter().flatten().collect();
    let fresh: Vec<&String> =
        again.leaves.iter().flatten().filter(|leaf| !known.contains(leaf)).collect();
    let counts = again.counts.into_iter().filter(|count| fresh.contains(&&count.site));
    let counts: Vec<Count> = counts.collect();
    whole.counts.extend(counts);
    let order = |c: &Count| (c.site.clone(), c.process, c.syscall, c.iter, c.file);
    whole.counts.sort_by_key(order);
    let stacks = again.leaf_stacks.into_iter().filter(|stack| fresh.contains(&&stack.count.site));
    whole.leaf_stacks.extend(stacks.collect::<Vec<_>>());
    whole.doubts.extend(again.doubts);
    whole.void.extend(again.void);
    whole.payload.verified &= again.payload.verified;
    whole.leaves.extend(again.leaves);
}

/// Whether it must be the same whenever the same bytes are sent. How much is read into a pipe that
/// the socket then does not take, and when packets that hold pinned pages are received, is chance;
/// and what server and consumer are to do they are told through pipes.
fn is_the_same_each_time(entry: &Entry) -> bool {
    match entry.disposition {
        Disposition::Copied => {
            ![Hop::PageCacheToPipe, Hop::UserToPipe, Hop::PipeToUser].contains(&entry.hop)
        }
        Disposition::Deferred => false,
        _ => [Hop::PageCacheToSocket, Hop::UserToSocket].contains(&entry.hop),
    }
}

/// Where the callers saw something else the second time.
fn differences(first: &Pass, second: &Pass) -> Vec<Doubt> {
    let payload = first.payload.bytes;
    let unlike = |what: String, first: u64, later: u64| {
        beyond_tolerance(first.abs_diff(later), payload).then_some(Doubt::Unlike {
            what,
            first,
            later,
        })
    };
    let mut doubts: Vec<Doubt> =
        unlike("payload".to_owned(), payload, second.payload.bytes).into_iter().collect();
    let [before, after] = [first, second].map(Ledger::of);
    let [before, after] = [&before, &after].map(|ledger| ledger.account(Instrument::Callers));
    let mut places = Vec::new();
    for entry in before.entries.iter().chain(&after.entries) {
        let place = (entry.process, entry.hop, entry.disposition);
        let is_ours = [Process::Server, Process::Consumer].contains(&entry.process);
        if is_ours && is_the_same_each_time(entry) && !places.contains(&place) {
            places.push(place);
        }
    }
    for (process, hop, disposition) in places {
        let what = format!("{} {} {}", process.name(), hop.name(), disposition.name());
        let [before, after] =
            [before, after].map(|account| account.bytes(process, hop, disposition));
        doubts.extend(unlike(what, before, after));
    }
    doubts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Cache, Payload};
    use crate::transfer::Notices;
    use zcprof_common::syscalls::Syscall;
    use zcprof_common::vocabulary::{File, Iter};

    const PAYLOAD: u64 = 1 << 20;

    fn pass(leaf: &str, copied: u64, written: u64) -> Pass {
        let count = |site: &str, iter, bytes| Count {
            site: site.to_owned(),
            process: Process::Server,
            syscall: Syscall::Sendfile.into(),
            iter,
            file: File::Regular,
            calls: 1,
            bytes,
        };
        Pass {
            transfer: "sendfile_to_file".to_owned(),
            claim: Some("replica".to_owned()),
            cache: Cache::Warm,
            payload: Payload { bytes: PAYLOAD, fetches: 1, verified: true },
            named: Vec::new(),
            counts: vec![
                count(leaf, Iter::Kernel, copied),
                count("_copy_to_iter", Iter::User, 7),
                count("generic_perform_write", Iter::Kernel, written),
            ],
            exits: Vec::new(),
            syscalls: Vec::new(),
            notices: Notices::default(),
            doubts: Vec::new(),
            leaves: vec![vec!["_copy_to_iter".to_owned(), leaf.to_owned()]],
            leaf_stacks: Vec::new(),
            watched_consumer: true,
            seconds: 1.0,
            void: Vec::new(),
        }
    }

    fn bytes(pass: &Pass, site: &str) -> u64 {
        pass.counts.iter().filter(|count| count.site == site).map(|count| count.bytes).sum()
    }

    #[test]
    fn only_what_leaves_saw_that_were_not_watched_is_added() {
        let mut whole = pass("_copy_from_iter", 0, PAYLOAD);
        add(&mut whole, pass("copy_folio_from_iter_atomic", PAYLOAD, PAYLOAD));
        assert_eq!(bytes(&whole, "copy_folio_from_iter_atomic"), PAYLOAD);
        assert_eq!(bytes(&whole, "generic_perform_write"), PAYLOAD, "the first repetition's");
        assert_eq!(bytes(&whole, "_copy_to_iter"), 7, "watched in both, and counted once");
        assert_eq!((whole.doubts.as_slice(), whole.leaves.len()), (&[][..], 2));
    }

    #[test]
    fn what_the_workers_are_told_belongs_to_no_repetition() {
        let mut told = pass("copy_folio_from_iter_atomic", PAYLOAD, PAYLOAD);
        let mut more = told.counts[2].clone();
        (more.site, more.iter, more.bytes) = ("pipe_read".to_owned(), Iter::User, PAYLOAD);
        told.counts.push(more);
        let mut whole = pass("_copy_from_iter", 0, PAYLOAD);
        add(&mut whole, told);
        assert_eq!(whole.doubts, []);
    }

    #[test]
    fn repetitions_that_are_not_alike_are_doubted() {
        let mut whole = pass("_copy_from_iter", 0, PAYLOAD);
        add(&mut whole, pass("copy_folio_from_iter_atomic", PAYLOAD / 2, PAYLOAD / 2));
        let doubts = whole.doubts.as_slice();
        assert!(matches!(doubts, [Doubt::Unlike { first: PAYLOAD, .. }]), "{doubts:?}");
    }
}
