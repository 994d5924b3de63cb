//! Pipes of watched programs: counts name none, so that another's pages must not pass for those that were
//! sent.

use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary::{File, Iter};
use zcprof_judge::watch::judge;
use zcprof_judge::watch::record::{Asked, Of, WatchedCount};

use super::watched::{BODY, count, handed_over, read, window, written};

/// At this port, or at none.
fn at(port: Option<u16>, mut counts: Vec<WatchedCount>) -> Vec<WatchedCount> {
    for count in counts.iter_mut().filter(|count| count.port.is_some()) {
        count.port = port;
    }
    counts
}

/// Out of a pipe into the socket at port 80.
pub(super) fn spliced(bytes: u64) -> Vec<WatchedCount> {
    let moved = |site| count(site, Syscall::Splice, File::Pipe, Iter::None, bytes);
    vec![moved("tcp_sendmsg_locked"), moved("skb_splice_from_iter")]
}

/// Out of memory into a pipe.
fn piped(bytes: u64) -> Vec<WatchedCount> {
    let at = |site| WatchedCount {
        port: None,
        ..count(site, Syscall::Write, File::Pipe, Iter::User, bytes)
    };
    vec![at("_copy_from_iter"), at("pipe_write")]
}

/// Out of a file into a pipe, as pages.
pub(super) fn filled(bytes: u64) -> Vec<WatchedCount> {
    vec![count("filemap_splice_read", Syscall::Splice, File::Regular, Iter::None, bytes)]
}

/// Out of a file into memory of the kernel's, in a call at no socket.
pub(super) fn read_by_kernel(syscall: Syscall, bytes: u64) -> Vec<WatchedCount> {
    let at = |site| count(site, syscall, File::None, Iter::Kernel, bytes);
    vec![at("_copy_to_iter"), at("filemap_read")]
}

/// sendfile of a file that has no pages to hand over: they are copied, and then sent.
fn copied_by_sendfile(bytes: u64) -> Vec<WatchedCount> {
    let at = |site, iter| count(site, Syscall::Sendfile, File::Regular, iter, bytes);
    let none = |site, iter| WatchedCount { port: None, ..at(site, iter) };
    vec![
        none("copy_splice_read", Iter::None),
        none("_copy_to_iter", Iter::Kernel),
        none("filemap_read", Iter::Kernel),
        at("tcp_sendmsg_locked", Iter::None),
        at("skb_splice_from_iter", Iter::None),
    ]
}

fn says(of: Of, claim: &str, parts: &[Vec<WatchedCount>]) -> &'static str {
    let mut watch = window(claim, parts);
    watch.claims = vec![Asked { of, claim: claim.to_owned() }];
    judge(&watch).expect("known").remove(0).verdict.name()
}

/// The pages that another port sent by sendfile were in no pipe that anybody could write into.
#[test]
fn what_one_port_hands_over_does_not_excuse_what_another_sends_from_pipes() {
    let sent = [spliced(BODY), piped(BODY), at(Some(443), handed_over(BODY))];
    for (of, claim, expected) in [
        (Of::Port(80), "zero-copy", "refuted"),
        (Of::Port(80), "copied<=0.5", "refuted"),
        (Of::Port(80), "copied<=1", "holds"),
        (Of::Port(443), "zero-copy", "holds"),
        (Of::Port(443), "copied<=0.01", "holds"),
        (Of::All, "zero-copy", "refuted"),
        (Of::All, "copied<=0.49", "refuted"),
        (Of::All, "copied<=0.5", "holds"),
    ] {
        assert_eq!(says(of.clone(), claim, &sent), expected, "{claim} of {of}");
    }
    // Its twin splices a file, and writes no pipe.
    let sent = [spliced(BODY), filled(BODY), at(Some(443), handed_over(BODY))];
    assert_eq!(says(Of::Port(80), "zero-copy", &sent), "holds");
}

