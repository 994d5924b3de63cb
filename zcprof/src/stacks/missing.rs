//! What is missing from stacks, as frames with names of their own.

use zcprof_judge::stacks::record::{Frame, FrameKind};

/// Nobody knows who had queued the bytes that the kernel copied later.
pub(super) const DEFERRED: &str = "deferred, sender unknown";
/// A thread of the kernel's works for the program, and runs nothing of it.
pub(super) const NO_USER: &str = "kernel worker";
/// The outer frames could not be unwound.
pub(super) const CUT: &str = "stack cut";
/// The process had ended before its files could be opened.
pub(super) const GONE: &str = "symbols gone";
/// It copied less than those whose names are looked up while the window is open.
pub(super) const SMALLER: &str = "smaller stacks, named at the end";

/// The frame that stands for it.
pub(super) fn frame(what: &str) -> Frame {
    Frame { kind: FrameKind::Missing, name: what.to_owned(), file: String::new() }
}
