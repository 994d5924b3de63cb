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

impl Interval {
    /// So many bytes, at least and at most, per byte of so many; zero of none.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "shown, and not judged by")]
    pub fn per_byte(least: u64, most: u64, of: u64) -> Self {
        let [least, most] =
            [least, most].map(|bytes| if of == 0 { 0.0 } else { bytes as f64 / of as f64 });
        Self { least, most }
    }
}
