//! What could be seen: which probes were attached, and what was missing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zcprof_common::vocabulary::Instrument;

/// Which sites are probed, absent or refused.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Coverage {
    /// One entry per row of the table, in its order.
    pub probes: Vec<Probe>,
    /// What stands in the way of a whole instrument.
    pub holes: Vec<Hole>,
}

impl Coverage {
    /// What became of the site called so, if it was tried.
    #[must_use]
    pub fn probe(&self, site: &str) -> Option<&Probe> {
        self.probes.iter().find(|probe| probe.site == site)
    }
}

/// A row of the table on this kernel.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Probe {
    /// The site's name in the table.
    pub site: String,
    /// Who watches it.
    pub instrument: Instrument,
    /// What became of it.
    pub state: ProbeState,
}

impl Probe {
    /// Whether a program is attached.
    #[must_use]
    pub const fn is_attached(&self) -> bool {
        matches!(self.state, ProbeState::Attached { .. })
    }
}

/// What became of a site on this kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ProbeState {
    /// A program is attached.
    Attached {
        /// Kernel symbol or tracepoint.
        symbol: String,
        /// Mechanism: `execution breakpoint`, `kprobe`, `fexit`, `kretprobe`, `tracepoint`,
        /// `raw tracepoint`.
        by: String,
        /// Program runs that the kernel says it skipped, over the whole run; `None` if this
        /// kernel does not count them.
        missed: Option<u64>,
    },
    /// The table says that this kernel has no such site.
    NotOnThisKernel,
    /// The table says that it should be there, and it is not.
    Absent {
        /// What was looked for.
        reason: String,
    },
    /// The kernel refused the program.
    Refused {
        /// In the kernel's words.
        reason: String,
    },
    /// Nothing that was measured can reach it.
    NotNeeded {
        /// Why not.
        reason: String,
    },
    /// The user withheld the instrument.
    Withheld,
}

impl ProbeState {
    /// Why a site is not watched that should be; none where it is watched, or need not be.
    #[must_use]
    pub fn lack(&self) -> Option<&str> {
        match self {
            Self::Absent { reason } | Self::Refused { reason } => Some(reason),
            Self::Withheld => Some("withheld on request"),
            Self::Attached { .. } | Self::NotOnThisKernel | Self::NotNeeded { .. } => None,
        }
    }
}

/// Something that a whole instrument lacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hole {
    /// Which instrument.
    pub instrument: Instrument,
    /// What is missing.
    pub reason: String,
    /// What to do about it.
    pub remedy: String,
}
