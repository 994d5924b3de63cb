//! Stacks as files: a flame graph to look at, and what other tools read. Each is a function from a
//! record to bytes.

pub(super) mod flame;
mod folded;
mod pprof;
pub(super) mod sheet;
mod speedscope;

use super::ReportError;
use super::numbers::{grouped, share};
use crate::stacks::Stacks;
use crate::stacks::record::{Frame, FrameKind};
use crate::stacks::runtimes::{Runtime, lacking};
use crate::stacks::top::functions;
use crate::stacks::tree::{Label, Tree, missing};

/// Name of the flame graph's file.
pub(super) const FLAME: &str = "flamegraph.svg";

/// Every file of some stacks. `about` says where they were taken, in a line.
pub(super) fn render_all(
    stacks: &Stacks,
    about: &str,
) -> Result<Vec<(&'static str, Vec<u8>)>, ReportError> {
    Ok(vec![
        (FLAME, flame::render(stacks, about).into_bytes()),
        ("stacks.folded", folded::render(stacks).into_bytes()),
        ("stacks.speedscope.json", speedscope::render(stacks)?),
        ("stacks.pb.gz", pprof::render(stacks)?),
    ])
}

/// Functions that are named in a line.
const NAMED: usize = 3;

/// Who copied most, and what is missing from the stacks, in a line each; nothing where nothing was copied.
pub(super) fn summary(stacks: &Stacks) -> String {
    let tree = Tree::of(stacks);
    let (copied, all) = (tree.root().copied(), tree.root().bytes());
    let top = functions(stacks);
    let named = top.iter().take(NAMED).map(|top| {
        let is_missing = top.frame.kind == FrameKind::Missing;
        let function = if is_missing { name(&top.frame) } else { top.name() };
        format!("{function} of {} ({})", top.charged, share(top.bytes, copied))
    });
    let named: Vec<_> = named.collect();
    if named.is_empty() {
        return String::new();
    }
    let more = top.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let by_name = missing(stacks);
    let missing = if by_name.is_empty() {
        "Every stack is whole and named.".to_owned()
    } else {
        let incomplete = Tree::incomplete(stacks);
        let by_name = by_name.iter().map(|(name, bytes)| {
            let exact = grouped(u64::try_from(*bytes).unwrap_or(u64::MAX));
            format!("{name} {exact} B, {}", share(*bytes, all))
        });
        let by_name: Vec<_> = by_name.collect();
        format!(
            "No whole stack with names: {} of the bytes ({}).",
            share(incomplete, all),
            by_name.join("; ")
        )
    };
    let hints = hints(stacks, all).iter().fold(String::new(), |text, hint| text + hint + "\n");
    format!("Copied by: {}{more}. {missing}\n{hints}", named.join(", "))
}

/// How to get the names that are missing, a line for each runtime; `all` is the bytes of all stacks.
pub(super) fn hints(stacks: &Stacks, all: u128) -> Vec<String> {
    let said = |(runtime, bytes): (&Runtime, u128)| {
        format!("{}: {} of the bytes. {}.", runtime.lacks, share(bytes, all), runtime.remedy)
    };
    lacking(stacks).into_iter().map(said).collect()
}

/// What a node stands for, in words.
pub(super) fn label(label: &Label) -> String {
    match label {
        Label::All => "all".to_owned(),
        Label::Charged(name) => name.clone(),
        Label::Frame(frame) => name(frame),
        Label::Place(hop, disposition) => format!("{} {}", hop.name(), disposition.name()),
    }
}

/// A frame as it is written where only its name is: the kernel's end with `_[k]`, as perf's readers
/// expect, and what is missing stands in brackets.
fn name(frame: &Frame) -> String {
    match frame.kind {
        FrameKind::User => frame.name.clone(),
        FrameKind::Kernel => format!("{}_[k]", frame.name),
        FrameKind::Missing => format!("[{}]", frame.name),
    }
}
