//! What must be true of every watched window, tried on windows made at random.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use zcprof_common::sites::SITES;
use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary::{File, Instrument, Iter, Need};
use zcprof_judge::report::watch::table;
use zcprof_judge::run::{Doubt, ProbeState};
use zcprof_judge::syscall::InSyscall;
use zcprof_judge::verdict::{Reason, Verdict};
use zcprof_judge::watch::record::{Charged, Of, Queued, QueuedBytes, Watch, WatchedCount};

use super::pipes::{filled, read_by_kernel, spliced};
use super::properties::many;
use super::watched::{BODY, count, handed_over, read, verdict, window, written};

/// Claims that fewer copies keep.
const BOUNDED: [&str; 5] =
    ["zero-copy", "copied<=0.001", "copied<=0.02", "copied<=1", "copied<=1.5"];

const SYSCALLS: [InSyscall; 8] = [
    InSyscall::Known(Syscall::Sendfile),
    InSyscall::Known(Syscall::Sendto),
    InSyscall::Known(Syscall::Read),
    InSyscall::Known(Syscall::Write),
    InSyscall::Known(Syscall::Vmsplice),
    InSyscall::Known(Syscall::Splice),
    InSyscall::Known(Syscall::IoUringEnter),
    InSyscall::None,
];

fn bytes() -> impl Strategy<Value = u64> {
    prop_oneof![
        2 => Just(0),
        3 => 1..=BODY / 500,
        3 => 1..=2 * BODY,
        1 => select(vec![BODY / 1000, BODY / 1000 + 1, u64::MAX, 1 << 63]),
    ]
}

fn charged() -> impl Strategy<Value = Charged> {
    let program = |name: &str| Charged::Program(name.to_owned());
    prop_oneof![
        4 => Just(program("nginx")),
        1 => select(vec![program("cat"), Charged::Elsewhere, Charged::Unknown]),
    ]
}

fn any_count() -> impl Strategy<Value = WatchedCount> {
    let site = any::<Index>().prop_map(|at| at.get(SITES).name);
    let place = (site, charged(), select(&SYSCALLS[..]), select(Iter::ALL), select(File::ALL));
    (place, bytes(), 0_u64..100_000).prop_map(|(place, bytes, calls)| {
        let (site, charged, syscall, iter, file) = place;
        WatchedCount { charged, calls, ..count(site, syscall, file, iter, bytes) }
    })
}

fn any_window() -> impl Strategy<Value = Watch> {
    let sizes = (bytes(), bytes(), bytes());
    let more = prop::collection::vec(any_count(), 0..3);
    (select(&BOUNDED[..]), sizes, more, any::<bool>()).prop_map(
        |(claim, (moved, sent, got), more, honest)| {
            let (moved, sent) = if honest { (BODY, BODY / 500) } else { (moved, sent) };
            window(claim, &[handed_over(moved), written(sent), read(got), more])
        },
    )
}

/// One that splices out of pipes besides, and claims all or a port.
fn any_splicing_window() -> impl Strategy<Value = Watch> {
    let pages = (any::<bool>(), bytes(), bytes());
    (any_window(), pages, any::<bool>()).prop_map(|(mut watch, (honest, left, got), port)| {
        let (left, got) = if honest { (BODY, BODY) } else { (left, got) };
        watch.counts.extend([spliced(left), filled(got)].concat());
        if port {
            watch.claims[0].of = Of::Port(80);
        }
        watch
    })
}

fn holds(watch: &Watch) -> bool {
    verdict(watch) == Verdict::Holds
}

