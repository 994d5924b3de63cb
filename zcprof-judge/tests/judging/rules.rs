//! The rules that turn counts into verdicts.

use zcprof_common::sites::SITES;
use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary::{Disposition, File, Hop, Instrument, Iter, Need, Process};
use zcprof_judge::claim;
use zcprof_judge::ledger::Ledger;
use zcprof_judge::run::{
    Cache, ClaimOverride, Control, ControlPath, Doubt, Hole, Pass, ProbeState, Run,
};
use zcprof_judge::syscall::InSyscall;
use zcprof_judge::verdict::{self, Exit, Reason, Verdict, per_byte};

use crate::records::{
    HEADERS, PAYLOAD, control, count, msg_zerocopy, pass, read_write, run, sendfile,
    sendfile_before_splice_pages, stack,
};

pub(super) fn only_verdict(run: &Run) -> Verdict {
    let mut judgements = verdict::judge(run).expect("known names");
    assert_eq!(judgements.len(), 1);
    judgements.remove(0).verdict
}

pub(super) fn codes(run: &Run) -> Vec<&'static str> {
    verdict::judge(run).expect("known names")[0].codes()
}

pub(super) fn reasons(run: &Run) -> Vec<Reason> {
    match only_verdict(run) {
        Verdict::Inconclusive(reasons) => reasons,
        other => panic!("expected inconclusive, got {other:?}"),
    }
}

#[test]
fn the_classics_hold_on_kernels_before_and_after_msg_splice_pages() {
    for pass in [read_write(), sendfile(), sendfile_before_splice_pages()] {
        let run = run(vec![pass]);
        assert_eq!(only_verdict(&run), Verdict::Holds, "{}", run.passes[0].transfer);
        let judgements = verdict::judge(&run).expect("known names");
        assert_eq!(verdict::exit(&judgements), Exit::Holds);
    }
}

#[test]
fn pinned_pages_are_judged_by_what_becomes_of_them_later() {
    let under = |later, claim: &claim::Claim| {
        let mut run = run(vec![msg_zerocopy(later)]);
        let (transfer, claim) = ("msg_zerocopy".to_owned(), claim.name.to_owned());
        run.claims.push(ClaimOverride { transfer, claim });
        run
    };
    let claimed = |later, claim| only_verdict(&under(later, claim));
    let named = |later, claim| codes(&under(later, claim));
    // Between two sockets of one host. What is sent again is copied again.
    for later in [PAYLOAD, PAYLOAD + PAYLOAD / 10] {
        assert_eq!(claimed(later, &claim::DEFERRED), Verdict::Holds);
        let Verdict::Refuted(findings) = claimed(later, &claim::ZERO_COPY) else {
            panic!("{later} bytes were copied later");
        };
        assert_eq!((findings[0].disposition, findings[0].bytes), (Disposition::Deferred, later));
        assert_eq!(named(later, &claim::ZERO_COPY), ["ZC105"]);
    }
    // Out of a device that takes the pages as they are.
    assert_eq!(claimed(0, &claim::ZERO_COPY), Verdict::Holds);
    assert!(matches!(claimed(0, &claim::DEFERRED), Verdict::Refuted(_)));
    assert_eq!(named(0, &claim::DEFERRED), ["ZC117"]);
    assert!(matches!(claimed(PAYLOAD / 2, &claim::DEFERRED), Verdict::Refuted(_)));
    assert!(matches!(claimed(PAYLOAD / 2, &claim::ZERO_COPY), Verdict::Refuted(_)));
}

