//! What waited in sockets when a window ended, and how much of it may have been copied or encrypted below them
//! afterwards.

use zcprof_common::vocabulary::{Disposition, Hop};

use super::chosen::{Part, has_term, is_encrypted_below};
use super::record::{Queued, QueuedBytes, WatchedCount, WatchedExit};
use crate::devices::{self, Effect};
use crate::ledger::sum;

/// Whether a count is of bytes that the kernel copied or encrypted after they had been sent.
#[must_use]
pub fn is_below_sockets(count: &WatchedCount) -> bool {
    has_term(count, Hop::SocketToSocket, Disposition::Deferred) || is_encrypted_below(count)
}

impl Queued {
    /// The most that may have been copied or encrypted below the sockets after the window, of what was sent
    /// in it: what waits still, and what was seen meanwhile.
    pub(super) fn most_below(&self, part: &Part<'_>) -> u64 {
        let is_theirs = |queued: &&QueuedBytes| part.is_of_socket(&queued.charged, queued.port);
        let left = self.sockets.iter().filter(is_theirs).map(|queued| queued.left);
        let counts = self.counts.iter().filter(|count| part.is_senders(&count.charged));
        let exits = self.encrypted().filter(|exit| part.is_senders(&exit.charged));
        let encrypted = exits.map(|exit| exit.bytes);
        let counts = counts.map(|count| count.bytes);
        sum(left.chain(counts).chain(encrypted))
    }

    /// Devices that encrypted meanwhile.
    fn encrypted(&self) -> impl Iterator<Item = &WatchedExit> {
        let encrypts = |kind: &str| {
            devices::find(kind).is_some_and(|device| device.effect == Effect::Encrypts)
        };
        self.exits.iter().filter(move |exit| encrypts(&exit.kind))
    }

    /// Whether bytes waited, or were copied or encrypted meanwhile.
    #[must_use]
    pub fn says_something(&self) -> bool {
        !self.sockets.is_empty() || !self.counts.is_empty() || self.encrypted().next().is_some()
    }

    /// Bytes that waited, and those that did to the end.
    #[must_use]
    pub fn bytes(&self) -> (u64, u64) {
        let all = self.sockets.iter();
        (sum(all.clone().map(|queued| queued.bytes)), sum(all.map(|queued| queued.left)))
    }
}
