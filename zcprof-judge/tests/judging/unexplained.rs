//! The function that the table lacks is named, and no other.

use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary::{File, Iter, Process};
use zcprof_judge::run::{Doubt, LeafStack, Pass, Probe, ProbeState, Run};
use zcprof_judge::verdict::code::why;
use zcprof_judge::verdict::{Verdict, judge, lacks_a_caller};
use zcprof_judge::watch::Watch;
use zcprof_judge::watch::record::WatchedLeafStack;

use super::records::{HEADERS, PAYLOAD, count, read_write, run};
use super::watched::{BODY, count as in_window, window, written};

const INTO_TCP: [&str; 4] = ["tcp_sendmsg_locked", "tcp_sendmsg", "sock_write_iter", "vfs_write"];
const INTO_RAW: [&str; 4] = ["ip_generic_getfrag", "raw_sendmsg", "sock_write_iter", "vfs_write"];
const CALL: [&str; 3] = ["__x64_sys_write", "do_syscall_64", "entry_SYSCALL_64_after_hwframe"];

/// What a leaf copied into a socket by this way.
fn stack(functions: &[&[&str]], bytes: u64) -> LeafStack {
    let write = (Syscall::Write, File::Socket);
    LeafStack {
        count: count(Process::Server, "_copy_from_iter", write, Iter::User, bytes),
        functions: functions.concat().iter().map(|name| (*name).to_owned()).collect(),
    }
}

/// A pass in which as much again went into sockets by a function that is no row.
fn with_more_sent(stacks: Vec<LeafStack>) -> Run {
    let mut pass = Pass { leaf_stacks: stacks, ..read_write() };
    let write = (Syscall::Write, File::Socket);
    pass.counts.push(count(Process::Server, "_copy_from_iter", write, Iter::User, PAYLOAD));
    run(vec![pass])
}

fn said(run: &Run) -> String {
    let judgement = judge(run).expect("known claims").remove(0);
    judgement.why().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_function_that_the_table_lacks_is_in_the_finding() {
    let stacks =
        vec![stack(&[&INTO_TCP, &CALL], PAYLOAD + HEADERS), stack(&[&INTO_RAW, &CALL], PAYLOAD)];
    let run = with_more_sent(stacks);
    assert!(lacks_a_caller(&run, &run.passes[0]));
    // What was lost may be what the callers lack.
    let mut doubted = run.passes[0].clone();
    doubted.doubts.push(Doubt::Lost { what: "the map of counts was full".to_owned(), times: 1 });
    assert!(!lacks_a_caller(&run, &doubted));
    let said = said(&run);
    let wanted = format!(
        "{PAYLOAD} bytes by _copy_from_iter called from ip_generic_getfrag <- raw_sendmsg <- \
         sock_write_iter <- vfs_write, none of which"
    );
    assert!(said.contains(&wanted), "{said}");
    assert!(!said.contains("tcp_sendmsg <-"), "{said}");
}

/// The same in a watched window.
#[test]
fn the_function_that_the_table_lacks_is_named_in_a_window_too() {
    let more = in_window("_copy_from_iter", Syscall::Write, File::Socket, Iter::User, BODY);
    let mut watch = window("copied<=3", &[written(BODY), vec![more.clone()]]);
    let functions = [&INTO_RAW[..], &CALL].concat().into_iter().map(str::to_owned).collect();
    let said = |watch: &Watch| {
        let judgement = zcprof_judge::watch::judge(watch).expect("known claims").remove(0);
        assert!(matches!(judgement.verdict, Verdict::Inconclusive(_)), "{:?}", judgement.verdict);
        let why = why(&judgement.verdict, &judgement.traffic.ledger);
        why.into_iter().map(|why| why.text).collect::<Vec<_>>().join("\n")
    };
    let unseen = said(&watch);
    assert!(unseen.contains("look again with --stacks"), "{unseen}");
    watch.leaf_stacks = vec![WatchedLeafStack { count: more, functions }];
    let seen = said(&watch);
    assert!(seen.contains("called from ip_generic_getfrag"), "{seen}");
    let judgement = zcprof_judge::watch::judge(&watch).expect("known claims").remove(0);
    let ways = judgement.traffic.ledger.unexplained.expect("looked at");
    let ways: Vec<_> = ways.iter().map(|way| (way.bytes, &way.functions[..])).collect();
    assert_eq!(ways, [(BODY, &INTO_RAW.map(str::to_owned)[..])]);
}

/// A function whose row is not attached explains nothing.
#[test]
fn a_row_that_is_not_attached_explains_nothing() {
    let mut pass = read_write();
    pass.counts.retain(|count| count.site != "tcp_sendmsg_locked");
    pass.leaf_stacks = vec![stack(&[&INTO_TCP, &CALL], PAYLOAD + HEADERS)];
    let mut run = run(vec![pass]);
    let known = said(&run);
    assert!(!known.contains("called from"), "{known}");
    let is_it = |probe: &&mut Probe| probe.site == "tcp_sendmsg_locked";
    let probe = run.coverage.probes.iter_mut().find(is_it).expect("a row");
    probe.state = ProbeState::NotOnThisKernel;
    let judgement = judge(&run).expect("known claims").remove(0);
    let ways = judgement.ledger.unexplained.expect("looked at");
    assert_eq!(ways.len(), 1, "{ways:?}");
    assert_eq!(ways[0].bytes, PAYLOAD + HEADERS);
    assert_eq!(ways[0].functions, INTO_TCP);
}

/// What is cut off may explain it.
#[test]
fn a_way_that_is_cut_off_names_nothing() {
    let said = said(&with_more_sent(vec![stack(&[&INTO_RAW], PAYLOAD)]));
    assert!(said.contains("user->socket copied 2.000"), "{said}");
    assert!(!said.contains("called from"), "{said}");
}

#[test]
fn where_everything_is_explained_nothing_is_named_or_looked_at() {
    let explained = stack(&[&INTO_TCP, &CALL], PAYLOAD + HEADERS);
    let run = run(vec![Pass { leaf_stacks: vec![explained], ..read_write() }]);
    assert!(!lacks_a_caller(&run, &run.passes[0]));
    let judgement = judge(&run).expect("known claims").remove(0);
    assert_eq!(judgement.verdict, Verdict::Holds);
    assert_eq!(judgement.ledger.unexplained, Some(Vec::new()));
}

/// Stacks explain; they change no verdict.
#[test]
fn a_verdict_is_the_same_without_stacks() {
    let verdict = |stacks| judge(&with_more_sent(stacks)).expect("known claims").remove(0).verdict;
    assert_eq!(verdict(vec![stack(&[&INTO_RAW, &CALL], PAYLOAD)]), verdict(Vec::new()));
}
