//! What waited in sockets when a window ended, and how much of it may have been copied or encrypted below them
//! afterwards.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zcprof_common::vocabulary::{Hop, Process};

use super::as_pass::as_exit;
use super::chosen::Part;
use super::direction::is_at;
use super::record::{Charged, WatchedCount, WatchedExit};
use crate::ledger::sum;
use crate::verdict::below;

/// Bytes that had been sent and waited in sockets of TCP when the window ended, and what became of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Queued {
    /// How long zcprof waited for them, in seconds.
    pub seconds: f64,
    /// How many there were, by whose they are, sorted.
    pub sockets: Vec<QueuedBytes>,
    /// What was counted below the sockets meanwhile, of these bytes or of some that were sent later.
    pub counts: Vec<WatchedCount>,
    /// Devices that packets left by meanwhile.
    pub exits: Vec<WatchedExit>,
}

/// Bytes that waited in the sockets of a program.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueuedBytes {
    /// Whose.
    pub charged: Charged,
    /// Local port, if it is one that is told apart.
    pub port: Option<u16>,
    /// How many, when the window ended.
    pub bytes: u64,
    /// How many of them waited still when zcprof waited no longer.
    pub left: u64,
}

/// Whether a count is of bytes that the kernel copied or encrypted after they had been sent.
#[must_use]
pub fn is_below_sockets(count: &WatchedCount) -> bool {
    is_at(&count.site, count.iter, count.file, &[Hop::SocketToSocket, Hop::SocketToWire])
}

impl Queued {
    /// The most that may have been copied or encrypted below the sockets after the window, of what was sent
    /// in it: what waits still, and what was seen meanwhile.
    pub(super) fn most_below(&self, part: &Part<'_>) -> u64 {
        let is_theirs = |queued: &&QueuedBytes| part.is_of_socket(&queued.charged, queued.port);
        let left = self.sockets.iter().filter(is_theirs).map(|queued| queued.left);
        let counts = self.counts.iter().filter(|count| part.is_senders(&count.charged));
        let exits = self.exits.iter().filter(|exit| part.is_senders(&exit.charged));
        let exits: Vec<_> = exits.map(|exit| as_exit(exit, Process::Server)).collect();
        let encrypted = exits.iter().filter_map(below::encrypts).map(|(exit, _)| exit.bytes);
        let counts = counts.map(|count| count.bytes);
        sum(left.chain(counts).chain(encrypted))
    }

    /// Bytes that waited, and those that did to the end.
    #[must_use]
    pub fn bytes(&self) -> (u64, u64) {
        let all = self.sockets.iter();
        (sum(all.clone().map(|queued| queued.bytes)), sum(all.map(|queued| queued.left)))
    }
}
