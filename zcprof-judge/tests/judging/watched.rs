//! Watched windows, made by hand as kernel 6.12 shows them: what must hold, what must be refuted, and
//! what nobody can know.

use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary::{File, Hop, Instrument, Iter};
use zcprof_judge::run::{Doubt, ProbeState, Run};
use zcprof_judge::syscall::InSyscall;
use zcprof_judge::verdict::{Exit, Reason, Verdict};
use zcprof_judge::watch::record::{
    Asked, Charged, Direction, Kind, Of, Program, SCHEMA, StartedCommand, Tolerance, Watch,
    WatchedCount, WatchedExit,
};
use zcprof_judge::watch::{claims_of_ports, exit, judge};

use super::records::{every_leaf, run, sendfile};

pub(super) const BODY: u64 = 64 << 20;
const HEAD: u64 = 64 * 240;

/// One count of a program called `nginx` at port 80, or at none where it is at no socket.
pub(super) fn count(
    site: &str,
    syscall: impl Into<InSyscall>,
    file: File,
    iter: Iter,
    bytes: u64,
) -> WatchedCount {
    let at_socket = file == File::Socket
        || ["tcp_sendmsg_locked", "skb_splice_from_iter", "_copy_from_iter"].contains(&site);
    WatchedCount {
        site: site.to_owned(),
        charged: Charged::Program("nginx".to_owned()),
        port: at_socket.then_some(80),
        syscall: syscall.into(),
        iter,
        file,
        calls: 64,
        bytes,
        small_calls: 0,
        small_bytes: 0,
        largest: bytes / 64,
        sizes: Vec::new(),
    }
}

/// Bytes that are sent by sendfile.
pub(super) fn handed_over(bytes: u64) -> Vec<WatchedCount> {
    let at = |site, iter| count(site, Syscall::Sendfile, File::Regular, iter, bytes);
    vec![
        at("filemap_splice_read", Iter::None),
        at("tcp_sendmsg_locked", Iter::None),
        at("skb_splice_from_iter", Iter::None),
    ]
}

/// Bytes that are sent from user memory.
pub(super) fn written(bytes: u64) -> Vec<WatchedCount> {
    let at = |site, iter| count(site, Syscall::Writev, File::Socket, iter, bytes);
    vec![at("_copy_from_iter", Iter::User), at("tcp_sendmsg_locked", Iter::None)]
}

/// Bytes that are read from a file.
pub(super) fn read(bytes: u64) -> Vec<WatchedCount> {
    let at = |site| count(site, Syscall::Pread64, File::Regular, Iter::User, bytes);
    vec![at("_copy_to_iter"), at("filemap_read")]
}

pub(super) fn window(claim: &str, parts: &[Vec<WatchedCount>]) -> Watch {
    let Run { kernel, coverage, controls, .. } = run(vec![sendfile()]);
    Watch {
        schema: SCHEMA,
        kind: Kind::Watch,
        zcprof: "0.1.0".to_owned(),
        kernel,
        coverage,
        controls,
        targets: vec!["pid 80 (nginx)".to_owned()],
        command: None,
        seconds: 1.0,
        programs: vec![Program { name: "nginx".to_owned(), pid: 80 }],
        counts: parts.concat(),
        exits: vec![left_by_loopback(parts)],
        series: Vec::new(),
        stacks: None,
        doubts: Vec::new(),
        leaves: every_leaf(),
        leaf_stacks: Vec::new(),
        files: Vec::new(),
        peers: Vec::new(),
        strangers: Vec::new(),
        queued: None,
        direction: Direction::Tx,
        framing: Tolerance { size: 4096, millionths: 10_000 },
        min_bytes: 1,
        maps: None,
        claims: vec![Asked { of: Of::All, claim: claim.to_owned() }],
        ignore_status: false,
        results: Vec::new(),
        verdict: None,
        phases: Vec::new(),
    }
}

/// What the loopback device got, which may be as much as was counted anywhere.
fn left_by_loopback(parts: &[Vec<WatchedCount>]) -> WatchedExit {
    let bytes = parts.iter().flatten().map(|count| count.bytes).fold(0, u64::saturating_add);
    let (charged, name) = (Charged::Program("nginx".to_owned()), "lo".to_owned());
    WatchedExit { charged, name, kind: String::new(), bytes }
}

pub(super) fn verdict(watch: &Watch) -> Verdict {
    judge(watch).expect("known claims").remove(0).verdict
}

fn says(claim: &str, parts: &[Vec<WatchedCount>]) -> &'static str {
    verdict(&window(claim, parts)).name()
}

#[test]
fn a_server_that_hands_pages_over_and_writes_headers_holds() {
    let parts = [handed_over(BODY), written(HEAD)];
    let judged = judge(&window("zero-copy", &parts)).expect("known").remove(0);
    assert_eq!(judged.verdict, Verdict::Holds);
    assert_eq!((judged.framing, judged.traffic.calls), (HEAD, 64));
    assert_eq!(judged.traffic.sent(), BODY + HEAD);
    assert_eq!(says("copied<=0.001", &parts), "holds");
    assert_eq!(says("copied<=0.0001", &parts), "refuted");
    assert_eq!(says("moved>=0.999", &parts), "holds");
}

