//! Every picture of every golden and of every committed record, and some that are made to be hard: no text
//! leaves its picture or its box, lies on another text, or is crossed by a line; no name is broken; all of
//! it is told to those who do not see it, and can be read on white paper and on dark.

#![expect(clippy::disallowed_methods, reason = "goldens are files; the judge opens none")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use roxmltree::{Document, Node};
use zcprof_judge::bench::record::BenchRun;
use zcprof_judge::matrix::Matrix;
use zcprof_judge::report::{bench, matrix, render_all, watch};
use zcprof_judge::run::{ClaimOverride, Run};
use zcprof_judge::watch::Watch;

#[path = "../src/report/advances.rs"]
mod advances;

/// How far letters reach above and below their line, in thousandths of the size (DejaVu Sans: `d` and `p`).
const ASCENT: f64 = 0.76;
const DESCENT: f64 = 0.21;

/// Least size of letters, in pixels, where a picture is as wide as a README (800 pixels).
const SMALLEST: f64 = 8.0;

/// A part of the picture, in the order in which parts are drawn.
enum Shape {
    Text {
        area: Area,
        text: String,
        size: f64,
    },
    Block(Area),
    /// A triangle, such as the head of an arrow.
    Mark(Area),
    Line([f64; 4]),
}

#[derive(Clone, Copy, Debug)]
struct Area {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Area {
    /// Whether they share more than an edge.
    fn meets(&self, other: &Self) -> bool {
        let apart = |low: f64, high: f64| high - low < 0.5;
        !apart(self.left.max(other.left), self.right.min(other.right))
            && !apart(self.top.max(other.top), self.bottom.min(other.bottom))
    }

    /// Whether the other lies within; a pixel may be missing.
    fn holds(&self, other: &Self) -> bool {
        other.left >= self.left - 1.0
            && other.right <= self.right + 1.0
            && other.top >= self.top - 1.0
            && other.bottom <= self.bottom + 1.0
    }

    fn has_the_middle_of(&self, other: &Self) -> bool {
        let x = f64::midpoint(other.left, other.right);
        let y = f64::midpoint(other.top, other.bottom);
        (self.left..=self.right).contains(&x) && (self.top..=self.bottom).contains(&y)
    }