/// The device could not send from several pages, so that the kernel made one of them.
#[test]
fn a_copy_below_the_socket_is_no_zero_copy_no_matter_who_makes_it() {
    let below = |process, bytes| {
        let mut pass = sendfile();
        pass.counts.push(count(
            process,
            "skb_copy_bits",
            (InSyscall::None, File::None),
            Iter::None,
            bytes,
        ));
        run(vec![pass])
    };
    let Verdict::Refuted(findings) = only_verdict(&below(Process::Server, PAYLOAD)) else {
        panic!("every byte was copied")
    };
    assert_eq!((findings[0].bytes, findings[0].at.as_str()), (PAYLOAD, "skb_copy_bits"));
    assert_eq!(codes(&below(Process::Server, PAYLOAD)), ["ZC106"]);
    // Who knows whose they were?
    let expected = Reason::Unowned(PAYLOAD / 2, "skb_copy_bits".to_owned());
    assert_eq!(reasons(&below(Process::Unknown, PAYLOAD / 2)), [expected]);
    assert_eq!(codes(&below(Process::Unknown, PAYLOAD / 2)), ["ZC213"]);
    // Headers, and somebody else's.
    for (process, bytes) in [
        (Process::Server, PAYLOAD / 2000),
        (Process::Unknown, PAYLOAD / 2000),
        (Process::Elsewhere, PAYLOAD),
        (Process::Consumer, PAYLOAD),
    ] {
        assert_eq!(only_verdict(&below(process, bytes)), Verdict::Holds, "{process:?}");
    }
}

/// Without a probe that sees the later copies, pinned pages are no evidence of anything.
#[test]
fn nobody_to_see_later_copies_is_inconclusive() {
    let mut run = run(vec![msg_zerocopy(0)]);
    let (transfer, claim) = ("msg_zerocopy".to_owned(), claim::ZERO_COPY.name.to_owned());
    run.claims.push(ClaimOverride { transfer, claim });
    let probe = run.coverage.probes.iter_mut().find(|probe| probe.site == "skb_copy_ubufs");
    probe.expect("in the table").state = ProbeState::Refused { reason: "told to".to_owned() };
    assert!(matches!(&reasons(&run)[..], [Reason::NotWatching(Instrument::Callers, _), ..]));
}

#[test]
fn headers_and_arguments_are_subtracted_by_name_and_leave_nothing() {
    let ledger = Ledger::of(&sendfile());
    for instrument in [Instrument::Audit, Instrument::Callers] {
        let account = ledger.account(instrument);
        assert_eq!(account.copied(Process::Server), 0, "{instrument:?}");
        assert_eq!(ledger.residual(instrument), 0, "{instrument:?}");
    }
    assert_eq!(ledger.handed_over(Hop::PageCacheToSocket), PAYLOAD);
    let control = &ledger.account(Instrument::Audit).control;
    assert_eq!(control.iter().map(|c| c.bytes).sum::<u64>(), 12, "epoll_ctl moves no payload");
}

#[test]
fn random_numbers_are_no_payload_although_they_leave_through_an_iterator() {
    let mut pass = sendfile();
    let asked = (Syscall::Getrandom, File::None);
    pass.counts.push(count(Process::Server, "_copy_to_iter", asked, Iter::User, 32));
    let ledger = Ledger::of(&pass);
    let audit = ledger.account(Instrument::Audit);
    assert_eq!(
        audit.copied(Process::Server),
        Ledger::of(&sendfile()).accounts[0].copied(Process::Server)
    );
    let control = audit.control.iter().find(|control| control.syscall == Syscall::Getrandom);
    assert_eq!(control.map(|control| control.bytes), Some(32));
    // Any other call's copies through an iterator are what they look like.
    pass.counts.push(count(
        Process::Server,
        "_copy_to_iter",
        (InSyscall::Other(500), File::None),
        Iter::User,
        32,
    ));
    let more = Ledger::of(&pass).account(Instrument::Audit).copied(Process::Server);
    assert_eq!(more, audit.copied(Process::Server) + 32);
}

#[test]
fn named_bytes_that_were_not_seen_are_a_residual() {
    let mut pass = sendfile();
    pass.counts.retain(|c| c.syscall != Syscall::Sendto || c.site != "_copy_from_iter");
    pass.counts.push(count(
        Process::Server,
        "_copy_from_iter",
        (Syscall::Sendto, File::Socket),
        Iter::User,
        HEADERS - 100,
    ));
    assert_eq!(Ledger::of(&pass).account(Instrument::Audit).unexplained, 100);
}

