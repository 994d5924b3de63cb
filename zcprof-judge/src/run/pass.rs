//! One transfer in one state of the page cache: what was sent, and what was counted meanwhile.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zcprof_common::vocabulary::{Disposition, File, Hop, Iter, Process};

use super::doubt::Doubt;
use crate::charged::Charged;
use crate::syscall::{InSyscall, NamedSyscalls};

/// State of the page cache when a pass begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cache {
    /// Every page of the segments is resident.
    Warm,
    /// No page of the segments is resident.
    Cold,
    /// The file has no page cache: its bytes come anew each time that they are read.
    Uncached,
}

impl Cache {
    /// The word as it is printed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warm => "warm",
            Self::Cold => "cold",
            Self::Uncached => "uncached",
        }
    }
}

/// One transfer measured once: a known payload and what the probes counted meanwhile.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Pass {
    /// The transfer's name.
    pub transfer: String,
    /// What the transfer promises: the name of a [`Claim`](crate::claim::Claim). A control that is
    /// no transfer promises nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
    /// Page cache at the beginning.
    pub cache: Cache,
    /// What the consumer received.
    pub payload: Payload,
    /// Bytes that the workload can name and that are not payload.
    pub named: Vec<Named>,
    /// What the probes counted, sorted.
    pub counts: Vec<Count>,
    /// Devices that packets left by, sorted: of the server and the consumer alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exits: Vec<DeviceExit>,
    /// System calls that each process made, sorted.
    pub syscalls: Vec<SyscallCount>,
    /// What the kernel itself said of sends that pin user pages. No input to a verdict: it was
    /// seen to say "not copied" of bytes that were.
    pub notices: Notices,
    /// What went wrong with the evidence.
    pub doubts: Vec<Doubt>,
    /// The leaves that were watched in each repetition of the pass, by their sites' names. Where a
    /// CPU has fewer slots for breakpoints than there are leaves, the pass is repeated for the
    /// others; all counts but theirs are the first repetition's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leaves: Vec<Vec<String>>,
    /// What leaves copied, by the kernel's half of the stack; empty where that was not looked at. No
    /// verdict rests on it: it names functions that the table lacks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leaf_stacks: Vec<LeafStack>,
    /// Whether the consumer was watched too. A foreign one is not: what it copies is charged
    /// elsewhere.
    pub watched_consumer: bool,
    /// Seconds from the first request to the last byte, with probes attached.
    pub seconds: f64,
    /// Attempts before this one that proved nothing, each by its doubts: a pass in which a probe
    /// missed runs, or in which a CPU came online, is void and made again.
    pub void: Vec<Vec<Doubt>>,
}

impl Pass {
    /// What the stacks of a pass's processes are charged to: `sendfile cold, server`.
    #[must_use]
    pub fn charged(transfer: &str, cache: Cache, process: Process) -> Charged {
        match process {
            Process::Unknown => Charged::Unknown,
            Process::Elsewhere => Charged::Elsewhere,
            Process::Server | Process::Consumer => {
                Charged::Program(format!("{transfer} {}, {}", cache.name(), process.name()))
            }
        }
    }
}

/// What a leaf copied by one way through the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeafStack {
    /// What was counted.
    pub count: Count,
    /// The functions that led to the leaf, the innermost first.
    pub functions: Vec<String>,
}

/// Bytes that a device got of a process's packets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Exit")]
pub struct DeviceExit {
    /// Who sent them.
    pub process: Process,
    /// The device.
    pub name: String,
    /// The kind of link, as `ip -d link` prints it; empty for hardware and the loopback device.
    pub kind: String,
    /// Bytes, headers included. A packet passes several devices where one is on top of another.
    pub bytes: u64,
}

/// What the kernel itself says of sends that pin user pages: it gives one notice for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Notices {
    /// Sends for which a notice is due.
    pub asked: u64,
    /// Notices that came.
    pub completed: u64,
    /// Those that said the bytes were copied after all.
    pub copied: u64,
    /// This kernel does not tell which were copied (io_uring before 6.2).
    pub untold: bool,
}

impl Notices {
    /// What came after `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            asked: self.asked.saturating_sub(before.asked),
            completed: self.completed.saturating_sub(before.completed),
            copied: self.copied.saturating_sub(before.copied),
            untold: self.untold,
        }
    }

    /// Adds another connection's.
    pub fn add(&mut self, other: Self) {
        self.asked = self.asked.saturating_add(other.asked);
        self.completed = self.completed.saturating_add(other.completed);
        self.copied = self.copied.saturating_add(other.copied);
        self.untold |= other.untold;
    }
}

/// What the consumer received and verified. Sizes in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Payload {
    /// Record bytes received and verified (CRC-32C of every record batch).
    pub bytes: u64,
    /// Fetches answered.
    pub fetches: u64,
    /// CRC-32C over all record bytes equals that of the segments.
    pub verified: bool,
}

/// Bytes that are not payload, and that the workload knows to be on a hop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Named {
    /// Whose bytes.
    pub process: Process,
    /// Where they are counted.
    pub hop: Hop,
    /// As what they are counted.
    pub disposition: Disposition,
    /// In which system call.
    pub syscall: NamedSyscalls,
    /// How many.
    pub bytes: u64,
    /// What they are: `response headers`, `requests`, `sendfile offsets`.
    pub what: String,
}

/// Calls and bytes at a probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Count {
    /// The site's name in the table.
    pub site: String,
    /// Process charged.
    pub process: Process,
    /// Its current system call: a name, `#N` for one that the table does not name, or `none`.
    pub syscall: InSyscall,
    /// The site's iterator.
    pub iter: Iter,
    /// The system call's file.
    pub file: File,
    /// Times reached.
    pub calls: u64,
    /// Bytes copied, moved or filled.
    pub bytes: u64,
}

/// System calls of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SyscallCount {
    /// Who made them.
    pub process: Process,
    /// Name, or `#N` for one that the table does not name.
    pub syscall: InSyscall,
    /// The file that they name.
    pub file: File,
    /// How many.
    pub calls: u64,
    /// Sum of positive results.
    pub bytes: u64,
}