#[test]
fn pages_that_nobody_saw_reach_a_device_are_no_zero() {
    let mut watch = window("zero-copy", &[handed_over(BODY)]);
    assert_eq!(verdict(&watch), Verdict::Holds);
    let refused = ProbeState::Refused { reason: "the verifier".to_owned() };
    let probes = &mut watch.coverage.probes;
    let probe = probes.iter_mut().find(|probe| probe.site == "net_dev_queue").expect("a row");
    probe.state = refused;
    let reason = Reason::ReachedNoDevice(BODY, 0);
    assert_eq!(verdict(&watch), Verdict::Inconclusive(vec![reason]));
}

#[test]
fn headers_that_are_much_of_what_is_sent_are_no_framing() {
    let parts = [handed_over(BODY), written(BODY / 50)];
    assert_eq!(says("zero-copy", &parts), "refuted");
    let mut watch = window("zero-copy", &parts);
    watch.framing.millionths = 50_000;
    assert_eq!(verdict(&watch), Verdict::Holds);
}

#[test]
fn a_server_that_reads_and_writes_is_refuted() {
    let parts = [read(BODY), written(BODY)];
    assert_eq!(says("zero-copy", &parts), "refuted");
    assert_eq!(says("two-copies", &parts), "holds");
    assert_eq!(says("copied<=2", &parts), "holds");
    // Whether what it read is what it sent nobody knows.
    assert_eq!(says("one-copy", &parts), "inconclusive");
    assert_eq!(says("copied<=1.5", &parts), "inconclusive");
    assert_eq!(says("copied<=0.5", &parts), "refuted");
    // All its writes are small, and they are all that there is.
    let mut small = window("zero-copy", &parts);
    for count in &mut small.counts {
        (count.small_calls, count.small_bytes, count.largest) = (count.calls, count.bytes, 4096);
    }
    assert_eq!(verdict(&small).name(), "refuted");
}

#[test]
fn a_file_that_is_hashed_and_then_sent_by_sendfile_holds() {
    let parts = [read(BODY), handed_over(BODY), written(HEAD)];
    assert_eq!(says("zero-copy", &parts), "holds");
}

/// A program that starts another for each small answer.
#[test]
fn what_exec_reads_of_a_program_is_not_sent() {
    let at = |syscall, site| count(site, syscall, File::None, Iter::Kernel, BODY / 100);
    let in_call = |syscall| vec![at(syscall, "_copy_to_iter"), at(syscall, "filemap_read")];
    assert_eq!(says("zero-copy", &[handed_over(BODY), in_call(Syscall::Execve)]), "holds");
    assert_eq!(says("copied<=0.001", &[handed_over(BODY), in_call(Syscall::Execve)]), "holds");
    assert_eq!(says("zero-copy", &[handed_over(BODY), in_call(Syscall::Sendfile)]), "refuted");
}

#[test]
fn half_and_half_is_refuted() {
    let parts = [read(BODY), written(BODY), handed_over(BODY)];
    assert_eq!(says("zero-copy", &parts), "refuted");
    assert_eq!(says("copied<=1", &parts), "holds");
}

#[test]
fn what_comes_out_of_a_pipe_that_was_written_to_was_copied() {
    let moved = |site| count(site, Syscall::Splice, File::Pipe, Iter::None, BODY);
    let spliced = vec![moved("tcp_sendmsg_locked"), moved("skb_splice_from_iter")];
    let piped = |site| count(site, Syscall::Write, File::Pipe, Iter::User, BODY);
    let filled = vec![piped("_copy_from_iter"), piped("pipe_write")];
    assert_eq!(says("zero-copy", &[spliced.clone(), filled]), "refuted");
    // No matter who filled it: a stranger who was passed the socket may have copied into a pipe of his own.
    for (claim, expected) in
        [("zero-copy", "inconclusive"), ("copied<=0.01", "inconclusive"), ("copied<=1", "holds")]
    {
        assert_eq!(says(claim, std::slice::from_ref(&spliced)), expected, "{claim}");
    }
}