#[test]
fn a_false_claim_is_refuted_and_says_where_the_copies_are() {
    let mut run = run(vec![read_write()]);
    let (transfer, claim) = ("read_write".to_owned(), claim::ZERO_COPY.name.to_owned());
    run.claims.push(ClaimOverride { transfer, claim });
    let Verdict::Refuted(findings) = only_verdict(&run) else { panic!("must be refuted") };
    assert_eq!(codes(&run), ["ZC101", "ZC102"]);
    let text: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(text.iter().any(|t| t.contains("page cache->user copied 1.000") && t.contains("read")));
    assert!(text.iter().any(|t| t.contains("user->socket") && t.contains("tcp_sendmsg_locked")));
    let judgements = verdict::judge(&run).expect("known names");
    assert_eq!(verdict::exit(&judgements), Exit::Refuted);
}

#[test]
fn a_sendfile_that_bounces_is_refuted_by_the_leaf_alone() {
    // From sysfs, kernel 6.12: copy_splice_read() fills fresh pages by the CPU.
    let mut pass = sendfile();
    let call = (Syscall::Sendfile, File::Regular);
    pass.counts.push(count(Process::Server, "_copy_to_iter", call, Iter::Kernel, PAYLOAD));
    pass.counts.push(count(Process::Server, "copy_splice_read", call, Iter::None, PAYLOAD));
    // The callers have no row for sysfs and see less; what the leaf saw stands.
    let Verdict::Refuted(findings) = only_verdict(&run(vec![pass])) else {
        panic!("must be refuted")
    };
    assert!(findings.iter().all(|f| f.hop == Hop::PageCacheToPipe), "{findings:?}");
}

#[test]
fn a_zero_needs_a_witness() {
    let mut pass = sendfile();
    pass.counts.retain(|c| c.syscall != Syscall::Sendfile || c.site == "_copy_from_user");
    assert!(reasons(&run(vec![pass])).iter().any(|r| matches!(r, Reason::NoWitness(..))));
}

#[test]
fn a_zero_needs_the_leaves() {
    for hidden in ["_copy_to_iter", "_copy_from_iter", "_copy_from_user"] {
        let mut run = run(vec![sendfile()]);
        let probe = run.coverage.probes.iter_mut().find(|p| p.site == hidden).expect("a site");
        probe.state = ProbeState::Refused { reason: "ENOSPC".to_owned() };
        let reasons = reasons(&run);
        assert!(reasons.iter().any(|r| r.to_string().contains(hidden)), "{reasons:?}");
    }
}

#[test]
fn a_leaf_whose_misses_are_not_counted_proves_no_zero() {
    let mut run = run(vec![sendfile()]);
    let leaf = run.coverage.probes.iter_mut().find(|p| p.site == "_copy_to_iter");
    let ProbeState::Attached { missed, .. } = &mut leaf.expect("a site").state else {
        panic!("it is attached")
    };
    *missed = None;
    let reasons = reasons(&run);
    assert!(reasons.iter().any(|r| r.to_string().contains("does not count")), "{reasons:?}");
}

/// A capture's ring copies packets, and the row that says so was off for a while, or missed a run: its
/// copies look as if they were made on the way. A probe that takes nothing from others' counts is no such reason, and what
/// the leaves saw too much of they did see.
#[test]
fn copies_that_a_probe_would_have_explained_do_not_refute() {
    let copied =
        count(Process::Server, "skb_copy_bits", (InSyscall::None, File::None), Iter::None, PAYLOAD);
    for (off, refutes) in [
        (None, true),
        (Some("unix_dgram_sendmsg"), true),
        (Some("tpacket_rcv"), false),
        (Some("skb_splice_from_iter"), false),
        (Some("no such site"), false),
    ] {
        let site = off.map(str::to_owned);
        let off = site.clone().map(|site| Doubt::ProbeOff { site });
        let missed = site.map(|site| Doubt::Missed { site, runs: 1 });
        for doubt in [off, missed] {
            let mut run = run(vec![sendfile()]);
            run.passes[0].counts.push(copied.clone());
            run.passes[0].doubts.extend(doubt.clone());
            let judged = verdict::judge(&run).expect("known").remove(0);
            assert_eq!(matches!(judged.verdict, Verdict::Refuted(_)), refutes, "{doubt:?}");
            assert_ne!(judged.verdict, Verdict::Holds);
        }
    }
    let mut run = run(vec![Pass { claim: Some("zero-copy".to_owned()), ..read_write() }]);
    run.passes[0].doubts.push(Doubt::ProbeOff { site: "skb_splice_from_iter".to_owned() });
    let judged = verdict::judge(&run).expect("known").remove(0);
    assert!(matches!(judged.verdict, Verdict::Refuted(_)), "{:?}", judged.verdict);
}

