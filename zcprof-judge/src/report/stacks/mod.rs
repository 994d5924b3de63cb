//! Stacks as files: a flame graph to look at, and what other tools read. Each is a function from a
//! record to bytes.

pub(super) mod flame;
mod folded;
mod pprof;
pub(super) mod sheet;
mod speedscope;

use super::ReportError;
use crate::stacks::Stacks;
use crate::stacks::record::{Frame, FrameKind};
use crate::stacks::tree::Label;

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
