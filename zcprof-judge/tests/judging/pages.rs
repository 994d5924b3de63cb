//! report.html: one file that asks for nothing, can be read without a script, and says the verdicts
//! first; with names that are out to break it.

#![expect(clippy::disallowed_methods, reason = "goldens are files; the judge opens none")]

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::select;
use zcprof_judge::bench::record::BenchRun;
use zcprof_judge::matrix::Matrix;
use zcprof_judge::report::{bench, matrix, render_all, watch};
use zcprof_judge::run::Run;
use zcprof_judge::watch::Watch;

use super::hostile::with_doctype;
use super::stacks::{NAMES, any_stacks, by_hand};
use super::watched::{BODY, handed_over, read, window, written};

const PAGE: &str = "report.html";

pub(super) fn golden<T: serde::de::DeserializeOwned>(path: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(path);
    serde_json::from_slice(&fs::read(path).expect("a golden")).expect("a record")
}

pub(super) fn page<N: PartialEq<&'static str>>(files: Vec<(N, Vec<u8>)>) -> String {
    let found = files.into_iter().find(|(name, _)| *name == PAGE).expect("a page");
    String::from_utf8(found.1).expect("text")
}

pub(super) fn of_run(name: &str) -> String {
    let files = render_all(&golden::<Run>(&format!("{name}/run.json"))).expect("rendered");
    page(files.into_iter().map(|(format, bytes)| (format.file_name, bytes)).collect())
}

pub(super) fn of_window(known: &Watch) -> String {
    page(watch::render_all(known).expect("rendered"))
}

/// What is true of every page on which something was claimed.
fn check(page: &str) {
    stands_alone(page, &["verdicts", "pictures", "numbers"]);
}

/// What is true of every page, with the sections that it must have in their order. It is written so that
/// XML's readers can read it too.
fn stands_alone(page: &str, sections: &[&str]) {
    assert!(page.len() < 2 << 20, "{} bytes", page.len());
    let tree = roxmltree::Document::parse_with_options(page, with_doctype())
        .unwrap_or_else(|error| panic!("{error}: {page}"));
    let mut last = 0;
    let mut ids = std::collections::BTreeSet::new();
    for node in tree.descendants().filter(roxmltree::Node::is_element) {
        let name = node.tag_name().name();
        if let Some(level) = ["h1", "h2", "h3"].iter().position(|heading| *heading == name) {
            assert!(level <= last + 1 && (level > 0 || last == 0), "{name} after h{}", last + 1);
            last = level;
        }
        for attribute in node.attributes() {
            let (key, value) = (attribute.name(), attribute.value());
            assert!(!key.starts_with("on"), "{key}={value}");
            let inside = value.starts_with('#') || value == "data:,";
            assert!(!matches!(key, "href" | "src" | "action") || inside, "{key}={value}");
            if key == "id" {
                assert!(ids.insert(value.to_owned()), "{value} twice");
            }
        }
        is_in_a_box(node);
        assert!(!matches!(name, "iframe" | "object" | "embed" | "img" | "form"), "{name}");
    }
    for node in tree.descendants() {
        if let Some(to) = node.attribute("href").and_then(|link| link.strip_prefix('#')) {
            assert!(ids.contains(to), "nothing is called {to}");
        }
    }
    for word in ["@import", "url(http", "fetch(", "XMLHttpRequest"] {
        assert!(!page.contains(word), "{word}");
    }
    let place = |id: &&str| page.find(&format!("<section id=\"{id}\">"));
    let places: Vec<_> = sections.iter().map(place).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{sections:?} at {places:?}");
    for section in tree.descendants().filter(|node| node.has_tag_name("section")) {
        let id = section.attribute("id").unwrap_or_default();
        let words = section.descendants().filter(roxmltree::Node::is_text);
        let words: Vec<_> = words.filter_map(|node| node.text()).map(str::trim).collect();
        let filled = words.iter().filter(|words| !words.is_empty()).count();
        assert!(filled > 1, "{id} is a heading alone");
        let sorts = |node: roxmltree::Node<'_, '_>| node.attribute("class") == Some("sort");
        let sortable = section.descendants().any(|node| node.has_tag_name("table") && sorts(node));
        assert!(id != "numbers" || sortable, "its numbers have no table that can be sorted");
        assert!(id != "verdicts" || page.contains("class=\"tally\""), "no verdict among verdicts");
    }
}