/// A stranger filled the pipe that one port sends from, or the file was read by a way that no site sees:
/// another port's pages of files do not vouch for these.
#[test]
fn pages_that_one_port_sends_vouch_for_none_of_another() {
    let sent = [spliced(BODY), filled(BODY), at(Some(443), spliced(BODY))];
    for port in [80, 443] {
        assert_eq!(says(Of::Port(port), "zero-copy", &sent), "inconclusive", "{port}");
    }
    let [reader, sites @ ..] = &handed_over(BODY)[..] else { panic!("three sites") };
    let sent = [vec![reader.clone()], sites.to_vec(), at(Some(443), sites.to_vec())];
    for port in [80, 443] {
        assert_eq!(says(Of::Port(port), "zero-copy", &sent), "inconclusive", "{port}");
    }
    let sent = [handed_over(BODY), at(Some(443), handed_over(BODY))];
    for port in [80, 443] {
        assert_eq!(says(Of::Port(port), "zero-copy", &sent), "holds", "{port}");
    }
}

/// A stranger splices at one port out of a pipe that he filled, and the program writes pipes for another: its
/// writes do not refute what he sends.
#[test]
fn what_is_written_for_one_port_does_not_refute_what_a_stranger_sends_at_another() {
    let sent = [spliced(BODY), piped(BODY), at(Some(443), spliced(BODY))];
    for (of, claim, expected) in [
        (Of::Port(80), "zero-copy", "inconclusive"),
        (Of::Port(443), "zero-copy", "inconclusive"),
        (Of::Port(443), "copied<=1", "holds"),
        // He need not have filled more than what nobody else did.
        (Of::All, "copied<=0.49", "refuted"),
        (Of::All, "copied<=0.5", "inconclusive"),
        (Of::All, "copied<=1", "holds"),
    ] {
        assert_eq!(says(of.clone(), claim, &sent), expected, "{claim} of {of}");
    }
    // More than the others can have sent.
    let sent = [spliced(3 * BODY), piped(3 * BODY), at(Some(443), spliced(BODY))];
    assert_eq!(says(Of::Port(80), "zero-copy", &sent), "refuted");
}

/// TLS in the kernel at one port: what was encrypted leaves in pages that were in no file.
#[test]
fn encryption_at_one_port_leaves_no_doubt_about_another() {
    let encrypted = |port| {
        let mut counts = at(Some(port), handed_over(BODY));
        let overhead = BODY / 500;
        counts[1].bytes += overhead;
        counts[2].bytes += overhead;
        let new = count(
            "crypto_aead_encrypt",
            Syscall::Sendfile,
            File::Regular,
            Iter::None,
            BODY + overhead,
        );
        counts.push(WatchedCount { port: Some(port), ..new });
        counts
    };
    let sent = [handed_over(BODY), encrypted(443)];
    assert_eq!(says(Of::Port(80), "zero-copy", &sent), "holds");
    assert_eq!(says(Of::Port(443), "zero-copy", &sent), "refuted");
    assert_eq!(says(Of::Port(443), "transforms", &sent), "holds");
}

/// Two pipes, of which one goes to a port and one does not: nobody can know which.
#[test]
fn what_went_from_a_file_into_a_pipe_need_not_be_what_was_sent() {
    let sent = [spliced(BODY), piped(BODY), filled(BODY)];
    for (claim, expected) in
        [("zero-copy", "inconclusive"), ("copied<=0.5", "inconclusive"), ("copied<=1", "holds")]
    {
        assert_eq!(says(Of::All, claim, &sent), expected, "{claim}");
    }
    // Half of what was sent must be what was written.
    let sent = [spliced(2 * BODY), piped(2 * BODY), filled(BODY)];
    assert_eq!(says(Of::All, "copied<=0.49", &sent), "refuted");
    assert_eq!(says(Of::All, "copied<=0.9", &sent), "inconclusive");
    assert_eq!(says(Of::All, "copied<=1", &sent), "holds");
}

