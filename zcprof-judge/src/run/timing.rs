//! What was timed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conditions::Kernel;

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

/// Wall-clock time of one step.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Phase {
    /// `load`, `attach`, `control`, …
    pub name: String,
    /// Seconds.
    pub seconds: f64,
}