/// What can be wider than a screen scrolls in a box of its own, by keyboard too, and not with the page.
fn is_in_a_box(node: roxmltree::Node<'_, '_>) {
    let class = match node.tag_name().name() {
        "svg" => "picture",
        "table" => "wide",
        "pre" => return assert_eq!(node.attribute("tabindex"), Some("0"), "{node:?}"),
        _ => return,
    };
    let parent = node.parent_element().expect("a box");
    let is = [parent.attribute("class"), parent.attribute("tabindex")];
    assert_eq!(is, [Some(class), Some("0")], "{node:?}");
}

#[test]
fn a_page_of_every_kind_stands_alone() {
    for name in ["classic", "transfers", "refuted", "syscalls"] {
        check(&of_run(name));
    }
    let timed = page(bench::render_all(&golden::<BenchRun>("bench/bench.json")).expect("rendered"));
    stands_alone(&timed, &["pictures", "numbers"]);
    assert!(!timed.contains("Verdicts"), "a benchmark claims nothing");
    check(&page(matrix::render_all(&golden::<Matrix>("matrix/matrix.json")).expect("rendered")));
    check(&of_window(&golden("watch/watch.json")));
}

/// A benchmark's page says what was found, and has each contestant in each setting on a line.
#[test]
fn a_benchmark_is_called_what_its_picture_is_and_can_be_sorted() {
    let known = golden::<BenchRun>("bench/bench.json");
    let page = page(bench::render_all(&known).expect("rendered"));
    assert!(page.contains("<h1>Throughput at 1 MiB, sendfile against nginx sendfile: "), "{page}");
    let (_, body) = page.split_once("<tbody>").expect("a table");
    let rows = body.split("</tbody>").next().map(|rows| rows.matches("<tr>").count());
    assert_eq!(rows, Some(known.cells.len() * known.contestants.len()));
    assert!(page.contains("<td>nginx read</td><td class=\"n\">4 KiB</td><td class=\"n\">1</td><td class=\"n\">0.121</td>"));
}

/// Without a claim the page is called what was found, and has no verdicts.
#[test]
fn a_window_without_a_claim_is_called_what_was_found() {
    let mut known = window("zero-copy", &[read(BODY), written(BODY)]);
    known.claims.clear();
    let page = of_window(&known);
    stands_alone(&page, &["pictures", "numbers"]);
    assert!(!page.contains("<section id=\"verdicts\">") && !page.contains("#verdicts"), "{page}");
    let found = "1.000 to 2.000 copies per byte of 64 MiB sent, by nginx: \
                 page cache-&gt;user, user-&gt;socket; what was read may be what was sent";
    assert!(page.contains(&format!("<h1>{found}</h1>")), "{page}");
    known.stacks = Some(by_hand());
    let page = of_window(&known);
    let by_whom = "send_body&lt;&amp;str&gt; of nginx copied 3.0 MiB of 4.7 MiB, 63.1 %";
    assert!(page.contains(&format!("<h1>{by_whom}</h1>\n<p>{found}</p>")), "{page}");
    // What is claimed comes first again.
    known.claims = window("zero-copy", &[]).claims;
    assert!(
        of_window(&known).contains("<h1>pid 80 (nginx): zero-copy of all that was sent is refuted")
    );
}

/// A verdict is a word and a sign, with the code's whole page.
#[test]
fn a_refuted_claim_is_explained_on_the_page() {
    let mut known = window("zero-copy", &[handed_over(BODY), written(BODY / 5)]);
    known.stacks = Some(by_hand());
    let page = of_window(&known);
    check(&page);
    assert!(page.contains("✗</span><strong>refuted</strong>"), "word and sign");
    let code = zcprof_judge::verdict::explain::CODES.iter().find(|code| code.name == "ZC102");
    let first = code.expect("a code").page.lines().nth(1).expect("text").trim();
    assert!(page.contains("<article id=\"ZC102\">"), "its page");
    assert!(page.contains(&first.replace('\'', "&#39;")), "{first}");
    assert!(page.contains("<td>send_body&lt;&amp;str&gt;</td>"), "the function that copies");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_name_breaks_a_page(name in select(NAMES.to_vec()), stacks in any_stacks()) {
        let mut known = window("zero-copy", &[handed_over(BODY), written(BODY / 5)]);
        known.stacks = Some(stacks);
        known.targets = vec![name.to_owned()];
        known.kernel.release = name.to_owned();
        known.programs[0].name = name.to_owned();
        for count in &mut known.counts {
            count.charged = zcprof_judge::watch::record::Charged::Program(name.to_owned());
        }
        check(&of_window(&known));
    }
}
