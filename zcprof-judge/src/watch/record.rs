//! The one serialisable record of a watched window. Watching writes it; judging and rendering read it
//! and nothing else.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zcprof_common::vocabulary::{File, Iter};

use super::objects::{FileCalls, PeerCalls, StrangerCalls};
pub use crate::charged::Charged;
pub use crate::interval::{HopBytes, Interval};
use crate::run::{Control, Coverage, Doubt, Kernel, Phase};
use crate::stacks::Stacks;
use crate::syscall::InSyscall;

/// Version of this record's form. A reader refuses any other.
pub const SCHEMA: u32 = 1;

/// A window in which programs were watched.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("$id" = "zcprof.watch/1"))]
pub struct Watch {
    /// Version of this record's form, [`SCHEMA`].
    pub schema: u32,
    /// What kind of record this is.
    pub kind: Kind,
    /// Version of zcprof that wrote it.
    pub zcprof: String,
    /// The kernel that was watched.
    pub kernel: Kernel,
    /// What could be seen.
    pub coverage: Coverage,
    /// Known-truth passes of zcprof's own processes, before the window and after it.
    pub controls: Vec<Control>,
    /// Who was to be watched, as it was asked for: `pid 812`, `port 8080`, `the command`.
    pub targets: Vec<String>,
    /// The command that was started, if one was.
    pub command: Option<StartedCommand>,
    /// Length of the window in seconds.
    pub seconds: f64,
    /// Programs that watched processes ran.
    pub programs: Vec<Program>,
    /// What the probes counted, sorted.
    pub counts: Vec<WatchedCount>,
    /// Devices that packets left by, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exits: Vec<WatchedExit>,
    /// What system calls moved into or out of regular files, sorted. No verdict rests on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileCalls>,
    /// What system calls moved through sockets, by peer, sorted. No verdict rests on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<PeerCalls>,
    /// Processes that are not watched and sent by sockets of those who are, sorted. What they sent is in the
    /// counts of those whose sockets these are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strangers: Vec<StrangerCalls>,
    /// What waited in sockets when the window ended; none if nothing did, or if what is claimed is not of
    /// what was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued: Option<Queued>,
    /// The window in stretches of time, at most [`super::series::MOST`]. No verdict rests on them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub series: Vec<Stretch>,
    /// Who copied, by stack; none where they were not asked for. No verdict rests on them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stacks: Option<Stacks>,
    /// What leaves copied, by the kernel's half of the stack. No verdict rests on it: it names functions
    /// that the table lacks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leaf_stacks: Vec<WatchedLeafStack>,
    /// What went wrong with the evidence.
    pub doubts: Vec<Doubt>,
    /// The leaves that were watched, by their sites' names.
    pub leaves: Vec<String>,
    /// Memory that the maps of the probes took in the kernel; none where it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maps: Option<MapMemory>,
    /// What is claimed of: bytes that were sent, received, or written into files.
    #[serde(default, skip_serializing_if = "Direction::is_tx")]
    pub direction: Direction,
    /// How much framing a claim of no copy tolerates.
    pub framing: Tolerance,
    /// Bytes that must have been sent (or received, or written) for a verdict.
    pub min_bytes: u64,
    /// What was claimed of whom.
    pub claims: Vec<Asked>,
    /// Whether a command that fails leaves the verdict as it is.
    pub ignore_status: bool,
    /// The outcome of each claim when the record was written; `zcprof judge` judges anew.
    #[serde(default)]
    pub results: Vec<ClaimResult>,
    /// The verdict over all claims, or none where nothing was claimed.
    #[serde(default)]
    pub verdict: Option<String>,
    /// Wall-clock time of each step.
    pub phases: Vec<Phase>,
}

/// Memory that maps take in the kernel, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MapMemory {
    /// All of it, on this machine.
    pub bytes: u64,
    /// Values that each CPU has for itself: what one more CPU takes.
    pub per_cpu: u64,
    /// CPUs that this machine can have.
    pub cpus: u32,
}

/// What tells this kind of record from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// The only one.
    #[serde(rename = "zcprof.watch")]
    Watch,
}

/// A command that zcprof started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Command")]
pub struct StartedCommand {
    /// The program and its arguments.
    pub line: Vec<String>,
    /// How it ended, if it did: its exit code, or 128 and the number of the signal.
    pub status: Option<i32>,
    /// zcprof ended it, because the window was over.
    pub ended_by_us: bool,
}

/// A program that watched processes ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Program {
    /// Name of its first thread (`/proc/PID/comm`).
    pub name: String,
    /// The process that it began with.
    pub pid: u32,
}