    /// Whether a line, which is level, upright or slanted, runs through.
    fn is_crossed_by(&self, [x1, y1, x2, y2]: [f64; 4]) -> bool {
        let steps = 64_u32;
        (0..=steps).any(|step| {
            let way = f64::from(step) / f64::from(steps);
            let (x, y) = (x1 + (x2 - x1) * way, y1 + (y2 - y1) * way);
            x > self.left + 1.0
                && x < self.right - 1.0
                && y > self.top + 1.0
                && y < self.bottom - 1.0
        }) || (self.top + 1.0 < y1 && y1 < self.bottom - 1.0 && (y1 - y2).abs() < 0.01)
            && x1.min(x2) < self.right - 1.0
            && x1.max(x2) > self.left + 1.0
    }
}

fn number(node: Node<'_, '_>, name: &str) -> f64 {
    let value = node.attribute(name).unwrap_or("0");
    value.parse().unwrap_or_else(|_| panic!("{name}={value:?}"))
}

fn has_class(node: Node<'_, '_>, name: &str) -> bool {
    node.attribute("class").is_some_and(|class| class.split(' ').any(|one| one == name))
}

/// Size, boldness and advance of a text: flame graphs say them by class.
fn letters(node: Node<'_, '_>) -> (f64, bool, Option<f64>) {
    if node.attribute("font-size").is_some() {
        return (number(node, "font-size"), has_class(node, "b"), None);
    }
    match node.attribute("class") {
        Some("t") => (20.0, true, None),
        Some("s") => (13.0, false, None),
        // DejaVu Sans Mono.
        _ => (11.0, false, Some(0.602)),
    }
}

fn text(node: Node<'_, '_>) -> Shape {
    let text = node.text().unwrap_or_default().to_owned();
    let (size, bold, mono) = letters(node);
    let wide = |letter| mono.unwrap_or_else(|| f64::from(advances::advance(letter, bold)) / 1000.0);
    let width = text.chars().map(wide).sum::<f64>() * size;
    let (x, y) = (number(node, "x"), number(node, "y"));
    let left = match () {
        () if has_class(node, "m") => x - width / 2.0,
        () if has_class(node, "e") => x - width,
        () => x,
    };
    let area =
        Area { left, top: y - size * ASCENT, right: left + width, bottom: y + size * DESCENT };
    Shape::Text { area, text, size }
}

fn block(node: Node<'_, '_>) -> Area {
    let (left, top) = (number(node, "x"), number(node, "y"));
    Area { left, top, right: left + number(node, "width"), bottom: top + number(node, "height") }
}

fn mark(node: Node<'_, '_>) -> Area {
    let numbers = node.attribute("points").unwrap_or_default().split([' ', ',']);
    let numbers: Vec<f64> = numbers.map(|number| number.parse().expect("a number")).collect();
    let ends = |from: usize| {
        let all = numbers.iter().skip(from).step_by(2).copied();
        (all.clone().fold(f64::MAX, f64::min), all.fold(f64::MIN, f64::max))
    };
    let ((left, right), (top, bottom)) = (ends(0), ends(1));
    Area { left, top, right, bottom }
}

fn parts(svg: &Document<'_>) -> Vec<Shape> {
    let inside = |node: &Node<'_, '_>| {
        !node.ancestors().any(|above| above.has_tag_name("defs") || above.has_tag_name("style"))
    };
    let part = |node: Node<'_, '_>| match node.tag_name().name() {
        "text" => Some(text(node)),
        "rect" => Some(Shape::Block(block(node))),
        "polygon" => Some(Shape::Mark(mark(node))),
        "line" => Some(Shape::Line(["x1", "y1", "x2", "y2"].map(|name| number(node, name)))),
        _ => None,
    };
    svg.descendants().filter(inside).filter_map(part).collect()
}

/// What is wrong with the layout of a picture.
fn faults(svg: &Document<'_>) -> Vec<String> {
    let root = svg.root_element();
    let whole =
        Area { left: 0.0, top: 0.0, right: number(root, "width"), bottom: number(root, "height") };
    let parts = parts(svg);
    let mut faults = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let Shape::Text { area, text, size } = part else { continue };
        if !whole.holds(area) {
            faults.push(format!("{text:?} leaves the picture: {area:?}"));
        }
        if has_class(root, "zp") && size * 800.0 / whole.right < SMALLEST {
            faults.push(format!("{text:?} is {size} pixels high"));
        }
        if text.ends_with('_') {
            faults.push(format!("{text:?} breaks a name"));
        }
        for (other_at, other) in parts.iter().enumerate() {
            match other {
                Shape::Text { area: other, text: words, .. }
                    if other_at > at && area.meets(other) =>
                {
                    faults.push(format!("{text:?} and {words:?} overlap"));
                }
                Shape::Block(other) if other_at > at && area.meets(other) => {
                    faults.push(format!("{text:?} is covered by {other:?}"));
                }
                Shape::Mark(other) if area.meets(other) => {
                    faults.push(format!("{text:?} is touched by {other:?}"));
                }
                // What reaches from edge to edge is ground, and no box.
                Shape::Block(other)
                    if other.right - other.left < whole.right
                        && other.has_the_middle_of(area)
                        && !other.holds(area) =>
                {
                    faults.push(format!("{text:?} at {area:?} does not fit {other:?}"));
                }
                Shape::Line(line) if area.is_crossed_by(*line) => {
                    let covered = parts[other_at..at.max(other_at)]
                        .iter()
                        .any(|part| matches!(part, Shape::Block(halo) if halo.holds(area)));
                    if !covered {
                        faults.push(format!("{text:?} is crossed by {line:?}"));
                    }
                }
                _ => {}
            }
        }
    }
    faults
}

