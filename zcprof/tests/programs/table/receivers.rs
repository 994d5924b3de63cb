//! What receives: the bytes that are taken from sockets are claimed of.

use super::{BASE, ProgramCase, Sends};

const SERVER: &[&str] = &["/usr/bin/python3", "-m", "http.server", "8080", "--directory", "/www"];

const RECEIVERS: ProgramCase = ProgramCase {
    beside: SERVER,
    load: "",
    direction: "rx",
    sends: Sends::Once,
    truth: None,
    ..BASE
};

/// It looks at what comes (MSG_PEEK) before it takes that.
const LOOKS: &str = "import socket
s = socket.create_connection((\"ADDRESS\", 8080))
s.sendall(b\"GET /body HTTP/1.0\\r\\n\\r\\n\")
while n := len(s.recv(65536, socket.MSG_PEEK)):
    s.recv(n, socket.MSG_WAITALL)
";

pub(super) const ROWS: &[ProgramCase] = &[
    ProgramCase {
        name: "curl",
        process: "curl",
        command: &["curl", "-s", "-o", "/dev/null", "http://ADDRESS:8080/body"],
        claims: &[("copied<=1", "holds"), ("copied<=0.99", "refuted")],
        copies: Some(1.0),
        ..RECEIVERS
    },
    ProgramCase {
        name: "a receiver that looks before it takes",
        process: "python3",
        command: &["/usr/bin/python3", "-c", LOOKS],
        claims: &[("copied<=1.9", "refuted"), ("copied<=2", "holds")],
        copies: Some(2.0),
        ..RECEIVERS
    },
];
