//! Whose word counts: what takes an instrument out of a verdict, and what leaves it in.

use std::process::ExitCode;

use zcprof_common::sites::SITES;
use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary::{Disposition, File, Hop, Instrument, Iter, Need, Process};
use zcprof_judge::claim::{CLAIMS, Claim};
use zcprof_judge::run::{ClaimOverride, Control, Doubt, Hole, Pass, ProbeState, Run, Truth};
use zcprof_judge::verdict::instruments::sees_copies;
use zcprof_judge::verdict::{self, Exit, Finding, Reason, Verdict};

use crate::records::{
    HEADERS, PAYLOAD, count, pass, read_write, run, sendfile, sendfile_before_splice_pages,
};
use crate::rules::{only_verdict, reasons};

const JUDGING: [Instrument; 2] = [Instrument::Audit, Instrument::Callers];

/// A sendfile of no copy, with something changed.
fn spoiled(spoil: impl FnOnce(&mut Run)) -> Run {
    let mut run = run(vec![sendfile()]);
    spoil(&mut run);
    run
}

fn set(run: &mut Run, instrument: Instrument, state: &ProbeState) {
    for probe in run.coverage.probes.iter_mut().filter(|probe| probe.instrument == instrument) {
        probe.state = state.clone();
    }
}

fn under(claim: &str, mut run: Run) -> Run {
    let (transfer, claim) = (run.passes[0].transfer.clone(), claim.to_owned());
    run.claims = vec![ClaimOverride { transfer, claim }];
    run
}

/// System calls only tell more; a run without them is judged.
#[test]
fn what_one_instrument_lacks_is_said_of_that_one() {
    let with_hole = |instrument| {
        spoiled(|run| {
            let (reason, remedy) = ("kptr_restrict".to_owned(), String::new());
            run.coverage.holes.push(Hole { instrument, reason, remedy });
        })
    };
    assert_eq!(only_verdict(&with_hole(Instrument::Syscalls)), Verdict::Holds);
    for instrument in JUDGING {
        let reason = Reason::NotWatching(instrument, "kptr_restrict".to_owned());
        assert_eq!(reasons(&with_hole(instrument)), [reason]);
    }
    for site in SITES {
        let run = spoiled(|run| run.coverage.probes.retain(|probe| probe.site != site.name));
        // What is received otherwise than by copy is asked for by who judges that.
        if site.instrument == Instrument::Syscalls || site.need == Need::Receives {
            assert_eq!(only_verdict(&run), Verdict::Holds, "{}", site.name);
            continue;
        }
        let why = format!("{}: the record has no such site; measure anew", site.name);
        assert_eq!(reasons(&run), [Reason::NotWatching(site.instrument, why)]);
    }
}

/// A kernel that has none of an instrument's sites leaves that instrument blind, however complete the
/// record is.
#[test]
fn an_instrument_without_a_single_probe_sees_nothing() {
    for instrument in JUDGING {
        for state in [ProbeState::NotOnThisKernel, ProbeState::NotNeeded { reason: String::new() }]
        {
            let run = spoiled(|run| set(run, instrument, &state));
            let reason = Reason::NotWatching(instrument, "no site is attached".to_owned());
            assert!(reasons(&run).contains(&reason), "{instrument:?} {state:?}");
            // One that is attached is what the others are not needed for.
            let run = spoiled(|run| {
                let all = run.coverage.probes.iter_mut();
                for probe in all.filter(|probe| probe.instrument == instrument).skip(1) {
                    probe.state = state.clone();
                }
            });
            let verdict = only_verdict(&run);
            assert_eq!(verdict, Verdict::Holds, "{instrument:?} {state:?}");
        }
    }
}

/// What a function around the leaves missed, the balance shows; what a leaf missed, nothing does.
#[test]
fn only_leaves_must_count_the_runs_that_they_missed() {
    for (instrument, holds) in [(Instrument::Callers, true), (Instrument::Audit, false)] {
        let (symbol, by) = ("f".to_owned(), "kprobe".to_owned());
        let uncounted = ProbeState::Attached { symbol, by, missed: None };
        let run = spoiled(|run| set(run, instrument, &uncounted));
        assert_eq!(only_verdict(&run) == Verdict::Holds, holds, "{instrument:?}");
    }
}

