//! Watched windows in which something is at the edge of a rule: what just holds and what just does not.

use zcprof_common::sites::Site;
use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary::{Disposition, File, Hop, Instrument, Iter, Need};
use zcprof_judge::report::watch::table;
use zcprof_judge::run::{Doubt, ProbeState};
use zcprof_judge::syscall::InSyscall;
use zcprof_judge::verdict::{Reason, Verdict};
use zcprof_judge::watch::judge::shown_spans;
use zcprof_judge::watch::record::{
    Charged, Direction, Interval, Of, Tolerance, Watch, WatchedCount, WatchedExit,
};
use zcprof_judge::watch::series::stretch;
use zcprof_judge::watch::{Promise, judge, so_far};

use super::watched::{BODY, count, handed_over, read, verdict, window, written};

const HEAD: u64 = 64 * 240;

fn says(claim: &str, parts: &[Vec<WatchedCount>]) -> &'static str {
    verdict(&window(claim, parts)).name()
}

/// What a claim comes to after a change of a window.
fn says_of(watch: &Watch, change: impl FnOnce(&mut Watch)) -> &'static str {
    let mut watch = watch.clone();
    change(&mut watch);
    verdict(&watch).name()
}

fn of_others(charged: Charged, count: WatchedCount) -> WatchedCount {
    WatchedCount { charged, port: None, ..count }
}

fn set(watch: &mut Watch, site: &str, state: &ProbeState) {
    let probe = watch.coverage.probes.iter_mut().find(|probe| probe.site == site);
    probe.expect("a row").state = state.clone();
}

/// Copied below the sockets for a packet.
fn below(bytes: u64) -> WatchedCount {
    count("skb_copy_bits", InSyscall::None, File::None, Iter::None, bytes)
}

#[test]
fn as_much_as_is_asked_for_is_enough() {
    let mut watch = window("zero-copy", &[handed_over(BODY)]);
    watch.min_bytes = BODY;
    assert_eq!(verdict(&watch), Verdict::Holds);
    assert_eq!(says("moved>=1", &[handed_over(BODY)]), "holds");
    assert_eq!(says("moved>=1", &[handed_over(BODY), written(HEAD)]), "refuted");
    assert_eq!(says("copied<=1", &[written(BODY)]), "holds");
}

#[test]
fn without_the_results_of_system_calls_nothing_is_known_of_memory_by_reference() {
    let mut watch = window("zero-copy", &[handed_over(BODY)]);
    set(&mut watch, "sys_exit", &ProbeState::Withheld);
    let said = "sys_exit is not attached".to_owned();
    let reason = Reason::NotWatching(Instrument::Syscalls, said);
    let Verdict::Inconclusive(reasons) = verdict(&watch) else { panic!("a verdict") };
    assert!(reasons.contains(&reason), "{reasons:?}");
}

#[test]
fn fewer_copies_than_claimed_refute() {
    assert_eq!(says("two-copies", &[handed_over(BODY)]), "refuted");
    assert_eq!(says("one-copy", &[handed_over(BODY), written(HEAD)]), "refuted");
    assert_eq!(says("one-copy", &[written(BODY)]), "holds");
}

/// Fresh pages that the kernel filled for a splice: refuted as far as they must have been sent, and open as
/// far as they may have stayed in a pipe.
#[test]
fn pages_that_were_filled_anew_are_sent_or_stay_in_a_pipe() {
    let into_pipe = |site, bytes| count(site, Syscall::Splice, File::Regular, Iter::None, bytes);
    let out = |site| count(site, Syscall::Splice, File::Pipe, Iter::None, BODY);
    let left = || vec![out("tcp_sendmsg_locked"), out("skb_splice_from_iter")];
    let (file, fresh) = ("filemap_splice_read", "copy_splice_read");
    let says = |parts: Vec<WatchedCount>| verdict(&window("zero-copy", &[parts, left()]));
    assert_eq!(says(vec![into_pipe(file, BODY)]), Verdict::Holds);
    let Verdict::Refuted(findings) = says(vec![into_pipe(fresh, BODY)]) else { panic!("sent") };
    let found: Vec<_> = findings.iter().map(|f| (f.disposition, f.bytes)).collect();
    assert_eq!(found, [(Disposition::Bounced, BODY)]);
    let open = says(vec![into_pipe(file, BODY), into_pipe(fresh, BODY)]);
    let Verdict::Inconclusive(reasons) = open else { panic!("{open:?}") };
    assert!(reasons.contains(&Reason::MayBeSent(Hop::PageCacheToPipe, BODY)), "{reasons:?}");
}

