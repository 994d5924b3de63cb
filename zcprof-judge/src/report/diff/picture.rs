//! `diff.svg`: a differential flame graph. A way is as wide as the larger of before and after, so that
//! what went is there too; red and `+` grew, blue and `-` shrank or went.

use std::collections::BTreeMap;

use zcprof_common::vocabulary::{Disposition, Hop};

use super::changes::{Change, ONE};
use super::table::shown;
use crate::report::stacks::label;
use crate::report::stacks::sheet::{Bar, LegendKey, Sheet, places};
use crate::stacks::tree::{Label, is_copied};

/// A node with what went through it.
struct DiffNode {
    label: Label,
    depth: usize,
    children: Vec<usize>,
    before: u128,
    after: u128,
    width: u128,
    copied: bool,
}

impl DiffNode {
    fn new(label: Label, depth: usize) -> Self {
        let (before, after, width) = (0, 0, 0);
        Self { label, depth, children: Vec::new(), before, after, width, copied: false }
    }

    fn add(&mut self, change: &Change) {
        let (before, after) = change.amounts();
        self.before += before;
        self.after += after;
        self.width += before.max(after);
        self.copied |= is_copied(change.place.1);
    }
}

/// The picture of some ways; `rows` say in a sentence what changed most.
pub(super) fn render(names: [&str; 2], per: &str, rows: &[Change], ways: &[Change]) -> String {
    let nodes = grown(ways);
    let key = |class: &str, hatched, text: &str| LegendKey {
        class: class.to_owned(),
        hatched,
        text: text.to_owned(),
    };
    let keys = vec![
        key("more", false, "+ grew, or is new"),
        key("less", false, "- shrank, or went"),
        key("same", false, "the same"),
        key("same", true, "hatched: handed over or filled, no copy"),
    ];
    let about = format!(
        "before: {} · after: {} · width is the larger of both, in bytes per {per}",
        names[0], names[1]
    );
    Sheet { title: finding(per, rows), about, keys, bars: bars(&nodes) }.svg()
}

/// The largest change of what is copied, or else of anything.
fn finding(per: &str, rows: &[Change]) -> String {
    let largest = |copied: bool| {
        let of_it = rows.iter().filter(move |row| is_copied(row.place.1) == copied);
        of_it.filter(|row| row.size() >= ONE / 2000).max_by_key(|row| row.size())
    };
    let Some(row) = largest(true).or_else(|| largest(false)) else {
        return format!("Nothing changed by 0.001 per {per}");
    };
    let name = row.way.first().map(label).unwrap_or_default();
    let (before, after) = row.amounts();
    let (bytes, [from, to]) = (bytes(row.place), [before, after].map(shown));
    match (row.before, row.after) {
        (None, _) => format!("{name} is not in before; after: {to} {bytes} per {per}"),
        (_, None) => format!("{name} is not in after; before: {from} {bytes} per {per}"),
        _ => {
            let grew = if after > before { "grew" } else { "shrank" };
            format!("{name}: {bytes} {grew} from {from} to {to} per {per}")
        }
    }
}

/// `bytes copied user->socket`.
fn bytes((hop, disposition): (Hop, Disposition)) -> String {
    format!("bytes {} {}", disposition.name(), hop.name())
}

fn grown(changes: &[Change]) -> Vec<DiffNode> {
    let mut nodes = vec![DiffNode::new(Label::All, 0)];
    let mut known = BTreeMap::<(usize, &Label), usize>::new();
    for change in changes {
        nodes[0].add(change);
        let mut at = 0;
        for label in &change.way {
            let next = nodes.len();
            let child = *known.entry((at, label)).or_insert(next);
            if child == next {
                let depth = nodes[at].depth + 1;
                nodes.push(DiffNode::new(label.clone(), depth));
                nodes[at].children.push(child);
            }
            nodes[child].add(change);
            at = child;
        }
    }
    let order: Vec<(u128, Label)> =
        nodes.iter().map(|node| (node.width, node.label.clone())).collect();
    for node in &mut nodes {
        node.children.sort_by(|a, b| {
            order[*b].0.cmp(&order[*a].0).then_with(|| order[*a].1.cmp(&order[*b].1))
        });
    }
    nodes
}

fn bars(nodes: &[DiffNode]) -> Vec<Bar> {
    let places = places(|at| &nodes[at].children, |at| nodes[at].width);
    places.into_iter().map(|(at, from)| bar(&nodes[at], from)).collect()
}

fn bar(node: &DiffNode, from: u128) -> Bar {
    let (before, after) = (node.before, node.after);
    let (class, sign) = match () {
        () if before.abs_diff(after) < ONE / 2000 => ("same", ""),
        () if after > before => ("more", "+ "),
        () => ("less", "- "),
    };
    Bar {
        depth: node.depth,
        from,
        width: node.width,
        text: format!("{sign}{}", label(&node.label)),
        hint: format!("\nbefore {}\nafter {}", shown(before), shown(after)),
        class: class.to_owned(),
        hatched: !node.copied,
    }
}
