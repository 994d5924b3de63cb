//! What a table says of records of what watching costs, which are made here of known numbers.

use zcprof_common::names::transfer;
use zcprof_judge::bench::record::Placement;
use zcprof_judge::cost::record::{
    CostConditions, CostRound, CostRun, Kind, Load, SCHEMA, Timed, Turn, Watcher,
};
use zcprof_judge::cost::watcher::{BOTH, BOTH_STACKS, CALLERS, CALLERS_STACKS, NOBODY};
use zcprof_judge::record::read;
use zcprof_judge::report::cost::{render_all, table};
use zcprof_judge::run::Kernel;

/// Wall time of each load with nobody watching, in seconds.
const BARE: f64 = 2.0;

/// Names, and their wall time by that with nobody watching: of the server, and of the one beside it.
const WATCHERS: &[(&str, f64, f64)] = &[
    (NOBODY, 1.0, 1.0),
    (CALLERS, 1.02, 1.01),
    (CALLERS_STACKS, 1.03, 1.01),
    (BOTH, 1.4, 1.3),
    (BOTH_STACKS, 1.8, 1.3),
];

fn turn(watched: f64, neighbour: f64, speed: f64) -> Turn {
    let timed =
        |ratio: f64| Timed { seconds: BARE * ratio * speed, server_cpu: BARE, consumer_cpu: BARE };
    Turn {
        attach: 1.0,
        watched: vec![timed(watched); 2],
        neighbour: vec![timed(neighbour); 2],
        seen: 128,
        least: 128,
        most: Some(192),
        missed: 0,
    }
}

/// Rounds in which the machine grows slower all the time, which no ratio within a round sees.
fn record(rounds: u32) -> CostRun {
    let load =
        |transfer: &str| Load { transfer: transfer.to_owned(), fetch_size: 1 << 20, fetches: 64 };
    let watcher = |(name, ..): &(&str, f64, f64)| Watcher {
        name: (*name).to_owned(),
        program: if *name == NOBODY { String::new() } else { "zcprof 0.1.0".to_owned() },
        line: "zcprof watch --pid PID".to_owned(),
        witness: Some("the bytes that were sent".to_owned()),
    };
    let round = |at: u32| CostRound {
        turns: WATCHERS
            .iter()
            .map(|(_, watched, neighbour)| turn(*watched, *neighbour, 1.0 + f64::from(at) / 10.0))
            .collect(),
    };
    CostRun {
        schema: SCHEMA,
        kind: Kind::Cost,
        zcprof: "0.1.0".to_owned(),
        kernel: Kernel {
            release: "6.12.0".to_owned(),
            version: "#1".to_owned(),
            machine: "x86_64".to_owned(),
            cpus: 2,
            hypervisor: Some("TCG".to_owned()),
        },
        conditions: CostConditions {
            payload: 64 << 20,
            consumer: "discard".to_owned(),
            file_system: "ext4".to_owned(),
            network: "TCP over lo".to_owned(),
            placement: Placement::Apart { servers: 0, consumer: 1 },
        },
        watchers: WATCHERS.iter().map(watcher).collect(),
        loads: [transfer::SENDFILE, transfer::READ_WRITE].map(load).to_vec(),
        rounds: (0..rounds).map(round).collect(),
    }
}

/// The line about a pair, a transfer, and one of the two servers.
fn line<'a>(text: &'a str, pair: &str, transfer: &str, beside: bool) -> &'a str {
    let (_, bounds) = text.split_once("Bounds").expect("bounds");
    let found = bounds.lines().find(|line| {
        line.starts_with(&format!("{pair} "))
            && line.contains(&format!("{transfer} 1 MiB"))
            && line.contains("beside") == beside
    });
    found.unwrap_or_else(|| panic!("no {pair} of {transfer} in {bounds}"))
}

#[test]
fn a_bound_is_judged_by_ratios_within_a_round() {
    let text = table(&record(15));
    let ends = |pair: &str, transfer: &str, beside: bool, finding: &str| {
        let words: Vec<_> = line(&text, pair, transfer, beside).split_whitespace().collect();
        assert!(words.join(" ").ends_with(finding), "{words:?}");
    };
    ends("callers by nobody", "sendfile", false, "1.03 1.020 1.020 to 1.020 kept");
    ends("callers by nobody", "sendfile", true, "kept");
    ends("both by nobody", "sendfile", false, "1.400 1.400 to 1.400 EXCEEDED");
    ends("both by nobody", "sendfile", true, "1.300 1.300 to 1.300 EXCEEDED");
    ends("both by nobody", "read_write", false, "kept");
    ends("callers+stacks by callers", "read_write", false, "kept");
    ends("both+stacks by both", "read_write", false, "EXCEEDED");
    assert!(text.contains("only ratios within this run do") && !text.contains("FEWER"), "{text}");
    let wide: Vec<_> = text.lines().filter(|line| line.chars().count() > 100).collect();
    assert!(wide.is_empty(), "{wide:#?}");
}

#[test]
fn few_rounds_say_nothing_of_bounds() {
    let text = table(&record(14));
    assert!(text.contains("FEWER THAN 15 ROUNDS"), "{text}");
    let (_, bounds) = text.split_once("Bounds").expect("bounds");
    assert!(!bounds.contains("kept") && !bounds.contains("EXCEEDED"), "{bounds}");
    assert_eq!(bounds.matches("too few rounds").count(), 16);
    // Of no round there is no number either.
    assert!(table(&record(0)).contains("not timed"));
}

#[test]
fn a_watcher_that_did_not_see_the_loads_costs_nothing_known() {
    for (seen, why) in [(127, "too little"), (200, "the neighbour's too")] {
        let mut run = record(15);
        run.rounds[3].turns[1].seen = seen;
        let text = table(&run);
        let line = line(&text, "callers by nobody", "sendfile", false);
        assert!(line.ends_with("too few rounds"), "{why}: {line}");
        assert!(text.lines().any(|l| l.starts_with("callers ") && l.ends_with("1/15")), "{text}");
        let untouched = text.lines().find(|line| line.starts_with("both ")).expect("a line");
        assert!(untouched.ends_with("0/15"), "{untouched}");
    }
}

#[test]
fn a_round_without_a_bare_turn_tells_nothing() {
    let mut run = record(15);
    for round in &mut run.rounds {
        round.turns[0].watched.clear();
    }
    let text = table(&run);
    let (_, bounds) = text.split_once("Bounds").expect("bounds");
    let watched: Vec<_> = bounds.lines().filter(|line| !line.contains("beside")).collect();
    assert!(!watched.iter().any(|line| line.contains("by nobody")), "{bounds}");
    assert!(watched.iter().any(|line| line.contains("by callers")), "stacks beside no stacks");
    run.watchers.remove(0);
    assert!(table(&run).contains("nothing to compare with"));
}

#[test]
fn the_record_is_read_again_and_is_of_a_kind_of_its_own() {
    let run = record(2);
    let files = render_all(&run).expect("rendered");
    let (_, json) = files.iter().find(|(name, _)| *name == "cost.json").expect("the record");
    let again: CostRun = read(json).expect("read");
    assert_eq!(again.watchers, run.watchers);
    assert_eq!(table(&again), table(&run));
    let wrong = read::<zcprof_judge::bench::record::BenchRun>(json).expect_err("another kind");
    let said = "it is what watching costs, not a benchmark: `zcprof bench report` renders it";
    assert_eq!(wrong.to_string(), said);
}