/// A program that wakes itself by a pipe, or logs into one.
#[test]
fn a_pipe_that_is_written_to_matters_only_where_pipes_are_sent() {
    assert_eq!(says(Of::All, "zero-copy", &[handed_over(BODY), piped(BODY)]), "holds");
    let sent = [spliced(BODY), filled(BODY), piped(BODY / 5000)];
    assert_eq!(says(Of::All, "zero-copy", &sent), "holds");
}

/// sendfile into a pipe is splice: what it puts there may be what was sent from there.
#[test]
fn pages_that_sendfile_puts_into_a_pipe_are_pages_of_files() {
    let result = |bytes| count("sys_exit", Syscall::Sendfile, File::Pipe, Iter::None, bytes);
    let read = count("filemap_splice_read", Syscall::Sendfile, File::Regular, Iter::None, BODY);
    let sent = |more| vec![spliced(BODY), vec![read.clone()], more];
    assert_eq!(says(Of::All, "zero-copy", &sent(vec![result(BODY)])), "holds");
    assert_eq!(says(Of::All, "zero-copy", &sent(Vec::new())), "inconclusive");
}

/// A server that splices files, and starts another program for some answers: exec reads that program into
/// the kernel's memory, and into no pipe.
#[test]
fn what_exec_reads_did_not_leave_by_a_pipe() {
    let spliced = [spliced(BODY), filled(BODY)].concat();
    for (call, by_port) in [
        (Syscall::Execve, "holds"),
        (Syscall::Execveat, "holds"),
        // Its twin has the file copied into the pipe that it splices from.
        (Syscall::Splice, "refuted"),
    ] {
        let sent = [spliced.clone(), read_by_kernel(call, BODY / 100)];
        for of in [Of::All, Of::Program("nginx".to_owned()), Of::Port(80)] {
            assert_eq!(says(of.clone(), "zero-copy", &sent), by_port, "{call:?} of {of}");
            assert_eq!(says(of.clone(), "copied<=0.001", &sent), by_port, "{call:?} of {of}");
            assert_eq!(says(of.clone(), "copied<=0.01", &sent), "holds", "{call:?} of {of}");
        }
    }
    // Another twin reads the file itself: what it has in memory was sent only if it sent from there.
    let exec = read_by_kernel(Syscall::Execve, BODY / 100);
    let sent = [spliced.clone(), read(BODY), exec.clone()];
    assert_eq!(says(Of::All, "zero-copy", &sent), "holds");
    let sent = [spliced.clone(), read(BODY), written(BODY), exec.clone()];
    assert_eq!(says(Of::All, "zero-copy", &sent), "refuted");
    assert_eq!(says(Of::All, "copied<=0.5", &sent), "inconclusive");
    let sent = [spliced, read(BODY), piped(BODY), exec];
    assert_eq!(says(Of::All, "zero-copy", &sent), "inconclusive");
}

/// What is copied out of a file for one port is not at that port: another's pages are not said to be
/// copied.
#[test]
fn copies_for_one_port_do_not_refute_another() {
    let sent = [copied_by_sendfile(BODY), at(Some(443), handed_over(BODY))];
    for (of, claim, expected) in [
        (Of::All, "zero-copy", "refuted"),
        (Of::All, "copied<=0.49", "refuted"),
        (Of::All, "copied<=0.5", "holds"),
        // Which of the two was copied nobody can know.
        (Of::Port(80), "zero-copy", "inconclusive"),
        (Of::Port(443), "zero-copy", "inconclusive"),
        (Of::Port(443), "copied<=1", "holds"),
    ] {
        assert_eq!(says(of.clone(), claim, &sent), expected, "{claim} of {of}");
    }
    assert_eq!(says(Of::Port(80), "zero-copy", &[copied_by_sendfile(BODY)]), "refuted");
    // More than the others sent: some of it must have left here.
    let sent = [copied_by_sendfile(3 * BODY), at(Some(443), handed_over(BODY))];
    assert_eq!(says(Of::Port(80), "zero-copy", &sent), "refuted");
}