/// A buffer that is read into and handed over by reference, and pages that a fault copies for whoever
/// writes to them meanwhile.
#[test]
fn what_is_handed_over_from_memory_may_be_what_was_read_or_copied_by_a_fault() {
    let moved = |site| count(site, Syscall::Splice, File::Pipe, Iter::None, BODY);
    let spliced = vec![moved("tcp_sendmsg_locked"), moved("skb_splice_from_iter")];
    let by_reference = vec![count("sys_exit", Syscall::Vmsplice, File::Pipe, Iter::None, BODY)];
    let faults = |site, file| vec![count(site, InSyscall::None, file, Iter::None, BODY)];
    let parts = |more: Vec<WatchedCount>| [spliced.clone(), by_reference.clone(), more];
    assert_eq!(says("copied<=0.5", &parts(read(BODY))), "inconclusive");
    assert_eq!(says("copied<=0.5", &parts(Vec::new())), "holds");
    for (site, file) in
        [("do_wp_page", File::Regular), ("do_wp_page", File::None), ("do_fault", File::Regular)]
    {
        assert_eq!(says("copied<=0.5", &parts(faults(site, file))), "inconclusive", "{site}");
        // Nothing of its memory is in a pipe or a socket.
        assert_eq!(says("zero-copy", &[handed_over(BODY), faults(site, file)]), "holds", "{site}");
        // The same of what a missed run hides.
        for (parts, expected) in
            [(parts(Vec::new()).to_vec(), "inconclusive"), (vec![handed_over(BODY)], "holds")]
        {
            let mut watch = window("copied<=0.5", &parts);
            watch.doubts.push(missed(site, BODY / 4096));
            assert_eq!(verdict(&watch).name(), expected, "{site}");
        }
    }
}

#[test]
fn what_left_by_sockets_that_no_row_counts_is_no_zero() {
    let results = |bytes| vec![count("sys_exit", Syscall::Sendto, File::Socket, Iter::None, bytes)];
    let says = |bytes| {
        let watch = window("zero-copy", &[handed_over(BODY), written(HEAD), results(bytes)]);
        verdict(&watch)
    };
    assert_eq!(says(HEAD), Verdict::Holds);
    assert_eq!(says(HEAD + BODY), Verdict::Inconclusive(vec![Reason::Uncounted(BODY)]));
}

/// READ_FIXED and WRITE_FIXED: the iterator is a kernel's, the memory the program's.
#[test]
fn buffers_that_are_registered_with_io_uring_are_the_programs_own() {
    for syscall in [Syscall::IoUringEnter.into(), InSyscall::None] {
        let at = |site, file| count(site, syscall, file, Iter::Kernel, BODY);
        let read = vec![at("_copy_to_iter", File::Regular), at("filemap_read", File::Regular)];
        let mut sent = at("tcp_sendmsg_locked", File::Socket);
        sent.iter = Iter::None;
        let sent = vec![at("_copy_from_iter", File::Socket), sent];
        let hashed = [read.clone(), handed_over(BODY)];
        assert_eq!(says("zero-copy", &hashed), "holds", "{syscall}: hashed, then sendfile");
        let copied = [read, sent];
        assert_eq!(says("two-copies", &copied), "holds", "{syscall}");
        assert_eq!(says("zero-copy", &copied), "refuted", "{syscall}");
    }
}

#[test]
fn what_was_copied_into_a_file_may_be_what_is_handed_over_from_it() {
    let staged = |bytes| {
        let staged =
            count("generic_perform_write", Syscall::Write, File::Regular, Iter::User, bytes);
        let read_before = read(bytes);
        [vec![staged], read_before].concat()
    };
    assert_eq!(says("zero-copy", &[staged(BODY), handed_over(BODY)]), "inconclusive");
    assert_eq!(says("zero-copy", &[staged(HEAD), handed_over(BODY)]), "holds", "a log of accesses");
    // It was read too: two copies, as far as anybody knows.
    assert_eq!(says("copied<=1.5", &[staged(BODY), handed_over(BODY)]), "inconclusive");
    assert_eq!(says("copied<=2", &[staged(BODY), handed_over(BODY)]), "holds");
}

/// Whoever maps a file shared writes into its pages, and no system call says what: what was read may be that.
#[test]
fn what_was_read_may_be_in_a_file_that_is_mapped() {
    let mapped = |site, call| count(site, call, File::Mapped, Iter::None, BODY);
    let sent = |site, call| {
        let mut sent = handed_over(BODY);
        sent[0] = mapped(site, call);
        sent
    };
    let sendfile = sent("filemap_splice_read", Syscall::Sendfile);
    let alone = std::slice::from_ref(&sendfile);
    assert_eq!(says("zero-copy", alone), "holds", "what was made in memory");
    assert_eq!(says("zero-copy", &[sendfile.clone(), read(HEAD)]), "holds", "a configuration");
    assert_eq!(says("zero-copy", &[sendfile.clone(), read(BODY)]), "inconclusive");
    assert_eq!(says("copied<=1", &[sendfile, read(BODY)]), "holds");
    let before = sent("generic_file_splice_read", Syscall::Sendfile);
    assert_ne!(says("zero-copy", &[before, read(BODY)]), "holds");
}

