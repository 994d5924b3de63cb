//! Pure: the functions that copy. Between a program's own function and the kernel stand those that make
//! the system call for it: the C library, and what languages bring. They are passed over.

use std::collections::BTreeMap;

use super::record::{Frame, FrameKind, MEMORY, Stack, Stacks};
use super::tree::{frames, is_copied};

/// Files whose functions call the kernel for others, by how their names begin.
const CARRYING_FILES: &[&str] = &[
    "libc.so",
    "libc-2.",
    "libc.musl",
    "ld-musl",
    "ld-linux",
    "libpthread",
    "[vdso]",
    // What the JDK calls the kernel by.
    "libnio.so",
    "libnet.so",
    "libjava.so",
    "libjvm.so",
    // Python's interpreter runs the functions that its own map names.
    "python3",
    "libpython3",
];

/// The same by the names of functions.
const CARRYING_NAMES: &[&str] = &[
    // Go: runtime, and the packages by which a program reaches the kernel.
    "syscall.",
    "internal/",
    "runtime.",
    "net.",
    "net/http.",
    "os.",
    "io.",
    "bufio.",
    "golang.org/x/sys/unix.",
    // Rust's own crates.
    "std::",
    "<std::",
    "core::",
    "<core::",
    "alloc::",
    "<alloc::",
    "<&mut ",
    // Java's own packages.
    "java.",
    "jdk.",
    "sun.",
    "Ljava/",
    "Ljdk/",
    "Lsun/",
    // What the JVM interprets, and how it begins.
    "Interpreter",
    "call_stub",
    "StubRoutines",
];

/// The C library's functions that call the kernel, where it is linked into the program; with `__libc_` or
/// other underscores before them too.
const CALLS: &[&str] = &[
    "copy_file_range",
    "pread",
    "pread64",
    "preadv",
    "pwrite",
    "pwrite64",
    "pwritev",
    "read",
    "readv",
    "recv",
    "recvfrom",
    "recvmsg",
    "send",
    "sendfile",
    "sendfile64",
    "sendmsg",
    "sendto",
    "splice",
    "syscall",
    "vmsplice",
    "write",
    "writev",
];

/// A function of a program, and what it copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Top {
    /// Who is charged.
    pub charged: String,
    /// The innermost frame that is the program's own.
    pub frame: Frame,
    /// Bytes that it had copied.
    pub bytes: u128,
}

impl Top {
    /// The function for a sentence, by its name if it has one: of `<a::Type as b::Trait>::run`, which is how Rust names what a
    /// type does for a trait, `Type::run`.
    #[must_use]
    pub fn name(&self) -> String {
        let Frame { kind, name, file } = &self.frame;
        if *kind == FrameKind::Missing {
            return format!("a function that is not known ({name})");
        }
        if self.frame.is_unnamed() {
            return match &**file {
                MEMORY => "a function without a name, made at run time,".to_owned(),
                file => format!("a function without a name in {file}"),
            };
        }
        let parts = name.strip_prefix('<').and_then(|rest| rest.split_once(" as "));
        let parts = parts.and_then(|(of, rest)| Some((of, rest.rsplit_once(">::")?.1)));
        let Some((of, function)) = parts else { return name.clone() };
        let end = of.find('<').unwrap_or(of.len());
        let begin = of[..end].rfind("::").map_or(0, |at| at + 2);
        format!("{}::{function}", &of[begin..])
    }
}

fn begins(text: &str, all: &[&str]) -> bool {
    all.iter().any(|begin| text.starts_with(begin))
}

/// Whether code has no name that is the program's own: whose functions call the kernel for others is known by
/// their file.
pub(super) fn lacks_name(frame: &Frame) -> bool {
    frame.is_unnamed() && !begins(&frame.file, CARRYING_FILES)
}

/// Whether a frame stands between the program and the kernel.
fn carries(frame: &Frame) -> bool {
    let call = frame.name.trim_start_matches('_');
    let call = call.strip_prefix("libc_").unwrap_or(call);
    begins(&frame.file, CARRYING_FILES)
        || begins(called(&frame.name), CARRYING_NAMES)
        || CALLS.contains(&call)
}

/// A function's name without the type that Java's maps put before it: `int Serve.copy(byte[], int)`.
fn called(name: &str) -> &str {
    let head = name.split_once('(').map_or("", |(head, _)| head);
    head.rsplit_once(' ').map_or(name, |(before, _)| &name[before.len() + 1..])
}

/// The innermost user frame that is the program's own; the innermost of all where none is; what is
/// missing where there is no user frame.
fn of_program(stacks: &Stacks, stack: &Stack) -> Option<Frame> {
    let all: Vec<Frame> = frames(stacks, stack).collect();
    let user = || all.iter().rev().filter(|frame| frame.kind == FrameKind::User);
    let missing = || all.iter().rev().find(|frame| frame.kind == FrameKind::Missing);
    user().find(|frame| !carries(frame)).or_else(|| user().next()).or_else(missing).cloned()
}

/// The functions that had bytes copied, those of most bytes first.
#[must_use]
pub fn functions(stacks: &Stacks) -> Vec<Top> {
    let mut sums = BTreeMap::<(String, Frame), u128>::new();
    for stack in stacks.stacks.iter().filter(|stack| is_copied(stack.disposition)) {
        if let Some(frame) = of_program(stacks, stack) {
            let key = (stack.charged.to_string(), frame);
            *sums.entry(key).or_default() += u128::from(stack.bytes);
        }
    }
    let top = |((charged, frame), bytes)| Top { charged, frame, bytes };
    let mut all: Vec<Top> = sums.into_iter().map(top).filter(|top| top.bytes > 0).collect();
    all.sort_by_key(|top| std::cmp::Reverse(top.bytes));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_a_type_does_for_a_trait() {
        let name = |name: &str| {
            let frame = Frame { kind: FrameKind::User, name: name.to_owned(), file: String::new() };
            Top { charged: String::new(), frame, bytes: 1 }.name()
        };
        assert_eq!(name("<server::by::Writer as server::Transfer>::send"), "Writer::send");
        assert_eq!(
            name("<a::Pair<b::Left, c::Right> as d::Trait<e::F>>::run"),
            "Pair<b::Left, c::Right>::run"
        );
        for whole in
            ["main", "server::copy", "<no::Trait>::run", "<a as b", "Serve.copy(byte[], int)"]
        {
            assert_eq!(name(whole), whole);
        }
    }
}
