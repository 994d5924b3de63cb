//! The one serialisable record of what watching costs. Measuring writes it; rendering reads it and
//! nothing else.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bench::record::Placement;
use crate::run::Kernel;

/// Version of this record's form. A reader refuses any other.
pub const SCHEMA: u32 = 1;

/// The same loads, in rounds, with nobody watching and beside each watcher.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("$id" = "zcprof.cost/1"))]
pub struct CostRun {
    /// Version of this record's form, [`SCHEMA`].
    pub schema: u32,
    /// What kind of record this is.
    pub kind: Kind,
    /// Version of zcprof that wrote it.
    pub zcprof: String,
    /// The kernel on which it ran.
    pub kernel: Kernel,
    /// What was the same for all.
    pub conditions: CostConditions,
    /// Who watched, in the order in which every round lists them.
    pub watchers: Vec<Watcher>,
    /// What was timed beside each of them, in the order in which every turn lists it.
    pub loads: Vec<Load>,
    /// The rounds, in the order measured.
    pub rounds: Vec<CostRound>,
}

/// What tells this kind of record from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "CostKind")]
pub enum Kind {
    /// The only one.
    #[serde(rename = "zcprof.cost")]
    Cost,
}

/// What was the same for all watchers. Sizes in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CostConditions {
    /// Record bytes of each load, all in the page cache.
    pub payload: u64,
    /// Mode in which the consumer received.
    pub consumer: String,
    /// File system that holds the segments, as /proc/self/mounts names it.
    pub file_system: String,
    /// Path between server and consumer.
    pub network: String,
    /// CPUs on which the servers and the consumer ran.
    pub placement: Placement,
}

/// Who watches, or nobody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Watcher {
    /// A name of the table of watchers: `nobody`, `callers`, `bpftrace`.
    pub name: String,
    /// Program and version; empty if nobody watches.
    pub program: String,
    /// What it is told; `PID` is the server's process.
    pub line: String,
    /// What it must have seen of the loads for a turn to count: `bytes sent`, `calls`; none if nobody
    /// watches.
    pub witness: Option<String>,
}

/// A load: one transfer of the whole payload over one connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Load {
    /// The transfer by which the server sent.
    pub transfer: String,
    /// Most record bytes in one fetch.
    pub fetch_size: u64,
    /// Fetches of each transfer.
    pub fetches: u64,
}

/// Every watcher's turn, in the order of the watchers, whatever the order in which they came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CostRound {
    /// One of each watcher.
    pub turns: Vec<Turn>,
}

/// A watcher is attached, the loads are timed, the watcher is detached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Turn {
    /// Seconds from the watcher's start until it saw the server.
    pub attach: f64,
    /// The loads of the server that is watched.
    pub watched: Vec<Timed>,
    /// The same loads of another server, which is not watched; it ran meanwhile too.
    pub neighbour: Vec<Timed>,
    /// How much the watcher saw, in the unit of its witness.
    pub seen: u64,
    /// The least that it must have seen.
    pub least: u64,
    /// The most that it can have seen, if there is one: who counts more has counted somebody else.
    pub most: Option<u64>,
    /// Runs of its programs that the watcher says it missed.
    pub missed: u64,
}

/// One load. Times in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Timed {
    /// Wall clock from the first request to the last byte, taken by the consumer.
    pub seconds: f64,
    /// CPU time of the server.
    pub server_cpu: f64,
    /// CPU time of the consumer.
    pub consumer_cpu: f64,
}

impl Turn {
    /// Whether the watcher saw the loads, and nothing else.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.seen >= self.least && self.most.is_none_or(|most| self.seen <= most)
    }
}