proptest! {
    #![proptest_config(many())]

    /// What a program read besides, and what was copied for it below the sockets, is not what a bound
    /// was waiting for.
    #[test]
    fn more_copies_keep_no_bound(watch in any_window(), more in bytes(), below in any::<bool>()) {
        let before = holds(&watch);
        // What one instrument saw and the other did not, more of the same may bring together.
        let disagrees = |reason: &Reason| matches!(reason, Reason::Disagree(..));
        if let Verdict::Inconclusive(reasons) = verdict(&watch) {
            prop_assume!(!reasons.iter().any(disagrees));
        }
        let mut copied = watch;
        copied.counts.extend(if below {
            vec![count("skb_copy_bits", InSyscall::None, File::None, Iter::None, more)]
        } else {
            read(more)
        });
        prop_assert!(before || !holds(&copied), "{:?}", verdict(&copied));
    }

    /// What is copied out of files into pipes is not what a bound was waiting for, in whatever call.
    #[test]
    fn more_copies_into_pipes_keep_no_bound(
        watch in any_splicing_window(),
        more in bytes(),
        syscall in select(vec![Syscall::Splice, Syscall::Sendfile, Syscall::IoUringEnter]),
    ) {
        let before = holds(&watch);
        let disagrees = |reason: &Reason| matches!(reason, Reason::Disagree(..));
        if let Verdict::Inconclusive(reasons) = verdict(&watch) {
            prop_assume!(!reasons.iter().any(disagrees));
        }
        let mut copied = watch;
        copied.counts.extend(read_by_kernel(syscall, more));
        prop_assert!(before || !holds(&copied), "{:?}", verdict(&copied));
    }

    /// What exec reads of a program is in no pipe and no socket: it neither refutes nor excuses.
    #[test]
    fn what_exec_reads_changes_no_verdict(
        watch in any_splicing_window(),
        (by_leaves, by_callers) in (bytes(), bytes()),
        syscall in select(vec![Syscall::Execve, Syscall::Execveat]),
    ) {
        let mut other = watch.clone();
        other.counts.extend(read_by_kernel(syscall, by_leaves).into_iter().take(1));
        other.counts.extend(read_by_kernel(syscall, by_callers).into_iter().skip(1));
        prop_assert_eq!(verdict(&watch), verdict(&other));
    }

    /// That nobody knows for which port something was encrypted never turns a verdict into its opposite.
    #[test]
    fn encryption_for_an_unknown_port_only_opens_claims(
        watch in any_window(),
        claim in select(&["zero-copy", "transforms", "transformed<=0.5", "transformed>=0.5"][..]),
        records in prop::collection::vec((bytes(), select(&[80, 443][..]), any::<bool>()), 1..5),
    ) {
        let told = |is_known: bool| {
            let mut watch = window(claim, std::slice::from_ref(&watch.counts));
            watch.claims[0].of = Of::Port(80);
            watch.counts.extend(records.iter().map(|(bytes, port, is_told)| WatchedCount {
                port: (is_known || *is_told).then_some(*port),
                ..count("crypto_aead_encrypt", Syscall::Sendfile, File::Regular, Iter::None, *bytes)
            }));
            verdict(&watch)
        };
        let (known, unknown) = (told(true), told(false));
        let is_open = matches!(unknown, Verdict::Inconclusive(_));
        prop_assert!(is_open || known.name() == unknown.name(), "{known:?} {unknown:?}");
    }

    /// What a program sends from another port is no excuse for what it sends from this.
    #[test]
    fn what_another_port_sends_excuses_nothing(
        watch in any_window(),
        more in 1..=4 * BODY,
        spliced in any::<bool>(),
    ) {
        let mut watch = watch;
        watch.claims[0].of = Of::Port(80);
        let before = holds(&watch);
        let mut both = watch;
        for mut count in handed_over(more) {
            count.port = count.port.map(|_| 443);
            if spliced {
                count.syscall = Syscall::Splice.into();
            }
            both.counts.push(count);
        }
        prop_assert!(before || !holds(&both), "{:?}", verdict(&both));
    }

    /// A site that is not watched makes nothing hold.
    #[test]
    fn less_that_is_watched_makes_nothing_hold(watch in any_window(), which in any::<Index>()) {
        let before = holds(&watch);
        let mut less = watch;
        let site = which.get(SITES);
        less.counts.retain(|count| count.site != site.name);
        for probe in less.coverage.probes.iter_mut().filter(|probe| probe.site == site.name) {
            probe.state = ProbeState::Withheld;
        }
        prop_assert!(before || !holds(&less));
        let judging = site.instrument != Instrument::Syscalls && site.need != Need::Receives;
        prop_assert!(!judging || !holds(&less), "{} is needed", site.name);
    }

    /// Whatever went wrong with the evidence makes nothing hold.
    #[test]
    fn a_doubt_makes_nothing_hold(watch in any_window(), which in 0_usize..3) {
        let mut doubted = watch;
        doubted.doubts.push(match which {
            0 => Doubt::Unfollowed { times: 1 },
            1 => Doubt::Lost { what: "the map of counts was full".to_owned(), times: 1 },
            _ => Doubt::Missed { site: "skb_copy_bits".to_owned(), runs: 1 },
        });
        prop_assert!(!holds(&doubted));
    }

    /// What waits in sockets makes nothing hold, and leaves what it does not open as it was.
    #[test]
    fn what_waits_in_sockets_only_opens_claims(watch in any_window(), left in bytes()) {
        let known = verdict(&watch);
        let charged = Charged::Program("nginx".to_owned());
        let sockets = vec![QueuedBytes { charged, port: None, bytes: left, left }];
        let queued = Queued { seconds: 2.0, sockets, counts: Vec::new(), exits: Vec::new() };
        let open = verdict(&Watch { queued: Some(queued), ..watch });
        let is_open = matches!(open, Verdict::Inconclusive(_));
        prop_assert!(is_open || known.name() == open.name(), "{known:?} {open:?}");
    }

    /// What a missed run hides makes nothing hold that is false, wherever it was, and whatever system
    /// calls say. Where a function says more than any leaf copied and anybody handed over, which no
    /// kernel does, there is no verdict, and a missed run of that function takes the contradiction away.
    #[test]
    fn what_missed_runs_hide_makes_nothing_hold(
        watch in any_window(),
        said in (bytes(), bytes(), any::<bool>()),
        which in any::<Index>(),
        port in any::<bool>(),
    ) {
        let mut watch = watch;
        if port {
            watch.claims[0].of = Of::Port(80);
        }
        let (moved, sent) = if said.2 { (BODY, BODY / 500) } else { (said.0, said.1) };
        let result = |call, bytes| count("sys_exit", call, File::Socket, Iter::None, bytes);
        watch.counts.extend([result(Syscall::Sendfile, moved), result(Syscall::Writev, sent)]);
        let is_refuted = matches!(verdict(&watch), Verdict::Refuted(_));
        let callers: Vec<_> =
            SITES.iter().filter(|site| site.instrument == Instrument::Callers).collect();
        let site = which.get(&callers).name;
        let mut hidden = watch;
        hidden.counts.retain(|count| count.site != site);
        hidden.doubts.push(Doubt::Missed { site: site.to_owned(), runs: 1 });
        prop_assert!(!is_refuted || !holds(&hidden), "{site}");
    }

    /// In which order and in how many parts bytes were counted changes nothing.
    #[test]
    fn the_order_and_the_parts_of_counts_change_nothing(
        watch in any_window(),
        which in any::<Index>(),
        claims_a_port in any::<bool>(),
    ) {
        let mut watch = watch;
        if claims_a_port {
            watch.claims[0].of = Of::Port(80);
        }
        let mut other = watch.clone();
        let at = which.index(other.counts.len());
        let mut half = other.counts[at].clone();
        half.bytes /= 2;
        half.calls /= 2;
        other.counts[at].bytes -= half.bytes;
        other.counts[at].calls -= half.calls;
        other.counts.insert(0, half);
        other.counts.reverse();
        prop_assert_eq!(verdict(&watch).name(), verdict(&other).name());
    }

    /// Every window can be shown.
    #[test]
    fn every_window_has_a_table(watch in any_window()) {
        prop_assert!(table(&watch).is_ok());
    }
}
