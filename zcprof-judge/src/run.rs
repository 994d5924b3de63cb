//! The one serialisable record of a measurement. Measuring writes it; judging and rendering
//! read it and nothing else.

mod conditions;
mod control;
mod coverage;
mod doubt;
mod pass;
mod reception;
mod result;
mod timing;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stacks::Stacks;

pub use conditions::{Kernel, StorageLayer, Workload};
pub use control::{Control, ControlPath, Truth};
pub use coverage::{Coverage, Hole, Probe, ProbeState};
pub use doubt::Doubt;
pub use pass::{Cache, Count, DeviceExit, LeafStack, Named, Notices, Pass, Payload, SyscallCount};
pub use reception::{ReceiveResult, Reception};
pub use result::PassResult;
pub use timing::{Phase, TimedRound, Timing};

/// Version of this record's form. A reader refuses any other.
pub const SCHEMA: u32 = 4;

/// A measurement: which kernel, what could be seen of it, and what was seen.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("$id" = "zcprof.run/4"))]
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
    /// What each pass's claim came to when it was measured; who reads the record judges again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<PassResult>,
    /// What all claims came to, those about receiving among them: `holds`, `refuted` or `inconclusive`; none
    /// where nothing was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// Wall-clock time of each step of the measurement.
    pub phases: Vec<Phase>,
}

/// A transfer that was not measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Skipped {
    /// The transfer's name.
    pub transfer: String,
    /// What is lacking.
    pub reason: String,
}

/// A claim that the user put in place of a transfer's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClaimOverride {
    /// The transfer's name.
    pub transfer: String,
    /// The claim's name.
    pub claim: String,
}
