//! Who is called better by a benchmark's pictures, page and table: only whom the rounds show so, and all
//! of them say the same.

#![expect(clippy::disallowed_methods, reason = "goldens are files; the judge opens none")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use zcprof_judge::bench::record::{BenchRun, Contestant, Round, Series};
use zcprof_judge::report::bench;

/// The golden benchmark's cell of 1 MiB over one connection, with these contestants and the seconds, of
/// the clock and of the CPU, of their rounds.
fn benchmark(rounds: &[(&str, &[f64])]) -> BenchRun {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/bench/bench.json");
    let mut run: BenchRun =
        serde_json::from_slice(&fs::read(path).expect("a golden")).expect("a record");
    let template = run.contestants[0].clone();
    let named = |name: &str| Contestant { name: name.to_owned(), ..template.clone() };
    run.contestants = rounds.iter().map(|(name, _)| named(name)).collect();
    run.cells.retain(|cell| cell.fetch_size == 1 << 20 && cell.connections == 1);
    let cell = &mut run.cells[0];
    let series = cell.series[0].clone();
    let round = series.rounds[0];
    let made = |seconds: &f64| Round { seconds: *seconds, server_cpu: *seconds, ..round };
    cell.series = rounds
        .iter()
        .map(|(_, rounds)| Series { rounds: rounds.iter().map(made).collect(), ..series.clone() })
        .collect();
    run
}

/// What the titles of throughput and CPU say after their colon. The page says both; so does the table,
/// if the two that it compares took part.
fn said(run: &BenchRun) -> [String; 2] {
    let files: BTreeMap<_, _> = bench::render_all(run).expect("rendered").into_iter().collect();
    let text = |name: &str| String::from_utf8(files[name].clone()).expect("text");
    // What throughput is, the page is called.
    [("throughput.svg", "h1"), ("cpu.svg", "p")].map(|(name, element)| {
        let svg = text(name);
        let tree = roxmltree::Document::parse(&svg).expect("XML");
        let title = tree.descendants().find(|node| node.has_tag_name("title"));
        let title = title.and_then(|node| node.text()).expect("a title");
        let shown = format!("<{element}>{title}</{element}>");
        assert!(text("report.html").contains(&shown), "{title}");
        let (_, said) = title.split_once(": ").expect("a finding");
        let words = said.strip_prefix("over 1 connection, ").expect("where").to_owned();
        if title.contains("sendfile against nginx sendfile") {
            assert!(text("table.txt").contains(&format!(" {words}\n")), "{title}");
        }
        words
    })
}

/// The same of the two that the table compares, and of two others.
fn both(ours: &[f64], theirs: &[f64]) -> [[String; 2]; 2] {
    [["sendfile", "nginx sendfile"], ["splice", "writev"]]
        .map(|[one, other]| said(&benchmark(&[(one, ours), (other, theirs)])))
}

#[test]
fn medians_that_differ_name_nobody_if_the_interval_contains_one() {
    let [pair, all] = both(&[1.0; 6], &[0.8, 0.8, 0.8, 0.8, 1.2, 1.2]);
    assert_eq!(pair, ["6 rounds show no difference"; 2]);
    assert_eq!(all, ["no difference is shown between splice and writev"; 2]);
}

#[test]
fn who_is_ahead_is_named_with_the_ratio_if_the_interval_excludes_one() {
    let [pair, all] = both(&[1.08; 6], &[1.0; 6]);
    assert_eq!(pair, ["sendfile sends 7.4 % less", "sendfile needs 8.0 % more"]);
    let named = ["writev sends at least 8.0 % more", "writev needs at least 7.4 % less"];
    assert_eq!(all, named.map(|named| format!("{named} than any other")));
}

#[test]
fn fewer_than_six_rounds_show_no_ranking() {
    let few = "5 rounds are too few for a ranking";
    assert_eq!(both(&[1.0; 5], &[2.0; 5]), [[few; 2]; 2]);
}

/// The second needs less in eight of nine rounds, though its median is greater.
#[test]
fn the_ratio_within_rounds_decides_against_the_medians() {
    let ours = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0];
    let theirs = [0.9, 1.9, 2.9, 3.9, 5.5, 5.9, 6.9, 7.9, 8.9];
    let [pair, all] = both(&ours, &theirs);
    assert_eq!(pair, ["sendfile sends 1.7 % less", "sendfile needs 1.7 % more"]);
    assert!(all.iter().all(|said| said.starts_with("writev")), "{all:?}");
}

/// Bytes that were never looked at, or were wrong, win nothing.
#[test]
fn whose_bytes_were_not_verified_is_not_ranked() {
    let mut run = benchmark(&[("sendfile", &[1.0; 6]), ("nginx sendfile", &[2.0; 6])]);
    run.cells[0].series[0].verified = false;
    assert_eq!(said(&run), ["inconclusive: not every byte was verified"; 2]);
    let (slow, fast) = ([2.0; 6], [1.0; 6]);
    let mut run = benchmark(&[("splice", &slow), ("writev", &slow), ("tls", &fast)]);
    run.cells[0].series[2].verified = false;
    assert_eq!(said(&run), ["no difference is shown between splice and writev"; 2]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Pictures, page and table agree, and less than six rounds never rank.
    #[test]
    fn all_say_the_same(rounds in prop::collection::vec((0.1..10.0_f64, 0.1..10.0_f64), 1..12)) {
        let (ours, theirs): (Vec<_>, Vec<_>) = rounds.iter().copied().unzip();
        for said in both(&ours, &theirs).iter().flatten() {
            let ranked = said.contains('%');
            let above = rounds.iter().filter(|(ours, theirs)| ours > theirs).count();
            let even = above > 0 && above < rounds.len();
            // From six to eight rounds the interval is from the least to the greatest ratio.
            prop_assert!(!(ranked && (rounds.len() < 6 || rounds.len() < 9 && even)), "{}", said);
            prop_assert!(rounds.len() < 6 || even || ranked, "{}", said);
        }
    }
}