/// Headers go from the program's memory into a socket, and nowhere else.
#[test]
fn framing_is_no_excuse_for_other_copies() {
    let bounced = |site| count(site, Syscall::Sendfile, File::None, Iter::Kernel, BODY / 200);
    let bounced = vec![bounced("_copy_to_iter"), bounced("filemap_read")];
    let headers = written(BODY / 150);
    assert_eq!(says("zero-copy", &[handed_over(BODY), headers.clone()]), "holds");
    assert_eq!(says("zero-copy", &[handed_over(BODY), headers.clone(), bounced]), "refuted");
    let framing = |claim: &str, parts: &[Vec<WatchedCount>]| {
        judge(&window(claim, parts)).expect("known").remove(0).framing
    };
    let sent = [handed_over(BODY), written(HEAD)];
    assert_eq!(framing("zero-copy", &sent), HEAD);
    assert_eq!(framing("replica", &sent), HEAD);
    for claim in ["one-copy", "two-copies"] {
        assert_eq!(framing(claim, &sent), 0, "{claim}: a copy into the socket is claimed");
    }
    // Nothing was handed over, so that these are headers of nothing.
    let copied = |site| count(site, Syscall::Sendfile, File::Socket, Iter::Kernel, BODY);
    let copied = vec![copied("_copy_from_iter"), copied("unix_dgram_sendmsg")];
    assert_eq!(framing("zero-copy", &[copied, written(HEAD)]), 0);
}

#[test]
fn what_is_copied_later_and_what_is_encrypted_have_bounds_of_their_own() {
    let encrypted = |bytes| {
        vec![count("crypto_aead_encrypt", Syscall::Sendfile, File::Regular, Iter::None, bytes)]
    };
    for (bytes, less, more) in [(BODY, "refuted", "holds"), (BODY / 4, "holds", "refuted")] {
        let late = [handed_over(BODY), vec![below(bytes)]];
        assert_eq!(says("deferred<=0.5", &late), less);
        assert_eq!(says("deferred>=0.5", &late), more);
        let new = [handed_over(BODY), encrypted(bytes)];
        assert_eq!(says("transformed<=0.5", &new), less);
        assert_eq!(says("transformed>=0.5", &new), more);
    }
    // Copies that are made at once are none of the later ones.
    assert_eq!(says("deferred<=0.5", &[written(BODY), vec![below(BODY / 4)]]), "holds");
}

/// Where a bound is open, the hop at which nobody knows is named, and not one that is known exactly.
#[test]
fn what_may_have_been_sent_is_said_of_the_hop_where_nobody_knows() {
    let open = verdict(&window("copied<=1.5", &[read(BODY), written(BODY)]));
    let reason = Reason::MayBeSent(Hop::PageCacheToUser, BODY);
    assert_eq!(open, Verdict::Inconclusive(vec![reason]));
}

/// What others sent, and what was copied below for them, is not the program's.
#[test]
fn others_traffic_is_no_part_of_what_was_sent() {
    let mut watch = window("zero-copy", &[handed_over(BODY), written(HEAD)]);
    for charged in [Charged::Elsewhere, Charged::Unknown] {
        watch.counts.extend(written(BODY).into_iter().map(|c| of_others(charged.clone(), c)));
    }
    let traffic = judge(&watch).expect("known").remove(0).traffic;
    assert_eq!(traffic.sent(), BODY + HEAD);
    assert_eq!(traffic.families.len(), 1, "{:?}", traffic.families);
    // Of the hand-overs no call sent from memory.
    let written =
        watch.counts.iter_mut().find(|c| c.site == "tcp_sendmsg_locked" && c.bytes == HEAD);
    written.expect("headers").calls = 7;
    assert_eq!(judge(&watch).expect("known").remove(0).traffic.calls, 7);
    // Whose a copy below the sockets is matters to who sends, and not to who receives.
    let unknown = of_others(Charged::Unknown, below(BODY));
    let watch = window("zero-copy", &[handed_over(BODY), vec![unknown.clone()]]);
    assert_eq!(verdict(&watch).name(), "inconclusive");
    let at = |site, iter| count(site, Syscall::Recvfrom, File::Socket, iter, BODY);
    let received = vec![
        at("_copy_to_iter", Iter::User),
        at("skb_copy_datagram_iter", Iter::User),
        at("sys_exit", Iter::None),
    ];
    let mut watch = window("copied<=1", &[received, vec![unknown]]);
    watch.direction = Direction::Rx;
    assert_eq!(verdict(&watch), Verdict::Holds);
}

