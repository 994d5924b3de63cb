//! What is planted to fool a watcher, each beside its honest twin: copies by whom, when and where
//! nobody looks.

use super::{BASE, COPIES, Claims, Counter, ProgramCase, Sends, TLS};

const PLANTED: ProgramCase = ProgramCase { process: "python3", ..BASE };

/// Half of each answer is sent by somebody else, or copied where nobody looks; and what somebody else sends
/// is the port's.
const HALF: Claims = &[
    ("zero-copy", "refuted"),
    ("copied<=1.01", "holds"),
    ("copied<=0.49", "refuted"),
    ("port:8080=copied<=0.51", "inconclusive"),
];

macro_rules! serves {
    ($name:literal, $mode:literal) => {
        ProgramCase {
            name: $name,
            command: &["/usr/bin/python3", "/srv/serve.py", $mode, "8080"],
            ..PLANTED
        }
    };
    ($name:literal, $mode:literal, copies) => {
        ProgramCase { claims: COPIES.claims, truth: COPIES.truth, ..serves!($name, $mode) }
    };
    ($name:literal, $mode:literal, half) => {
        ProgramCase { claims: HALF, truth: Some((0.5, 0.5)), ..serves!($name, $mode) }
    };
}

/// What a stranger hands over may come from a pipe that was written to: nobody watched him fill it.
const OF_A_STRANGER: Claims = &[
    ("zero-copy", "inconclusive"),
    ("copied<=0.01", "inconclusive"),
    ("copied<=0.51", "holds"),
    ("port:8080=zero-copy", "inconclusive"),
    ("port:8080=copied<=0.51", "holds"),
];

/// A ring's ways of `zcprof-served`.
macro_rules! ring {
    ($name:literal, $mode:literal) => {
        ProgramCase {
            name: $name,
            process: "zcprof-served",
            needs: Some("rust"),
            command: &["/built/rust/zcprof-served", $mode, "8080"],
            ..PLANTED
        }
    };
    ($name:literal, $mode:literal, copies) => {
        ProgramCase { claims: COPIES.claims, truth: COPIES.truth, ..ring!($name, $mode) }
    };
}

/// Many connections in a row, of 64 KiB each: 1,000 in all.
const MANY: &str =
    "curl -s -r 0-65535 -H 'Connection: close' -o /dev/null 'http://ADDRESS:8080/body?[1-250]'";

macro_rules! nginx {
    ($sendfile:literal) => {
        Some((
            "/etc/nginx/many.conf",
            concat!(
                "daemon off; worker_processes 1; pid /run/nginx.pid; error_log /dev/stderr warn;\n\
                 events { worker_connections 2048; }\n\
                 http { access_log off; sendfile ",
                $sendfile,
                ";\nserver { listen PORT; root /www; } }\n"
            ),
        ))
    };
}

const CONNECTIONS: ProgramCase = ProgramCase {
    process: "nginx",
    command: &["/usr/sbin/nginx", "-c", "/etc/nginx/many.conf"],
    load: MANY,
    sends: Sends::More,
    framing: 0.01,
    ..BASE
};

/// The process that is given the socket. It is nobody's child, and no target.
const HELPER: &[&str] = &["/usr/bin/python3", "/srv/serve.py", "helper", "0"];

pub(super) const ROWS: &[ProgramCase] = &[
    // Each call's record is encrypted before the kernel sends by the socket, which has the port.
    ProgramCase {
        load: TLS,
        claims: &[("zero-copy", "refuted"), ("port:8080=zero-copy", "inconclusive")],
        truth: None,
        counter: Some(Counter::TlsStat),
        ..serves!("TLS in the kernel, a record with each call", "tls-records")
    },
    ProgramCase {
        beside: HELPER,
        ..serves!("the socket is passed on, and copied to", "passed-copy", half)
    },
    ProgramCase {
        beside: HELPER,
        claims: OF_A_STRANGER,
        ..serves!("the socket is passed on, for sendfile", "passed-sendfile")
    },
    ProgramCase {
        beside: HELPER,
        claims: OF_A_STRANGER,
        ..serves!("the socket is passed on, with a pipe that was written to", "passed-pipe")
    },
    serves!("125 children for each answer, which copy", "many-copy", copies),
    serves!("125 children for each answer, by sendfile", "many-sendfile"),
    serves!("a child copies half and is killed", "killed-copy", half),
    serves!("a child sends half by sendfile and is killed", "killed-sendfile"),
    ring!("a ring's kernel thread copies (SQPOLL)", "sqpoll-copy", copies),
    ring!("a ring's kernel thread splices (SQPOLL)", "sqpoll-splice"),
    ring!("a ring's workers copy", "workers-copy", copies),
    ring!("a ring's workers splice", "workers-splice"),
    ring!("processes of a few milliseconds copy", "short-copy", copies),
    ring!("processes of a few milliseconds use sendfile", "short-sendfile"),
    ProgramCase {
        name: "1,000 connections, copied to",
        file: nginx!("off"),
        // Its headers are more than a thousandth, so that it reads less than it sends.
        claims: &[
            ("zero-copy", "refuted"),
            ("copied<=2.001", "holds"),
            ("copied<=0.99", "refuted"),
        ],
        truth: COPIES.truth,
        ..CONNECTIONS
    },
    ProgramCase { name: "1,000 connections, sendfile", file: nginx!("on"), ..CONNECTIONS },
];
