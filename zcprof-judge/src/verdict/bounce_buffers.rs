//! Pure: what the CPU copies for devices that do not reach all memory.

use zcprof_common::sites::BOUNCE_BUFFERS;
use zcprof_common::vocabulary::Instrument;

use super::Reason;
use super::tolerance::beyond_tolerance;
use crate::ledger::sum;
use crate::run::Coverage;

/// What speaks against no copy, given the bytes that each site counted for whomever: the tracepoint does not
/// tell whose bytes they are.
pub(crate) fn judge<'a>(
    counted: impl Iterator<Item = (&'a str, u64)>,
    coverage: &Coverage,
    payload: u64,
) -> Option<Reason> {
    let copied = sum(counted.filter(|(site, _)| *site == BOUNCE_BUFFERS).map(|(_, bytes)| bytes));
    if beyond_tolerance(copied, payload) {
        return Some(Reason::BounceBuffers(copied));
    }
    // Records of older versions have no row.
    let why = coverage.probe(BOUNCE_BUFFERS)?.state.lack()?;
    Some(Reason::NotWatching(Instrument::Syscalls, format!("{BOUNCE_BUFFERS}: {why}")))
}
