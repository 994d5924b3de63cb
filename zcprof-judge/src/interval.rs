//! Numbers that are known within bounds, as records keep them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bytes at a hop, as an interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HopBytes {
    /// Which arrow of the path.
    pub hop: zcprof_common::vocabulary::Hop,
    /// What happened there.
    pub disposition: zcprof_common::vocabulary::Disposition,
    /// The least and the most per sent byte.
    pub per_byte: Interval,
}

/// The least and the most that a number can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
}
