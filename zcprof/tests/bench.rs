//! The benchmark as a user meets it, small enough for any machine.

use std::fs;
use std::process::{Command, Output};

use zcprof::bench::cost::record::CostRun;
use zcprof::bench::record::BenchRun;
use zcprof::transfer::TransferSpec;

fn zcprof(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zcprof"));
    command.args(arguments).env("RUST_BACKTRACE", "0").output().expect("zcprof starts")
}

fn text(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&both).into_owned()
}

#[test]
fn a_benchmark_is_recorded_shown_and_shown_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let (log, out) = (folder.path().join("log"), folder.path().join("out"));
    let (log, out) = (log.to_str().expect("UTF-8"), out.to_str().expect("UTF-8"));
    let grid = ["--fetch-sizes", "4KiB,64KiB", "--connections", "1,3", "--rounds", "2"];
    let place = ["--bytes", "1MiB", "--log-dir", log, "--out", out];
    let output = zcprof(&[&["bench", "fetch"], &grid[..], &place[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));

    let json = fs::read(format!("{out}/bench.json")).expect("written");
    let run: BenchRun = serde_json::from_slice(&json).expect("a record");
    assert_eq!(run.contestants.len(), TransferSpec::possible().count());
    assert_eq!(run.cells.len(), 4);
    for cell in &run.cells {
        assert!(cell.payload > 0 && cell.payload <= cell.fetches * cell.fetch_size);
        for series in &cell.series {
            assert!(series.verified, "every byte was looked at once");
            assert_eq!(series.rounds.len(), 2);
            assert!(series.rounds.iter().all(|r| r.seconds > 0.0 && r.server_cpu > 0.0));
            assert_eq!(series.calls.is_none(), run.conditions.calls_uncounted.is_some());
            assert!(series.calls.is_none_or(|calls| calls >= cell.fetches), "{series:?}");
        }
    }
    let table = fs::read_to_string(format!("{out}/table.txt")).expect("written");
    assert_eq!(String::from_utf8_lossy(&output.stdout), table);
    assert!(table.contains("not compared"), "there was no nginx");

    let again = folder.path().join("again");
    let record = format!("{out}/bench.json");
    let again_text = again.to_str().expect("UTF-8");
    let output = zcprof(&["bench", "report", &record, "--out", again_text]);
    assert!(output.status.success(), "{}", text(&output));
    for name in ["table.txt", "bench.json", "throughput.svg", "cpu.svg"] {
        let first = fs::read(format!("{out}/{name}")).expect("written");
        assert!(fs::read(again.join(name)).expect("written") == first, "{name}");
    }
}

/// Two bare turns of every round, which need no privilege and no tracer.
#[test]
fn what_watching_costs_is_recorded_and_shown_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let (log, out) = (folder.path().join("log"), folder.path().join("out"));
    let (log, out) = (log.to_str().expect("UTF-8"), out.to_str().expect("UTF-8"));
    let options = ["--bytes", "1MiB", "--fetch-sizes", "64KiB,256KiB", "--rounds", "3"];
    let place = ["--watchers", "nobody-again", "--log-dir", log, "--out", out];
    let output = zcprof(&[&["bench", "watch"], &options[..], &place[..]].concat());
    if output.status.code() == Some(4) {
        eprintln!("skipped: {}", text(&output));
        return;
    }
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let json = fs::read(format!("{out}/cost.json")).expect("written");
    let run: CostRun = serde_json::from_slice(&json).expect("a record");
    assert_eq!((run.watchers.len(), run.loads.len(), run.rounds.len()), (2, 4, 3));
    for turn in run.rounds.iter().flat_map(|round| &round.turns) {
        assert!(turn.counts() && turn.watched.len() == 4 && turn.neighbour.len() == 4);
        assert!(turn.watched.iter().chain(&turn.neighbour).all(|timed| timed.seconds > 0.0));
    }
    let table = fs::read_to_string(format!("{out}/table.txt")).expect("written");
    assert_eq!(String::from_utf8_lossy(&output.stdout), table);
    assert!(table.contains("FEWER THAN 15 ROUNDS"), "{table}");
    let shown = zcprof(&["bench", "report", out, "--print"]);
    assert_eq!(String::from_utf8_lossy(&shown.stdout), table);
    let judged = text(&zcprof(&["report", &format!("{out}/cost.json")]));
    assert!(judged.contains("zcprof bench report"), "{judged}");
}

#[test]
fn what_cannot_be_benchmarked_is_refused_with_its_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let log = log.to_str().expect("UTF-8");
    for (arguments, words) in [
        (&["--consumer", "telepathy"][..], &["telepathy", "discard"][..]),
        (&["--rounds", "0"], &["--rounds"]),
        (&["--fetch-sizes", "1KiB"], &["does not fit", "1024"]),
        (&["--nginx", "/nowhere/nginx"], &["/nowhere/nginx"]),
    ] {
        let common = ["bench", "fetch", "--bytes", "1MiB", "--log-dir", log];
        let output = zcprof(&[&common[..], arguments].concat());
        let text = text(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(words.iter().all(|word| text.contains(word)), "{arguments:?}: {text}");
    }
}
