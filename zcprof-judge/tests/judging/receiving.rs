//! Promises of ways to receive, on records made by hand as kernels show them; each case has a twin that
//! is almost the same and ends otherwise.

use proptest::prelude::*;
use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary::{Disposition, File, Hop, Instrument, Iter, Process};
use zcprof_judge::interval::Interval;
use zcprof_judge::receive::claim::{RECEIVE_CLAIMS, Rest};
use zcprof_judge::receive::{self, ReceiveJudgement};
use zcprof_judge::run::{ControlPath, Doubt, Pass, ProbeState, Reception, Run, SyscallCount};
use zcprof_judge::verdict::{Exit, Verdict, judge};

use super::records::{HEADERS, PAYLOAD, count, run, sendfile};

const RECV: (Syscall, File) = (Syscall::Recvfrom, File::Socket);
const SPLICE: (Syscall, File) = (Syscall::Splice, File::Socket);

/// What became of a received payload.
#[derive(Clone, Copy, Default)]
struct Parts {
    copied: u64,
    piped: u64,
    in_no_page: u64,
    mapped: u64,
    dropped: u64,
    /// Read out of the pipe again.
    unpiped: u64,
}

fn reception(mode: &str, claim: &str, parts: Parts) -> Reception {
    let c = Process::Consumer;
    let mut pass = sendfile();
    pass.claim = None;
    pass.counts.retain(|count| count.process != c);
    for site in ["_copy_to_iter", "skb_copy_datagram_iter"] {
        pass.counts.push(count(c, site, RECV, Iter::User, parts.copied + HEADERS));
    }
    let pipe = (Syscall::Read, File::Pipe);
    for site in ["_copy_to_iter", "pipe_read"] {
        pass.counts.push(count(c, site, pipe, Iter::User, parts.unpiped));
    }
    pass.counts.push(count(c, "skb_splice_bits", SPLICE, Iter::None, parts.piped));
    pass.counts.push(count(c, "skb_splice_bits", SPLICE, Iter::Kernel, parts.in_no_page));
    let map = (Syscall::Getsockopt, File::None);
    pass.counts.push(count(c, "vm_insert_pages", map, Iter::None, parts.mapped));
    let call = |(syscall, file): (Syscall, File), bytes| SyscallCount {
        process: c,
        syscall: syscall.into(),
        file,
        calls: 64,
        bytes,
    };
    pass.syscalls.push(call(RECV, parts.copied + parts.dropped + HEADERS));
    pass.syscalls.push(call(SPLICE, parts.piped + parts.in_no_page));
    let sees = !["discard", "splice"].contains(&mode);
    pass.payload.verified = sees;
    Reception { mode: mode.to_owned(), claim: claim.to_owned(), sees, pass, result: None }
}

fn with(reception: Reception) -> Run {
    let mut run = run(vec![sendfile()]);
    run.receptions.push(reception);
    run
}

fn judged(run: &Run) -> ReceiveJudgement {
    receive::judge(run).expect("known promises").remove(0)
}

/// The verdict's word and codes.
fn said(run: &Run) -> (&'static str, Vec<&'static str>) {
    let judged = judged(run);
    let why = judged.why();
    (judged.verdict.name(), why.iter().flat_map(|why| &why.codes).map(|code| code.name).collect())
}

fn copied() -> Reception {
    reception("copy", "receive-copied", Parts { copied: PAYLOAD, ..Parts::default() })
}

fn dropped() -> Reception {
    reception("discard", "receive-dropped", Parts { dropped: PAYLOAD, ..Parts::default() })
}

fn piped() -> Reception {
    reception("splice", "receive-piped", Parts { piped: PAYLOAD, ..Parts::default() })
}

fn mapped(copied: u64) -> Reception {
    let parts = Parts { copied, mapped: PAYLOAD - copied, ..Parts::default() };
    reception("receive_zerocopy", "receive-mapped", parts)
}

#[test]
fn each_mode_that_does_what_it_promises_holds() {
    for reception in [copied(), dropped(), piped(), mapped(PAYLOAD / 8), mapped(0)] {
        let mode = reception.mode.clone();
        let run = with(reception);
        assert_eq!(said(&run), ("holds", vec![]), "{mode}");
        let sent = judge(&run).expect("known claims");
        assert_eq!(receive::exit_with(&run, &sent), Ok(Exit::Holds), "{mode}");
    }
}

