//! Who a count of a watched window is charged to.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who a count is charged to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Charged {
    /// A watched program, by its name.
    Program(String),
    /// Nobody knows: it may be a watched program.
    Unknown,
    /// Somebody else.
    Elsewhere,
}

impl fmt::Display for Charged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program(name) => write!(f, "{name}"),
            Self::Unknown => write!(f, "sender unknown"),
            Self::Elsewhere => write!(f, "elsewhere"),
        }
    }
}
