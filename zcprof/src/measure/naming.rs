//! Which function the table lacks. Where the leaves saw copies that no caller explains, the pass is made once
//! more with the kernel's stacks of what leaves copy; its numbers stay those of the pass that was judged.
//! So stacks cost nothing where everything is explained.

use anyhow::Result;

use super::bench::TestBench;
use super::fetching::Amount;
use super::passes;
use crate::probe::{KeptStacks, Options, Probes};
use crate::run::Run;
use crate::terminal;
use crate::transfer::TransferSpec;
use crate::verdict::lacks_a_caller;

/// Names them in the passes of a run that need it; whether there were any. A pass that cannot be made again
/// keeps its reason without a name.
///
/// # Errors
/// The probes cannot be attached again.
pub(super) fn name(bench: &mut TestBench, run: &mut Run, wanted: &Options) -> Result<bool> {
    let is_open = |at: &usize| lacks_a_caller(run, &run.passes[*at]);
    let open: Vec<usize> = (0..run.passes.len()).filter(is_open).collect();
    // With --stacks they are there already.
    let is_named = |at: &usize| !run.passes[*at].leaf_stacks.is_empty();
    if open.iter().all(is_named) {
        return Ok(false);
    }
    terminal::step("copies that no caller explains: attaching the probes with stacks");
    let stacks = KeptStacks { leaves: true, ..wanted.stacks };
    let mut probes = Probes::attach(&Options { stacks, ..wanted.clone() })?;
    for at in open {
        let pass = &mut run.passes[at];
        let Some(row) = TransferSpec::find(&pass.transfer) else { continue };
        terminal::step(&format!("by which functions: {}, {}", row.name, pass.cache.name()));
        match passes::pass(bench, &mut probes, row, pass.cache, Amount::Full) {
            Ok((again, _)) => pass.leaf_stacks = again.leaf_stacks,
            Err(error) => {
                let reason = bench.refusal(row.name, error)?;
                log::warn!("the functions by which {} copies are not known: {reason}", row.name);
            }
        }
    }
    Ok(true)
}