/// Calls and bytes at a probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WatchedCount {
    /// The site's name in the table.
    pub site: String,
    /// Who is charged.
    pub charged: Charged,
    /// Local port of the socket, if it is one that is told apart.
    pub port: Option<u16>,
    /// The current system call: a name, `#N` for one that the table does not name, or `none`.
    pub syscall: InSyscall,
    /// The site's iterator.
    pub iter: Iter,
    /// The system call's file.
    pub file: File,
    /// Times reached.
    pub calls: u64,
    /// Bytes copied, moved or filled.
    pub bytes: u64,
    /// Calls of at most [`Tolerance::size`] bytes.
    pub small_calls: u64,
    /// Their bytes.
    pub small_bytes: u64,
    /// Bytes of the largest call.
    pub largest: u64,
    /// Calls by the length of their number of bytes in bits: the first had none, the second one, the third
    /// two or three, and so on; the last of 32 has all that are longer. No verdict rests on them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sizes: Vec<u64>,
}

/// What a leaf copied by one way through the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WatchedLeafStack {
    /// What was counted.
    pub count: WatchedCount,
    /// The functions that led to the leaf, the innermost first.
    pub functions: Vec<String>,
}

/// A stretch of the window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stretch {
    /// When it began, in seconds from the window's beginning.
    pub from: f64,
    /// When it ended.
    pub to: f64,
    /// Bytes sent in it.
    pub sent: u64,
    /// Copies per byte sent in it.
    pub copies: Interval,
    /// Whether every claim held in it; none where nobody can know, or nothing was claimed or sent.
    pub held: Option<bool>,
}

/// Bytes that a device got of somebody's packets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WatchedExit {
    /// Who sent them.
    pub charged: Charged,
    /// The device.
    pub name: String,
    /// The kind of link, as `ip -d link` prints it; empty for hardware and the loopback device.
    pub kind: String,
    /// Bytes, headers included. A packet passes several devices where one is on top of another.
    pub bytes: u64,
}

/// Bytes that had been sent and waited in sockets of TCP when the window ended, and what became of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Queued {
    /// How long zcprof waited for them, in seconds.
    pub seconds: f64,
    /// How many there were, by whose they are, sorted.
    pub sockets: Vec<QueuedBytes>,
    /// What was counted below the sockets meanwhile, of these bytes or of some that were sent later.
    pub counts: Vec<WatchedCount>,
    /// Devices that packets left by meanwhile.
    pub exits: Vec<WatchedExit>,
}

/// Bytes that waited in the sockets of a program.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueuedBytes {
    /// Whose.
    pub charged: Charged,
    /// Local port, if it is one that is told apart.
    pub port: Option<u16>,
    /// How many, when the window ended.
    pub bytes: u64,
    /// How many of them waited still when zcprof waited no longer.
    pub left: u64,
}

/// Which bytes of a watched program are the denominator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Those that it sent.
    #[default]
    Tx,
    /// Those that it took from sockets; a look at them (MSG_PEEK) takes none.
    Rx,
    /// Those that it wrote into files, through the page cache.
    File,
}

impl Direction {
    /// Every direction.
    pub const ALL: [Self; 3] = [Self::Tx, Self::Rx, Self::File];

    /// As it is written on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tx => "tx",
            Self::Rx => "rx",
            Self::File => "file",
        }
    }

    /// What was done to the bytes.
    #[must_use]
    pub const fn done(self) -> &'static str {
        match self {
            Self::Tx => "sent",
            Self::Rx => "received",
            Self::File => "written",
        }
    }

    /// Whether what is sent is meant, as where nothing is said.
    #[must_use]
    pub fn is_tx(&self) -> bool {
        *self == Self::Tx
    }
}

/// How much framing a claim of no copy tolerates: bytes that a server writes from user memory into a
/// socket that also has pages handed over, such as response headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tolerance {
    /// Most bytes of a small call. It decides nothing; the report says how many calls were larger.
    pub size: u64,
    /// Most of the sent bytes, in millionths.
    pub millionths: u32,
}

/// A claim about what was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Asked {
    /// About what.
    pub of: Of,
    /// What: a [`Promise`](super::Promise) as it is written.
    pub claim: String,
}

/// A part of what was sent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// All that the watched programs sent.
    All,
    /// What one program sent, by its name.
    Program(String),
    /// What was sent from one local port.
    Port(u16),
}

impl fmt::Display for Of {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => write!(f, "all"),
            Self::Program(name) => write!(f, "{name}"),
            Self::Port(port) => write!(f, "port {port}"),
        }
    }
}

/// The outcome of a claim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Outcome")]
pub struct ClaimResult {
    /// About what.
    pub of: Of,
    /// What was claimed.
    pub claim: String,
    /// `holds`, `refuted` or `inconclusive`.
    pub verdict: String,
    /// Devices up to which it holds: behind each a process reads the packets (a TUN device), and which process,
    /// and what it copies, is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub up_to: Vec<String>,
    /// Codes of what refutes it or is missing; `zcprof explain CODE` says more.
    pub codes: Vec<String>,
    /// The same in words.
    pub reasons: Vec<String>,
    /// Bytes sent.
    pub sent: u64,
    /// Copies per sent byte, framing included.
    pub copies: Interval,
    /// Bytes by hop and disposition.
    pub hops: Vec<HopBytes>,
}
