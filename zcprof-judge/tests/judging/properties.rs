//! What must be true of every record, tried on records made at random.
//!
//! More evidence of copies never makes a claim of few copies hold, and less evidence never makes
//! any claim hold; how the counts are ordered and divided changes nothing.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use zcprof_common::sites::{SITES, Sign, Site};
use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary::{Disposition, File, Hop, Instrument, Iter, Need, Process};
use zcprof_judge::claim::{CLAIMS, Claim};
use zcprof_judge::ledger::Ledger;
use zcprof_judge::report::{self, RunFormat};
use zcprof_judge::run::{ClaimOverride, Count, Doubt, Pass, ProbeState, Run};
use zcprof_judge::syscall::InSyscall;
use zcprof_judge::verdict::{self, Verdict, beyond_tolerance};

use crate::records::{
    PAYLOAD, count, msg_zerocopy, read_write, run, sendfile, sendfile_before_splice_pages,
};

/// System calls of every kind: one that moves data, one whose arguments are control, none.
const SYSCALLS: [InSyscall; 7] = [
    InSyscall::Known(Syscall::Sendfile),
    InSyscall::Known(Syscall::Sendto),
    InSyscall::Known(Syscall::Read),
    InSyscall::Known(Syscall::Write),
    InSyscall::Known(Syscall::Getrandom),
    InSyscall::Other(233),
    InSyscall::None,
];

fn bytes() -> impl Strategy<Value = u64> {
    prop_oneof![
        2 => Just(0),
        3 => 1..=PAYLOAD / 500,
        3 => 1..=2 * PAYLOAD,
        2 => select(vec![PAYLOAD / 1000, PAYLOAD / 1000 + 1, PAYLOAD, 2 * PAYLOAD]),
        1 => select(vec![u64::MAX, 1 << 63]),
    ]
}

fn process() -> impl Strategy<Value = Process> {
    prop_oneof![4 => Just(Process::Server), 1 => select(Process::ALL)]
}

fn any_count() -> impl Strategy<Value = Count> {
    let site = any::<Index>().prop_map(|at| at.get(SITES));
    let place = (site, process(), select(&SYSCALLS[..]), select(Iter::ALL));
    (place, select(File::ALL), bytes(), 0_u64..100_000).prop_map(|(place, file, bytes, calls)| {
        let (site, process, syscall, iter) = place;
        Count { calls, ..count(process, site.name, (syscall, file), iter, bytes) }
    })
}

/// A pass as a kernel shows it, now and then with what it has not.
fn any_pass() -> impl Strategy<Value = Pass> {
    let honest = prop_oneof![
        Just(sendfile()),
        Just(sendfile_before_splice_pages()),
        Just(read_write()),
        bytes().prop_map(msg_zerocopy),
    ];
    let factor = prop_oneof![6 => Just(1000_u64), 1 => 0_u64..3000, 1 => 997_u64..1004];
    let more = prop::collection::vec(any_count(), 0..3);
    let factors = prop::collection::vec(factor, 12);
    (honest, more, factors).prop_map(|(mut pass, more, factors)| {
        for (count, per_mille) in pass.counts.iter_mut().zip(factors) {
            let bytes = u128::from(count.bytes) * u128::from(per_mille) / 1000;
            count.bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        }
        pass.counts.extend(more);
        pass
    })
}

/// A run of one pass, under any claim.
fn any_run() -> impl Strategy<Value = Run> {
    (any_pass(), prop::option::of(select(CLAIMS))).prop_map(|(pass, claim)| {
        let transfer = pass.transfer.clone();
        let mut run = run(vec![pass]);
        run.claims = claim
            .into_iter()
            .map(|claim| ClaimOverride { transfer: transfer.clone(), claim: claim.name.to_owned() })
            .collect();
        run
    })
}

fn verdict_of(run: &Run) -> Verdict {
    verdict::judge(run).expect("known claims").remove(0).verdict
}

fn holds(run: &Run) -> bool {
    verdict_of(run) == Verdict::Holds
}

fn claim(run: &Run) -> &'static Claim {
    verdict::judge(run).expect("known claims")[0].claim
}

