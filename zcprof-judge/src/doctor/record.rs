//! The one serialisable record of a diagnosis. Looking writes it; rendering reads it and nothing
//! else.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zcprof_common::vocabulary::{Disposition, Hop, Instrument};

use crate::run::{Kernel, ProbeState};

/// Version of this record's form. A reader refuses any other.
pub const SCHEMA: u32 = 1;

/// What can be seen of a kernel, and what stands in the way of the rest.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("$id" = "zcprof.doctor/1"))]
pub struct Diagnosis {
    /// Version of this record's form, [`SCHEMA`].
    pub schema: u32,
    /// Version of zcprof that wrote it.
    pub zcprof: String,
    /// Which kernel.
    pub kernel: Kernel,
    /// Whether audit and callers can look everywhere, so that a verdict is possible.
    pub complete: bool,
    /// What kept every program from being loaded; without it each was attached for a moment.
    pub barred: Option<Obstacle>,
    /// One entry per instrument.
    pub instruments: Vec<InstrumentCoverage>,
    /// One entry per hop, instrument and disposition for which the table has a row on this
    /// kernel, in the order of the path.
    pub cells: Vec<VisibilityCell>,
    /// One entry per row of the table, in its order.
    pub sites: Vec<SiteHere>,
    /// What is not watched and why, the same cause once.
    pub holes: Vec<Gap>,
    /// What was read of the kernel and its settings.
    pub facts: Vec<Fact>,
    /// The capabilities that zcprof uses, and whether this process has them.
    pub capabilities: Vec<Privilege>,
}

/// What is in the way, and how to clear it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Obstacle {
    /// What is in the way.
    pub reason: String,
    /// What to do about it.
    pub remedy: String,
}

/// How much of its sites an instrument watches.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Watch")]
pub struct InstrumentCoverage {
    /// Which instrument.
    pub instrument: Instrument,
    /// Whether nothing of what it needs is missing.
    pub complete: bool,
    /// Sites that are attached.
    pub attached: u32,
    /// Sites that should exist on this kernel.
    pub expected: u32,
    /// The code of the reason that a verdict would have for it (`ZC203`); none if it is complete.
    pub code: Option<String>,
}

/// What an instrument can see of one disposition at one hop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Cell")]
pub struct VisibilityCell {
    /// Where.
    pub hop: Hop,
    /// Who looks.
    pub instrument: Instrument,
    /// At what.
    pub disposition: Disposition,
    /// How much of it.
    pub sees: Sees,
    /// The sites that it takes: those that count these bytes, take them away again, or tell whose
    /// they are.
    pub sites: Vec<String>,
}

/// How much of a disposition an instrument sees at a hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sees {
    /// Every site that it takes is attached.
    All,
    /// Every site is attached, and what system calls did is presumed from their results.
    Presumed,
    /// Every site is attached, and other functions do the same there, which this instrument had no
    /// means to watch. Only in records of before it watched leaves in groups.
    Limited,
    /// Some of the sites that it takes are not attached.
    Part,
    /// No site that counts it is attached.
    Nothing,
    /// It was not tried.
    Untried,
}

/// A row of the table on this kernel.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SiteHere {
    /// The site's name in the table.
    pub site: String,
    /// Who watches it.
    pub instrument: Instrument,
    /// Kernel file that defines it.
    pub source: String,
    /// Whether it should exist here.
    pub expected: Expected,
    /// The name under which the kernel lists it; none for tracepoints, and where it is not
    /// listed.
    pub symbol: Option<String>,
    /// What became of it; none if it was not tried.
    pub state: Option<ProbeState>,
}

/// Whether a site should exist on a kernel, by the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "expected", rename_all = "snake_case")]
pub enum Expected {
    /// It should.
    Here,
    /// The row is for other versions.
    OtherVersions {
        /// First version that has it, such as `6.5`.
        since: String,
        /// First version that no longer has it.
        until: Option<String>,
    },
    /// It is in a module, which is not loaded: nobody can be in it.
    ModuleNotLoaded {
        /// Which.
        module: String,
    },
}

/// Sites that are not watched, for one cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// Who does not see them.
    pub instrument: Instrument,
    /// The code of the reason that a verdict would have (`ZC203`), for `zcprof explain`.
    pub code: String,
    /// Which; all of the instrument's if the cause is not in one of them.
    pub sites: Vec<String>,
    /// What is missing, in the kernel's words where it said any.
    pub reason: String,
    /// What to do about it.
    pub remedy: String,
}

/// Something that was read of the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fact {
    /// What: a file, a switch, an option of the kernel's configuration.
    pub name: String,
    /// What it says; none if it cannot be read or is not there.
    pub value: Option<String>,
    /// What it means.
    pub meaning: String,
    /// The instruments that depend on it.
    pub instruments: Vec<Instrument>,
    /// What it keeps this process from, if anything.
    pub obstacle: Option<Obstacle>,
}

/// A capability (`capabilities(7)`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Privilege {
    /// Such as `CAP_BPF`.
    pub name: String,
    /// Whether this process has it.
    pub held: bool,
    /// The instruments that are blind without it; none if it is for something else than seeing.
    pub instruments: Vec<Instrument>,
    /// What it lets zcprof do.
    pub adds: String,
}