/// Only a device that the claim's own senders left by is theirs.
#[test]
fn a_device_that_encrypts_is_held_against_who_left_by_it() {
    let exit = |charged| WatchedExit {
        charged,
        name: "wg0".to_owned(),
        kind: "wireguard".to_owned(),
        bytes: BODY,
    };
    let program = |name: &str| Charged::Program(name.to_owned());
    let parts = [Of::All, Of::Program("nginx".to_owned()), Of::Port(80)];
    for of in parts {
        let with = |charged| {
            let mut watch = window("zero-copy", &[handed_over(BODY)]);
            watch.claims[0].of = of.clone();
            watch.exits.push(exit(charged));
            verdict(&watch).name()
        };
        assert_eq!(with(program("nginx")), "refuted", "{of}");
        assert_eq!(with(Charged::Elsewhere), "holds", "{of}");
        let of_another = if of == Of::All { "refuted" } else { "holds" };
        assert_eq!(with(program("curl")), of_another, "{of}");
    }
}

/// A datagram that has lost its socket may be anybody's who sends by UDP, and nobody's who does not.
#[test]
fn a_datagram_of_an_unknown_sender_may_be_of_who_sends_by_udp() {
    let to = |kind: &str, bytes| WatchedExit {
        charged: Charged::Unknown,
        name: "out0".to_owned(),
        kind: kind.to_owned(),
        bytes,
    };
    let with = |counts: &[Vec<WatchedCount>], exit: WatchedExit| {
        let mut watch = window("zero-copy", counts);
        watch.exits.push(exit);
        verdict(&watch).name()
    };
    let (stream, both) = ([handed_over(BODY)], [handed_over(BODY), spliced_datagrams()]);
    assert_eq!(with(&both, to("wireguard", BODY)), "inconclusive");
    assert_eq!(with(&both, to("quantum", BODY)), "inconclusive");
    assert_eq!(with(&both, to("vxlan", BODY)), "holds", "it only passes packets on");
    assert_eq!(with(&both, to("wireguard", 100)), "holds", "next to nothing");
    assert_eq!(with(&stream, to("wireguard", BODY)), "holds", "nothing was sent by UDP");
    assert_eq!(with(&stream, to("quantum", BODY)), "holds", "nothing was sent by UDP");

    let policy = |charged| {
        let mut count = count("xfrm_output", Syscall::Sendto, File::None, Iter::None, BODY);
        count.charged = charged;
        vec![count]
    };
    let by_policy = |mut parts: Vec<Vec<WatchedCount>>, charged| {
        parts.push(policy(charged));
        verdict(&window("zero-copy", &parts)).name()
    };
    assert_eq!(by_policy(both.to_vec(), Charged::Unknown), "inconclusive");
    assert_eq!(by_policy(both.to_vec(), Charged::Elsewhere), "holds");
    assert_eq!(by_policy(stream.to_vec(), Charged::Unknown), "holds");
    assert_eq!(by_policy(stream.to_vec(), Charged::Program("nginx".to_owned())), "refuted");
}