/// A file system may write by a function that is no site (FUSE, netfs, bcachefs): then the results of the
/// system calls say what was written.
#[test]
fn what_was_written_into_a_file_unseen_may_be_what_is_handed_over_from_it() {
    let wrote = |syscall, file, bytes| {
        let at = |site| count(site, syscall, file, Iter::None, bytes);
        vec![WatchedCount { port: None, ..at("sys_exit") }]
    };
    for call in [Syscall::Write, Syscall::Pwritev2] {
        let wrote = |bytes| wrote(call, File::Regular, bytes);
        let staged = [wrote(BODY), handed_over(BODY)];
        let unseen = verdict(&window("zero-copy", &staged));
        let reason = Reason::MayBeSent(Hop::UserToPageCache, BODY);
        assert_eq!(unseen, Verdict::Inconclusive(vec![reason]), "{call:?}");
        assert_eq!(says("copied<=0.5", &staged), "inconclusive", "{call:?}");
        assert_eq!(says("copied<=1", &staged), "holds", "{call:?}");
        let mut of_port = window("zero-copy", &staged);
        of_port.claims[0].of = Of::Port(80);
        assert_eq!(verdict(&of_port).name(), "inconclusive", "{call:?}");
        // What was read before it was written is on the way, too.
        let read_before = [wrote(BODY), read(BODY), handed_over(BODY)];
        assert_eq!(says("copied<=1.5", &read_before), "inconclusive", "{call:?}");
        assert_eq!(says("zero-copy", &[wrote(HEAD), handed_over(BODY)]), "holds", "a log");
    }
    // Only a leaf saw it: a file on persistent memory, mounted with dax.
    let by_leaf =
        count("_copy_from_iter_flushcache", Syscall::Write, File::Regular, Iter::User, BODY);
    assert_eq!(says("zero-copy", &[vec![by_leaf], handed_over(BODY)]), "inconclusive");
    // What is written elsewhere is in no file.
    for (call, file) in [(Syscall::Write, File::Pipe), (Syscall::Pread64, File::Regular)] {
        let parts = [wrote(call, file, BODY), handed_over(BODY)];
        assert_eq!(says("zero-copy", &parts), "holds", "{call:?}");
    }
    // The same of what is received and stored.
    let at = |site, iter| count(site, Syscall::Recvfrom, File::Socket, iter, BODY);
    let user = ["_copy_to_iter", "skb_copy_datagram_iter"].map(|site| at(site, Iter::User));
    let received = [user.to_vec(), vec![at("sys_exit", Iter::None)]].concat();
    let stored = [received.clone(), wrote(Syscall::Write, File::Regular, BODY)];
    assert_eq!(says_of(Direction::Rx, "copied<=1", &[received]), "holds");
    assert_eq!(says_of(Direction::Rx, "copied<=1", &stored), "inconclusive");
    assert_eq!(says_of(Direction::Rx, "copied<=2", &stored), "holds");
}

#[test]
fn more_bytes_than_a_number_holds_are_judged() {
    let parts = [handed_over(u64::MAX), handed_over(u64::MAX), written(u64::MAX), read(u64::MAX)];
    assert_ne!(says("zero-copy", &parts), "holds");
}

#[test]
fn nothing_sent_and_too_little_sent_are_no_evidence() {
    assert_eq!(says("zero-copy", &[]), "inconclusive");
    let mut watch = window("zero-copy", &[handed_over(BODY)]);
    watch.min_bytes = BODY + 1;
    assert_eq!(verdict(&watch), Verdict::Inconclusive(vec![Reason::NoPayload]));
    assert_eq!(exit(&[]), Exit::Inconclusive);
}

#[test]
fn a_claim_about_a_part_that_nobody_sent_from_is_inconclusive() {
    let mut watch = window("zero-copy", &[handed_over(BODY)]);
    for (of, expected) in [
        (Of::Port(80), "holds"),
        (Of::Port(8080), "inconclusive"),
        (Of::Program("nginx".to_owned()), "holds"),
        (Of::Program("caddy".to_owned()), "inconclusive"),
    ] {
        watch.claims[0].of = of.clone();
        assert_eq!(verdict(&watch).name(), expected, "{of}");
    }
}

#[test]
fn ports_are_judged_apart() {
    let mut other = [read(BODY), written(BODY)].concat();
    for count in other.iter_mut().filter(|count| count.port.is_some()) {
        count.port = Some(443);
    }
    let mut watch = window("zero-copy", &[handed_over(BODY), written(HEAD), other]);
    for (of, expected) in
        [(Of::All, "refuted"), (Of::Port(80), "holds"), (Of::Port(443), "refuted")]
    {
        watch.claims[0].of = of.clone();
        assert_eq!(verdict(&watch).name(), expected, "{of}");
    }
}

