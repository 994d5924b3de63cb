//! Pure: the ledgers of a part of a window apart for sendfile(2), whose pipe is its own, and for all other
//! calls.

use zcprof_common::syscalls::Syscall;

use crate::ledger::Ledger;
use crate::run::{Count, Pass};
use crate::syscall::InSyscall;

/// Ledgers of what was counted in calls that fill and empty the same kind of pipe.
#[derive(Clone, Debug)]
pub(super) struct PipeLedgers {
    /// Of the part.
    pub(super) here: Ledger,
    /// Of all that those do who send the part, at whatever port.
    pub(super) everywhere: Ledger,
}

/// The same by kind of pipe.
#[derive(Clone, Debug)]
pub(super) struct LedgersByPipe {
    /// Pipes that programs have: all calls but sendfile(2).
    pub(super) programs: PipeLedgers,
    /// The pipe of sendfile(2).
    pub(super) sendfile: PipeLedgers,
}

impl LedgersByPipe {
    /// Of a part, and of all that those do who send it.
    pub(super) fn of(here: &Pass, everywhere: &Pass) -> Self {
        let of = |in_sendfile| {
            let is_chosen = |count: &Count| {
                (count.syscall == InSyscall::Known(Syscall::Sendfile)) == in_sendfile
            };
            let [here, everywhere] =
                [here, everywhere].map(|pass| Ledger::of_counts(pass, &is_chosen));
            PipeLedgers { here, everywhere }
        };
        Self { programs: of(false), sendfile: of(true) }
    }
}