#[test]
fn a_copy_where_none_is_promised_refutes_whoever_sees_it() {
    let half = Parts { copied: PAYLOAD / 2, piped: PAYLOAD / 2, ..Parts::default() };
    assert_eq!(said(&with(reception("splice", "receive-piped", half))).0, "refuted");
    let read = Parts { piped: PAYLOAD, unpiped: PAYLOAD, ..Parts::default() };
    let run = with(reception("splice", "receive-piped", read));
    assert_eq!(said(&run), ("refuted", vec!["ZC109", "ZC109"]), "out of the pipe again");
    let all = Parts { copied: PAYLOAD, ..Parts::default() };
    for (mode, claim) in [("discard", "receive-dropped"), ("receive_zerocopy", "receive-mapped")] {
        let run = with(reception(mode, claim, all));
        assert_eq!(said(&run), ("refuted", vec!["ZC115", "ZC115"]), "{mode}");
        let sent = judge(&run).expect("known claims");
        assert_eq!(receive::exit_with(&run, &sent), Ok(Exit::Refuted), "{mode}");
    }
}

#[test]
fn a_copy_too_few_refutes_the_promise_of_one() {
    let run = with(reception(
        "copy",
        "receive-copied",
        Parts { copied: PAYLOAD / 2, dropped: PAYLOAD / 2, ..Parts::default() },
    ));
    assert_eq!(said(&run), ("refuted", vec!["ZC117", "ZC117"]));
}

#[test]
fn the_remainder_that_may_be_copied_has_a_bound() {
    assert_eq!(said(&with(mapped(PAYLOAD / 8))).0, "holds");
    assert_eq!(said(&with(mapped(PAYLOAD / 8 + PAYLOAD / 500))).0, "refuted");
}

/// Nothing was copied and nothing is known of the bytes: no evidence is no zero.
#[test]
fn bytes_that_nobody_saw_go_by_are_no_zero() {
    for (mode, claim) in [
        ("discard", "receive-dropped"),
        ("splice", "receive-piped"),
        ("receive_zerocopy", "receive-mapped"),
    ] {
        let run = with(reception(mode, claim, Parts::default()));
        assert_eq!(said(&run), ("inconclusive", vec!["ZC214", "ZC211"]), "{mode}");
    }
}

#[test]
fn bytes_that_were_in_no_page_make_an_interval_and_no_zero() {
    let few = PAYLOAD / 2000;
    let parts = |open| Parts { piped: PAYLOAD - open, in_no_page: open, ..Parts::default() };
    let run = with(reception("splice", "receive-piped", parts(few)));
    assert_eq!(said(&run), ("holds", vec![]), "less than is tolerated");
    let run = with(reception("splice", "receive-piped", parts(PAYLOAD / 4)));
    assert_eq!(said(&run), ("inconclusive", vec!["ZC227"]));
    assert_eq!(judged(&run).copies(), Some((0, PAYLOAD / 4)));
    let copies = judged(&run).result().copies;
    assert_eq!(copies, Some(Interval { least: 0.0, most: 0.25 }));
}

#[test]
fn a_zero_needs_both_instruments_and_their_sites() {
    for site in ["skb_splice_bits", "vm_insert_pages", "_copy_to_iter", "skb_copy_datagram_iter"] {
        for reception in [piped(), mapped(0)] {
            let mut run = with(reception);
            let probe = run.coverage.probes.iter_mut().find(|probe| probe.site == site);
            let refused = ProbeState::Refused { reason: "no".to_owned() };
            probe.expect("in the record").state = refused;
            let (word, codes) = said(&run);
            assert_eq!(word, "inconclusive", "without {site}");
            // No number is shown that an instrument did not see.
            let of_receiving = ["skb_splice_bits", "vm_insert_pages"].contains(&site);
            assert_eq!(judged(&run).result().copies.is_some(), of_receiving, "without {site}");
            assert!(codes.iter().any(|code| ["ZC203", "ZC204"].contains(code)), "{codes:?}");
        }
    }
    let mut run = with(dropped());
    let site = run.coverage.probes.iter_mut().find(|probe| probe.site == "sys_exit");
    site.expect("in the record").state = ProbeState::Withheld;
    assert_eq!(said(&run), ("inconclusive", vec!["ZC230"]));
}

/// The sites that tell how bytes are received are none that a claim on what is sent needs: a record
/// that does not have them is judged as before.
#[test]
fn what_is_sent_is_judged_without_the_sites_of_receiving() {
    let mut run = with(piped());
    run.coverage
        .probes
        .retain(|probe| !["skb_splice_bits", "vm_insert_pages"].contains(&probe.site.as_str()));
    assert_eq!(judge(&run).expect("known claims")[0].verdict, Verdict::Holds);
    assert_eq!(said(&run), ("inconclusive", vec!["ZC204"]));
}

