//! Pure: runtimes that make code without symbols, and how each of them can be told to give names.

use std::collections::BTreeSet;

use super::record::{Frame, FrameKind, MEMORY, Stack, Stacks};
use super::tree::frames;

/// A runtime whose functions no file names.
#[derive(Debug)]
pub struct Runtime {
    /// How the names of its files begin. One of them is in some stack of whoever runs it.
    files: &'static [&'static str],
    /// Whether a stack of such a program lacks functions of it.
    is_lacking: fn(&Self, &[Frame]) -> bool,
    /// What is missing.
    pub lacks: &'static str,
    /// How to get it.
    pub remedy: &'static str,
}

/// Every runtime that is known.
const RUNTIMES: [Runtime; 3] = [
    Runtime {
        files: &["libjvm.so"],
        is_lacking: has_no_name_or_end,
        lacks: "Java code without a name, or cut",
        remedy: "-XX:+PreserveFramePointer keeps its stacks whole, and a JVM of 17 or later gives names",
    },
    Runtime {
        files: &["python3", "libpython3"],
        is_lacking: runs_unnamed_python,
        lacks: "Python functions without a name",
        remedy: "PYTHONPERFSUPPORT=1 (or -X perf) names them, from Python 3.12 on",
    },
    Runtime {
        files: &["node"],
        is_lacking: has_no_name_or_end,
        lacks: "JavaScript without a name, or cut",
        remedy: "node --perf-basic-prof names it",
    },
];

/// Code that a runtime made is in memory that no file has.
fn is_made(frame: &Frame) -> bool {
    frame.is_unnamed() && frame.file == MEMORY
}

fn has_no_name_or_end(_: &Runtime, all: &[Frame]) -> bool {
    all.iter().any(|frame| is_made(frame) || frame.kind == FrameKind::Missing)
}

/// With a map each function of Python's has code of its own, called `py::function:file`
/// (Python/perf_trampoline.c, 3.12 and later); without one only the interpreter is seen.
fn runs_unnamed_python(python: &Runtime, all: &[Frame]) -> bool {
    all.iter().any(|frame| python.has(frame)) && !all.iter().any(|f| f.name.starts_with("py::"))
}

impl Runtime {
    fn has(&self, frame: &Frame) -> bool {
        self.files.iter().any(|begin| match frame.file.strip_prefix(begin) {
            // `node` and `python3.12`, but not `node_exporter`.
            Some(rest) => !rest.starts_with(|next: char| next.is_alphabetic() || next == '_'),
            None => false,
        })
    }
}

/// Runtimes whose functions lack names, with the bytes of their stacks.
#[must_use]
pub fn lacking(stacks: &Stacks) -> Vec<(&'static Runtime, u128)> {
    let with_frames = |stack| -> (&Stack, Vec<Frame>) { (stack, frames(stacks, stack).collect()) };
    let all: Vec<_> = stacks.stacks.iter().map(with_frames).collect();
    let of_runtime = |runtime: &'static Runtime| {
        let runs = all.iter().filter(|(_, frames)| frames.iter().any(|one| runtime.has(one)));
        let runs: BTreeSet<_> = runs.map(|(stack, _)| &stack.charged).collect();
        let lacking = all.iter().filter(|(stack, frames)| {
            runs.contains(&stack.charged) && (runtime.is_lacking)(runtime, frames)
        });
        (runtime, lacking.map(|(stack, _)| u128::from(stack.bytes)).sum())
    };
    RUNTIMES.iter().map(of_runtime).filter(|(_, bytes)| *bytes > 0).collect()
}