/// TLS in the kernel encrypts a call's first record before it sends by the socket that has the port.
#[test]
fn what_is_encrypted_for_an_unknown_port_may_be_for_any() {
    let encrypted = |port| {
        let mut count = count("crypto_aead_encrypt", Syscall::Splice, File::Pipe, Iter::None, BODY);
        count.port = port;
        vec![count]
    };
    let claimed = |claim, of: Of, port| {
        let mut watch = window(claim, &[handed_over(BODY), encrypted(port)]);
        watch.claims[0].of = of;
        verdict(&watch).name()
    };
    for (claim, of_it, of_another) in [
        ("transforms", "holds", "refuted"),
        ("transformed<=0.5", "refuted", "holds"),
        ("transformed>=0.5", "holds", "refuted"),
    ] {
        assert_eq!(claimed(claim, Of::Port(80), None), "inconclusive", "{claim}");
        assert_eq!(claimed(claim, Of::Port(80), Some(80)), of_it, "{claim}");
        assert_eq!(claimed(claim, Of::Port(80), Some(443)), of_another, "{claim}");
        assert_eq!(claimed(claim, Of::All, None), of_it, "{claim}");
    }
    let mut watch = window("transformed<=0.5", &[handed_over(BODY), encrypted(None)]);
    watch.claims[0].of = Of::Port(80);
    let says_why = |reason: &Reason| matches!(reason, Reason::EncryptedForAny(..));
    assert!(
        matches!(verdict(&watch), Verdict::Inconclusive(reasons) if reasons.iter().any(says_why)),
        "not that bytes may have been sent: that they may have been encrypted for it"
    );
    // Even if all were for this port, they are no more than it sent.
    assert_eq!(claimed("transformed<=1", Of::Port(80), None), "holds");
    let of = |of, port| claimed("zero-copy", of, port);
    assert_eq!(of(Of::Port(80), None), "inconclusive");
    assert_eq!(of(Of::Port(80), Some(80)), "refuted");
    assert_eq!(of(Of::Port(80), Some(443)), "holds");
    assert_eq!(of(Of::All, None), "refuted");
    assert_eq!(of(Of::Program("nginx".to_owned()), None), "refuted");
}

/// What a program does at no socket may be for any of its ports; what it does at another port's socket is
/// not for this one, and a deferred copy names no port.
#[test]
fn what_belongs_to_a_port_is_told_by_its_socket() {
    let at_port = |mut counts: Vec<WatchedCount>, port| {
        for count in &mut counts {
            count.port = port;
        }
        counts
    };
    let under = |more: Vec<WatchedCount>| {
        let mut watch = window("copied<=0.01", &[handed_over(BODY), more]);
        watch.claims[0].of = Of::Port(80);
        verdict(&watch).name()
    };
    assert_eq!(under(Vec::new()), "holds");
    assert_eq!(under(at_port(written(BODY), Some(80))), "refuted");
    assert_eq!(under(at_port(written(BODY), Some(443))), "holds");
    assert_eq!(under(at_port(written(BODY), None)), "holds", "at a socket that is not told apart");
    let none = |mut counts: Vec<WatchedCount>, name: &str| {
        for count in &mut counts {
            (count.charged, count.port) = (Charged::Program(name.to_owned()), None);
        }
        counts
    };
    let bounced = |name| {
        let at = |site| count(site, Syscall::Sendfile, File::None, Iter::Kernel, BODY);
        none(vec![at("_copy_to_iter"), at("filemap_read")], name)
    };
    assert_eq!(under(bounced("nginx")), "refuted");
    assert_eq!(under(bounced("curl")), "holds", "it sends from no such port");
    let sent = count("tcp_sendmsg_locked", Syscall::Sendfile, File::Regular, Iter::None, BODY);
    assert_eq!(under(none(vec![sent], "nginx")), "holds", "its call names a file");
    assert_eq!(under(none(vec![below(BODY)], "nginx")), "inconclusive", "of which port?");
}

/// A leaf that was not watched hides what it copies, where this kernel has it and something reaches it;
/// what writes into files the callers tell by themselves.
#[test]
fn a_leaf_that_was_not_watched_matters_if_it_can_be_reached() {
    let watch = window("zero-copy", &[handed_over(BODY)]);
    let without = |leaf: &str, state: Option<ProbeState>| {
        says_of(&watch, |watch| {
            watch.leaves.retain(|watched| watched != leaf);
            if let Some(state) = state {
                set(watch, leaf, &state);
            }
        })
    };
    let not_needed = || ProbeState::NotNeeded { reason: "UDP".to_owned() };
    let leaf = "csum_and_copy_to_iter";
    assert_eq!(without(leaf, None), "inconclusive");
    assert_eq!(without(leaf, Some(not_needed())), "holds");
    assert_eq!(without(leaf, Some(ProbeState::NotOnThisKernel)), "holds");
    assert_eq!(without("copy_folio_from_iter_atomic", None), "holds");
}