/// A server that is watched by its port may also copy what it sends from others; one that sends from no
/// other is judged by all that it sends, so that nothing of unknown port is in doubt.
#[test]
fn a_window_about_a_port_judges_no_other() {
    let mut other = [read(BODY), written(BODY)].concat();
    for count in other.iter_mut().filter(|count| count.port.is_some()) {
        count.port = Some(443);
    }
    let claimed = |ports: &[u16], parts: &[Vec<WatchedCount>]| {
        let mut watch = window("zero-copy", parts);
        watch.claims = claims_of_ports(&watch.claims, ports, &watch.counts, watch.direction);
        let judged = judge(&watch).expect("known");
        let verdicts = judged.iter().map(|judged| (judged.of.clone(), judged.verdict.name()));
        verdicts.collect::<Vec<_>>()
    };
    let both = [handed_over(BODY), written(HEAD), other];
    let alone = &both[..2];
    assert_eq!(claimed(&[], &both), [(Of::All, "refuted")]);
    assert_eq!(claimed(&[80], &both), [(Of::Port(80), "holds")]);
    let each = [(Of::Port(80), "holds"), (Of::Port(443), "refuted")];
    assert_eq!(claimed(&[80, 443], &both), [(Of::All, "refuted")]);
    // One that sent nothing is no pass.
    let idle = [(Of::Port(80), "holds"), (Of::Port(8080), "inconclusive")];
    assert_eq!(claimed(&[80, 8080], alone), idle);
    // Bytes whose port nobody knows are of neither.
    let mut unknown = written(BODY);
    for count in &mut unknown {
        count.port = None;
    }
    let with_unknown = [&both[..], &[unknown]].concat();
    assert_eq!(claimed(&[80, 443], &with_unknown), each);
    assert_eq!(claimed(&[80], alone), [(Of::All, "holds")]);
    assert_eq!(claimed(&[8080], alone), [(Of::Port(8080), "inconclusive")]);
    // A claim about a part is what it was, and what is written into files leaves by no port.
    let mut watch = window("zero-copy", &both);
    watch.claims[0].of = Of::Port(443);
    let of_80 =
        |watch: &Watch| claims_of_ports(&watch.claims, &[80], &watch.counts, watch.direction);
    assert_eq!(of_80(&watch), watch.claims);
    (watch.claims[0].of, watch.direction) = (Of::All, Direction::File);
    assert_eq!(of_80(&watch), watch.claims);
}

/// Takes evidence away from a window, or adds traffic.
type Changes = fn(&mut Watch);

/// Whatever is missing, a claim of no copy does not hold.
#[test]
fn less_evidence_makes_nothing_hold() {
    let good = window("zero-copy", &[handed_over(BODY), written(HEAD)]);
    assert_eq!(verdict(&good), Verdict::Holds);
    let less: [(&str, Changes); 8] = [
        ("no controls", |w| w.controls.clear()),
        ("no leaves", |w| w.leaves.clear()),
        ("a leaf that the record lacks", |w| {
            w.coverage.probes.retain(|probe| probe.site != "_copy_from_iter");
        }),
        ("a caller that the record lacks", |w| {
            w.coverage.probes.retain(|probe| probe.site != "mptcp_sendmsg");
        }),
        ("a process overlooked", |w| w.doubts.push(Doubt::Unfollowed { times: 1 })),
        ("a probe that missed runs", |w| {
            w.doubts.push(Doubt::Missed { site: "_copy_from_iter".to_owned(), runs: 1 });
        }),
        ("the witness", |w| w.counts.retain(|c| c.site != "skb_splice_from_iter")),
        ("where the pages came from", |w| w.counts.retain(|c| c.site != "filemap_splice_read")),
    ];
    for (what, take) in less {
        let mut watch = good.clone();
        take(&mut watch);
        assert_ne!(verdict(&watch), Verdict::Holds, "{what}");
    }
}

/// The result of a system call that sends by a socket. The file of sendfile(2) is the one that it reads.
fn result(syscall: Syscall, bytes: u64) -> WatchedCount {
    let file = if syscall == Syscall::Sendfile { File::Regular } else { File::Socket };
    WatchedCount { port: Some(80), ..count("sys_exit", syscall, file, Iter::None, bytes) }
}