#[test]
fn an_instrument_must_see_the_consumers_copies_in_the_controls() {
    let mut run = with(dropped());
    let seen = run.controls[0].pass.counts.iter_mut();
    let mut seen = seen.filter(|c| c.process == Process::Consumer && c.site == "_copy_to_iter");
    seen.next().expect("in the record").bytes -= 1;
    assert_eq!(said(&run), ("inconclusive", vec!["ZC205"]));
    let mut run = with(dropped());
    run.controls.clear();
    assert_eq!(said(&run).0, "inconclusive");
    // One in which nothing was received shows nothing.
    let mut run = with(dropped());
    let idle = &mut run.controls[0];
    idle.truth.iter_mut().for_each(|truth| truth.bytes = 0);
    idle.pass.payload.bytes = 0;
    idle.pass.counts.clear();
    idle.pass.named.clear();
    assert_eq!(said(&run), ("inconclusive", vec!["ZC205", "ZC205"]));
}

#[test]
fn a_control_that_fails_over_the_measured_way_alone_blames_no_instrument() {
    let mut run = with(dropped());
    let mut measured = run.controls[0].clone();
    measured.way = ControlPath::Measured;
    measured.pass.counts.clear();
    run.controls.push(measured);
    assert_eq!(said(&run), ("inconclusive", vec!["ZC225", "ZC225"]));
    run.controls[1].way = ControlPath::Plain;
    assert_eq!(said(&run), ("inconclusive", vec!["ZC205", "ZC205"]));
}

#[test]
fn instruments_that_disagree_and_probes_that_missed_runs_decide_nothing() {
    let mut run = with(piped());
    let pass = &mut run.receptions[0].pass;
    pass.doubts.push(Doubt::Missed { site: "_copy_to_iter".to_owned(), runs: 1 });
    assert_eq!(said(&run), ("inconclusive", vec!["ZC206"]));
    let mut run = with(piped());
    run.receptions[0].pass.counts.push(count(
        Process::Consumer,
        "skb_copy_datagram_iter",
        RECV,
        Iter::User,
        PAYLOAD / 2,
    ));
    let said = said(&run);
    assert_eq!(said.0, "inconclusive", "the callers saw more than the leaves");
    assert!(!said.1.contains(&"ZC227"), "each byte was in a page: {said:?}");
}

#[test]
fn bytes_that_a_mode_saw_and_found_wrong_promise_nothing() {
    let mut run = with(copied());
    run.receptions[0].pass.payload.verified = false;
    assert_eq!(said(&run), ("inconclusive", vec!["ZC202"]));
    assert_eq!(said(&with(dropped())).0, "holds", "who cannot see them only counts them");
}

#[test]
fn what_the_server_copies_is_not_the_consumers() {
    let mut run = with(piped());
    for site in ["_copy_to_iter", "skb_copy_datagram_iter"] {
        let more = count(Process::Server, site, RECV, Iter::User, PAYLOAD);
        run.receptions[0].pass.counts.push(more);
    }
    assert_eq!(said(&run), ("holds", vec![]));
    assert_eq!(judged(&run).ledger.account(Instrument::Audit).copied(Process::Server), 0);
}

#[test]
fn a_record_keeps_each_hop_at_which_something_was_and_no_other() {
    let hops = |reception| {
        let result = judged(&with(reception)).result();
        let hops = result.hops.iter().map(|hop| (hop.hop, hop.disposition, hop.per_byte));
        hops.collect::<Vec<_>>()
    };
    let all = |bytes: f64| Interval { least: bytes, most: bytes };
    assert_eq!(hops(copied()), [(Hop::SocketToUser, Disposition::Copied, all(1.0))]);
    assert_eq!(hops(piped()), [(Hop::SocketToPipe, Disposition::Moved, all(1.0))]);
    let expected = [
        (Hop::SocketToUser, Disposition::Copied, all(0.125)),
        (Hop::SocketToUser, Disposition::Moved, all(0.875)),
    ];
    assert_eq!(hops(mapped(PAYLOAD / 8)), expected);
    assert_eq!(hops(dropped()), []);
}