/// Bytes that are sent by UDP from user memory, copied by that leaf.
fn datagrams(leaf: &str) -> Vec<WatchedCount> {
    let at = |site| count(site, Syscall::Sendto, File::Socket, Iter::User, BODY);
    vec![at(leaf), at("udp_sendmsg")]
}

/// Bytes that are spliced from a file to a UDP socket, which takes the pages.
fn spliced_datagrams() -> Vec<WatchedCount> {
    let at = |site, iter| count(site, Syscall::Splice, File::Pipe, iter, BODY);
    vec![
        count("filemap_splice_read", Syscall::Splice, File::Regular, Iter::None, BODY),
        at("udp_sendmsg", Iter::Kernel),
        at("skb_splice_from_iter", Iter::None),
        at("skb_splice_from_iter_udp", Iter::None),
    ]
}

/// UDP is sent bytes as TCP is, by whichever leaf they are copied; one leaf alone copies where nobody adds
/// up later, and was it not watched it may have copied.
#[test]
fn what_is_sent_by_udp_is_judged_as_over_tcp() {
    let leaf = "csum_and_copy_from_iter_full";
    for copied in ["_copy_from_iter", leaf] {
        let parts = [datagrams(copied)];
        for (claim, expected) in [("zero-copy", "refuted"), ("one-copy", "holds")] {
            assert_eq!(verdict(&window(claim, &parts)).name(), expected, "{copied}: {claim}");
        }
    }
    let beside_tcp = [handed_over(BODY), spliced_datagrams()];
    let parts = [&beside_tcp[1..], &beside_tcp[..]];
    for parts in parts {
        let watch = window("zero-copy", parts);
        assert_eq!(verdict(&watch), Verdict::Holds);
        let less =
            |site: &str| says_of(&watch, |watch| watch.counts.retain(|count| count.site != site));
        assert_ne!(less("skb_splice_from_iter"), "holds");
        assert_ne!(less("skb_splice_from_iter_udp"), "holds");
        let blind = says_of(&watch, |watch| watch.leaves.retain(|watched| watched != leaf));
        assert_eq!(blind, "inconclusive");
    }
    let over_tcp = window("zero-copy", &[handed_over(BODY)]);
    let blind = says_of(&over_tcp, |watch| watch.leaves.retain(|watched| watched != leaf));
    assert_eq!(blind, "holds", "nobody sent by UDP");
}

/// A record from before UDP was counted says all that it said; it cannot have UDP's counts.
#[test]
fn a_record_from_before_udp_was_counted_tells_of_tcp() {
    let forget = |watch: &mut Watch| {
        let is_udps =
            |name: &str| Site::find(name).is_some_and(|(_, site)| site.need == Need::Datagrams);
        watch.coverage.probes.retain(|probe| !is_udps(&probe.site));
        watch.leaves.retain(|leaf| !is_udps(leaf));
    };
    let over_tcp = window("zero-copy", &[handed_over(BODY)]);
    assert_eq!(says_of(&over_tcp, forget), "holds");
    let by_both = window("zero-copy", &[handed_over(BODY), spliced_datagrams()]);
    assert_eq!(says_of(&by_both, forget), "inconclusive");
}

/// What is sent over no network reaches no device that anybody would have to watch.
#[test]
fn a_socket_of_this_host_needs_no_device() {
    let at = |site| count(site, Syscall::Sendfile, File::Regular, Iter::None, BODY);
    let local = ["filemap_splice_read", "unix_stream_sendmsg", "skb_splice_from_iter"].map(at);
    let refused = ProbeState::Refused { reason: "the verifier".to_owned() };
    let mut watch = window("zero-copy", &[local.to_vec()]);
    set(&mut watch, "net_dev_queue", &refused);
    assert_eq!(verdict(&watch), Verdict::Holds);
}