/// What missed runs at functions around the leaves may hide is bounded by what system calls say was
/// sent: an exact balance leaves nothing open, and whatever it does not cover leaves the claim open.
#[test]
fn missed_runs_hide_no_more_than_the_balance_leaves_open() {
    let results = vec![result(Syscall::Sendfile, BODY), result(Syscall::Writev, HEAD)];
    let mut good = window("zero-copy", &[handed_over(BODY), written(HEAD), results]);
    good.doubts.push(Doubt::Missed { site: "tcp_sendmsg_locked".to_owned(), runs: 2 });
    assert_eq!(verdict(&good), Verdict::Holds);
    let cases: [(&str, Changes, &str); 12] = [
        ("a page fault", |w| w.doubts[0] = missed("do_wp_page", 2), "holds"),
        // Nothing of the program's memory is in a pipe or a socket.
        ("page faults", |w| w.doubts[0] = missed("do_wp_page", BODY / 4096 / 500), "holds"),
        ("a leaf", |w| w.doubts[0] = missed("_copy_from_iter", 1), "inconclusive"),
        ("what is copied later", |w| w.doubts[0] = missed("skb_copy_ubufs", 1), "inconclusive"),
        ("no audit", |w| w.leaves.clear(), "inconclusive"),
        // Whatever was sent unseen: the leaves copied nothing.
        ("sends that were not seen", |w| w.counts.push(result(Syscall::Sendfile, BODY)), "holds"),
        (
            "copies that only the leaves saw",
            |w| {
                let more = [result(Syscall::Writev, BODY)].into_iter().chain(written(BODY));
                w.counts.extend(more.filter(|count| count.site != "tcp_sendmsg_locked"));
            },
            "refuted",
        ),
        (
            "a deferred copy that nobody watched made",
            |w| {
                let late = count("skb_copy_bits", InSyscall::None, File::None, Iter::None, BODY);
                w.counts.push(WatchedCount { charged: Charged::Elsewhere, ..late });
            },
            "inconclusive",
        ),
        ("a hand-over", |w| hide(w, "skb_splice_from_iter", 2 * 65536, 2), "holds"),
        (
            "more than two hand-overs",
            |w| hide(w, "skb_splice_from_iter", 4 * 65536, 2),
            "inconclusive",
        ),
        (
            "a pipe that is spliced",
            |w| w.counts.push(count("sys_exit", Syscall::Splice, File::Pipe, Iter::None, 1)),
            "inconclusive",
        ),
        (
            "copies in io_uring",
            |w| {
                let here = ("_copy_from_iter", Syscall::IoUringEnter, File::None);
                w.counts.push(count(here.0, here.1, here.2, Iter::User, BODY));
            },
            "inconclusive",
        ),
    ];
    for (what, change, expected) in cases {
        let mut watch = good.clone();
        change(&mut watch);
        assert_eq!(verdict(&watch).name(), expected, "{what}");
    }
}

/// Two claimed copies are not too many if the probes at the socket missed a part of them.
#[test]
fn sends_that_were_not_seen_make_no_copy_too_many() {
    let results = vec![result(Syscall::Writev, BODY)];
    let mut watch = window("two-copies", &[read(BODY), written(BODY), results]);
    hide(&mut watch, "tcp_sendmsg_locked", BODY / 500, 3);
    assert_eq!(verdict(&watch).name(), "inconclusive");
    for count in watch.counts.iter_mut().filter(|count| count.site == "sys_exit") {
        count.bytes -= BODY / 500;
    }
    assert_eq!(verdict(&watch).name(), "refuted", "system calls say that no more was sent");
}

/// Of a few connections among many each send was missed: head and file. What is framing by the leaves is
/// so, though the callers saw less of it.
#[test]
fn connections_whose_sends_were_missed_refute_nothing() {
    let by = |site: &str, head: u64, largest: u64| {
        let results = vec![result(Syscall::Sendfile, BODY), result(Syscall::Writev, head)];
        let mut watch = window("zero-copy", &[handed_over(BODY), written(head), results]);
        for count in &mut watch.counts {
            match count.site.as_str() {
                "tcp_sendmsg_locked" => count.bytes -= count.bytes / 500,
                "sys_exit" => count.largest = largest,
                _ => {}
            }
        }
        watch.doubts = vec![missed(site, 4)];
        verdict(&watch).name().to_owned()
    };
    let with = |head, largest| by("tcp_sendmsg_locked", head, largest);
    assert_eq!(with(BODY / 250, BODY / 500), "holds");
    let unix = by("unix_stream_sendmsg", BODY / 250, BODY / 500);
    assert_ne!(unix, "holds", "nobody was seen to send by it: what hid these sends is not known");
    assert_eq!(with(BODY / 50, BODY / 500), "refuted", "that is no framing");
    assert_ne!(with(BODY / 250, 1), "holds", "four calls cannot have sent so much");
}

/// Takes bytes from what was counted at a site, in runs that were missed.
fn hide(watch: &mut Watch, site: &str, bytes: u64, runs: u64) {
    let count = watch.counts.iter_mut().find(|count| count.site == site).expect("it was counted");
    count.bytes -= bytes;
    count.calls -= runs;
    watch.doubts = vec![missed(site, runs)];
}

fn missed(site: &str, runs: u64) -> Doubt {
    Doubt::Missed { site: site.to_owned(), runs }
}

#[test]
fn copies_of_nobody_known_are_no_zero() {
    let mut late = count("skb_copy_bits", InSyscall::None, File::None, Iter::None, BODY);
    late.charged = Charged::Unknown;
    assert_eq!(says("zero-copy", &[handed_over(BODY), vec![late.clone()]]), "inconclusive");
    late.charged = Charged::Elsewhere;
    assert_eq!(says("zero-copy", &[handed_over(BODY), vec![late.clone()]]), "holds");
    late.charged = Charged::Program("nginx".to_owned());
    assert_eq!(says("zero-copy", &[handed_over(BODY), vec![late]]), "refuted");
}