#[test]
fn whatever_could_hide_a_copy_is_inconclusive() {
    type Spoil = fn(&mut Run);
    let spoils: &[(&str, Spoil)] = &[
        ("missed", |r| {
            r.passes[0].doubts.push(Doubt::Missed { site: "_copy_to_iter".to_owned(), runs: 1 });
        }),
        ("was not watched", |r| r.passes[0].doubts.push(Doubt::UnwatchedCpu { cpu: 2 })),
        ("times", |r| {
            let what = "the map of counts was full".to_owned();
            r.passes[0].doubts.push(Doubt::Lost { what, times: 1 });
        }),
        ("did not receive", |r| r.passes[0].payload.verified = false),
        ("no payload", |r| r.passes[0].payload.bytes = 0),
        ("failed its control", |r| r.controls[0].truth[0].bytes += 1),
        ("was not run", |r| r.controls.clear()),
        ("kptr_restrict", |r| {
            r.coverage.holes.push(Hole {
                instrument: Instrument::Callers,
                reason: "kptr_restrict".to_owned(),
                remedy: String::new(),
            });
        }),
        ("withheld", |r| {
            for probe in &mut r.coverage.probes {
                probe.state = ProbeState::Withheld;
            }
        }),
        ("unexplained", |r| {
            let server = Process::Server;
            let call = (Syscall::Sendfile, File::Regular);
            let odd = count(server, "filemap_read", call, Iter::Unknown, PAYLOAD / 100);
            r.passes[0].counts.push(odd);
        }),
    ];
    for (expected, spoil) in spoils {
        let mut run = run(vec![sendfile()]);
        spoil(&mut run);
        let text: Vec<String> = reasons(&run).iter().map(ToString::to_string).collect();
        assert!(text.iter().any(|t| t.contains(expected)), "{expected}: {text:?}");
        let judgements = verdict::judge(&run).expect("known names");
        assert_eq!(verdict::exit(&judgements), Exit::Inconclusive, "{expected}");
    }
}

/// A replica that was seen to cost nothing: believed where every way to write is watched.
#[test]
fn a_file_system_that_may_write_unseen_is_inconclusive() {
    let mut pass = sendfile();
    pass.transfer = "copy_file_range".to_owned();
    pass.claim = Some("replica".to_owned());
    let mut run = run(vec![pass]);
    let (transfer, claim) = ("copy_file_range".to_owned(), "zero-copy".to_owned());
    run.claims.push(ClaimOverride { transfer, claim });
    run.workload.file_system = "xfs".to_owned();
    assert_eq!(only_verdict(&run), Verdict::Holds);
    run.workload.file_system = "f2fs".to_owned();
    assert!(matches!(only_verdict(&run), Verdict::Inconclusive(_)), "{:?}", only_verdict(&run));
}

