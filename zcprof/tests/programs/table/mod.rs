//! THE TABLE of programs: how each is started, and what is known of it before it is watched, by its
//! source or by strace. To add one is to add a row.

mod files;
mod go;
mod iperf3;
mod java;
mod kafka;
mod nginx;
mod node;
mod planted;
mod python;
mod receivers;
mod rust;

/// Port that every program listens at, unless its row says another.
pub(crate) const PORT: u16 = 8080;

/// A program that zcprof did not write.
#[derive(Clone, Copy)]
pub(crate) struct ProgramCase {
    /// What it is, in the report.
    pub(crate) name: &'static str,
    /// Name of its process.
    pub(crate) process: &'static str,
    /// What is built here and without which it cannot run: a name of xtask's table.
    pub(crate) needs: Option<&'static str>,
    /// Its configuration, if it has one: which file, and the text. `PORT` stands for the port.
    pub(crate) file: Option<(&'static str, &'static str)>,
    /// How it is started, in the image.
    pub(crate) command: &'static [&'static str],
    /// Who begins first.
    pub(crate) begins: Begins,
    /// Where it listens.
    pub(crate) port: u16,
    /// Another process beside it, which is not watched.
    pub(crate) beside: &'static [&'static str],
    /// What has it send, in the image: asked for four times. Empty where it sends by itself.
    pub(crate) load: &'static str,
    /// What the load has it send, as multiples of the body.
    pub(crate) sends: Sends,
    /// Which bytes are claimed of (`--direction`).
    pub(crate) direction: &'static str,
    /// Claims, each with its verdict.
    pub(crate) claims: &'static [(&'static str, &'static str)],
    /// Per sent byte, outside framing: copied from user memory, handed over from files.
    pub(crate) truth: Option<(f64, f64)>,
    /// The most that was copied per byte, over all hops, framing included; told where `truth` is not.
    pub(crate) copies: Option<f64>,
    /// Most framing per sent byte.
    pub(crate) framing: f64,
    /// What else counts what it sent.
    pub(crate) counter: Option<Counter>,
    /// Functions of the program's that copy into the socket, each by a part of its name and with its share
    /// of what is copied there. The first copies most. Told where the program's names can be had.
    pub(crate) copiers: &'static [(&'static str, f64)],
}

/// Who begins first, the program or the window.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begins {
    /// zcprof starts the program.
    Window,
    /// It runs, and goes on for the next row that has the same command; it is watched by its port.
    Program,
}

/// What the load has it send.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sends {
    /// The body, and at most a hundredth more.
    Body,
    /// The body at least: parts are asked for twice.
    More,
    /// The body once, and at most a hundredth more.
    Once,
    /// Something: it is compressed.
    Something,
}

/// A counter that is not zcprof's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counter {
    /// Bytes in a log of one number a line, which the server writes.
    AccessLog(&'static str),
    /// Connections in /proc/net/tls_stat that encrypt what they send: one for each answer.
    TlsStat,
}

pub(super) const CURL: &str = "curl -s -o /dev/null http://ADDRESS:8080/body";
pub(super) const TLS: &str = "curl -s -k -o /dev/null https://ADDRESS:8080/body";
/// Packed or not, as the server likes.
pub(super) const UNPACKED: &str = "curl -s --compressed -o /dev/null http://ADDRESS:8080/body";

pub(super) type Claims = &'static [(&'static str, &'static str)];

pub(super) const ZERO: Claims = &[("zero-copy", "holds"), ("copied<=0.01", "holds")];
pub(super) const TWICE: Claims =
    &[("zero-copy", "refuted"), ("two-copies", "holds"), ("copied<=0.99", "refuted")];
pub(super) const REFUTED: Claims = &[("zero-copy", "refuted")];

const BASE: ProgramCase = ProgramCase {
    name: "",
    process: "",
    needs: None,
    file: None,
    command: &[],
    begins: Begins::Window,
    port: PORT,
    beside: &[],
    load: CURL,
    sends: Sends::Body,
    direction: "tx",
    claims: ZERO,
    truth: Some((0.0, 1.0)),
    copies: None,
    framing: 0.001,
    counter: None,
    copiers: &[],
};

/// Reads and sends: each byte is copied twice.
const COPIES: ProgramCase = ProgramCase { claims: TWICE, truth: Some((1.0, 0.0)), ..BASE };

/// Every program.
pub(crate) fn programs() -> impl Iterator<Item = &'static ProgramCase> {
    let tables = [
        nginx::ROWS,
        files::ROWS,
        receivers::ROWS,
        go::ROWS,
        python::ROWS,
        node::ROWS,
        rust::ROWS,
        iperf3::ROWS,
        java::ROWS,
        kafka::ROWS,
        planted::ROWS,
    ];
    tables.into_iter().flatten()
}