#[test]
fn a_record_keeps_what_it_came_to_and_one_without_receptions_reads_as_before() {
    let mut run = with(piped());
    receive::note(&mut run).expect("known promises");
    let text = serde_json::to_string(&run).expect("a record");
    let again: Run = zcprof_judge::record::read(text.as_bytes()).expect("readable");
    let result = again.receptions[0].result.as_ref().expect("noted");
    assert_eq!((result.verdict.as_str(), result.received), ("holds", PAYLOAD));
    assert_eq!(result, &judged(&again).result());
    run.receptions.clear();
    let text = serde_json::to_string(&run).expect("a record");
    assert!(!text.contains("receptions"), "older records have no such word");
    let again: Run = zcprof_judge::record::read(text.as_bytes()).expect("readable");
    let sent = judge(&again).expect("known claims");
    assert_eq!(receive::exit_with(&again, &sent), Ok(Exit::Holds));
}

#[test]
fn a_promise_that_nobody_knows_is_an_error() {
    let run = with(reception("splice", "receive-teleported", Parts::default()));
    assert!(receive::judge(&run).is_err());
}

/// Some part of a payload, often none and often all.
fn some() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(PAYLOAD), 0..PAYLOAD, 0..PAYLOAD / 500]
}

proptest! {
    /// Whatever became of the bytes: a promise holds only if they all are where it says, and no more
    /// can have been copied than it says.
    #[test]
    fn no_promise_holds_that_is_not_kept(
        copied in some(),
        piped in some(),
        in_no_page in some(),
        mapped in some(),
        dropped in some(),
        unpiped in some(),
    ) {
        let parts = Parts { copied, piped, in_no_page, mapped, dropped, unpiped };
        for claim in RECEIVE_CLAIMS {
            let run = with(reception("a mode", claim.name, parts));
            if said(&run).0 != "holds" {
                continue;
            }
            let tolerated = PAYLOAD / 1000;
            let part = |thousandths: u32| PAYLOAD / 1000 * u64::from(thousandths);
            let all = copied + piped + in_no_page + mapped + dropped;
            prop_assert!(all.abs_diff(PAYLOAD) <= tolerated, "{}: {all}", claim.name);
            prop_assert!(unpiped <= tolerated, "{}: {unpiped} unpiped", claim.name);
            let most = part(claim.most) + 2 * tolerated;
            prop_assert!(copied <= most, "{}: {copied} copied", claim.name);
            prop_assert!(copied + 2 * tolerated >= part(claim.least), "{}", claim.name);
            if claim.rest != Rest::Nothing {
                prop_assert!(copied + in_no_page <= most, "{}: {in_no_page}", claim.name);
            }
        }
    }

    /// More copies than there were never make a promise hold that did not.
    #[test]
    fn more_copies_never_make_a_promise_hold(
        piped in some(),
        mapped in some(),
        dropped in some(),
        more in 0..PAYLOAD,
        audit in any::<bool>(),
    ) {
        let parts = Parts { piped, mapped, dropped, ..Parts::default() };
        for claim in RECEIVE_CLAIMS.iter().filter(|claim| claim.least == 0) {
            let mut run = with(reception("a mode", claim.name, parts));
            let before = said(&run).0;
            let site = if audit { "_copy_to_iter" } else { "skb_copy_datagram_iter" };
            let extra = count(Process::Consumer, site, RECV, Iter::User, more);
            run.receptions[0].pass.counts.push(extra);
            let after = said(&run).0;
            prop_assert!(after != "holds" || before == "holds", "{}: {more}", claim.name);
        }
    }
}

/// Records that were made before there were receptions: the consumer received by copy in each pass.
#[test]
fn passes_that_real_kernels_showed_keep_the_promise_of_a_copy() {
    let records = [
        include_bytes!("../golden/classic/run.json").as_slice(),
        include_bytes!("../../../reports/bookworm/run.json"),
        include_bytes!("../../../reports/trixie/run.json"),
        include_bytes!("../../../reports/trixie-backports/run.json"),
    ];
    for record in records {
        let mut run: Run = zcprof_judge::record::read(record).expect("readable");
        assert!(run.receptions.is_empty() && run.passes.len() >= 4);
        for claim in ["receive-copied", "receive-piped"] {
            let copied = |pass: &Pass| Reception {
                mode: "copy".to_owned(),
                claim: claim.to_owned(),
                sees: true,
                pass: pass.clone(),
                result: None,
            };
            // A probe that missed runs speaks against any verdict, and what is decrypted has framing.
            let sound = run.passes.iter().filter(|pass| pass.doubts.is_empty());
            run.receptions = sound.map(copied).collect();
            let expected = if claim == "receive-copied" { "holds" } else { "refuted" };
            for judged in receive::judge(&run).expect("known promises") {
                let (word, why) = (judged.verdict.name(), judged.why());
                assert_eq!(
                    word, expected,
                    "{} on {}: {why:?}",
                    judged.transfer, run.kernel.release
                );
            }
        }
    }
}