/// The promise of a cold pass begins at storage, that of a warm one at the page cache.
#[test]
fn a_cold_zero_is_as_good_as_what_fills_the_page_cache() {
    let cold = |storage: &[&str], claim: &'static claim::Claim, spoil: fn(&mut Run)| {
        let mut run = run(vec![sendfile()]);
        run.passes[0].cache = Cache::Cold;
        run.passes[0].claim = Some(claim.of_pass(Cache::Cold).name.to_owned());
        run.workload.storage = stack(storage);
        spoil(&mut run);
        run
    };
    let promised = |storage: &[&str]| cold(storage, &claim::ZERO_COPY, |_| {});
    let loops = ["ext4", "loop", "ext4", "virtio_blk"];
    for (storage, code) in [
        (&loops[..], "ZC119"),
        (&["ext4", "dm-crypt", "virtio_blk"], "ZC120"),
        (&["squashfs", "loop with direct I/O", "ext4", "virtio_blk"], "ZC120"),
        (&["nfs4"], "ZC119"),
    ] {
        let run = promised(storage);
        let Verdict::Refuted(findings) = only_verdict(&run) else { panic!("{storage:?}") };
        assert_eq!((findings.len(), findings[0].bytes), (1, PAYLOAD), "{findings:?}");
        assert_eq!(codes(&run), [code]);
        // Who claims zero-copy by that name begins at the page cache.
        let mut after = run.clone();
        let (transfer, claim) = ("sendfile".to_owned(), "zero-copy".to_owned());
        after.claims.push(ClaimOverride { transfer, claim });
        assert_eq!(only_verdict(&after), Verdict::Holds);
        let mut warm = run;
        warm.passes[0].cache = Cache::Warm;
        assert_eq!(only_verdict(&warm), Verdict::Holds, "nothing was filled");
    }
    for storage in
        [&[][..], &["ext4"], &["bcachefs", "virtio_blk"], &["ext4", "dm-cache", "nvme (pcie)"]]
    {
        let run = promised(storage);
        let reasons = reasons(&run);
        assert!(matches!(reasons[..], [Reason::UnknownFiller(_)]), "{reasons:?}");
        assert_eq!(codes(&run), ["ZC215"]);
    }
    let direct = ["overlay", "ext4", "loop with direct I/O", "xfs", "dm-linear", "nvme (pcie)"];
    assert_eq!(only_verdict(&promised(&direct)), Verdict::Holds);
    // Direct I/O that is none, or another loop device: a worker was seen.
    let reads = |run: &mut Run| {
        let none = (InSyscall::None, File::None);
        let read = count(Process::Elsewhere, "filemap_read", none, Iter::Kernel, PAYLOAD);
        run.passes[0].counts.push(read);
    };
    assert_eq!(codes(&cold(&direct, &claim::ZERO_COPY, reads)), ["ZC215"]);
    let of_buffered = cold(&loops, &claim::ZERO_COPY, reads);
    let Verdict::Refuted(findings) = only_verdict(&of_buffered) else { panic!("it copies") };
    assert_eq!((findings.len(), findings[0].bytes), (1, PAYLOAD), "{findings:?}");
    assert_eq!(
        only_verdict(&cold(&["ext4", "virtio_blk"], &claim::ZERO_COPY, reads)),
        Verdict::Holds
    );
    // What others read for themselves, or write, is none of the loop device's.
    for (site, call, iter) in [
        ("filemap_read", Syscall::Read.into(), Iter::Kernel),
        ("filemap_read", InSyscall::None, Iter::User),
        ("generic_perform_write", InSyscall::None, Iter::Kernel),
    ] {
        let mut run = cold(&direct, &claim::ZERO_COPY, |_| {});
        let elsewhere = Process::Elsewhere;
        run.passes[0].counts.push(count(elsewhere, site, (call, File::None), iter, PAYLOAD));
        assert_eq!(only_verdict(&run), Verdict::Holds, "{site} {call}");
    }
}

/// A pass of a file that a process serves, of whose pages some were moved and some copied.
fn answered(storage: &[&str], copied: u64, moved: u64) -> Run {
    let mut run = run(vec![sendfile()]);
    run.passes[0].cache = Cache::Cold;
    run.passes[0].claim = Some("zero-copy-from-storage".to_owned());
    run.workload.storage = stack(storage);
    for (site, bytes) in
        [("fuse_dev_do_write", copied + moved), ("replace_page_cache_folio", moved)]
    {
        let call = (Syscall::Writev, File::Other);
        run.passes[0].counts.push(count(Process::Server, site, call, Iter::None, bytes));
    }
    run
}

/// A FUSE daemon's answers are counted; those whose pages were moved are not copied.
#[test]
fn what_a_process_fills_is_what_a_site_saw() {
    let fuse = |copied, moved| answered(&["overlay", "fuse.sshfs"], copied, moved);
    assert_eq!(codes(&fuse(PAYLOAD, 0)), ["ZC118"]);
    assert_eq!(codes(&fuse(PAYLOAD / 2, PAYLOAD / 2)), ["ZC118"]);
    assert_eq!(only_verdict(&fuse(PAYLOAD / 2000, 0)), Verdict::Holds);
    assert_eq!(only_verdict(&fuse(PAYLOAD / 2000, PAYLOAD)), Verdict::Holds);
}

