//! The one serialisable record of a throughput benchmark. Measuring writes it; rendering reads it
//! and nothing else.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::run::Kernel;

/// Version of this record's form. A reader refuses any other.
pub const SCHEMA: u32 = 2;

/// A benchmark: on which kernel, under which conditions, and what each round took.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("$id" = "zcprof.bench/2"))]
pub struct BenchRun {
    /// Version of this record's form, [`SCHEMA`].
    pub schema: u32,
    /// Version of zcprof that wrote it.
    pub zcprof: String,
    /// The kernel on which it ran; no probe was attached.
    pub kernel: Kernel,
    /// What was the same for all.
    pub conditions: Conditions,
    /// Who took part.
    pub contestants: Vec<Contestant>,
    /// One entry for each size of fetch and number of connections, in the order measured.
    pub cells: Vec<BenchCell>,
}

/// What was the same for all contestants. Sizes in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Conditions {
    /// Mode in which the consumer received what was timed.
    pub consumer: String,
    /// Record bytes in the log, all in the page cache.
    pub log_bytes: u64,
    /// Segment files.
    pub segments: u32,
    /// File system that holds the segments, as /proc/self/mounts names it.
    pub file_system: String,
    /// Path between server and consumer.
    pub network: String,
    /// CPUs on which the servers and the consumer ran.
    pub placement: Placement,
    /// Rounds that count, of each contestant in each cell.
    pub rounds: u32,
    /// Why system calls were not counted; `None` if they were.
    pub calls_uncounted: Option<String>,
}

/// Who took part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Contestant {
    /// A transfer's name, or `nginx sendfile` and `nginx read` for nginx with and without it.
    pub name: String,
    /// Program and version.
    pub program: String,
    /// What it does, and how it is set up.
    pub summary: String,
}

/// One size of fetch and number of connections.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Cell")]
pub struct BenchCell {
    /// Most record bytes in one fetch.
    pub fetch_size: u64,
    /// Connections fetching at once.
    pub connections: u32,
    /// Record bytes of each round.
    pub payload: u64,
    /// Fetches of each round.
    pub fetches: u64,
    /// One entry for each contestant, in their order.
    pub series: Vec<Series>,
}

/// One contestant in one cell.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Series {
    /// Whether every byte was right in the round before those that count, which was received in
    /// mode `copy`.
    pub verified: bool,
    /// System calls of the server in a round of their own; `None` if they could not be counted.
    pub calls: Option<u64>,
    /// The rounds that count, in the order measured.
    pub rounds: Vec<Round>,
}

/// One round of one contestant.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Round {
    /// Wall clock in seconds from the first request to the last byte.
    pub seconds: f64,
    /// CPU time of the server in seconds.
    pub server_cpu: f64,
    /// CPU time of the consumer in seconds.
    pub consumer_cpu: f64,
    /// Half of the fetches took no longer, in microseconds.
    pub p50: u64,
    /// 99 of 100 fetches took no longer, in microseconds.
    pub p99: u64,
    /// The slowest fetch, in microseconds.
    pub max: u64,
    /// Seconds of the connection that was done first, from its first request to its last byte.
    pub fastest: f64,
    /// Seconds of the connection in the middle.
    pub median: f64,
    /// Seconds of the slowest connection.
    pub slowest: f64,
}

/// Which CPUs the servers and the consumer ran on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// Every server on one CPU and the consumer on another. The kernel puts io_uring's own
    /// workers where it likes (`io_wq_create()`, io_uring/io-wq.c).
    Apart {
        /// Number of the servers' CPU.
        servers: u32,
        /// Number of the consumer's CPU.
        consumer: u32,
    },
    /// Wherever the scheduler put them.
    Free,
}
