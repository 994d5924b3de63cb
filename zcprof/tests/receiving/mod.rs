//! Ways to receive, judged by the probes: each mode by what it promises, saboteurs that copy where
//! they promise not to, and pages that cannot be mapped, each beside a twin that keeps its promise.

use zcprof::run::{ReceiveResult, Run};
use zcprof::verdict::{self, Verdict};
use zcprof_common::vocabulary::{Disposition, Hop};

use super::{code, measure, text};

/// What is known of a mode beforehand, by one transfer.
struct Known {
    mode: &'static str,
    transfer: &'static str,
    verdict: &'static str,
    /// The first code, where it does not hold.
    code: Option<&'static str>,
    /// The fewest and the most copies per received byte.
    copies: (f64, f64),
}

impl Known {
    const HOLDS: Self =
        Self { mode: "", transfer: "sendfile", verdict: "holds", code: None, copies: (0.0, 0.001) };
    const REFUTED: Self = Self { verdict: "refuted", ..Self::HOLDS };
}

const ONE: (f64, f64) = (0.999, 1.001);

/// Pages of the page cache cannot be mapped (`can_map_frag()`, net/ipv4/tcp.c, 6.8 and the stable
/// kernels of that time). Pages that the kernel copied pinned ones into can (`skb_copy_ubufs()`).
const KNOWN: &[Known] = &[
    Known { mode: "copy", copies: ONE, ..Known::HOLDS },
    Known { mode: "discard", ..Known::HOLDS },
    Known { mode: "splice", ..Known::HOLDS },
    Known { mode: "splice_half", code: Some("ZC115"), copies: (0.3, 0.7), ..Known::REFUTED },
    Known { mode: "splice_read", code: Some("ZC109"), copies: ONE, ..Known::REFUTED },
    Known { mode: "receive_zerocopy", code: Some("ZC115"), copies: ONE, ..Known::REFUTED },
    Known { mode: "copy", transfer: "msg_zerocopy", copies: ONE, ..Known::HOLDS },
    Known { mode: "discard", transfer: "msg_zerocopy", ..Known::HOLDS },
    Known { mode: "splice", transfer: "msg_zerocopy", ..Known::HOLDS },
    Known {
        mode: "receive_zerocopy",
        transfer: "msg_zerocopy",
        copies: (0.0, 0.126),
        ..Known::HOLDS
    },
];

fn result<'a>(run: &'a Run, mode: &str, transfer: &str) -> &'a ReceiveResult {
    let mut of_it = run.receptions.iter();
    let found = of_it.find(|one| one.mode == mode && one.pass.transfer == transfer);
    let found = found.unwrap_or_else(|| panic!("{mode} of {transfer} was not measured"));
    found.result.as_ref().expect("noted")
}

fn at(result: &ReceiveResult, hop: Hop, disposition: Disposition) -> f64 {
    let mut of_it = result.hops.iter();
    let found = of_it.find(|one| (one.hop, one.disposition) == (hop, disposition));
    found.map_or(0.0, |one| one.per_byte.least)
}

#[test]
fn every_way_to_receive_does_what_it_promises_or_is_refuted() {
    let modes = "copy,discard,splice,receive_zerocopy,splice_half,splice_read";
    let arguments = ["--transfer", "sendfile,msg_zerocopy", "--cache", "warm", "--receive", modes];
    let (output, run) = measure("receiving", &arguments);
    println!("{}", String::from_utf8_lossy(&output.stdout));
    let run = run.unwrap_or_else(|| panic!("{}", text(&output)));
    for reception in &run.receptions {
        let result = reception.result.as_ref().expect("noted");
        println!("{} of {}: {result:?}", reception.mode, reception.pass.transfer);
    }
    // A saboteur refutes, and what is sent is judged as ever.
    assert_eq!(code(&output), 1, "{}", text(&output));
    let sent = verdict::judge(&run).expect("known claims");
    assert!(sent.len() == 2 && sent.iter().all(|judged| judged.verdict == Verdict::Holds));
    let mut wrong = Vec::new();
    for known in KNOWN {
        let result = result(&run, known.mode, known.transfer);
        let first = result.codes.first().map(String::as_str);
        let (least, most) = known.copies;
        let is_so = result.verdict == known.verdict
            && first == known.code
            && result.copies.is_some_and(|seen| least <= seen.least && seen.most <= most);
        if !is_so {
            wrong.push(format!("{} of {}: {result:?}", known.mode, known.transfer));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for transfer in ["sendfile", "msg_zerocopy"] {
        let moved = at(result(&run, "splice", transfer), Hop::SocketToPipe, Disposition::Moved);
        assert!((0.999..=1.001).contains(&moved), "{transfer}: {moved} moved into the pipe");
    }
    let zerocopy = result(&run, "receive_zerocopy", "msg_zerocopy");
    let mapped = at(zerocopy, Hop::SocketToUser, Disposition::Moved);
    let copied = at(zerocopy, Hop::SocketToUser, Disposition::Copied);
    assert!(mapped >= 0.874 && (mapped + copied - 1.0).abs() <= 0.001, "{mapped} + {copied}");
}

/// Who withholds an instrument, or a kind of socket that the modes are not made for, gets no verdict.
#[test]
fn ways_to_receive_are_not_judged_without_evidence() {
    let arguments = ["--transfer", "sendfile", "--cache", "warm", "--receive", "discard,splice"];
    let (output, run) = measure("unjudged", &[&arguments[..], &["--without", "audit"]].concat());
    assert_eq!(code(&output), 3, "{}", text(&output));
    let run = run.expect("a record");
    for mode in ["discard", "splice"] {
        let result = result(&run, mode, "sendfile");
        assert_eq!(result.verdict, "inconclusive", "{mode}: {result:?}");
        assert!(result.codes.contains(&"ZC203".to_owned()), "{mode}: {result:?}");
        assert_eq!(result.copies, None, "{mode}: no number that nobody saw");
    }
    let (output, run) = measure("over-unix", &[&arguments[..], &["--socket", "unix"]].concat());
    assert!(run.expect("a record").receptions.is_empty(), "{}", text(&output));
    assert!(text(&output).contains("judged over TCP"), "{}", text(&output));
}
