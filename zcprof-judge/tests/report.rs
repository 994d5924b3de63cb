//! Every format of every run under tests/golden, byte by byte, and the schemas of the records.
//! `BLESS=1 cargo test --test report` writes what is rendered now; look at it before you commit.

#![expect(clippy::disallowed_methods, reason = "goldens are files; the judge opens none")]

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use zcprof_common::sites::{SITES, Site};
use zcprof_common::vocabulary::Instrument;
use zcprof_judge::bench::record::BenchRun;
use zcprof_judge::cost::record::CostRun;
use zcprof_judge::doctor::record::Diagnosis;
use zcprof_judge::matrix::Matrix;
use zcprof_judge::record::Record;
use zcprof_judge::report::terminal::{Detail, Terminal, show};
use zcprof_judge::report::{FORMATS, bench, cost, doctor, matrix, render_all, schema, watch};
use zcprof_judge::run::{Cache, ClaimOverride, Probe, ProbeState, Run, StorageLayer};
use zcprof_judge::watch::Watch;

/// The runs: four classic transfers that hold; a refuted claim beside inconclusive passes;
/// system calls only.
const RUNS: [&str; 4] = ["classic", "transfers", "refuted", "syscalls"];

/// A page repeats what stands beside it: `pages.rs` says what must be true of it.
const PAGE: &str = "report.html";