#[test]
fn tls_in_the_kernel_transforms() {
    // 16 KiB a record, each with 22 bytes of TLS 1.3 around the plaintext's type and tag.
    let records = BODY / 16384;
    let mut encrypted =
        count("crypto_aead_encrypt", Syscall::Sendfile, File::Regular, Iter::None, BODY);
    encrypted.calls = records;
    let mut parts = handed_over(BODY);
    for count in parts.iter_mut().filter(|count| count.site != "filemap_splice_read") {
        count.bytes += records * 22;
    }
    parts.push(encrypted);
    assert_eq!(says("transforms", &[parts.clone()]), "holds");
    assert_eq!(says("zero-copy", &[parts]), "refuted");
    assert_eq!(says("transforms", &[handed_over(BODY)]), "refuted");
}

#[test]
fn a_command_that_failed_holds_nothing_unless_its_status_is_ignored() {
    let mut watch = window("zero-copy", &[handed_over(BODY)]);
    let command = |status, ended_by_us| StartedCommand { line: Vec::new(), status, ended_by_us };
    watch.command = Some(command(Some(0), false));
    assert_eq!(verdict(&watch), Verdict::Holds);
    watch.command = Some(command(Some(143), true));
    assert_eq!(verdict(&watch), Verdict::Holds, "zcprof ended it");
    watch.command = Some(command(Some(1), false));
    assert_eq!(verdict(&watch), Verdict::Inconclusive(vec![Reason::CommandFailed(1)]));
    watch.ignore_status = true;
    assert_eq!(verdict(&watch), Verdict::Holds);
}

#[test]
fn an_unknown_claim_is_said_and_a_record_comes_back_as_it_was_written() {
    let mut watch = window("free-copy", &[]);
    assert!(judge(&watch).expect_err("unknown").contains("free-copy"));
    watch.claims[0].claim = "zero-copy".to_owned();
    let text = zcprof_judge::report::watch::json(&watch).expect("JSON");
    assert_eq!(
        zcprof_judge::record::kind(&text).expect("a record"),
        zcprof_judge::record::RecordKind::Watch
    );
    let again: Watch = zcprof_judge::record::read(&text).expect("a watch");
    assert_eq!(zcprof_judge::report::watch::json(&again).expect("JSON"), text);
    assert!(zcprof_judge::record::read::<Run>(&text).is_err(), "it is no run");
}

/// The picture's title says what was found; no text leaves the picture.
#[test]
fn the_picture_of_a_window_says_the_finding() {
    let drawn = |parts: &[Vec<WatchedCount>]| {
        let mut watch = window("zero-copy", parts);
        watch.claims.push(Asked { of: Of::Port(80), claim: "copied<=1.5".to_owned() });
        watch.claims.push(Asked { of: Of::Port(443), claim: "zero-copy".to_owned() });
        let files = zcprof_judge::report::watch::render_all(&watch).expect("rendered");
        let svg = files.into_iter().find(|(name, _)| *name == "copies-per-byte.svg");
        String::from_utf8(svg.expect("drawn").1).expect("text")
    };
    for (parts, title) in [
        (vec![handed_over(BODY)], "Nothing was copied of 64 MiB that were sent"),
        (vec![handed_over(BODY), written(HEAD)], "little more than headers"),
        (
            vec![written(BODY)],
            "Each byte of 64 MiB sent was copied 1.000 times, by nginx: user-&gt;socket",
        ),
        (
            vec![read(BODY), written(BODY)],
            "by nginx: page cache-&gt;user, user-&gt;socket; what was read may be what was sent",
        ),
        (Vec::new(), "Nothing was sent"),
    ] {
        let svg = drawn(&parts);
        let words = svg.replace(['\n', '<', '>'], " ");
        let words: Vec<_> = words.split_whitespace().collect();
        for word in title.split(' ') {
            assert!(words.contains(&word), "{title}: {word} in {svg}");
        }
        assert!(svg.contains("zero-copy of port 443"), "{svg}");
    }
}

/// What is said of one claim in another direction.
fn says_of(direction: Direction, claim: &str, parts: &[Vec<WatchedCount>]) -> &'static str {
    let mut watch = window("zero-copy", parts);
    watch.direction = direction;
    claim.clone_into(&mut watch.claims[0].claim);
    verdict(&watch).name()
}

/// Bytes that a program writes into a file.
fn stored(bytes: u64) -> Vec<WatchedCount> {
    let at = |site, iter| count(site, Syscall::Write, File::Regular, iter, bytes);
    vec![at("generic_perform_write", Iter::User), at("sys_exit", Iter::None)]
}

/// `cp`, by the call that copies within the kernel.
fn copied_between(seen: u64, said: u64) -> Vec<WatchedCount> {
    let at = |site, iter, bytes| count(site, Syscall::CopyFileRange, File::Regular, iter, bytes);
    vec![at("generic_perform_write", Iter::Kernel, seen), at("sys_exit", Iter::None, said)]
}

