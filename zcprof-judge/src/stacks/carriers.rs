//! THE TABLES of what stands between a program's own function and the kernel, and makes the system call for it:
//! the C library, and what languages bring. To pass over another is to add a line.

use super::record::Frame;

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
    // Node, where it is built of libraries.
    "libnode.so",
    "libuv.so",
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
    // Node, where it is one file, and what its engine makes at run time.
    "node::",
    "v8::",
    "uv_",
    "Builtin:",
];

/// What the names of Node's own JavaScript have: its maps say the source behind the function
/// (`JS:*writeGeneric node:internal/stream_base_commons:147:22`).
const NODES_OWN: &str = " node:";

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

fn begins(text: &str, all: &[&str]) -> bool {
    all.iter().any(|begin| text.starts_with(begin))
}

/// Whether code has no name that is the program's own: whose functions call the kernel for others is known by
/// their file.
pub(super) fn lacks_name(frame: &Frame) -> bool {
    frame.is_unnamed() && !begins(&frame.file, CARRYING_FILES)
}

/// Whether a frame stands between the program and the kernel.
pub(super) fn carries(frame: &Frame) -> bool {
    let call = frame.name.trim_start_matches('_');
    let call = call.strip_prefix("libc_").unwrap_or(call);
    begins(&frame.file, CARRYING_FILES)
        || begins(called(&frame.name), CARRYING_NAMES)
        || frame.name.contains(NODES_OWN)
        || CALLS.contains(&call)
}

/// A function's name without the type that Java's maps put before it: `int Serve.copy(byte[], int)`.
fn called(name: &str) -> &str {
    let head = name.split_once('(').map_or("", |(head, _)| head);
    head.rsplit_once(' ').map_or(name, |(before, _)| &name[before.len() + 1..])
}

#[cfg(test)]
mod tests {
    use super::super::record::FrameKind;
    use super::*;

    #[test]
    fn what_node_brings_carries_and_what_it_runs_does_not() {
        let carries = |name: &str, file: &str| {
            let (name, file) = (name.to_owned(), file.to_owned());
            carries(&Frame { kind: FrameKind::User, name, file })
        };
        assert!(carries("[0x1c932]", "libuv.so.1.0.0"));
        assert!(carries("uv_try_write", "node"));
        assert!(carries("node::LibuvStreamWrap::DoTryWrite(uv_buf_t**, unsigned long*)", "node"));
        assert!(carries("JS:writeGeneric node:internal/stream_base_commons:147:22", ""));
        assert!(!carries("JS:copyFirst /srv/serve.js:13:19", ""));
        assert!(!carries("main", "node_exporter"));
    }
}