/// Whose mount a daemon's answer is for, no site tells.
#[test]
fn answers_for_a_strangers_fuse_mount_refute_nothing() {
    let fuse = |copied, moved| answered(&["fuse"], copied, moved);
    // The log's daemon moved its pages, and a stranger read as much from another mount.
    let strangers = fuse(PAYLOAD, PAYLOAD);
    assert!(matches!(reasons(&strangers)[..], [Reason::UnknownFiller(_)]));
    assert_eq!(codes(&strangers), ["ZC215"]);
    // Pages cannot have filled more than were moved; the rest of the payload was copied.
    for (copied, moved, certain) in
        [(2 * PAYLOAD, 0, PAYLOAD), (PAYLOAD, PAYLOAD / 4, PAYLOAD - PAYLOAD / 4)]
    {
        let Verdict::Refuted(findings) = only_verdict(&fuse(copied, moved)) else {
            panic!("{copied} bytes were copied")
        };
        assert_eq!((findings.len(), findings[0].bytes), (1, certain), "{findings:?}");
    }
    // A warm pass fills nothing, unless pages are seen to enter the page cache.
    let mut warm = fuse(PAYLOAD, 0);
    warm.passes[0].cache = Cache::Warm;
    assert_eq!(codes(&warm), ["ZC215"]);
    let fill = |file| {
        let call = (Syscall::Sendfile, file);
        let site = "mm_filemap_add_to_page_cache";
        count(Process::Server, site, call, Iter::None, PAYLOAD)
    };
    warm.passes[0].counts.push(fill(File::Regular));
    assert_eq!(codes(&warm), ["ZC118"]);
    // Nor does one whose page cache did not obey.
    let mut doubted = fuse(PAYLOAD, 0);
    doubted.passes[0].doubts.push(Doubt::CacheState { resident: 1, pages: 2 });
    assert_eq!(codes(&doubted), ["ZC210", "ZC215"]);
    // Some of the log is on a disk: how much of it a daemon answered is not known.
    let mixed = ["overlay", "fuse", "ext4", "virtio_blk"];
    assert_eq!(codes(&answered(&mixed, PAYLOAD, 0)), ["ZC215"]);
    assert_eq!(only_verdict(&answered(&mixed, 0, PAYLOAD / 2)), Verdict::Holds);
}

/// A leaf that only writers reach, and a pass that wrote: its silence is no zero.
#[test]
fn a_leaf_that_can_be_reached_must_have_been_watched() {
    let copied = |site| {
        count(Process::Server, site, (Syscall::Sendfile, File::Regular), Iter::Kernel, PAYLOAD)
    };
    let leaves = |writers: bool| -> Vec<String> {
        let audit = SITES.iter().filter(|site| site.instrument == Instrument::Audit);
        let watched = audit.filter(|site| (site.need == Need::Writes) == writers);
        watched.map(|site| site.name.to_owned()).collect()
    };
    let mut pass = sendfile();
    pass.transfer = "sendfile_to_file".to_owned();
    pass.claim = Some("replica".to_owned());
    pass.counts.push(copied("generic_perform_write"));
    pass.leaves.clear();
    let verdict = only_verdict(&run(vec![pass.clone()]));
    let Verdict::Inconclusive(reasons) = verdict else { panic!("{verdict:?}") };
    assert!(matches!(reasons[..], [Reason::NotWatching(Instrument::Audit, _)]), "{reasons:?}");
    pass.leaves = vec![leaves(false)];
    let verdict = only_verdict(&run(vec![pass.clone()]));
    let Verdict::Inconclusive(reasons) = verdict else { panic!("{verdict:?}") };
    assert!(reasons.iter().all(|r| matches!(r, Reason::Unwatched(..))), "{reasons:?}");
    pass.leaves.push(leaves(true));
    let verdict = only_verdict(&run(vec![pass.clone()]));
    let Verdict::Inconclusive(reasons) = verdict else { panic!("{verdict:?}") };
    assert!(reasons.iter().any(|r| matches!(r, Reason::Disagree(..))), "{reasons:?}");
    pass.counts.push(copied("copy_folio_from_iter_atomic"));
    assert_eq!(only_verdict(&run(vec![pass])), Verdict::Holds);
    // What every copy to a file descriptor reaches was not watched.
    let mut pass = sendfile();
    pass.leaves[0].retain(|leaf| leaf != "_copy_to_iter");
    assert!(matches!(only_verdict(&run(vec![pass])), Verdict::Inconclusive(_)));
    // Who says that he writes nothing, and did.
    let mut pass = sendfile();
    pass.leaves = vec![leaves(false)];
    assert_eq!(only_verdict(&run(vec![pass.clone()])), Verdict::Holds);
    pass.counts.push(copied("generic_perform_write"));
    assert!(matches!(only_verdict(&run(vec![pass])), Verdict::Refuted(_)));
}

