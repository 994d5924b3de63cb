//! What can be seen of the running kernel, by trying.

use std::fmt;

use anyhow::Result;
use zcprof_common::vocabulary::Instrument;

use crate::probe::{Options, Probes, kernel};
use crate::run::{Coverage, Kernel, ProbeState};
use crate::verdict;

/// The coverage of the running kernel.
#[derive(Debug)]
pub struct Diagnosis {
    /// Which kernel.
    pub kernel: Kernel,
    /// What was attached, for a moment.
    pub coverage: Coverage,
    /// Whether both instruments can look everywhere, so that a verdict is possible.
    pub complete: bool,
}

/// Attaches every probe and detaches it again.
///
/// # Errors
/// The programs cannot be loaded at all.
pub fn diagnose() -> Result<Diagnosis> {
    let options = Options { targets: vec![std::process::id()], ..Options::default() };
    let coverage = Probes::attach(&options)?.coverage();
    let both = [Instrument::Audit, Instrument::Callers];
    let complete = both.iter().all(|i| verdict::watching(*i, &coverage).is_ok());
    Ok(Diagnosis { kernel: kernel::running()?, coverage, complete })
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Kernel { release, machine, .. } = &self.kernel;
        writeln!(f, "kernel {release} ({machine})")?;
        for instrument in Instrument::ALL {
            match verdict::watching(*instrument, &self.coverage) {
                Ok(()) => writeln!(f, "{}: every site is attached", instrument.name())?,
                Err(reason) => writeln!(f, "{reason}")?,
            }
        }
        for probe in &self.coverage.probes {
            let state = match &probe.state {
                ProbeState::Attached { symbol, by, .. } => format!("{by} at {symbol}"),
                ProbeState::NotOnThisKernel => "not on this kernel".to_owned(),
                ProbeState::Absent { reason } => format!("ABSENT: {reason}"),
                ProbeState::Refused { reason } => format!("REFUSED: {reason}"),
                ProbeState::Withheld => "withheld".to_owned(),
            };
            writeln!(f, "  {:<9} {:<30} {state}", probe.instrument.name(), probe.site)?;
        }
        for hole in &self.coverage.holes {
            writeln!(f, "{}: {}; {}", hole.instrument.name(), hole.reason, hole.remedy)?;
        }
        let verdict = if self.complete { "complete" } else { "incomplete" };
        writeln!(f, "coverage is {verdict}")
    }
}
