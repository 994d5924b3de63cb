//! What a run's record says that its claims came to.

use zcprof_common::vocabulary::{Disposition, Hop};
use zcprof_judge::interval::Interval;
use zcprof_judge::results::note;
use zcprof_judge::run::Run;

use crate::records::{PAYLOAD, read_write, run, sendfile};

fn noted(mut run: Run) -> Run {
    note(&mut run).expect("known claims");
    let text = serde_json::to_string(&run).expect("a record");
    zcprof_judge::record::read(text.as_bytes()).expect("readable")
}

fn exactly(number: f64) -> Interval {
    Interval { least: number, most: number }
}

#[test]
fn a_record_says_what_each_pass_and_all_came_to() {
    let run = noted(run(vec![sendfile(), read_write()]));
    let [moved, copied] = &run.results[..] else { panic!("{:?}", run.results) };
    for (result, claim, copies) in [(moved, "zero-copy", 0.0), (copied, "two-copies", 2.0)] {
        assert_eq!((result.claim.as_str(), result.verdict.as_str()), (claim, "holds"));
        assert_eq!((result.payload, result.copies), (PAYLOAD, exactly(copies)));
        assert!(result.codes.is_empty() && result.reasons.is_empty());
    }
    let at = |hop, disposition| {
        let found = moved.hops.iter().find(|at| (at.hop, at.disposition) == (hop, disposition));
        found.map(|at| at.per_byte)
    };
    assert_eq!(at(Hop::PageCacheToSocket, Disposition::Moved), Some(exactly(1.0)));
    assert_eq!(at(Hop::UserToSocket, Disposition::Copied), None);
    assert_eq!(run.verdict.as_deref(), Some("holds"));
}

#[test]
fn one_claim_that_is_refuted_refutes_the_run() {
    let mut broken = run(vec![sendfile(), read_write()]);
    broken.passes[1].claim = Some("zero-copy".to_owned());
    let broken = noted(broken);
    assert_eq!(broken.verdict.as_deref(), Some("refuted"));
    assert_eq!(broken.results[1].verdict, "refuted");
    assert!(broken.results[1].codes.contains(&"ZC102".to_owned()), "{:?}", broken.results[1]);
    assert!(!broken.results[1].reasons.is_empty());
}

/// What one instrument alone saw is the most, and may be none.
#[test]
fn instruments_that_differ_make_an_interval() {
    let mut run = run(vec![read_write()]);
    run.passes[0].counts.retain(|count| count.site != "_copy_from_iter");
    let run = noted(run);
    assert_eq!(run.results[0].copies, Interval { least: 1.0, most: 2.0 });
    assert_ne!(run.verdict.as_deref(), Some("holds"));
}

#[test]
fn who_measured_nothing_has_no_verdict() {
    let run = noted(run(Vec::new()));
    assert!(run.results.is_empty() && run.verdict.is_none());
}