/// io_uring's copies are in no system call that names a file: without the callers the audit knows
/// how many there are, and not where.
#[test]
fn what_only_the_callers_can_place_refutes_by_its_sum_alone() {
    let (s, call) = (Process::Server, (Syscall::IoUringEnter, File::None));
    let mut pass = pass(
        "uring_send",
        vec![
            count(s, "_copy_to_iter", call, Iter::User, PAYLOAD),
            count(s, "_copy_from_iter", call, Iter::User, PAYLOAD),
            count(s, "_copy_from_iter", (Syscall::Sendto, File::Socket), Iter::User, HEADERS),
        ],
    );
    pass.named.retain(|named| named.process == s);
    let mut run = run(vec![pass]);
    for probe in run.coverage.probes.iter_mut().filter(|p| p.instrument == Instrument::Callers) {
        probe.state = ProbeState::Withheld;
    }
    assert!(matches!(only_verdict(&run), Verdict::Inconclusive(_)), "{:?}", only_verdict(&run));
    let (transfer, claim) = ("uring_send".to_owned(), "one-copy".to_owned());
    run.claims.push(ClaimOverride { transfer, claim });
    assert!(matches!(only_verdict(&run), Verdict::Refuted(_)), "{:?}", only_verdict(&run));
}

#[test]
fn instruments_that_disagree_are_inconclusive() {
    let mut pass = read_write();
    for count in &mut pass.counts {
        if count.site == "filemap_read" {
            count.bytes -= PAYLOAD / 500;
        }
    }
    assert!(reasons(&run(vec![pass])).iter().any(|r| matches!(r, Reason::Disagree(..))));
}

#[test]
fn the_tolerance_is_one_in_a_thousand_of_the_payload() {
    for (extra, holds) in [(PAYLOAD / 1000, true), (PAYLOAD / 1000 + 1, false)] {
        let mut pass = sendfile();
        let call = (Syscall::Sendfile, File::Regular);
        pass.counts.push(count(Process::Server, "_copy_from_user", call, Iter::None, extra));
        assert_eq!(only_verdict(&run(vec![pass])) == Verdict::Holds, holds, "{extra}");
    }
}

#[test]
fn nothing_judged_is_not_a_pass() {
    assert_eq!(verdict::exit(&[]), Exit::Inconclusive);
}

#[test]
fn division_is_by_integers_and_rounds_half_up() {
    assert_eq!(per_byte(PAYLOAD, PAYLOAD), "1.000");
    assert_eq!(per_byte(1, 2000), "0.001");
    assert_eq!(per_byte(1, 2001), "0.000");
    assert_eq!(per_byte(5, 0), "-");
    assert_eq!(per_byte(u64::MAX, u64::MAX), "1.000");
}

/// The instruments see over plain TCP, so that they are not to blame; but what the way does is not
/// known, and no claim holds. What refutes one refutes it all the same.
#[test]
fn a_control_that_fails_only_over_the_measured_way_speaks_of_the_way() {
    let mut run = run(vec![sendfile()]);
    run.controls.push(Control { way: ControlPath::Measured, ..control() });
    assert_eq!(only_verdict(&run), Verdict::Holds);
    run.controls[1].truth[0].bytes += 1;
    assert_eq!(codes(&run), ["ZC225"]);
    let (transfer, claim) = ("sendfile".to_owned(), "two-copies".to_owned());
    run.claims.push(ClaimOverride { transfer, claim });
    assert!(matches!(only_verdict(&run), Verdict::Inconclusive(_)), "fewer copies than claimed");
    run.passes = vec![read_write()];
    run.passes[0].transfer = "sendfile".to_owned();
    run.claims[0].claim = "zero-copy".to_owned();
    assert!(matches!(only_verdict(&run), Verdict::Refuted(_)), "what was copied was seen");
}