/// Bytes that an instrument saw the server copy, in whatever way, from where the claim begins.
fn copies(pass: &Pass, claim: &Claim, instrument: Instrument) -> u64 {
    let ledger = Ledger::of(pass);
    let entries = &ledger.account(instrument).entries;
    let is_copy = |what| {
        matches!(what, Disposition::Copied | Disposition::Deferred | Disposition::Transformed)
    };
    entries
        .iter()
        .filter(|e| e.process == Process::Server && e.hop != Hop::Arguments)
        .filter(|e| e.hop != Hop::StorageToPageCache || claim.from_storage)
        .filter(|e| is_copy(e.disposition))
        .fold(0, |sum, entry| sum.saturating_add(entry.bytes))
}

/// A site that counts nothing but copies on the way of the payload, with the iterator and the file
/// for which it does.
fn copying() -> impl Strategy<Value = (&'static Site, Iter, File)> {
    let mut all = Vec::new();
    for site in SITES.iter().filter(|site| site.instrument != Instrument::Syscalls) {
        for (iter, file) in
            Iter::ALL.iter().flat_map(|iter| File::ALL.iter().map(move |file| (*iter, *file)))
        {
            let terms = site.terms(iter, file).unwrap_or_default();
            let copies = |hop| hop != Hop::Arguments && hop != Hop::StorageToPageCache;
            let counts = terms.iter().all(|term| {
                term.sign == Sign::Plus
                    && term.disposition == Disposition::Copied
                    && copies(term.hop)
            });
            if counts && !terms.is_empty() {
                all.push((site, iter, file));
            }
        }
    }
    select(all)
}