/// Only what counts sent bytes hides some of them, which no system call tells where pipes are spliced.
#[test]
fn a_missed_run_where_nothing_is_sent_hides_nothing_that_was() {
    let mut spliced = window("zero-copy", &[handed_over(BODY), written(HEAD)]);
    spliced.counts.push(count("sys_exit", Syscall::Splice, File::Pipe, Iter::None, BODY));
    let missed = |site: &str| Doubt::Missed { site: site.to_owned(), runs: 1 };
    assert_eq!(verdict(&spliced), Verdict::Holds);
    for (site, expected) in [
        ("filemap_read", "holds"),
        ("skb_copy_datagram_iter", "holds"),
        ("skb_copy_datagram_iovec", "holds"),
        ("tcp_sendmsg_locked", "inconclusive"),
        ("skb_splice_from_iter", "inconclusive"),
        ("sys_exit", "inconclusive"),
        ("skb_try_coalesce", "inconclusive"),
    ] {
        assert_eq!(says_of(&spliced, |w| w.doubts = vec![missed(site)]), expected, "{site}");
    }
    // Where what is received is judged, the claim stays open.
    let at = |site, iter| count(site, Syscall::Recvfrom, File::Socket, iter, BODY);
    let user = ["_copy_to_iter", "skb_copy_datagram_iter"].map(|site| at(site, Iter::User));
    let mut received = window("copied<=1", &[user.to_vec(), vec![at("sys_exit", Iter::None)]]);
    received.direction = Direction::Rx;
    assert_eq!(verdict(&received), Verdict::Holds);
    let iovec = "skb_copy_datagram_iovec";
    assert_eq!(says_of(&received, |w| w.doubts = vec![missed(iovec)]), "inconclusive");
}

/// A run that was missed is made up for by the leaves only where the function's copies have one.
#[test]
fn a_missed_run_of_what_no_leaf_copies_leaves_the_claim_open() {
    let said = |call, bytes| count("sys_exit", call, File::Socket, Iter::None, bytes);
    let results = vec![said(Syscall::Sendfile, BODY), said(Syscall::Writev, HEAD)];
    let good = window("zero-copy", &[handed_over(BODY), written(HEAD), results]);
    let missed = |site: &str| Doubt::Missed { site: site.to_owned(), runs: 1 };
    for (site, expected) in [
        ("filemap_read", "holds"),
        ("generic_perform_write", "holds"),
        ("fuse_dev_do_write", "inconclusive"),
        ("generic_file_splice_read", "inconclusive"),
        ("a site that is new", "inconclusive"),
        ("skb_splice_from_iter_udp", "holds"),
        // TCP's pins go through it, too.
        ("__zerocopy_sg_from_iter", "inconclusive"),
    ] {
        assert_eq!(says_of(&good, |w| w.doubts = vec![missed(site)]), expected, "{site}");
    }
    // What is done for UDP alone matters to who sends by it.
    let by_both = window("zero-copy", &[handed_over(BODY), spliced_datagrams()]);
    assert_eq!(verdict(&by_both), Verdict::Holds);
    for site in ["skb_splice_from_iter_udp", "__zerocopy_sg_from_iter"] {
        let says = says_of(&by_both, |w| w.doubts = vec![missed(site)]);
        assert_eq!(says, "inconclusive", "{site}");
    }
    // Whether anybody does, a missed run may hide.
    let hidden = |w: &mut Watch| {
        w.doubts = vec![missed("udp_sendmsg"), missed("skb_splice_from_iter_udp")];
        w.counts.push(count("sys_exit", Syscall::Splice, File::Pipe, Iter::None, BODY));
    };
    assert_eq!(says_of(&good, hidden), "inconclusive");
    // The leaves that copy within the page cache.
    let writers = [
        "copy_folio_from_iter_atomic",
        "copy_page_from_iter_atomic_kernel",
        "iov_iter_copy_from_user_atomic",
        "_copy_from_iter_flushcache",
    ];
    let absent = ProbeState::NotOnThisKernel;
    for (gone, state) in [(&writers[..1], None), (&writers, None), (&writers, Some(&absent))] {
        let blind = |watch: &mut Watch| {
            watch.leaves.retain(|leaf| !gone.contains(&leaf.as_str()));
            for (writer, state) in
                gone.iter().filter_map(|writer| state.map(|state| (writer, state)))
            {
                set(watch, writer, state);
            }
            // Nothing that is mapped from persistent memory is written.
            let reason = "DAX".to_owned();
            set(watch, "_copy_from_iter_flushcache", &ProbeState::NotNeeded { reason });
            watch.doubts = vec![missed("generic_perform_write")];
        };
        assert_eq!(says_of(&good, blind), "inconclusive", "{gone:?} {state:?}");
    }
    // Only what hands pages over makes them look copied where it is missed.
    let handed = |watch: &mut Watch| {
        let mut all = watch.counts.iter_mut();
        all.find(|count| count.site == "skb_splice_from_iter").expect("counted").bytes -= 1 << 17;
    };
    for (site, expected) in
        [("skb_splice_from_iter", "holds"), ("tcp_sendmsg_locked", "inconclusive")]
    {
        let with = says_of(&good, |watch| {
            handed(watch);
            watch.doubts = vec![Doubt::Missed { site: site.to_owned(), runs: 2 }];
        });
        assert_eq!(with, expected, "{site}");
    }
    // What says nothing about a send that the probe at the socket may have missed.
    let by_ring = |site, iter| count(site, Syscall::IoUringEnter, File::None, iter, BODY);
    let reads = |call| count("_copy_to_iter", call, File::None, Iter::Kernel, BODY);
    let piped = count("sys_exit", Syscall::Write, File::Pipe, Iter::None, 1);
    let never = count("sys_exit", Syscall::Splice, File::Pipe, Iter::None, 0);
    for (more, what) in [
        (
            vec![of_others(Charged::Elsewhere, by_ring("_copy_from_iter", Iter::User))],
            "others' copies",
        ),
        (vec![by_ring("_copy_from_user", Iter::None)], "arguments"),
        (vec![reads(Syscall::Execve)], "a program that is started"),
        (read(BODY), "what names its file"),
        (vec![of_others(Charged::Elsewhere, read(BODY).remove(1))], "what others read"),
        (vec![piped], "what was written into a pipe"),
        (vec![WatchedCount { calls: 0, ..never }], "a call that was never made"),
    ] {
        let with = says_of(&good, |watch| {
            watch.doubts = vec![missed("tcp_sendmsg_locked")];
            watch.counts.extend(more);
        });
        assert_eq!(with, "holds", "{what}");
    }
}