#[test]
fn what_is_written_into_files_is_claimed_of_by_bounds() {
    let says = |claim: &str, parts: &[Vec<WatchedCount>]| says_of(Direction::File, claim, parts);
    let by_hand = [read(BODY), stored(BODY)];
    assert_eq!(says("copied<=2", &by_hand), "holds");
    // Whether what it read is what it wrote nobody knows.
    assert_eq!(says("copied<=1", &by_hand), "inconclusive");
    assert_eq!(says("copied<=0.9", &by_hand), "refuted");
    let in_kernel = [copied_between(BODY, BODY), read(BODY)];
    assert_eq!(says("copied<=1", &in_kernel), "holds");
    assert_eq!(says("copied<=0.9", &in_kernel), "refuted");
    // Cloned, or copied where no site is: nobody saw it.
    assert_eq!(says("copied<=1", &[copied_between(0, BODY)]), "inconclusive");
    let unseen = vec![count("sys_exit", Syscall::Write, File::Regular, Iter::None, BODY)];
    assert_eq!(says("copied<=2", &[stored(BODY), unseen]), "inconclusive");
    assert_eq!(says("copied<=2", &[handed_over(BODY)]), "inconclusive", "nothing was written");
}

#[test]
fn what_is_received_is_claimed_of_by_bounds() {
    let says = |claim: &str, parts: &[Vec<WatchedCount>]| says_of(Direction::Rx, claim, parts);
    let at = |site, syscall, iter| count(site, syscall, File::Socket, iter, BODY);
    let taken = |syscall| {
        vec![
            at("_copy_to_iter", syscall, Iter::User),
            at("skb_copy_datagram_iter", syscall, Iter::User),
            at("sys_exit", syscall, Iter::None),
        ]
    };
    let received = taken(Syscall::Recvfrom.into());
    assert_eq!(says("copied<=1", std::slice::from_ref(&received)), "holds");
    assert_eq!(says("copied<=0.9", std::slice::from_ref(&received)), "refuted");
    // It looks first: each byte is copied twice, and received once.
    let looked = [received.clone(), taken(InSyscall::Peeking(Syscall::Recvfrom))];
    assert_eq!(says("copied<=1", &looked), "refuted");
    assert_eq!(says("copied<=2", &looked), "holds");
    let spliced = vec![at("sys_exit", Syscall::Splice.into(), Iter::None)];
    assert_eq!(says("moved>=0.99", std::slice::from_ref(&spliced)), "holds");
    assert_eq!(says("copied<=0.01", std::slice::from_ref(&spliced)), "holds");
    let unseen = vec![at("sys_exit", Syscall::Recvmsg.into(), Iter::None)];
    assert_eq!(says("copied<=1", &[received, unseen]), "inconclusive");
    assert_eq!(says("copied<=1", &[handed_over(BODY)]), "inconclusive", "nothing was received");
}

#[test]
fn what_is_named_is_about_what_is_sent() {
    let mut watch = window("zero-copy", &[handed_over(BODY)]);
    watch.direction = Direction::File;
    let why = judge(&watch).expect_err("not judged");
    assert!(why.contains("--direction file"), "{why}");
    "moved>=1".clone_into(&mut watch.claims[0].claim);
    assert!(judge(&watch).is_err(), "nothing is known to be moved into files");
}

/// An iterator that nobody can read, where no system call says what was sent: how much was copied is not
/// known, and not nothing.
#[test]
fn bytes_that_no_case_of_the_table_fits_keep_no_bound() {
    let by_ring = |iter, bytes| {
        let at = |site| count(site, Syscall::IoUringEnter, File::Socket, iter, bytes);
        vec![at("_copy_from_iter"), at("unix_dgram_sendmsg")]
    };
    for claim in ["copied<=0.01", "zero-copy", "moved>=0.5"] {
        for (iter, bytes, expected) in [
            (Iter::Unknown, BODY, "inconclusive"),
            (Iter::Unknown, BODY / 2000, "holds"),
            (Iter::User, BODY / 2000, "holds"),
        ] {
            let parts = [handed_over(BODY), by_ring(iter, bytes)];
            assert_eq!(says(claim, &parts), expected, "{claim}: {iter:?}, {bytes}");
        }
    }
    assert_eq!(says("copied<=0.01", &[handed_over(BODY), by_ring(Iter::User, BODY)]), "refuted");
    let residual = |instrument| Reason::Residual(instrument, BODY);
    let reasons = vec![
        residual(Instrument::Audit),
        residual(Instrument::Callers),
        Reason::NoWitness(Hop::PageCacheToSocket, BODY),
    ];
    let watch = window("zero-copy", &[handed_over(BODY), by_ring(Iter::Unknown, BODY)]);
    assert_eq!(verdict(&watch), Verdict::Inconclusive(reasons));
}
