//! Passes whose truth is known beforehand.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zcprof_common::vocabulary::{Disposition, Hop, Instrument};

use super::pass::Pass;

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