/// Functions around the leaves that say more than any leaf copied contradict the leaves, and nobody knows
/// which of the two is right.
#[test]
fn copies_that_no_leaf_made_refute_nothing() {
    let with = |sites: &[&str]| {
        let call = (Syscall::Read, File::Regular);
        let count = |site: &&str| count(Process::Server, site, call, Iter::User, PAYLOAD);
        spoiled(|run| run.passes[0].counts.extend(sites.iter().map(count)))
    };
    let disagree = Reason::Disagree(Hop::PageCacheToUser, 0, PAYLOAD);
    assert_eq!(reasons(&with(&["filemap_read"])), [disagree]);
    for seen in [&["_copy_to_iter"][..], &["_copy_to_iter", "filemap_read"]] {
        assert!(matches!(only_verdict(&with(seen)), Verdict::Refuted(_)), "{seen:?}");
    }
}

/// Where system calls name their files, the leaves alone know where copies were made, and not only how
/// many there are; and functions around the leaves know it of io_uring, which names no file.
#[test]
fn copies_at_a_hop_too_many_are_not_made_up_for_by_another_hop() {
    let s = Process::Server;
    let excess = |run: &Run, by: Instrument| {
        let Verdict::Refuted(findings) = only_verdict(run) else { panic!("copied twice") };
        let at = |f: &Finding| (f.hop, f.disposition, f.instrument, f.bytes);
        let seen: Vec<_> = findings.iter().map(at).collect();
        assert!(
            seen.contains(&(Hop::UserToSocket, Disposition::Copied, by, 2 * PAYLOAD)),
            "{seen:?}"
        );
    };
    let (write, header) = ((Syscall::Write, File::Socket), (Syscall::Sendto, File::Socket));
    let twice = vec![
        count(s, "_copy_from_iter", write, Iter::User, 2 * PAYLOAD),
        count(s, "_copy_from_iter", header, Iter::User, HEADERS),
    ];
    let mut by_leaves = under("two-copies", run(vec![pass("read_write", twice)]));
    set(&mut by_leaves, Instrument::Callers, &ProbeState::Withheld);
    excess(&by_leaves, Instrument::Audit);
    let ring = (Syscall::IoUringEnter, File::Socket);
    let by_ring = vec![
        count(s, "_copy_from_iter", ring, Iter::User, 2 * PAYLOAD),
        count(s, "tcp_sendmsg_locked", ring, Iter::None, 2 * PAYLOAD),
        count(s, "_copy_from_iter", header, Iter::User, HEADERS),
        count(s, "tcp_sendmsg_locked", header, Iter::None, HEADERS),
        // Its own arguments, which no function around the leaves places.
        count(s, "_copy_from_user", (Syscall::IoUringEnter, File::None), Iter::None, 512),
    ];
    excess(&under("two-copies", run(vec![pass("uring_send", by_ring)])), Instrument::Callers);
}

/// A file system's ways to write matter to those who write.
#[test]
fn who_writes_no_file_is_judged_on_any_file_system() {
    let mut run = spoiled(|run| run.workload.file_system = "f2fs".to_owned());
    assert_eq!(only_verdict(&run), Verdict::Holds);
    // Nor does it matter where every byte was seen to be written.
    let pass = &mut run.passes[0];
    pass.transfer = "copy_file_range".to_owned();
    pass.claim = Some("replica".to_owned());
    for site in ["copy_folio_from_iter_atomic", "generic_perform_write"] {
        let call = (Syscall::CopyFileRange, File::Regular);
        pass.counts.push(count(Process::Server, site, call, Iter::Kernel, PAYLOAD));
    }
    assert_eq!(only_verdict(&run), Verdict::Holds);
}

