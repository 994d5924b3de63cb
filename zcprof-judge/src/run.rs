//! The one serialisable record of a measurement. Measuring writes it; judging and rendering
//! read it and nothing else.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zcprof_common::vocabulary::{Disposition, File, Hop, Instrument, Iter, Process};

use crate::charged::Charged;
use crate::interval::{HopBytes, Interval};
use crate::stacks::Stacks;
use crate::syscall::{InSyscall, NamedSyscalls};

/// Version of this record's form. A reader refuses any other.
pub const SCHEMA: u32 = 4;

/// A measurement: which kernel, what could be seen of it, and what was seen.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// Version of this record's form, [`SCHEMA`].
    pub schema: u32,
    /// Version of zcprof that wrote it.
    pub zcprof: String,
    /// The kernel that was watched.
    pub kernel: Kernel,
    /// What was served to whom.
    pub workload: Workload,
    /// What could be seen.
    pub coverage: Coverage,
    /// Known-truth passes, made before any other.
    pub controls: Vec<Control>,
    /// One entry per transfer and cache state, in the order measured.
    pub passes: Vec<Pass>,
    /// Ways to receive whose promises are judged, each measured by itself, in the order measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub receptions: Vec<Reception>,
    /// Transfers that were not measured, or not with the page cache cold, because this kernel,
    /// the consumer or the file system lacks what they need.
    pub skipped: Vec<Skipped>,
    /// Passes for time, in the order measured; on which kernel is said in each.
    pub timings: Vec<Timing>,
    /// Claims that the user put in place of a transfer's own.
    pub claims: Vec<ClaimOverride>,
    /// Who copied, by stack; none where they were not asked for. No verdict rests on them. Each stack is
    /// charged to a process of a pass ([`Pass::charged`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stacks: Option<Stacks>,
    /// Wall-clock time of each step of the measurement.
    pub phases: Vec<Phase>,
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

/// A running kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Kernel {
    /// `uname -r`.
    pub release: String,
    /// `uname -v`.
    pub version: String,
    /// `uname -m`.
    pub machine: String,
    /// CPUs online when the run began.
    pub cpus: u32,
    /// Emulator or hypervisor, as far as it is known: `TCG`, `KVM`. TCG time is not real time.
    pub hypervisor: Option<String>,
}

/// What was served to whom. Sizes in bytes.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Workload {
    /// Payload that each pass aims at.
    pub payload: u64,
    /// Most record bytes in one fetch.
    pub fetch_size: u64,
    /// Connections fetching at once.
    pub connections: u32,
    /// Segment files.
    pub segments: u32,
    /// Record bytes in all segment files.
    pub log_bytes: u64,
    /// File system that holds the segments, as /proc/self/mountinfo names it.
    pub file_system: String,
    /// What stores the segments, from their file system down to the device.
    #[serde(default)]
    pub storage: Vec<StorageLayer>,
    /// Path between server and consumer.
    pub network: String,
    /// That path's name on the command line.
    pub network_name: String,
    /// Kind of socket between them, by its name on the command line.
    #[serde(default = "tcp")]
    pub socket: String,
    /// Who consumed in the passes: name and version. In the controls it is always zcprof.
    pub consumer: String,
}

/// A layer of what stores a file: a file system, something that a file system does to this file, or
/// a block device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Layer")]
pub struct StorageLayer {
    /// What it is: `ext4`, `loop with direct I/O`, `dm-crypt`, `virtio_blk`.
    pub kind: String,
    /// Which: where it is mounted, or the device.
    pub name: String,
}

/// `loop /dev/loop0`.
impl fmt::Display for StorageLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// The only kind of socket that older records know.
fn tcp() -> String {
    "tcp".to_owned()
}

/// Which sites are probed, absent or refused.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Coverage {
    /// One entry per row of the table, in its order.
    pub probes: Vec<Probe>,
    /// What stands in the way of a whole instrument.
    pub holes: Vec<Hole>,
}

impl Coverage {
    /// What became of the site called so, if it was tried.
    #[must_use]
    pub fn probe(&self, site: &str) -> Option<&Probe> {
        self.probes.iter().find(|probe| probe.site == site)
    }
}

/// A row of the table on this kernel.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Probe {
    /// The site's name in the table.
    pub site: String,
    /// Who watches it.
    pub instrument: Instrument,
    /// What became of it.
    pub state: ProbeState,
}

impl Probe {
    /// Whether a program is attached.
    #[must_use]
    pub const fn is_attached(&self) -> bool {
        matches!(self.state, ProbeState::Attached { .. })
    }
}

/// What became of a site on this kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ProbeState {
    /// A program is attached.
    Attached {
        /// Kernel symbol or tracepoint.
        symbol: String,
        /// Mechanism: `execution breakpoint`, `kprobe`, `fexit`, `kretprobe`, `tracepoint`,
        /// `raw tracepoint`.
        by: String,
        /// Program runs that the kernel says it skipped, over the whole run; `None` if this
        /// kernel does not count them.
        missed: Option<u64>,
    },
    /// The table says that this kernel has no such site.
    NotOnThisKernel,
    /// The table says that it should be there, and it is not.
    Absent {
        /// What was looked for.
        reason: String,
    },
    /// The kernel refused the program.
    Refused {
        /// In the kernel's words.
        reason: String,
    },
    /// Nothing that was measured can reach it.
    NotNeeded {
        /// Why not.
        reason: String,
    },
    /// The user withheld the instrument.
    Withheld,
}

