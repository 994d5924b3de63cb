//! What speaks against the counts of a pass.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why evidence is not to be trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "doubt", rename_all = "snake_case")]
pub enum Doubt {
    /// A probe's program was skipped.
    Missed {
        /// The site.
        site: String,
        /// How often.
        runs: u64,
    },
    /// The programs could not store what they saw.
    Lost {
        /// What was full or unreadable.
        what: String,
        /// How often.
        times: u64,
    },
    /// A fork, an exec or an exit was not followed, or a process listened before it was watched, so that a
    /// process may have been overlooked.
    Unfollowed {
        /// How often.
        times: u64,
    },
    /// A CPU came online that no breakpoint watched.
    UnwatchedCpu {
        /// Which.
        cpu: u32,
    },
    /// Somebody who is watched ran on a CPU on which zcprof may not run, so that nothing shows whether the
    /// breakpoints there answer.
    UnreachedCpu {
        /// Which.
        cpu: u32,
        /// The control group of zcprof, whose cpuset it is.
        group: String,
    },
    /// A probe that was attached is gone.
    ProbeGone {
        /// The site.
        site: String,
    },
    /// A probe was switched off for a while, or still is.
    ProbeOff {
        /// The site.
        site: String,
    },
    /// A module with a site was loaded after the probes were attached.
    ModuleLoaded {
        /// The module.
        module: String,
    },
    /// Repetitions of a pass, with other leaves watched, were not alike.
    Unlike {
        /// What differed.
        what: String,
        /// Bytes in the first.
        first: u64,
        /// Bytes in a later one.
        later: u64,
    },
    /// The page cache was not in the state that the pass is for.
    CacheState {
        /// Segment pages resident at the beginning.
        resident: u64,
        /// Segment pages in all.
        pages: u64,
    },
}