fn golden(run: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(run)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A run as it is in its file. One that was measured before a site was known says nothing of it, so
/// that nothing holds: `BLESS` puts the site down as one that was not needed.
fn load(run: &str) -> Run {
    static BLESSING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = BLESSING.lock();
    let path = golden(run).join("run.json");
    let mut known: Run = serde_json::from_str(&read(&path))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if env::var_os("BLESS").is_some() {
        let has = |site: &&Site| known.coverage.probes.iter().any(|probe| probe.site == site.name);
        let new: Vec<_> = SITES.iter().filter(|site| !has(site)).collect();
        known.coverage.probes.extend(new.into_iter().map(|site| Probe {
            site: site.name.to_owned(),
            instrument: site.instrument,
            state: ProbeState::NotNeeded { reason: "not known when this was measured".to_owned() },
        }));
        let leaves = first_leaves(&known);
        for pass in known.passes.iter_mut().filter(|pass| pass.leaves.is_empty()) {
            pass.leaves.extend((!leaves.is_empty()).then(|| leaves.clone()));
        }
        let text = serde_json::to_string_pretty(&known).expect("a record") + "\n";
        fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    known
}

/// The leaves that were watched before passes said which.
fn first_leaves(run: &Run) -> Vec<String> {
    let is_leaf = |probe: &&Probe| {
        probe.instrument == Instrument::Audit && matches!(probe.state, ProbeState::Attached { .. })
    };
    run.coverage.probes.iter().filter(is_leaf).map(|probe| probe.site.clone()).collect()
}

/// Compares with a file, or writes it.
fn same(path: &Path, now: &str) -> Result<(), String> {
    if env::var_os("BLESS").is_some() {
        return fs::write(path, now).map_err(|error| format!("{}: {error}", path.display()));
    }
    let known = read(path);
    if known == now { Ok(()) } else { Err(difference(path, &known, now)) }
}

/// The first lines that differ, so that a failure can be read.
fn difference(path: &Path, known: &str, now: &str) -> String {
    let lines = known.lines().count().max(now.lines().count());
    let differing = (0..lines)
        .map(|at| (at + 1, known.lines().nth(at), now.lines().nth(at)))
        .filter(|(_, known, now)| known != now);
    let mut text = format!("{} differs (BLESS=1 rewrites it):", path.display());
    for (at, known, now) in differing.take(5) {
        let (known, now) = (known.unwrap_or(""), now.unwrap_or(""));
        // Writing to a String cannot fail.
        let _ = write!(text, "\n  line {at}\n  - {known}\n  + {now}");
    }
    text
}

#[test]
fn formats_equal_their_goldens() {
    let mut failures = Vec::new();
    for name in RUNS {
        for (format, bytes) in render_all(&load(name)).expect("rendered") {
            if format.file_name == PAGE {
                continue;
            }
            let text = String::from_utf8(bytes).expect("every format is text");
            failures.extend(same(&golden(name).join(format.file_name), &text).err());
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// What a terminal of 80 columns shows ends with five lines, and colours add no word.
#[test]
fn a_terminal_is_told_the_verdict_last() {
    let mut failures = Vec::new();
    for name in RUNS {
        let run = load(name);
        let mut terminal =
            Terminal { width: 80, colour: false, program: "zcprof", place: Some("reports") };
        let text = show(&run, Detail::Brief, &terminal).expect("shown");
        failures.extend(same(&golden(name).join("terminal.txt"), &text).err());
        let labels: Vec<_> = text.lines().rev().take(5).map(|l| l.split(' ').next()).collect();
        let wanted = ["Next:", "Reports:", "Exit:", "Cause:", "Verdict:"].map(Some);
        assert_eq!(labels, wanted, "{text}");
        terminal.colour = true;
        let coloured = show(&run, Detail::Brief, &terminal).expect("shown");
        let bare: Vec<_> = coloured.split('\x1b').collect();
        let bare = bare.iter().enumerate().map(|(at, part)| {
            if at == 0 { *part } else { part.split_once('m').expect("a colour's end").1 }
        });
        assert_eq!(bare.collect::<String>(), text);
        terminal.place = None;
        for detail in [Detail::Wide, Detail::Full] {
            let text = show(&run, detail, &terminal).expect("shown");
            assert!(text.contains("--out DIR"), "{text}");
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A pass whose claim begins at storage is no zero-copy where storage has the CPU copy; over a device
/// it is.
#[test]
fn zero_copy_begins_where_the_claim_begins() {
    let answers = |kind: &str| {
        let mut run = load("transfers");
        run.workload.storage =
            vec![StorageLayer { kind: kind.to_owned(), name: "here".to_owned() }];
        run.passes.retain(|pass| pass.transfer == "sendfile");
        let claim = |cold| if cold { "zero-copy-from-storage" } else { "zero-copy" };
        for pass in &mut run.passes {
            pass.claim = Some(claim(pass.cache == Cache::Cold).to_owned());
        }
        let terminal = Terminal { width: 100, colour: false, program: "zcprof", place: None };
        let text = show(&run, Detail::Brief, &terminal).expect("shown");
        let rows = text.lines().filter(|line| line.starts_with("sendfile"));
        let answer = |row: &str| row.split_whitespace().nth(3).map(str::to_owned);
        rows.filter_map(answer).collect::<Vec<_>>()
    };
    assert_eq!(answers("ram"), ["no", "yes"], "cold, then warm");
    assert_eq!(answers("virtio_blk"), ["yes", "yes"]);
    assert_eq!(answers("a device that nobody knows"), ["unknown", "yes"]);
}

/// A copy that refutes a claim has its code in the picture where it happened, in red; the same copy
/// has none where it was claimed.
#[test]
fn the_guilty_copy_is_in_the_picture_with_its_code() {
    let path = FORMATS.iter().find(|format| format.name == "path").expect("listed");
    let drawn = |run: &Run| String::from_utf8((path.render)(run).expect("drawn")).expect("text");
    let mut run = load("transfers");
    let claimed = drawn(&run);
    assert!(claimed.contains("copied later") && !claimed.contains("ZC105"), "as claimed");
    let (transfer, claim) = ("msg_zerocopy".to_owned(), "zero-copy".to_owned());
    run.claims.push(ClaimOverride { transfer, claim });
    let refuted = drawn(&run);
    let tree = roxmltree::Document::parse(&refuted).expect("XML");
    let texts = tree.descendants().filter(|node| node.has_tag_name("text"));
    let codes = texts.filter(|node| node.text().is_some_and(|text| text.contains("ZC105")));
    let said: Vec<_> = codes.filter_map(|node| node.text()).collect();
    let in_red = tree.descendants().filter(|node| {
        let class = node.attribute("class").unwrap_or_default();
        node.has_tag_name("text") && class.split(' ').any(|class| class == "f-red")
    });
    let in_red: Vec<_> = in_red.filter_map(|node| node.text()).collect();
    assert!(
        in_red.len() == 1 && in_red[0].contains("copied later ZC105"),
        "{in_red:?} of {said:?}"
    );
}

/// A window with stacks, made by hand. What is packed has bytes that are its packer's.
#[test]
fn a_watched_window_equals_its_goldens() {
    let path = golden("watch").join("watch.json");
    let known: Watch = serde_json::from_str(&read(&path)).expect("a record");
    let mut failures = Vec::new();
    for (name, bytes) in watch::render_all(&known).expect("rendered") {
        if name == PAGE {
            continue;
        }
        if let Ok(text) = String::from_utf8(bytes) {
            failures.extend(same(&golden("watch").join(name), &text).err());
        } else {
            assert_eq!(name, "stacks.pb.gz");
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The transfers and nginx, over nine cells.
const BENCH: &str = "bench";

fn load_bench() -> BenchRun {
    let path = golden(BENCH).join("bench.json");
    serde_json::from_str(&read(&path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn a_benchmark_equals_its_goldens() {
    let mut failures = Vec::new();
    for (name, bytes) in bench::render_all(&load_bench()).expect("rendered") {
        if name == PAGE {
            continue;
        }
        let text = String::from_utf8(bytes).expect("every format is text");
        failures.extend(same(&golden(BENCH).join(name), &text).err());
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_benchmarks_table_fits_a_terminal_and_ends_with_the_comparison() {
    let text = bench::table(&load_bench());
    let wide: Vec<_> = text.lines().filter(|line| line.chars().count() > 120).collect();
    assert!(wide.is_empty(), "{wide:#?}");
    let (_, end) = text.split_once("sendfile by nginx sendfile").expect("compared");
    assert_eq!(end.matches("Throughput ratio").count(), 3, "one for each number of connections");
    assert_eq!(end.matches("Server CPU ratio").count(), 3);
    assert_eq!(end.matches("5 rounds are too few").count(), 6, "of five rounds");
}

/// Bytes that were never looked at, or were wrong, win nothing.
#[test]
fn an_unverified_contestant_is_not_compared() {
    let mut run = load_bench();
    let ours = run.contestants.iter().position(|c| c.name == "sendfile").expect("it took part");
    run.cells.iter_mut().for_each(|cell| cell.series[ours].verified = false);
    let text = bench::table(&run);
    assert!(text.contains("NOT EVERY BYTE WAS RIGHT: sendfile"), "{text}");
    let (_, end) = text.split_once("sendfile by nginx sendfile").expect("compared");
    assert!(
        !end.contains("% more") && !end.contains("% less") && end.contains("inconclusive"),
        "{end}"
    );
}

#[test]
fn benchmarks_without_rounds_cells_or_nginx_still_render() {
    let mut run = load_bench();
    run.cells.iter_mut().flat_map(|cell| &mut cell.series).for_each(|s| s.rounds.clear());
    bench::render_all(&run).expect("without rounds");
    assert!(bench::table(&run).contains("not timed"));
    run.contestants.retain(|contestant| !contestant.name.starts_with("nginx"));
    assert!(bench::table(&run).contains("not compared"));
    run.cells.clear();
    bench::render_all(&run).expect("without cells");
}

/// A kernel that shows everything; one that refuses breakpoints and programs that trace; that one
/// without privileges; and one whose breakpoint slots are taken.
const DIAGNOSES: [&str; 4] = ["complete", "refused", "unprivileged", "slots"];

fn load_diagnosis(name: &str) -> Diagnosis {
    let path = golden("doctor").join(name).with_extension("json");
    serde_json::from_str(&read(&path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn diagnoses_equal_their_goldens() {
    let mut failures = Vec::new();
    for name in DIAGNOSES {
        let (path, diagnosis) = (golden("doctor").join(name), load_diagnosis(name));
        let text = doctor::table(&diagnosis);
        failures.extend(same(&path.with_extension("txt"), &text).err());
        let short = doctor::short(&diagnosis);
        failures.extend(same(&path.with_extension("short.txt"), &short).err());
        assert!(short.lines().count() <= 12, "{name}: {short}");
        let json = String::from_utf8(doctor::json(&diagnosis).expect("rendered")).expect("text");
        failures.extend(same(&path.with_extension("json"), &json).err());
        let wide: Vec<_> = text.lines().filter(|line| line.chars().count() > 100).collect();
        assert!(wide.is_empty(), "{name}: {wide:#?}");
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// What `cargo xtask run` shows is the first paragraph.
#[test]
fn a_diagnosis_begins_with_every_instrument_and_its_remedy() {
    for name in DIAGNOSES {
        let diagnosis = load_diagnosis(name);
        let text = doctor::table(&diagnosis);
        let (first, _) = text.split_once("\n\n").expect("paragraphs");
        let words = first.split_whitespace().collect::<Vec<_>>().join(" ");
        for watch in &diagnosis.instruments {
            assert!(words.contains(watch.instrument.name()), "{name}: {first}");
            assert_eq!(watch.code.is_none(), watch.complete, "{name}: {first}");
        }
        let judging = diagnosis.instruments.iter().filter(|w| w.instrument.name() != "syscalls");
        assert_eq!(diagnosis.complete, judging.clone().all(|watch| watch.complete), "{name}");
        for watch in judging.filter(|watch| !watch.complete) {
            let its = diagnosis.holes.iter().find(|hole| hole.instrument == watch.instrument);
            let remedy = &its.expect("a hole has a remedy").remedy;
            assert!(words.contains(remedy.as_str()), "{name}: {remedy:?} in {first}");
        }
    }
}

#[test]
fn rendering_twice_gives_the_same_bytes() {
    for name in RUNS {
        let run = load(name);
        for format in FORMATS {
            let once = (format.render)(&run).expect("rendered");
            let again = (format.render)(&run).expect("rendered");
            assert!(once == again, "{name}: {}", format.name);
        }
    }
}

#[test]
fn the_table_of_the_classics_fits_a_terminal() {
    for name in RUNS {
        let table = FORMATS.iter().find(|format| format.name == "table").expect("listed");
        let text = String::from_utf8((table.render)(&load(name)).expect("rendered")).expect("text");
        // All transfers show every column that there is.
        let most = if name == "transfers" { 140 } else { 120 };
        let wide: Vec<_> = text.lines().filter(|line| line.chars().count() > most).collect();
        assert!(wide.is_empty(), "{name}: {wide:#?}");
    }
}

#[test]
fn every_number_from_system_calls_alone_is_presumed() {
    for (format, bytes) in render_all(&load("syscalls")).expect("rendered") {
        let text = String::from_utf8(bytes).expect("text").to_lowercase();
        let says = text.contains("presumed from system calls");
        assert!(says || matches!(format.name, "json" | "time"), "{}", format.name);
    }
}

#[test]
fn a_run_without_passes_and_one_without_payload_still_render() {
    let mut run = load("classic");
    run.passes.iter_mut().for_each(|pass| pass.payload.bytes = 0);
    render_all(&run).expect("without payload");
    run.passes.clear();
    run.timings.clear();
    run.coverage.probes.clear();
    render_all(&run).expect("without passes");
}

#[test]
fn the_schema_is_in_step_with_the_record() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports/run.schema.json");
    same(&path, &schema()).unwrap_or_else(|failure| panic!("{failure}"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports/bench.schema.json");
    same(&path, &bench::schema()).unwrap_or_else(|failure| panic!("{failure}"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports/cost.schema.json");
    same(&path, &cost::schema()).unwrap_or_else(|failure| panic!("{failure}"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports/doctor.schema.json");
    same(&path, &doctor::schema()).unwrap_or_else(|failure| panic!("{failure}"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports/matrix.schema.json");
    same(&path, &matrix::schema()).unwrap_or_else(|failure| panic!("{failure}"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports/watch.schema.json");
    same(&path, &watch::schema()).unwrap_or_else(|failure| panic!("{failure}"));
}

/// A schema is known by the kind of record and the version that readers ask for.
#[test]
fn a_schema_has_the_identity_of_its_record() {
    fn of<T: Record>(name: &str, schema: &str) {
        let schema: serde_json::Value = serde_json::from_str(schema).expect("JSON");
        assert_eq!(schema["$id"], format!("zcprof.{name}/{}", T::SCHEMA));
    }
    of::<Run>("run", &schema());
    of::<BenchRun>("bench", &bench::schema());
    of::<CostRun>("cost", &cost::schema());
    of::<Diagnosis>("doctor", &doctor::schema());
    of::<Matrix>("matrix", &matrix::schema());
    of::<Watch>("watch", &watch::schema());
}

/// Cells that hold, that are refuted, inconclusive and off, in more than one panel.
#[test]
fn a_matrix_equals_its_goldens() {
    let folder = golden("matrix");
    let known: Matrix = serde_json::from_str(&read(&folder.join("matrix.json"))).expect("parses");
    let mut failures = Vec::new();
    for (name, bytes) in matrix::render_all(&known).expect("rendered") {
        if name == PAGE {
            continue;
        }
        let text = String::from_utf8(bytes).expect("every format is text");
        failures.extend(same(&folder.join(name), &text).err());
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
