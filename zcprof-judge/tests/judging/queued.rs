//! Watched windows at whose end bytes waited in sockets.

use zcprof_common::vocabulary::{File, Iter};
use zcprof_judge::report::watch::table;
use zcprof_judge::syscall::InSyscall;
use zcprof_judge::verdict::{Reason, Verdict};
use zcprof_judge::watch::queued::is_below_sockets;
use zcprof_judge::watch::record::{
    Charged, Direction, Of, Queued, QueuedBytes, Watch, WatchedCount, WatchedExit,
};

use super::watched::{BODY, count, handed_over, verdict, window, written};

const MUCH: u64 = BODY / 50;

fn nginx() -> Charged {
    Charged::Program("nginx".to_owned())
}

/// A window of sendfile at whose end so much waited in sockets of a port, and did to the end.
fn waiting(claim: &str, port: Option<u16>, left: u64) -> Watch {
    let mut watch = window(claim, &[handed_over(BODY)]);
    let sockets = vec![QueuedBytes { charged: nginx(), port, bytes: BODY, left }];
    watch.queued = Some(Queued { seconds: 2.0, sockets, counts: Vec::new(), exits: Vec::new() });
    watch
}

/// The same where all left, and this was counted meanwhile.
fn counted(claim: &str, site: &str, charged: Charged) -> Watch {
    let mut watch = waiting(claim, Some(80), 0);
    let copied = count(site, InSyscall::None, File::None, Iter::None, MUCH);
    let queued = watch.queued.as_mut().expect("as above");
    queued.counts.push(WatchedCount { charged, port: None, ..copied });
    watch
}

#[test]
fn what_waits_to_the_end_may_be_copied_when_it_leaves() {
    let says = |claim, left| verdict(&waiting(claim, Some(80), left));
    let queued = |left| Verdict::Inconclusive(vec![Reason::Queued(left)]);
    assert_eq!(says("zero-copy", 0), Verdict::Holds);
    assert_eq!(says("zero-copy", BODY / 1000), Verdict::Holds);
    for claim in ["zero-copy", "copied<=0.01", "deferred<=0.01", "transformed<=0.01"] {
        assert_eq!(says(claim, MUCH), queued(MUCH), "{claim}");
    }
    for claim in ["copied<=0.03", "deferred<=0.03", "transformed<=0.03", "moved>=1"] {
        assert_eq!(says(claim, MUCH), Verdict::Holds, "{claim}");
    }
    let shown = table(&waiting("zero-copy", Some(80), MUCH)).expect("a table");
    assert!(shown.contains("(0.000 to 0.020 copied per sent byte"), "{shown}");
    assert!(shown.contains("waited in sockets"), "{shown}");
}

#[test]
fn what_was_copied_while_it_left_may_have_been_of_the_window() {
    let says = |claim, site, charged| verdict(&counted(claim, site, charged)).name();
    for site in ["skb_copy_bits", "xfrm_output"] {
        assert_eq!(says("zero-copy", site, nginx()), "inconclusive", "{site}");
        assert_eq!(says("zero-copy", site, Charged::Unknown), "inconclusive", "{site}");
        assert_eq!(says("zero-copy", site, Charged::Elsewhere), "holds", "{site}");
        assert_eq!(says("copied<=0.03", site, nginx()), "holds", "{site}");
    }
    let mut encrypted = waiting("zero-copy", Some(80), 0);
    let (name, kind) = ("wg0".to_owned(), "wireguard".to_owned());
    let queued = encrypted.queued.as_mut().expect("as above");
    queued.exits.push(WatchedExit { charged: nginx(), name, kind, bytes: MUCH });
    assert_eq!(verdict(&encrypted).name(), "inconclusive");
    let queued = encrypted.queued.as_mut().expect("as above");
    queued.sockets.clear();
    assert!(queued.says_something());
    queued.exits[0].kind = "veth".to_owned();
    assert!(!queued.says_something());
}

/// Neither what a receive queue puts together nor what is copied for a log is on the way of what was sent.
#[test]
fn what_is_copied_beside_the_way_meanwhile_says_nothing() {
    let is_below =
        |site| is_below_sockets(&count(site, InSyscall::None, File::None, Iter::None, 1));
    for site in ["skb_copy_bits", "skb_copy_ubufs", "xfrm_output"] {
        assert!(is_below(site), "{site}");
    }
    for site in ["skb_try_coalesce", "nfulnl_log_packet", "tcp_sendmsg_locked", "_copy_from_iter"] {
        assert!(!is_below(site), "{site}");
    }
}

#[test]
fn what_waits_in_sockets_of_another_port_is_not_of_this() {
    let of_port = |port| {
        let mut watch = waiting("zero-copy", port, MUCH);
        watch.claims[0].of = Of::Port(80);
        verdict(&watch).name()
    };
    assert_eq!(of_port(Some(80)), "inconclusive");
    assert_eq!(of_port(None), "inconclusive", "it may be of that port");
    assert_eq!(of_port(Some(443)), "holds");
}

#[test]
fn what_waits_excuses_no_copy_and_concerns_nobody_who_receives() {
    let mut watch = waiting("zero-copy", Some(80), MUCH);
    watch.counts.extend(written(BODY));
    assert_eq!(verdict(&watch).name(), "refuted");
    let mut watch = waiting("copied<=0.01", Some(80), MUCH);
    let taken = |site, iter| count(site, InSyscall::None, File::Socket, iter, BODY);
    watch.direction = Direction::Rx;
    watch.counts = vec![taken("_copy_to_iter", Iter::User)];
    let before = { Watch { queued: None, ..watch.clone() } };
    assert_eq!(verdict(&watch), verdict(&before));
}

/// A claim of deferred copies wants each byte copied, and what waits cannot have been copied yet.
#[test]
fn what_waits_is_not_missing_from_deferred_copies() {
    let pinned = |bytes: u64, left: u64| {
        let mut watch = waiting("deferred", Some(80), left);
        let deferred = count("skb_copy_ubufs", InSyscall::None, File::None, Iter::None, bytes);
        watch.counts.push(WatchedCount { port: None, ..deferred });
        verdict(&watch)
    };
    assert!(matches!(pinned(BODY - MUCH, 0), Verdict::Refuted(_)));
    let waits = pinned(BODY - MUCH, MUCH);
    let Verdict::Inconclusive(reasons) = waits else { panic!("{waits:?}") };
    assert!(reasons.contains(&Reason::Queued(MUCH)), "{reasons:?}");
}
