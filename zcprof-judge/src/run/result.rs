//! What a pass's claim came to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pass::Cache;
use crate::interval::{HopBytes, Interval};

/// The outcome of a claim about a pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PassResult {
    /// The pass's transfer.
    pub transfer: String,
    /// The pass's cache state.
    pub cache: Cache,
    /// What was claimed.
    pub claim: String,
    /// `holds`, `refuted` or `inconclusive`.
    pub verdict: String,
    /// Codes of what refutes it or is missing; `zcprof explain CODE` says more.
    pub codes: Vec<String>,
    /// The same in words.
    pub reasons: Vec<String>,
    /// Payload bytes.
    pub payload: u64,
    /// Copies per payload byte on the server's side, over all hops and those that were made later: the fewest
    /// and the most that an instrument saw. Where it could not look, the verdict is `inconclusive`.
    pub copies: Interval,
    /// Bytes by hop and disposition, likewise.
    pub hops: Vec<HopBytes>,
}
