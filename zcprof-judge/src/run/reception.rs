//! A way to receive, measured by itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pass::Pass;
use crate::interval::{HopBytes, Interval};

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
