//! The stacks of one row of the live view, while its details are shown.

use anyhow::Result;
use zcprof_common::layout::{CallSum, StackKey};
use zcprof_judge::watch::record::{Charged, WatchedCount};

use crate::probe::Probes;
use crate::stacks::{FoundStacks, LiveStacks};

/// What names them.
pub(super) struct RowStacks(LiveStacks);

impl RowStacks {
    pub(super) const fn of(stacks: LiveStacks) -> Self {
        Self(stacks)
    }

    /// Has a program's stacks looked up, if the last answer is there; without one, what was read for that is
    /// forgotten. `charged` makes a count of what was counted by a stack, and `counts` are all exact ones.
    ///
    /// # Errors
    /// The stacks cannot be read.
    pub(super) fn seek(
        &mut self,
        probes: &Probes,
        program: Option<&str>,
        charged: impl Fn(&StackKey, &CallSum) -> WatchedCount,
        counts: &[WatchedCount],
    ) -> Result<()> {
        let Some(program) = program else {
            self.0.rest();
            return Ok(());
        };
        if self.0.is_busy() {
            return Ok(());
        }
        let its = |count: &WatchedCount| count.charged == Charged::Program(program.to_owned());
        let counted = probes.peek_stacks()?;
        let counted = counted.iter().map(|(key, value)| (*key, charged(key, value)));
        let counted = counted.filter(|(_, count)| its(count)).collect();
        let counts = counts.iter().filter(|count| its(count)).cloned().collect();
        self.0.seek(probes, program, counted, counts)
    }

    /// What was found since.
    pub(super) fn found(&mut self) -> Option<FoundStacks> {
        self.0.found()
    }
}
