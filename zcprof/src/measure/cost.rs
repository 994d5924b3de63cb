//! What the probes cost: every transfer is timed with them and without, in rounds that alternate. A round
//! with probes and the one without beside it make a ratio, so that a machine that grows slower or faster
//! meanwhile is in both.

use anyhow::Result;

use super::bench::TestBench;
use super::{blank, time_once};
use crate::probe::{Options, Probes};
use crate::run::Timing;
use crate::terminal;
use crate::transfer::TransferSpec;

/// Timings with probes, then those without, of the same transfers in the same order; the rounds of both
/// lists belong together one by one. Of a transfer that is refused in any round there is none. The first
/// round uses the probes that are attached already.
pub(super) fn time(
    bench: &mut TestBench,
    rows: &[&TransferSpec],
    (attached, wanted): (Probes, &Options),
    rounds: u32,
) -> Result<Vec<Timing>> {
    let mut with = blank(bench, rows, true)?;
    let mut without = blank(bench, rows, false)?;
    bench.prepare(bench.warmest())?;
    let mut attached = Some(attached);
    for at in 1..=rounds {
        terminal::step(&format!("the probes' cost, round {at} of {rounds}"));
        // Each kind is first in every other round.
        let probed_first = at % 2 == 1;
        let mut unmade = Vec::new();
        for probed in [probed_first, !probed_first] {
            // They stay attached until the round has ended.
            let probes = match (probed, attached.take()) {
                (true, Some(probes)) => Some(probes),
                (true, None) => Some(Probes::attach(wanted)?),
                (false, _) => None,
            };
            let timings = if probed { &mut with } else { &mut without };
            unmade.extend(time_once(bench, timings)?);
            drop(probes);
        }
        for timings in [&mut with, &mut without] {
            timings.retain(|timing| !unmade.contains(&timing.transfer));
        }
    }
    with.extend(without);
    Ok(with)
}