/// What is wrong with what is told of it, and with its colours.
fn untold(svg: &Document<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    let root = svg.root_element();
    let ids: Vec<&str> = svg.descendants().filter_map(|node| node.attribute("id")).collect();
    if ids.iter().collect::<BTreeSet<_>>().len() != ids.len() {
        faults.push(format!("not each identifier once: {ids:?}"));
    }
    let named = |id: &str| {
        let node = svg.descendants().find(|node| node.attribute("id") == Some(id));
        node.and_then(|node| node.text()).unwrap_or_default().trim().to_owned()
    };
    let labels = root.attribute("aria-labelledby").unwrap_or_default();
    let told: Vec<String> = labels.split(' ').map(named).collect();
    if root.attribute("role") != Some("img") || told.len() != 2 || told.contains(&String::new()) {
        faults.push(format!("no role, title or description: {told:?}"));
    }
    let style = svg.descendants().find(|node| node.has_tag_name("style"));
    let style = style.and_then(|node| node.text()).unwrap_or_default();
    let (light, dark) = style.split_once("@media").unwrap_or_default();
    let classes: BTreeSet<&str> = svg
        .descendants()
        .filter_map(|node| node.attribute("class"))
        .flat_map(|c| c.split(' '))
        .collect();
    for class in classes.iter().filter(|class| class.starts_with("f-") || class.starts_with("s-")) {
        if !light.contains(&format!(".{class}{{")) || !dark.contains(&format!(".{class}{{")) {
            faults.push(format!("{class} has no colour on white, or on dark"));
        }
    }
    // Letters that are not turned round in a box of their own can be read on the paper.
    let written = svg.descendants().filter(|node| node.has_tag_name("text"));
    let written: BTreeSet<&str> = written
        .filter_map(|node| node.attribute("class"))
        .flat_map(|class| class.split(' '))
        .filter(|class| class.starts_with("f-") && *class != "f-white")
        .collect();
    for class in written {
        for (rules, paper) in [(light, "paper-all"), (dark, "paper-all")] {
            let contrast = contrast(colour(rules, class), colour(rules, paper));
            if contrast < 4.5 {
                faults.push(format!("{class} has a contrast of {contrast:.1}"));
            }
        }
    }
    faults
}

/// The colour of a class, as red, green and blue from 0 to 1.
fn colour(rules: &str, class: &str) -> [f64; 3] {
    let rule = rules.split_once(&format!(".{class}{{fill:#")).map_or("", |(_, rest)| rest);
    let digits: String = rule.chars().take_while(char::is_ascii_hexdigit).collect();
    let step = digits.len() / 3;
    [0, 1, 2].map(|at| {
        let part = &digits[at * step..(at + 1) * step];
        let part = if step == 1 { part.repeat(2) } else { part.to_owned() };
        f64::from(u8::from_str_radix(&part, 16).expect("a colour")) / 255.0
    })
}

