//! What report.html says: the finding in its title, each reason once with the claims it concerns, and
//! every copy, whenever it was made.

#![expect(clippy::disallowed_methods, reason = "records are files; the judge opens none")]

use std::fs;
use std::path::Path;

use roxmltree::{Document, Node};
use zcprof_judge::matrix::Matrix;
use zcprof_judge::report::{matrix, render_all};
use zcprof_judge::run::Run;

use super::hostile::with_doctype;
use super::pages::{golden, of_run, of_window, page};
use super::watched::{BODY, handed_over, window, written};

fn parsed(page: &str) -> Document<'_> {
    Document::parse_with_options(page, with_doctype()).expect("XML")
}

fn text(node: Node<'_, '_>) -> String {
    node.descendants().filter_map(|node| node.text().filter(|_| node.is_text())).collect()
}

/// The texts of all elements of a class, or with a name.
fn all(tree: &Document<'_>, what: &str) -> Vec<String> {
    let is = |node: &Node<'_, '_>| {
        let classes = node.attribute("class").unwrap_or_default();
        node.tag_name().name() == what || classes.split(' ').any(|class| class == what)
    };
    tree.descendants().filter(is).map(text).collect()
}

fn title(tree: &Document<'_>) -> String {
    all(tree, "h1").concat()
}

#[test]
fn a_run_that_holds_is_called_what_its_pictures_are() {
    let files = render_all(&golden::<Run>("classic/run.json")).expect("rendered");
    let (_, svg) = files.into_iter().find(|(format, _)| format.name == "copies").expect("drawn");
    let svg = String::from_utf8(svg).expect("text");
    let finding = all(&Document::parse(&svg).expect("XML"), "title").swap_remove(0);
    assert_eq!(title(&parsed(&of_run("classic"))), finding);
}

#[test]
fn what_is_refuted_is_in_the_title() {
    let page = of_run("refuted");
    let said = title(&parsed(&page));
    assert!(said.starts_with("read_write is not zero-copy"), "{said}");
    let mut known = window("zero-copy", &[handed_over(BODY), written(BODY / 5)]);
    known.targets = vec!["the command".to_owned()];
    let page = of_window(&known);
    let said = title(&parsed(&page));
    assert!(said.starts_with("zero-copy of all that was sent is refuted: 0."), "{said}");
}

#[test]
fn a_reason_is_said_once_with_the_claims_it_concerns() {
    let page = of_run("syscalls");
    let tree = parsed(&page);
    let blocks = all(&tree, "block");
    assert_eq!(blocks.len(), 1, "{blocks:#?}");
    assert_eq!(blocks[0].matches("copied per payload byte").count(), 8, "{blocks:#?}");
    let reasons = all(&tree, "why").concat();
    assert_eq!(reasons.matches("could not look").count(), 2, "audit and callers: {reasons}");
    assert!(!reasons.contains("Verifier output"), "it is empty: {reasons}");
}

#[test]
fn a_copy_that_is_made_later_is_named() {
    let page = of_run("transfers");
    let lines = all(&parsed(&page), "li");
    let of = |transfer: &str| {
        lines.iter().filter(move |line| line.starts_with(transfer)).cloned().collect::<Vec<_>>()
    };
    let later = [of("msg_zerocopy "), of("uring_send_zc ")].concat();
    let says = |line: &String| line.contains("0.000 copied at once and 1.00");
    assert!(later.len() == 4 && later.iter().all(says), "{later:#?}");
    let encrypted = of("ktls_sendfile ");
    assert!(encrypted.iter().all(|line| line.contains("1.000 encrypted")), "{encrypted:#?}");
}

#[test]
fn the_verdict_stands_beside_what_it_is_about() {
    for name in ["classic", "refuted", "syscalls"] {
        let page = of_run(name);
        let first: Vec<_> = all(&parsed(&page), "th").into_iter().take(4).collect();
        assert_eq!(first, ["transfer", "cache", "verdict", "claim"], "{name}");
    }
    let known = window("zero-copy", &[handed_over(BODY), written(BODY / 5)]);
    let page = of_window(&known);
    assert!(page.contains("</span> refuted: zero-copy</td>"), "in the row of all");
}

/// A matrix of more than a thousand cells is summed up before its picture.
#[test]
fn a_matrix_tells_apart_what_was_known_beforehand() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports/matrix/matrix.json");
    let known: Matrix = serde_json::from_slice(&fs::read(path).expect("read")).expect("a record");
    let refuted = known.cells.iter().filter(|cell| cell.verdict == "refuted").count();
    let as_known = known.cells.iter().filter(|cell| cell.is_refuted_as_known()).count();
    assert!(as_known > 0 && as_known < refuted, "both kinds are there");
    let page = page(matrix::render_all(&known).expect("rendered"));
    let tree = parsed(&page);
    let (said, news) = (title(&tree), refuted - as_known);
    let (thousands, rest) = (known.cells.len() / 1000, known.cells.len() % 1000);
    assert!(thousands > 0, "so many that they are grouped, as every number of the page is");
    let of_all = format!("{news} of {thousands},{rest:03} claims are refuted: ");
    assert!(page.contains(&format!("All {thousands},{rest:03} rows")), "the table too");
    let more = format!("; {as_known} more are refuted, as known beforehand");
    assert!(said.starts_with(&of_all) && said.ends_with(&more), "{said}");
    assert!(all(&tree, "verdicts").concat().lines().count() < 150, "cells share lines");
    for block in tree.descendants().filter(|node| node.attribute("class") == Some("block refuted"))
    {
        let text = text(block);
        assert!(text.contains("ZC1"), "refuted without a reason: {text}");
    }
    let mut folded = all(&tree, "details").into_iter();
    assert!(folded.any(|text| text.starts_with("Which claims hold")), "what holds is folded");
}