/// What a control shows of an instrument takes that instrument's word away, and no other's.
#[test]
fn a_control_that_an_instrument_failed_is_no_other_instruments() {
    let blamed = |spoil: &dyn Fn(&mut Control)| -> Vec<Instrument> {
        let run = spoiled(|run| spoil(&mut run.controls[0]));
        let Verdict::Inconclusive(reasons) = only_verdict(&run) else { return Vec::new() };
        let failed = |reason: &Reason| match reason {
            Reason::ControlFailed(instrument, _) => *instrument,
            other => panic!("{other:?}"),
        };
        reasons.iter().map(failed).collect()
    };
    assert_eq!(blamed(&|_| {}), []);
    for instrument in JUDGING {
        let is_of_it = |truth: &Truth| truth.instrument == instrument;
        assert_eq!(blamed(&|c| c.truth.retain(|truth| !is_of_it(truth))), [instrument], "not run");
        let wrong = |control: &mut Control| {
            control.truth.iter_mut().find(|truth| is_of_it(truth)).expect("known").bytes += 1;
        };
        assert_eq!(blamed(&wrong), [instrument], "not seen");
    }
    let odd = |control: &mut Control| {
        let call = (Syscall::Read, File::Regular);
        control.pass.counts.push(count(Process::Server, "filemap_read", call, Iter::Unknown, 1));
    };
    assert_eq!(blamed(&odd), [Instrument::Callers], "one byte under no known case");
    let [leaf, caller] = ["_copy_to_iter", "filemap_read"].map(str::to_owned);
    let [audit, callers] = JUDGING.map(|instrument| vec![instrument]);
    for (doubt, expected) in [
        (Doubt::Missed { site: leaf.clone(), runs: 1 }, &audit),
        // Of a run that was missed where all that is known was seen nothing is hidden.
        (Doubt::Missed { site: caller.clone(), runs: 1 }, &Vec::new()),
        (Doubt::ProbeGone { site: leaf }, &audit),
        (Doubt::ProbeGone { site: caller.clone() }, &callers),
        (Doubt::ProbeOff { site: caller }, &callers),
        (Doubt::UnwatchedCpu { cpu: 1 }, &audit),
        (Doubt::UnreachedCpu { cpu: 1, group: "/".to_owned() }, &audit),
        (Doubt::ModuleLoaded { module: "veth".to_owned() }, &callers),
        (Doubt::Unfollowed { times: 1 }, &JUDGING.to_vec()),
    ] {
        assert_eq!(blamed(&|c| c.pass.doubts.push(doubt.clone())), **expected, "{doubt}");
    }
}

/// Both instruments say so where there are fewer copies than claimed; one that was blind there does not.
#[test]
fn fewer_copies_than_claimed_are_said_by_those_who_looked() {
    let seen = |run: &Run| -> Vec<_> {
        let Verdict::Refuted(findings) = only_verdict(run) else { panic!("not as claimed") };
        findings.iter().map(|f| (f.instrument, f.hop)).collect()
    };
    let [audit, callers] = JUDGING;
    let (into_user, into_socket) = (Hop::PageCacheToUser, Hop::UserToSocket);
    let all =
        [(audit, into_user), (audit, into_socket), (callers, into_user), (callers, into_socket)];
    assert_eq!(seen(&under("two-copies", run(vec![sendfile()]))), all);
    // Written twice, never read, and the leaf that reads by was not watched.
    let s = Process::Server;
    let mut pass = pass("read_write", Vec::new());
    for (call, bytes) in [(Syscall::Write, 2 * PAYLOAD), (Syscall::Sendto, HEADERS)] {
        let call = (call, File::Socket);
        pass.counts.push(count(s, "_copy_from_iter", call, Iter::User, bytes));
        pass.counts.push(count(s, "tcp_sendmsg_locked", call, Iter::None, bytes));
    }
    pass.leaves[0].retain(|leaf| leaf != "_copy_to_iter");
    let expected = [(audit, into_socket), (callers, into_user), (callers, into_socket)];
    assert_eq!(seen(&run(vec![pass.clone()])), expected);
    // Read twice, which only the callers could see, and never written.
    let call = (Syscall::Read, File::Regular);
    pass.counts.retain(|count| count.syscall != Syscall::Write);
    pass.counts.push(count(s, "filemap_read", call, Iter::User, 2 * PAYLOAD));
    let expected = [(audit, into_socket), (callers, into_user), (callers, into_socket)];
    assert_eq!(seen(&run(vec![pass])), expected);
}

/// Fresh pages that a splice filled (before 6.5): who filled them no site tells.
#[test]
fn pages_that_were_filled_anew_for_a_splice_are_no_zero_copy() {
    let mut pass = sendfile_before_splice_pages();
    assert_eq!(only_verdict(&run(vec![pass.clone()])), Verdict::Holds);
    pass.counts.retain(|count| count.site != "filemap_read");
    let Verdict::Refuted(findings) = only_verdict(&run(vec![pass])) else { panic!("bounced") };
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!((findings[0].disposition, findings[0].bytes), (Disposition::Bounced, PAYLOAD));
}