/// By WCAG 2.2, "contrast ratio".
fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
    let light = |colour: [f64; 3]| {
        let [red, green, blue] = colour.map(|part| {
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    };
    let (one, other) = (light(one), light(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// A record's pictures by name.
type Pictures = Vec<(String, String)>;

fn pictures(of: &str, files: Vec<(&'static str, Vec<u8>)>) -> Pictures {
    let is_picture = |name: &str| Path::new(name).extension().is_some_and(|ending| ending == "svg");
    let drawn = files.into_iter().filter(|(name, _)| is_picture(name));
    drawn
        .map(|(name, svg)| (format!("{of}/{name}"), String::from_utf8(svg).expect("text")))
        .collect()
}

fn of_run(name: &str, run: &Run) -> Pictures {
    let files = render_all(run).expect("rendered").into_iter();
    pictures(name, files.map(|(format, bytes)| (format.file_name, bytes)).collect())
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn golden(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(path)
}

fn run(path: &Path) -> Run {
    serde_json::from_str(&read(path)).expect("a run")
}

/// Every picture of every golden, and of the committed reports.
fn known() -> Pictures {
    let mut all = Vec::new();
    for name in ["classic", "transfers", "refuted", "syscalls"] {
        all.extend(of_run(name, &run(&golden(name).join("run.json"))));
    }
    let reports = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports");
    for name in ["bookworm", "trixie", "trixie-backports"] {
        all.extend(of_run(&format!("reports/{name}"), &run(&reports.join(name).join("run.json"))));
    }
    for (name, path) in [
        ("matrix", golden("matrix/matrix.json")),
        ("reports/matrix", reports.join("matrix/matrix.json")),
    ] {
        let matrix: Matrix = serde_json::from_str(&read(&path)).expect("a matrix");
        all.extend(pictures(name, matrix::render_all(&matrix).expect("rendered")));
    }
    for (name, path) in
        [("bench", golden("bench/bench.json")), ("reports/bench", reports.join("bench/bench.json"))]
    {
        let run: BenchRun = serde_json::from_str(&read(&path)).expect("a benchmark");
        all.extend(pictures(name, bench::render_all(&run).expect("rendered")));
    }
    for (name, path) in
        [("watch", golden("watch/watch.json")), ("reports/nginx", reports.join("nginx/watch.json"))]
    {
        let watch: Watch = serde_json::from_str(&read(&path)).expect("a window");
        all.extend(pictures(name, watch::render_all(&watch).expect("rendered")));
    }
    all
}

/// Benchmarks that rank: by as many rounds as rank somebody, with nginx and without, the latter with long
/// names and a contestant that was not verified; and the same of a run's times.
fn ranked() -> Pictures {
    let path = golden("bench/bench.json");
    let mut run: BenchRun = serde_json::from_str(&read(&path)).expect("a benchmark");
    for series in run.cells.iter_mut().flat_map(|cell| &mut cell.series) {
        series.rounds = [series.rounds.clone(), series.rounds.clone()].concat();
    }
    let nginx = pictures("ranked", bench::render_all(&run).expect("rendered"));
    for contestant in &mut run.contestants {
        contestant.name = format!("{:_<19}x", contestant.name);
    }
    run.cells.iter_mut().for_each(|cell| cell.series[0].verified = false);
    let all = pictures("ranked, long names", bench::render_all(&run).expect("rendered"));
    let mut run = self::run(&golden("transfers/run.json"));
    for timing in &mut run.timings {
        timing.transfer = format!("{:_<19}x", timing.transfer);
        let rounds = timing.rounds.clone();
        timing.rounds = rounds.iter().copied().cycle().take(12).collect();
    }
    let mut level = run.clone();
    let rounds = run.timings[0].rounds.clone();
    level.timings.iter_mut().for_each(|timing| timing.rounds.clone_from(&rounds));
    [nginx, all, of_run("ranked times", &run), of_run("level times", &level)].concat()
}

/// Every transfer's claim fails, each has a long name, and calls are many.
fn hard() -> Pictures {
    let mut refuted = run(&golden("transfers/run.json"));
    let names: BTreeSet<String> = refuted.passes.iter().map(|p| p.transfer.clone()).collect();
    for transfer in &names {
        let claim = if transfer == "sendfile" { "two-copies" } else { "zero-copy" };
        refuted.claims.push(ClaimOverride { transfer: transfer.clone(), claim: claim.to_owned() });
    }
    let mut long = refuted.clone();
    // The longest name so far has sixteen letters.
    let renamed = |name: &str| format!("{name:_<19}x");
    long.passes.iter_mut().for_each(|pass| {
        pass.transfer = renamed(&pass.transfer);
        pass.counts.iter_mut().for_each(|count| count.calls *= 1000);
    });
    long.timings.iter_mut().for_each(|timing| timing.transfer = renamed(&timing.transfer));
    long.claims.iter_mut().for_each(|claim| claim.transfer = renamed(&claim.transfer));
    [of_run("refuted everywhere", &refuted), of_run("long names", &long)].concat()
}

#[test]
fn nothing_overlaps_is_clipped_or_untold() {
    let mut all = Vec::new();
    for (name, svg) in known().into_iter().chain(hard()).chain(ranked()) {
        let tree = Document::parse(&svg).unwrap_or_else(|error| panic!("{name}: {error}"));
        let found = faults(&tree).into_iter().chain(
            // A flame graph's colours are its own style's.
            if has_class(tree.root_element(), "zp") { untold(&tree) } else { Vec::new() },
        );
        all.extend(found.map(|fault| format!("{name}: {fault}")));
    }
    assert!(all.is_empty(), "{} faults:\n{}", all.len(), all.join("\n"));
}

/// Names of transfers, functions and hops stand in one piece.
#[test]
fn names_are_whole() {
    for (name, svg) in known() {
        let of_run = |(golden, file): &(&str, &str)| *file == "path.svg" && *golden != "watch";
        let Some(transfers) = name.split_once('/').filter(of_run) else { continue };
        let tree = Document::parse(&svg).expect("XML");
        let texts: Vec<&str> = tree.descendants().filter_map(|node| node.text()).collect();
        for pass in run(&golden(transfers.0).join("run.json")).passes {
            assert!(texts.contains(&pass.transfer.as_str()), "{name}: {}", pass.transfer);
        }
    }
}

/// Fifteen transfers fit a page: A4 is as high as its width times the root of two.
#[test]
fn all_transfers_fit_a_page() {
    let transfers = run(&golden("transfers/run.json"));
    let names: BTreeSet<&str> = transfers.passes.iter().map(|p| p.transfer.as_str()).collect();
    assert_eq!(names.len(), 15);
    for (name, svg) in of_run("transfers", &transfers) {
        let tree = Document::parse(&svg).expect("XML");
        let [width, height] = ["width", "height"].map(|side| number(tree.root_element(), side));
        assert!(height <= width * 2_f64.sqrt(), "{name} is {height} high and {width} wide");
    }
}

/// Known truth: the checks see a text that is too long, one on another, a line through one, and one that
/// is too small.
#[test]
fn what_is_wrong_is_seen() {
    let broken = |inner: &str| {
        let svg = format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" class="zp" width="800" height="100">{inner}</svg>"#
        );
        faults(&Document::parse(&svg).expect("XML")).join("; ")
    };
    let text = |x: u32, words: &str| {
        format!(r#"<text class="f-black" x="{x}" y="50" font-size="20">{words}</text>"#)
    };
    assert_eq!(broken(&text(10, "here")), "");
    assert!(broken(&text(790, "here")).contains("leaves"));
    assert!(broken(&(text(10, "here") + &text(40, "there"))).contains("overlap"));
    let line = r#"<line x1="0" y1="45" x2="100" y2="45"/>"#;
    assert!(broken(&(line.to_owned() + &text(10, "here"))).contains("crossed"));
    let halo = r#"<rect x="8" y="30" width="90" height="30"/>"#;
    assert_eq!(broken(&(line.to_owned() + halo + &text(10, "here"))), "");
    assert!(broken(&(text(10, "here") + halo)).contains("covered"));
    let small = r#"<rect x="8" y="30" width="30" height="30"/>"#;
    assert!(broken(&(small.to_owned() + &text(10, "here"))).contains("does not fit"));
    let head = r#"<polygon points="20,40 30,45 20,50"/>"#;
    assert!(broken(&(head.to_owned() + &text(10, "here"))).contains("touched"));
    assert!(broken(r#"<text x="9" y="50" font-size="5">here</text>"#).contains("pixels high"));
    assert!(broken(&text(10, "copy_file_")).contains("breaks"));
}