/// No machine copies 2^64 bytes, but a record can say so; as little as it may then be judged by a
/// number, it may least of all be taken for zero.
#[test]
fn more_bytes_than_a_number_holds_are_not_none() {
    let s = Process::Server;
    let mut pass = sendfile();
    for site in ["_copy_to_iter", "filemap_read"] {
        for syscall in [Syscall::Read, Syscall::Pread64] {
            let call = (syscall, File::Regular);
            pass.counts.push(count(s, site, call, Iter::User, 1 << 63));
        }
    }
    let run = run(vec![pass]);
    assert!(matches!(only_verdict(&run), Verdict::Refuted(_)));
    let ledger = Ledger::of(&run.passes[0]);
    let callers = ledger.account(Instrument::Callers);
    let copied = callers.bytes(s, Hop::PageCacheToUser, Disposition::Copied);
    assert_eq!(copied, u64::MAX);
    assert!(callers.copied(s) == u64::MAX && ledger.residual(Instrument::Callers) < u64::MAX);
}

/// A claim of a later copy is kept by pages that were handed over either way, pinned or moved, and
/// copied later; not by pages that nobody copied.
#[test]
fn whichever_way_pages_came_a_later_copy_is_one() {
    let under_deferred = |mut pass: zcprof_judge::run::Pass, later| {
        let (site, none) = ("skb_copy_ubufs", (InSyscall::None, File::None));
        pass.counts.retain(|count| count.site != site);
        pass.counts.push(count(Process::Server, site, none, Iter::None, later));
        let (transfer, claim) = (pass.transfer.clone(), claim::DEFERRED.name.to_owned());
        let mut run = run(vec![pass]);
        run.claims.push(ClaimOverride { transfer, claim });
        run
    };
    for pass in [msg_zerocopy(0), sendfile()] {
        assert_eq!(only_verdict(&under_deferred(pass.clone(), PAYLOAD)), Verdict::Holds);
        assert_ne!(only_verdict(&under_deferred(pass, 0)), Verdict::Holds);
    }
}

/// Where nothing was seen to be handed over, the reason names the hop that the claim speaks of.
#[test]
fn a_hand_over_that_nobody_saw_is_named() {
    let mut pass = msg_zerocopy(PAYLOAD);
    pass.counts.retain(|count| count.site != "skb_zerocopy_iter_stream");
    for count in pass.counts.iter_mut().filter(|count| count.site == "tcp_sendmsg_locked") {
        count.bytes = HEADERS;
    }
    let reasons = reasons(&run(vec![pass]));
    assert!(reasons.contains(&Reason::NoWitness(Hop::UserToSocket, 0)), "{reasons:?}");
}

/// Only a claim of no copy begins at storage, and only where the page cache is cold.
#[test]
fn the_state_of_the_page_cache_changes_one_promise() {
    for claim in claim::CLAIMS {
        assert_eq!(claim.of_pass(Cache::Warm), *claim);
        assert_eq!(claim.of_pass(Cache::Uncached), *claim);
        let begins_at_storage = **claim == claim::ZERO_COPY;
        let cold = if begins_at_storage { &claim::ZERO_COPY_FROM_STORAGE } else { *claim };
        assert_eq!(claim.of_pass(Cache::Cold), cold);
    }
}

/// A reader tells claims apart by name and by phrase.
#[test]
fn claims_are_told_apart() {
    for claim in claim::CLAIMS {
        assert!(!claim.name.is_empty() && !claim.phrase.is_empty(), "{claim:?}");
        let alike =
            |other: &&&claim::Claim| other.name == claim.name || other.phrase == claim.phrase;
        assert_eq!(claim::CLAIMS.iter().filter(alike).count(), 1, "{claim:?}");
    }
}
