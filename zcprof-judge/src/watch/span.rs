//! Bytes that were copied at a hop: at least and at most.

use zcprof_common::vocabulary::{Disposition, Hop, Process};

use crate::ledger::InstrumentAccount;

/// Bytes that were copied at a hop and sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where.
    pub hop: Hop,
    /// The least.
    pub least: u64,
    /// The most.
    pub most: u64,
}

impl Span {
    /// All that an account says was copied at a hop.
    pub(super) fn exactly(account: &InstrumentAccount, hop: Hop) -> Self {
        let copied = account.bytes(Process::Server, hop, Disposition::Copied);
        Self { hop, least: copied, most: copied }
    }

    /// At most all of it, and so much.
    pub(super) fn at_most(account: &InstrumentAccount, hop: Hop, most: u64) -> Self {
        let copied = account.bytes(Process::Server, hop, Disposition::Copied);
        Self { hop, least: 0, most: copied.min(most) }
    }

    /// The same, less so much that was not copied.
    pub(super) const fn less(self, bytes: u64) -> Self {
        let (least, most) = (self.least.saturating_sub(bytes), self.most.saturating_sub(bytes));
        Self { least, most, ..self }
    }

    /// The same, and so much more that may have been copied unseen.
    pub(super) const fn and_hidden(self, bytes: u64) -> Self {
        Self { most: self.most.saturating_add(bytes), ..self }
    }
}
