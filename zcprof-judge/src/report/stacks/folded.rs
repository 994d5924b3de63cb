//! `stacks.folded`: a line for each way, its frames joined by `;`, and its bytes. flamegraph.pl,
//! speedscope and others read it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::stacks::Stacks;
use crate::stacks::tree::{Label, ways};

pub(super) fn render(stacks: &Stacks) -> String {
    let mut lines = BTreeMap::<String, u128>::new();
    for (way, _, bytes) in ways(stacks) {
        let words: Vec<String> = way.iter().map(word).collect();
        *lines.entry(words.join(";")).or_default() += u128::from(bytes);
    }
    lines.iter().fold(String::new(), |mut text, (way, bytes)| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{way} {bytes}");
        text
    })
}

/// A step of the way, without what ends steps and lines.
fn word(label: &Label) -> String {
    super::label(label).replace(';', ":").replace(['\n', '\r'], " ")
}
