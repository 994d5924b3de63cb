//! Programs of Python: its own server, aiohttp, and a server that sends in as many ways as a program
//! can (serve.py).

use super::{BASE, COPIES, Claims, ProgramCase, REFUTED, Sends, TLS};

const PYTHON: ProgramCase = ProgramCase { process: "python3", ..BASE };

/// The interpreter reads its own modules, which it might have sent for all that is known.
const ONCE: Claims =
    &[("zero-copy", "refuted"), ("copied<=1.05", "holds"), ("copied<=0.99", "refuted")];

/// What is read may be in the file that is sent. The interpreter reads its own modules.
const READ_INTO: Claims =
    &[("zero-copy", "inconclusive"), ("copied<=0.5", "inconclusive"), ("copied<=1.05", "holds")];

/// It sends what it has read, and has ended when the window does.
const SENDS: &str = "import socket
def by_sending(to, body):
    to.sendall(body)
with socket.create_connection((\"ADDRESS\", 8080)) as to, open(\"/www/body\", \"rb\") as file:
    by_sending(to, file.read())
";

/// Takes whatever comes.
const TAKES: &str = "import socket
by = socket.create_server((\"\", 8080)).accept()[0]
while by.recv(65536):
    pass
";

/// A way of `serve.py`: the name, the way, and what differs from one that hands over.
macro_rules! serves {
    ($name:literal, $mode:literal) => {
        ProgramCase {
            name: $name,
            command: &["/usr/bin/python3", "/srv/serve.py", $mode, "8080"],
            ..PYTHON
        }
    };
    ($name:literal, $mode:literal, copies) => {
        ProgramCase { claims: COPIES.claims, truth: COPIES.truth, ..serves!($name, $mode) }
    };
}

pub(super) const ROWS: &[ProgramCase] = &[
    ProgramCase {
        name: "Python, http.server",
        command: &["/usr/bin/python3", "-m", "http.server", "-d", "/www", "8080"],
        claims: COPIES.claims,
        truth: COPIES.truth,
        ..PYTHON
    },
    ProgramCase {
        name: "aiohttp, FileResponse",
        command: &["/usr/bin/python3", "/srv/serve_aiohttp.py", "8080"],
        ..PYTHON
    },
    ProgramCase {
        name: "aiohttp, FileResponse over TLS",
        command: &["/usr/bin/python3", "/srv/serve_aiohttp.py", "8080", "tls"],
        load: TLS,
        claims: REFUTED,
        truth: Some((1.0, 0.0)),
        ..PYTHON
    },
    serves!("Python, os.sendfile", "sendfile"),
    serves!("Python, read and send", "copy", copies),
    ProgramCase {
        name: "Python, read and send, with its map",
        command: &["/usr/bin/python3", "-X", "perf", "/srv/serve.py", "copy", "8080"],
        claims: COPIES.claims,
        truth: COPIES.truth,
        copiers: &[("py::by_copy", 1.0)],
        ..PYTHON
    },
    ProgramCase {
        name: "Python, sends with its map and ends",
        command: &["/usr/bin/python3", "-X", "perf", "-c", SENDS],
        beside: &["/usr/bin/python3", "-c", TAKES],
        load: "",
        sends: Sends::Once,
        claims: REFUTED,
        truth: Some((1.0, 0.0)),
        copiers: &[("py::by_sending", 1.0)],
        ..PYTHON
    },
    ProgramCase {
        claims: &[("zero-copy", "refuted"), ("copied<=1.01", "holds"), ("copied<=0.49", "refuted")],
        truth: Some((0.5, 0.5)),
        ..serves!("half by sendfile, half by read and send", "half")
    },
    serves!("hashed by read, then sendfile", "hashed"),
    ProgramCase { claims: ONCE, truth: Some((1.0, 0.0)), ..serves!("mmap and send", "mmap") },
    ProgramCase { claims: REFUTED, ..serves!("written into a pipe, then splice", "pipe") },
    serves!("spliced from the file by a pipe", "splice"),
    ProgramCase {
        // Read, and written into the memfd: two copies, and framing.
        claims: &[
            ("zero-copy", "inconclusive"),
            ("copied<=1.5", "inconclusive"),
            ("copied<=2.01", "holds"),
        ],
        ..serves!("copied into a memfd, then sendfile", "staged")
    },
    ProgramCase { claims: READ_INTO, ..serves!("read into a mapped memfd", "mapped-read") },
    ProgramCase {
        claims: READ_INTO,
        ..serves!("read into a memfd that is unmapped before sendfile", "unmapped-read")
    },
    ProgramCase {
        // As far as is known the modules may be in it.
        claims: &[("copied<=0.05", "holds")],
        ..serves!("loads and stores fill a mapped memfd", "mapped-loads")
    },
    ProgramCase {
        claims: REFUTED,
        truth: Some((1.0, 0.0)),
        ..serves!("cat as a process for each answer", "cat")
    },
    serves!("a child copies", "child-copy", copies),
    serves!("a child uses sendfile", "child-sendfile"),
    serves!("a thread copies", "thread-copy", copies),
    serves!("a thread uses sendfile", "thread-sendfile"),
    serves!("exec, then copies", "exec-copy", copies),
    serves!("exec, then sendfile", "exec-sendfile"),
];