/// An instrument's zero at a hop is one only where a site of its own could have seen a copy.
#[test]
fn an_instrument_sees_copies_where_it_has_a_site() {
    let [audit, callers] = JUDGING;
    for (instrument, hop, sees) in [
        (audit, Hop::PageCacheToUser, true),
        (audit, Hop::Arguments, true),
        (audit, Hop::UserToUser, false),
        (audit, Hop::StorageToPageCache, false),
        (callers, Hop::UserToUser, true),
        (callers, Hop::StorageToPageCache, true),
        (callers, Hop::Arguments, false),
        // What is known of them is no copy of the process's own.
        (callers, Hop::SocketToSocket, false),
        (callers, Hop::SocketToWire, false),
        (Instrument::Syscalls, Hop::StorageToPageCache, false),
        (Instrument::Syscalls, Hop::SocketToUser, true),
    ] {
        assert_eq!(sees_copies(instrument, hop), sees, "{instrument:?} {hop:?}");
    }
}

/// A leaf that was not watched is said once, at the hops that the claim speaks of.
#[test]
fn a_leaf_that_was_not_watched_is_said_where_it_matters() {
    let without = |pass: Pass, leaf: &str| {
        let mut run = run(vec![pass]);
        run.passes[0].leaves[0].retain(|watched| watched != leaf);
        run
    };
    let said = |run: &Run| -> Vec<Hop> {
        let hop = |reason: Reason| match reason {
            Reason::Unwatched(hop, _) => hop,
            other => panic!("{other:?}"),
        };
        reasons(run).into_iter().map(hop).collect()
    };
    // Only devices with tx-nocache-copy reach it, and of its hops one is claimed.
    let run = without(read_write(), "_copy_from_iter_nocache");
    assert_eq!(said(&run), [Hop::UserToSocket]);
    // Fewer copies than claimed were seen: those that are missing it may have made.
    let run = without(sendfile(), "_copy_from_iter_nocache");
    assert_eq!(said(&under("one-copy", run)), [Hop::UserToSocket]);
    // What everybody reaches, wherever; and in both directions it files under one name.
    let mut hops = said(&without(sendfile(), "copy_user"));
    let all = hops.len();
    hops.dedup();
    hops.sort_unstable();
    hops.dedup();
    assert_eq!(hops.len(), all, "{hops:?}");
    assert!(hops.contains(&Hop::PageCacheToUser) && hops.contains(&Hop::Arguments), "{hops:?}");
    // A writer's leaf that this kernel does not have hides nothing of a file's copy.
    let mut pass = sendfile();
    pass.claim = Some("replica".to_owned());
    for site in ["copy_folio_from_iter_atomic", "generic_perform_write"] {
        let call = (Syscall::Sendfile, File::Regular);
        pass.counts.push(count(Process::Server, site, call, Iter::Kernel, PAYLOAD));
    }
    let leaf = "iov_iter_copy_from_user_atomic";
    let mut run = without(pass, leaf);
    assert_eq!(said(&run), [Hop::PageCacheToPageCache]);
    let probe = run.coverage.probes.iter_mut().find(|probe| probe.site == leaf);
    probe.expect("a row").state = ProbeState::NotOnThisKernel;
    assert_eq!(only_verdict(&run), Verdict::Holds);
}

/// A finding is read with its code first.
#[test]
fn a_finding_begins_with_its_code() {
    let judged = verdict::judge(&under("zero-copy", run(vec![read_write()]))).expect("known");
    let why: Vec<_> = judged[0].why().iter().map(ToString::to_string).collect();
    assert!(why[0].starts_with("ZC101 page cache->user copied 1.000"), "{why:?}");
}

/// The number of copies that a claim comes to, those that are made later among them.
#[test]
fn a_claim_comes_to_a_number_of_copies() {
    let copies = |claim: &Claim| (claim.name, claim.copies());
    let all: Vec<_> = CLAIMS.iter().map(|claim| copies(claim)).collect();
    let expected = [
        ("zero-copy", 0),
        ("zero-copy-from-storage", 0),
        ("one-copy", 1),
        ("two-copies", 2),
        ("deferred", 1),
        ("transforms", 0),
        ("replica", 1),
    ];
    assert_eq!(all, expected);
}

/// What a script reads of an end is what a person reads.
#[test]
fn each_end_has_its_number_and_its_meaning() {
    let ends = [Exit::Holds, Exit::Refuted, Exit::Error, Exit::Inconclusive, Exit::CannotMeasure];
    for (number, exit) in (0_u8..).zip(ends) {
        let [code, expected] = [ExitCode::from(exit), ExitCode::from(number)];
        assert_eq!(format!("{code:?}"), format!("{expected:?}"), "{exit:?}");
        let alike = ends.iter().filter(|other| other.meaning() == exit.meaning());
        assert!(alike.count() == 1 && exit.meaning().contains(' '), "{exit:?}");
    }
}
