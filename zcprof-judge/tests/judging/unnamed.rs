//! System calls that name no file (io_uring, sendmmsg), and what was copied from memory in them.

use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary::{File, Iter};
use zcprof_judge::run::Doubt;
use zcprof_judge::syscall::InSyscall;
use zcprof_judge::verdict::{Reason, Verdict};
use zcprof_judge::watch::record::{Charged, Direction, Of, Watch, WatchedCount};

use super::watched::{BODY, count, handed_over, verdict, window};

const CALLS: [InSyscall; 3] =
    [InSyscall::Known(Syscall::Sendmmsg), InSyscall::Known(Syscall::IoUringEnter), InSyscall::None];

/// In a call that names no file, at no port.
fn unnamed(site: &str, call: InSyscall, iter: Iter, bytes: u64) -> WatchedCount {
    WatchedCount { port: None, ..count(site, call, File::None, iter, bytes) }
}

/// Half by sendfile, half by that.
fn half(claim: &str, other: Vec<WatchedCount>) -> Watch {
    window(claim, &[handed_over(BODY), other])
}

/// A raw socket has no row: no function around the leaf says whose bytes these are.
#[test]
fn what_a_leaf_copied_for_no_socket_that_is_counted_is_no_zero() {
    let leaf = "_copy_from_iter";
    for call in CALLS {
        let untaken = || Verdict::Inconclusive(vec![Reason::Untaken(BODY, call.to_string())]);
        for claim in ["zero-copy", "copied<=0.5", "moved>=1"] {
            let mut watch = half(claim, vec![unnamed(leaf, call, Iter::User, BODY)]);
            assert_eq!(verdict(&watch), untaken(), "{claim} {call}");
            watch.claims[0].of = Of::Port(80);
            assert_eq!(verdict(&watch), untaken(), "{claim} {call}: it may be any port's");
        }
        let before_6_0 = half("zero-copy", vec![unnamed("copy_user", call, Iter::FromUser, BODY)]);
        assert_eq!(verdict(&before_6_0), untaken(), "{call}");
        let little = half("zero-copy", vec![unnamed(leaf, call, Iter::User, BODY / 2000)]);
        assert_eq!(verdict(&little), Verdict::Holds, "{call}");
        if call.may_be_by_ring() {
            let registered = half("zero-copy", vec![unnamed(leaf, call, Iter::Kernel, BODY)]);
            assert_eq!(verdict(&registered), untaken(), "{call}");
        }
        // What another file took of it was not sent, and excuses no more than that.
        let piped = |bytes| {
            let at = |site, bytes| unnamed(site, call, Iter::User, bytes);
            let watch = half("zero-copy", vec![at(leaf, BODY), at("pipe_write", bytes)]);
            verdict(&watch)
        };
        assert_eq!(piped(BODY), Verdict::Holds, "{call}");
        assert_ne!(piped(BODY / 2), Verdict::Holds, "{call}");
        let written = unnamed("generic_perform_write", call, Iter::User, BODY);
        let written = half("moved>=1", vec![unnamed(leaf, call, Iter::User, BODY), written]);
        assert_eq!(verdict(&written), untaken(), "{call}: another leaf copies into files");
    }
}

/// What each row sees of honest traffic by these calls.
#[test]
fn what_sockets_and_files_took_in_calls_that_name_none_is_judged_as_ever() {
    let at_socket = |site, call, iter, bytes| count(site, call, File::Socket, iter, bytes);
    for call in CALLS {
        for (site, iter) in [
            ("udp_sendmsg", Iter::User),
            ("tcp_sendmsg_locked", Iter::None),
            ("unix_stream_sendmsg", Iter::None),
        ] {
            let sent = |bytes| {
                let by_leaf = at_socket("_copy_from_iter", call, Iter::User, bytes);
                vec![by_leaf, at_socket(site, call, iter, bytes)]
            };
            assert_eq!(verdict(&window("one-copy", &[sent(BODY)])), Verdict::Holds, "{site}");
            assert_eq!(verdict(&half("zero-copy", sent(BODY))).name(), "refuted", "{site}");
            assert_eq!(verdict(&half("zero-copy", sent(BODY / 200))), Verdict::Holds, "{site}");
        }
        let at = |site, iter| unnamed(site, call, iter, BODY);
        let read = vec![at("_copy_to_iter", Iter::User), at("filemap_read", Iter::User)];
        let read = read.into_iter().map(|count| WatchedCount { file: File::Regular, ..count });
        let leaf = "copy_folio_from_iter_atomic";
        let written = vec![at(leaf, Iter::User), at("generic_perform_write", Iter::User)];
        let before_6_0 = vec![at("copy_user", Iter::FromUser), written[1].clone()];
        for (honest, claim, what) in [
            (read.collect(), "zero-copy", "a file that is hashed"),
            (written, "moved>=1", "a file that is written"),
            (before_6_0, "moved>=1", "the same before 6.0"),
            (vec![at("_copy_from_user", Iter::None)], "zero-copy", "arguments"),
        ] {
            assert_eq!(verdict(&half(claim, honest)), Verdict::Holds, "{call}: {what}");
        }
        let of_others = at("_copy_from_iter", Iter::User);
        let of_others = WatchedCount { charged: Charged::Elsewhere, ..of_others };
        assert_eq!(verdict(&half("zero-copy", vec![of_others])), Verdict::Holds, "{call}");
    }
    // A debugger's call names no file either, and sends nothing.
    let other = InSyscall::Known(Syscall::ProcessVmWritev);
    let poked = vec![unnamed("_copy_from_iter", other, Iter::User, BODY)];
    assert_eq!(verdict(&half("zero-copy", poked)), Verdict::Holds);
    // Who receives is not asked what he sends.
    let at = |site, iter| count(site, Syscall::Recvfrom, File::Socket, iter, BODY);
    let user = ["_copy_to_iter", "skb_copy_datagram_iter"].map(|site| at(site, Iter::User));
    let raw = unnamed("_copy_from_iter", CALLS[0], Iter::User, BODY);
    let all = [user.to_vec(), vec![at("sys_exit", Iter::None), raw]];
    let mut received = window("copied<=1", &all);
    received.direction = Direction::Rx;
    assert_eq!(verdict(&received), Verdict::Holds);
}

/// A run that was missed at a socket may be what took them: then that is said, and not twice.
#[test]
fn what_a_missed_run_may_have_taken_is_said_of_that() {
    let raw = unnamed("_copy_from_iter", CALLS[1], Iter::User, BODY);
    let said = |call| {
        let file = if call == Syscall::Sendfile { File::Regular } else { File::Socket };
        let count = count("sys_exit", call, file, Iter::None, BODY);
        WatchedCount { port: Some(80), ..count }
    };
    let mut watch = half("zero-copy", vec![raw, said(Syscall::Sendfile)]);
    watch.doubts.push(Doubt::Missed { site: "tcp_sendmsg_locked".to_owned(), runs: 1 });
    let Verdict::Inconclusive(reasons) = verdict(&watch) else { panic!("a verdict") };
    assert!(!reasons.iter().any(|reason| matches!(reason, Reason::Untaken(..))), "{reasons:?}");
}