/// A record keeps the words, the codes and the numbers of a judgement.
#[test]
fn a_record_keeps_what_a_judgement_says() {
    let outcome = |claim: &str, parts: &[Vec<WatchedCount>]| {
        judge(&window(claim, parts)).expect("known").remove(0).outcome()
    };
    let exactly = |bytes: f64| Interval { least: bytes, most: bytes };
    let kept = outcome("zero-copy", &[handed_over(BODY)]);
    assert_eq!((kept.verdict.as_str(), kept.codes.len(), kept.reasons.len()), ("holds", 0, 0));
    assert_eq!((kept.sent, kept.copies), (BODY, exactly(0.0)));
    let hops: Vec<_> = kept.hops.iter().map(|h| (h.hop, h.disposition, h.per_byte)).collect();
    assert_eq!(hops, [(Hop::PageCacheToSocket, Disposition::Moved, exactly(1.0))]);
    let copied = outcome("zero-copy", &[read(BODY), written(2 * BODY)]);
    assert_eq!((copied.verdict.as_str(), copied.sent), ("refuted", 2 * BODY));
    assert!(copied.codes.contains(&"ZC102".to_owned()), "{:?}", copied.codes);
    assert!(copied.reasons[0].contains("user->socket"), "{:?}", copied.reasons);
    assert_eq!(copied.copies, Interval { least: 1.0, most: 1.5 });
    assert_eq!(outcome("zero-copy", &[]).copies, exactly(0.0), "of nothing");
    // While it lasts, the same numbers are known.
    let counts = [read(BODY), written(2 * BODY)].concat();
    assert_eq!(so_far(&counts, Direction::Tx), (2 * BODY, copied.copies));
}

/// What is copied later is shown of what is sent, and of nothing else.
#[test]
fn later_copies_are_shown_of_what_is_sent() {
    let mut watch = window("copied<=9", &[handed_over(BODY), vec![below(BODY)]]);
    for (direction, shown) in
        [(Direction::Tx, true), (Direction::Rx, false), (Direction::File, false)]
    {
        watch.direction = direction;
        let traffic = judge(&watch).expect("known").remove(0).traffic;
        let is_later = |hop| hop == Hop::SocketToSocket;
        assert_eq!(shown_spans(&traffic).iter().any(|span| is_later(span.hop)), shown);
    }
}

/// What a program reads, and what others send, is none of what it sent.
#[test]
fn what_is_read_from_a_file_is_not_missing_at_a_socket() {
    let result = |syscall, file| count("sys_exit", syscall, file, Iter::None, BODY);
    let results = vec![
        result(Syscall::Pread64, File::Regular),
        of_others(Charged::Elsewhere, result(Syscall::Sendto, File::Socket)),
    ];
    assert_eq!(says("zero-copy", &[handed_over(BODY), read(BODY), results]), "holds");
}