/// Something that a whole instrument lacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hole {
    /// Which instrument.
    pub instrument: Instrument,
    /// What is missing.
    pub reason: String,
    /// What to do about it.
    pub remedy: String,
}

/// A transfer that was not measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Skipped {
    /// The transfer's name.
    pub transfer: String,
    /// What is lacking.
    pub reason: String,
}

/// A known-truth pass: the instruments must see what is certainly there, and nothing else.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Control {
    /// `read_write`, `sendfile`, or `idle` for nothing at all.
    pub name: String,
    /// Which way it took.
    #[serde(default)]
    pub way: ControlPath,
    /// What must be seen, per instrument.
    pub truth: Vec<Truth>,
    /// What was seen.
    pub pass: Pass,
}

/// Which way the bytes of a control take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Way")]
pub enum ControlPath {
    /// TCP over loopback, whatever is measured: an instrument that fails there cannot see.
    #[default]
    Plain,
    /// That of the passes. Where it differs and only this fails, the way does something to the
    /// bytes that the instruments cannot tell.
    Measured,
}

/// A number that is known before it is measured.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Truth {
    /// Which arrow of the path.
    pub hop: Hop,
    /// What happens there.
    pub disposition: Disposition,
    /// Whose instrument must see it.
    pub instrument: Instrument,
    /// Bytes, after named bytes are subtracted.
    pub bytes: u64,
}

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

/// What a leaf copied by one way through the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeafStack {
    /// What was counted.
    pub count: Count,
    /// The functions that led to the leaf, the innermost first.
    pub functions: Vec<String>,
}

/// A transfer received in one mode: what is judged is what became of the bytes that arrived.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Reception {
    /// The consumer's mode.
    pub mode: String,
    /// What the mode promises: the name of a
    /// [`ReceiveClaim`](crate::receive::claim::ReceiveClaim).
    pub claim: String,
    /// Whether the mode sees the bytes and verifies them. One that does not can only count them, and
    /// the promise is then about their number alone.
    pub sees: bool,
    /// What was counted. It promises nothing about the transfer.
    pub pass: Pass,
    /// What the promise came to when it was measured; who reads the record judges again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<ReceiveResult>,
}

/// The outcome of a promise about receiving.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReceiveResult {
    /// `holds`, `refuted` or `inconclusive`.
    pub verdict: String,
    /// Codes of what refutes it or is missing; `zcprof explain CODE` says more.
    pub codes: Vec<String>,
    /// The same in words.
    pub reasons: Vec<String>,
    /// Bytes received, by the consumer's count.
    pub received: u64,
    /// Copies per received byte, from the socket's receive queue on; none if an instrument could not
    /// look.
    pub copies: Option<Interval>,
    /// Bytes by hop and disposition; none then.
    pub hops: Vec<HopBytes>,
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

/// Why evidence is not to be trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "doubt", rename_all = "snake_case")]
pub enum Doubt {
    /// A probe's program was skipped.
    Missed {
        /// The site.
        site: String,
        /// How often.
        runs: u64,
    },
    /// The programs could not store what they saw.
    Lost {
        /// What was full or unreadable.
        what: String,
        /// How often.
        times: u64,
    },
    /// A fork, an exec or an exit was not followed, so that a process may have been overlooked.
    Unfollowed {
        /// How often.
        times: u64,
    },
    /// A CPU came online that no breakpoint watched.
    UnwatchedCpu {
        /// Which.
        cpu: u32,
    },
    /// A probe that was attached is gone.
    ProbeGone {
        /// The site.
        site: String,
    },
    /// A probe was switched off for a while, or still is.
    ProbeOff {
        /// The site.
        site: String,
    },
    /// A module with a site was loaded after the probes were attached.
    ModuleLoaded {
        /// The module.
        module: String,
    },
    /// Repetitions of a pass, with other leaves watched, were not alike.
    Unlike {
        /// What differed.
        what: String,
        /// Bytes in the first.
        first: u64,
        /// Bytes in a later one.
        later: u64,
    },
    /// The page cache was not in the state that the pass is for.
    CacheState {
        /// Segment pages resident at the beginning.
        resident: u64,
        /// Segment pages in all.
        pages: u64,
    },
}

/// Un-probed or probed time of one transfer. Never input to a verdict.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Timing {
    /// The transfer's name.
    pub transfer: String,
    /// Where the time was taken.
    pub kernel: Kernel,
    /// Whether probes were attached (to tell what they cost).
    pub probed: bool,
    /// Payload bytes of each round.
    pub payload: u64,
    /// The rounds, in the order measured.
    pub rounds: Vec<TimedRound>,
}

/// One timed round. Seconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Round")]
pub struct TimedRound {
    /// Wall clock from the first request to the last byte.
    pub seconds: f64,
    /// CPU time of the server.
    pub server_cpu: f64,
    /// CPU time of the consumer.
    pub consumer_cpu: f64,
}

/// A claim that the user put in place of a transfer's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClaimOverride {
    /// The transfer's name.
    pub transfer: String,
    /// The claim's name.
    pub claim: String,
}

/// Wall-clock time of one step.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Phase {
    /// `load`, `attach`, `control`, …
    pub name: String,
    /// Seconds.
    pub seconds: f64,
}