/// Many cases, each of which may be thrown away a hundred times.
pub(super) fn many() -> ProptestConfig {
    ProptestConfig {
        cases: 2048,
        max_global_rejects: 200_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(many())]

    /// Copies that nobody made an account of before are not what a claim of none was waiting for.
    #[test]
    fn more_copies_make_no_claim_of_none_hold(
        run in any_run(),
        (site, iter, file) in copying(),
        syscall in select(&SYSCALLS[..]),
        bytes in bytes(),
    ) {
        let claim = claim(&run);
        prop_assume!(claim.copied.is_empty() && claim.deferred.is_none() && claim.transformed.is_none());
        let ledger = Ledger::of(&run.passes[0]);
        // What was taken away more often than it was added is filled up by more, not judged by it.
        let judging = [Instrument::Audit, Instrument::Callers].map(|i| ledger.account(i));
        prop_assume!(judging.iter().all(|account| account.unexplained == 0));
        let before = holds(&run);
        let mut more = run.clone();
        more.passes[0].counts.push(count(Process::Server, site.name, (syscall, file), iter, bytes));
        prop_assert!(before || !holds(&more), "{:?}, then {:?}", verdict_of(&run), verdict_of(&more));
    }

    /// What holds has as many copies as it claims, by both instruments.
    #[test]
    fn what_holds_is_what_it_says(run in any_run()) {
        prop_assume!(holds(&run));
        let (pass, claim) = (&run.passes[0], claim(&run));
        let payload = pass.payload.bytes;
        let claimed = payload * u64::from(claim.copies() + u32::from(claim.transformed.is_some()));
        let callers = copies(pass, claim, Instrument::Callers);
        // What is sent again is copied again.
        let off = if claim.deferred.is_some() {
            claimed.saturating_sub(callers)
        } else {
            callers.abs_diff(claimed)
        };
        // Each hop may be off by the tolerance.
        let hops = Hop::ALL.len() as u64;
        prop_assert!(!beyond_tolerance(off / hops, payload), "{callers} of {claimed}");
        for (hop, times) in claim.copied {
            let account = Ledger::of(pass);
            let audit = account.account(Instrument::Audit);
            let seen = audit.bytes(Process::Server, *hop, Disposition::Copied);
            let off = seen.abs_diff(payload * u64::from(*times));
            prop_assert!(!beyond_tolerance(off, payload), "{hop:?}: {seen}");
        }
        if claim.moved.is_some() {
            let moved = Ledger::of(pass).handed_over_at_all();
            prop_assert!(!beyond_tolerance(moved.abs_diff(payload), payload), "moved {moved}");
        }
    }

    /// A site that is not watched, or that the record does not even have, makes nothing hold.
    #[test]
    fn less_that_is_watched_makes_nothing_hold(
        run in any_run(),
        which in any::<Index>(),
        how in 0_usize..4,
    ) {
        let before = holds(&run);
        let mut less = run.clone();
        let site = which.get(SITES);
        less.passes[0].counts.retain(|count| count.site != site.name);
        let at = less.coverage.probes.iter().position(|probe| probe.site == site.name);
        let at = at.expect("every row");
        match how {
            0 => less.coverage.probes[at].state = ProbeState::Withheld,
            1 => less.coverage.probes[at].state = ProbeState::Absent { reason: String::new() },
            2 => less.coverage.probes[at].state = ProbeState::Refused { reason: String::new() },
            _ => drop(less.coverage.probes.remove(at)),
        }
        prop_assert!(before || !holds(&less));
        let judging = site.instrument != Instrument::Syscalls && site.need != Need::Receives;
        prop_assert!(!judging || !holds(&less), "{} is needed", site.name);
    }

    /// Runs of a program that the kernel skipped take their bytes along, and make nothing hold.
    #[test]
    fn runs_that_were_missed_make_nothing_hold(run in any_run(), which in any::<Index>()) {
        let mut less = run;
        let counts = &mut less.passes[0].counts;
        let at = which.index(counts.len());
        let site = counts[at].site.clone();
        counts[at].bytes /= 2;
        counts[at].calls /= 2;
        less.passes[0].doubts.push(Doubt::Missed { site, runs: 1 });
        prop_assert!(!holds(&less));
    }

    /// Fewer pages that were handed over to the socket make nothing hold that promises a hand-over.
    #[test]
    fn a_witness_that_is_gone_makes_nothing_hold(run in any_run(), which in any::<Index>()) {
        prop_assume!(claim(&run).moved.is_some());
        let hands_over = |count: &Count| {
            let terms = Site::find(&count.site).and_then(|(_, s)| s.terms(count.iter, count.file));
            terms.unwrap_or_default().iter().any(|term| {
                term.sign == Sign::Plus
                    && matches!(term.hop, Hop::PageCacheToSocket | Hop::UserToSocket)
                    && matches!(term.disposition, Disposition::Moved | Disposition::Pinned)
            })
        };
        let witnesses: Vec<_> = (0..run.passes[0].counts.len())
            .filter(|at| hands_over(&run.passes[0].counts[*at]))
            .filter(|at| run.passes[0].counts[*at].process == Process::Server)
            .filter(|at| run.passes[0].counts[*at].bytes > PAYLOAD / 100)
            .collect();
        prop_assume!(!witnesses.is_empty());
        let mut less = run.clone();
        let ledger = Ledger::of(&run.passes[0]);
        prop_assume!(!beyond_tolerance(
            ledger.handed_over_at_all().saturating_sub(PAYLOAD), PAYLOAD
        ));
        less.passes[0].counts.remove(*which.get(&witnesses));
        prop_assert!(holds(&run) || !holds(&less));
    }

    /// Counts are sums: neither their order nor how they are divided is evidence.
    #[test]
    fn order_and_division_change_nothing(
        run in any_run(),
        order in prop::collection::vec(any::<u64>(), 40),
        parts in prop::collection::vec((any::<Index>(), 0_u64..=100, 0_u64..=100), 0..4),
    ) {
        let mut other = run.clone();
        let counts = &mut other.passes[0].counts;
        for (which, bytes, calls) in parts {
            let at = which.index(counts.len());
            let mut part = counts[at].clone();
            part.bytes = part.bytes / 100 * bytes;
            part.calls = part.calls * calls / 100;
            counts[at].bytes -= part.bytes;
            counts[at].calls -= part.calls;
            counts.push(part);
        }
        let mut keyed: Vec<_> = order.iter().cycle().zip(counts.drain(..)).collect();
        keyed.sort_by_key(|(key, _)| **key);
        *counts = keyed.into_iter().map(|(_, count)| count).collect();
        prop_assert_eq!(Ledger::of(&run.passes[0]), Ledger::of(&other.passes[0]));
        prop_assert_eq!(verdict_of(&run), verdict_of(&other));
        let shown = |format: &RunFormat, run: &Run| (format.render)(run).expect("rendered");
        for name in ["table", "path"] {
            let format = RunFormat::find(name).expect("a format");
            prop_assert_eq!(shown(format, &run), shown(format, &other));
        }
    }

    /// Every record of the form is shown, and every picture is XML.
    #[test]
    fn whatever_is_in_a_record_is_shown(run in any_run()) {
        for (format, bytes) in report::render_all(&run).expect("rendered") {
            let text = String::from_utf8(bytes).expect("text");
            if text.contains("<svg") {
                let options = crate::hostile::with_doctype();
                let read = roxmltree::Document::parse_with_options(&text, options);
                prop_assert!(read.is_ok(), "{}", format.name);
            }
        }
    }
}