/// While programs are watched no leaf that writes files must be; the functions around them tell.
#[test]
fn what_is_written_is_told_by_the_callers_alone() {
    let at = |site, iter| count(site, Syscall::Write, File::Regular, iter, BODY);
    let written = vec![at("generic_perform_write", Iter::User), at("sys_exit", Iter::None)];
    let mut watch = window("copied>=1", &[written]);
    watch.direction = Direction::File;
    assert_eq!(verdict(&watch), Verdict::Holds);
}

/// A look at what stays in the socket is known by the function that copied, not by its leaf too.
#[test]
fn a_look_into_a_socket_receives_nothing() {
    let at = |site, syscall| count(site, syscall, File::Socket, Iter::User, BODY);
    let (takes, looks) = (Syscall::Recvfrom.into(), InSyscall::Peeking(Syscall::Recvfrom));
    let by_callers = ["skb_copy_datagram_iter"];
    let counts: Vec<_> =
        by_callers.iter().flat_map(|site| [at(site, takes), at(site, looks)]).collect();
    let (received, copies) = so_far(&counts, Direction::Rx);
    assert_eq!((received, copies), (BODY, Interval { least: 2.0, most: 2.0 }));
}

/// Whoever claims what cannot be judged is told what can.
#[test]
fn a_claim_that_cannot_be_judged_says_what_can() {
    for (direction, may_move) in [(Direction::Rx, true), (Direction::File, false)] {
        let mut watch = window("zero-copy", &[handed_over(BODY)]);
        watch.direction = direction;
        let why = judge(&watch).expect_err("named");
        assert!(why.contains("claim copied<=1"), "{why}");
        assert_eq!(why.contains("moved>=0.99"), may_move, "{why}");
    }
}

/// A stretch of time says whether every claim held in it, and says nothing where nobody can know.
#[test]
fn a_stretch_held_or_did_not_or_nobody_knows() {
    let framing = Tolerance { size: 4096, millionths: 10_000 };
    let held = |claim: &str, parts: &[Vec<WatchedCount>]| {
        let claims = [(Of::All, Promise::parse(claim).expect("a claim"))];
        stretch((0.0, 1.0), &parts.concat(), &claims, Direction::Tx, framing).held
    };
    for (claim, parts, expected) in [
        ("zero-copy", vec![handed_over(BODY), written(HEAD)], Some(true)),
        ("zero-copy", vec![handed_over(BODY), written(BODY)], Some(false)),
        ("copied<=1.5", vec![read(BODY), written(BODY)], None),
        ("copied<=0.5", vec![read(BODY), written(BODY)], Some(false)),
        ("copied<=2", vec![read(BODY), written(BODY)], Some(true)),
        ("zero-copy", Vec::new(), None),
    ] {
        assert_eq!(held(claim, &parts), expected, "{claim}");
    }
}

/// A program that sent nothing is no part of what was sent.
#[test]
fn a_report_has_a_part_for_each_that_sent() {
    let mut watch = window("zero-copy", &[handed_over(BODY), read(BODY)]);
    let silent = || zcprof_judge::watch::record::Program { name: "curl".to_owned(), pid: 81 };
    watch.programs.push(silent());
    let shown = table(&watch).expect("shown");
    assert!(shown.contains("nginx") && !shown.contains("curl"), "{shown}");
}

/// Each record of TLS has at most 29 bytes that are not the program's; more than that was not encrypted.
#[test]
fn what_tls_adds_to_each_record_is_no_plaintext() {
    const RECORDS: u64 = 10_000;
    let sent = |added: u64| {
        let call = (Syscall::Sendfile, File::Regular);
        let encrypted = count("crypto_aead_encrypt", call.0, call.1, Iter::None, BODY);
        let encrypted = WatchedCount { calls: RECORDS, ..encrypted };
        says("transforms", &[handed_over(BODY + added), vec![encrypted]])
    };
    // What a measured number may be off, beside.
    let most = (29 * RECORDS * 1000 + BODY) / 999;
    assert_eq!([sent(0), sent(most), sent(most + 1)], ["holds", "holds", "refuted"]);
}
