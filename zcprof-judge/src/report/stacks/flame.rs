//! `flamegraph.svg`: bytes by stack. The whole stands at the top, and what it called below it; a frame
//! all of whose bytes took one hop has that hop's colour, and what was handed over is hatched.

use zcprof_common::vocabulary::{Disposition, Hop};

use super::sheet::{Bar, LegendKey, Sheet, places};
use crate::report::numbers::{share, size_of};
use crate::stacks::Stacks;
use crate::stacks::record::FrameKind;
use crate::stacks::top;
use crate::stacks::tree::{Label, Node, Tree, is_copied};

/// The picture.
pub(in super::super) fn render(stacks: &Stacks, about: &str) -> String {
    let tree = Tree::of(stacks);
    let bars = bars(&tree);
    let keys = keys(&tree);
    Sheet { title: finding(stacks, &tree), about: said(stacks, &tree, about), keys, bars }.svg()
}

/// What the picture shows, in a sentence.
pub(in super::super) fn finding(stacks: &Stacks, tree: &Tree) -> String {
    let (copied, all) = (tree.root().copied(), tree.root().bytes());
    if all == 0 {
        return "No byte was seen to be copied or handed over".to_owned();
    }
    if copied == 0 {
        return format!("Nothing was copied: {} handed over", size_of(all));
    }
    let worst = top::functions(stacks).into_iter().next();
    worst.map_or_else(
        || format!("{} copied, and no stack says by whom", size_of(copied)),
        |worst| {
            let name = worst.name();
            let nobody =
                name.strip_prefix("a function ").map(|which| format!("A function {which}"));
            format!(
                "{} of {} copied {} of {}, {}",
                nobody.unwrap_or(name),
                worst.charged,
                size_of(worst.bytes),
                size_of(copied),
                share(worst.bytes, copied)
            )
        },
    )
}

fn said(stacks: &Stacks, tree: &Tree, about: &str) -> String {
    let all = tree.root().bytes();
    let incomplete = Tree::incomplete(stacks);
    let missing = if incomplete == 0 {
        "every stack is whole and named".to_owned()
    } else {
        format!("{} of the bytes have no whole stack with names", share(incomplete, all))
    };
    format!(
        "{about} · width is bytes at a site: {} copied, {} handed over or filled · {missing}",
        size_of(tree.root().copied()),
        size_of(all - tree.root().copied())
    )
}

/// Every node with its place, in reading order.
fn bars(tree: &Tree) -> Vec<Bar> {
    let all = tree.root().bytes();
    let nodes = &tree.nodes;
    let places = places(|at| &nodes[at].children, |at| nodes[at].bytes());
    places.into_iter().map(|(at, from)| bar(&nodes[at], from, all)).collect()
}

fn bar(node: &Node, from: u128, all: u128) -> Bar {
    let text = super::label(&node.label);
    let file = match &node.label {
        Label::Frame(frame) if !frame.file.is_empty() => format!("\nin {}", frame.file),
        _ => String::new(),
    };
    let by = node.by.iter().map(|((hop, disposition), bytes)| {
        format!("\n{} {} {}", size_of(*bytes), hop.name(), disposition.name())
    });
    let hint = format!(
        "{file}\n{} bytes, {} of all{}",
        node.bytes(),
        share(node.bytes(), all),
        by.collect::<String>()
    );
    let hatched = !node.by.keys().any(|(_, disposition)| is_copied(*disposition));
    Bar { depth: node.depth, from, width: node.bytes(), text, hint, class: class(node), hatched }
}

/// The colour: the hop's where there is one only.
fn class(node: &Node) -> String {
    if let Label::Frame(frame) = &node.label
        && (frame.kind == FrameKind::Missing || frame.is_unnamed())
    {
        return "missing".to_owned();
    }
    let mut hops: Vec<Hop> = node.by.keys().map(|(hop, _)| *hop).collect();
    hops.dedup();
    match *hops {
        [hop] => hop_class(hop),
        _ => "mixed".to_owned(),
    }
}

fn hop_class(hop: Hop) -> String {
    format!("h{}", hop as u8)
}

/// What colours mean, as far as they are there.
fn keys(tree: &Tree) -> Vec<LegendKey> {
    let mut keys: Vec<LegendKey> = Vec::new();
    let places: Vec<(Hop, Disposition)> = tree.root().by.keys().copied().collect();
    for (hop, _) in &places {
        if !keys.iter().any(|key| key.text == hop.name()) {
            keys.push(LegendKey {
                class: hop_class(*hop),
                hatched: false,
                text: hop.name().to_owned(),
            });
        }
    }
    let key = |class: &str, hatched, text: &str| LegendKey {
        class: class.to_owned(),
        hatched,
        text: text.to_owned(),
    };
    keys.push(key("mixed", false, "several hops"));
    if places.iter().any(|(_, disposition)| !is_copied(*disposition)) {
        keys.push(key("mixed", true, "hatched: handed over or filled, no copy"));
    }
    if tree.nodes.iter().any(|node| class(node) == "missing") {
        keys.push(key("missing", false, "not known"));
    }
    keys
}
