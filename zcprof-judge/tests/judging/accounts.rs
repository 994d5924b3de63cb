//! What an account of a pass says, beside the verdict that rests on it.

use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary::{Disposition, File, Hop, Instrument, Iter, Process};
use zcprof_judge::ledger::Ledger;
use zcprof_judge::run::{Named, SyscallCount};
use zcprof_judge::syscall::{InSyscall, NamedSyscalls};
use zcprof_judge::verdict::beyond_tolerance;

use crate::records::{HEADERS, PAYLOAD, count, read_write, sendfile};

const SERVER: Process = Process::Server;

/// A reader of a report finds each function once, in however many system calls it copied.
#[test]
fn a_site_that_copied_in_two_calls_is_named_once() {
    let ledger = Ledger::of(&read_write());
    let callers = ledger.account(Instrument::Callers);
    let sent = callers.entry(SERVER, Hop::UserToSocket, Disposition::Copied).expect("seen");
    assert_eq!(sent.sites, ["tcp_sendmsg_locked"]);
    assert_eq!(sent.syscalls, [Syscall::Sendto, Syscall::Write]);
}

/// A system call that the table does not name may send, however little.
#[test]
fn what_is_sent_in_a_call_that_nobody_knows_is_no_argument_of_it() {
    let call = (InSyscall::Other(500), File::None);
    let with = |site| {
        let mut pass = sendfile();
        pass.counts.push(count(SERVER, site, call, Iter::None, 32));
        Ledger::of(&pass)
    };
    let sent = with("tcp_sendmsg_locked");
    let callers = sent.account(Instrument::Callers);
    assert_eq!(callers.bytes(SERVER, Hop::UserToSocket, Disposition::Copied), 32);
    assert!(callers.control.is_empty());
    let arguments = with("_copy_from_user");
    let audit = arguments.account(Instrument::Audit);
    assert_eq!(audit.bytes(SERVER, Hop::Arguments, Disposition::Copied), 0);
    assert!(audit.control.iter().any(|control| control.syscall == InSyscall::Other(500)));
}

/// The third account is what system calls say that they did, each by the kind of its file.
#[test]
fn what_system_calls_say_is_presumed_by_the_kind_of_file() {
    let mut pass = sendfile();
    let said = |syscall: Syscall, file, bytes| {
        let syscall = syscall.into();
        SyscallCount { process: SERVER, syscall, file, calls: 64, bytes }
    };
    pass.syscalls = vec![
        said(Syscall::Sendfile, File::Regular, PAYLOAD),
        said(Syscall::Sendto, File::Socket, HEADERS),
        said(Syscall::Write, File::Regular, 7),
    ];
    let ledger = Ledger::of(&pass);
    let said = |hop, what| ledger.account(Instrument::Syscalls).bytes(SERVER, hop, what);
    assert_eq!(said(Hop::PageCacheToSocket, Disposition::Moved), PAYLOAD);
    assert_eq!(said(Hop::UserToPageCache, Disposition::Copied), 7);
    assert_eq!(said(Hop::UserToSocket, Disposition::Copied), 0, "headers are named");
}

/// Only the callers see what is handed over, and only they can be said to have seen too little of it.
#[test]
fn what_is_handed_over_is_named_to_the_callers_alone() {
    let named = |hop, bytes| {
        let mut pass = sendfile();
        let (disposition, syscall) = (Disposition::Moved, NamedSyscalls::Any);
        let what = "padding".to_owned();
        pass.named.push(Named { process: SERVER, hop, disposition, syscall, bytes, what });
        Ledger::of(&pass)
    };
    let seen = named(Hop::PageCacheToSocket, 100);
    assert_eq!(seen.handed_over(Hop::PageCacheToSocket), PAYLOAD - 100);
    let unseen = named(Hop::UserToSocket, 100);
    let unexplained = |instrument| unseen.account(instrument).unexplained;
    assert_eq!([Instrument::Audit, Instrument::Callers].map(unexplained), [0, 100]);
    // Nothing at all is no line of a report.
    assert_eq!(named(Hop::UserToSocket, 0), Ledger::of(&sendfile()));
}

/// One in a thousand is no more than that, down to the byte.
#[test]
fn a_tolerance_ends_where_it_says() {
    for (bytes, payload, beyond) in
        [(1, 999, true), (1, 1000, false), (2, 1000, true), (0, 0, false), (1, 0, true)]
    {
        assert_eq!(beyond_tolerance(bytes, payload), beyond, "{bytes} of {payload}");
    }
    assert!(!beyond_tolerance(u64::MAX / 1000, u64::MAX) && beyond_tolerance(u64::MAX, u64::MAX));
}
