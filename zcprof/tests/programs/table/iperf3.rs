//! iperf3: its client sends, from a buffer or from a file.

use super::{BASE, ProgramCase};

const SERVER: &[&str] = &["iperf3", "-s", "-p", "8080"];

const IPERF3: ProgramCase = ProgramCase { process: "iperf3", beside: SERVER, load: "", ..BASE };

pub(super) const ROWS: &[ProgramCase] = &[
    ProgramCase {
        name: "iperf3",
        command: &["iperf3", "-c", "ADDRESS", "-p", "8080", "-n", "32M"],
        claims: &[("zero-copy", "refuted"), ("one-copy", "holds")],
        truth: Some((1.0, 0.0)),
        ..IPERF3
    },
    ProgramCase {
        name: "iperf3 -Z",
        command: &["iperf3", "-c", "ADDRESS", "-p", "8080", "-n", "32M", "-Z"],
        ..IPERF3
    },
];
