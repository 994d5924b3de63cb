//! What is said in numbers of a part of a watched window. The table and a comparison of two windows ask
//! here, so that they cannot differ.

use zcprof_common::vocabulary::{Disposition, Hop, Instrument};

use crate::watch::judge::{Span, spans};
use crate::watch::record::{Direction, Of, Watch};
use crate::watch::traffic::{Traffic, parts};

use Disposition::{Bounced, Copied, Deferred, Moved, Pinned, Transformed};

/// Where a socket's port is known beside the copies: what a program does elsewhere may be for any of its
/// ports.
const AT_PORTS: [(Hop, Disposition); 4] = [
    (Hop::PageCacheToSocket, Moved),
    (Hop::UserToSocket, Pinned),
    (Hop::SocketToSocket, Deferred),
    (Hop::PageCacheToSocket, Transformed),
];

/// A part of a window, as the callers saw it.
pub(super) struct WatchLine {
    pub(super) of: Of,
    pub(super) traffic: Traffic,
    pub(super) spans: Vec<Span>,
}

impl WatchLine {
    /// All of a window, then each program and each port.
    pub(super) fn all(watch: &Watch) -> Vec<Self> {
        let line = |of: Of| {
            let traffic = Traffic::of(watch, &of);
            let spans = spans(&traffic, Instrument::Callers);
            Self { of, traffic, spans }
        };
        parts(watch).into_iter().map(line).collect()
    }

    /// Bytes at a place: of what was read at most what was sent from memory, and of pages that were filled
    /// at most what was handed over.
    pub(super) fn bytes(&self, hop: Hop, disposition: Disposition) -> u64 {
        let seen = || self.traffic.seen(hop, disposition);
        match (disposition, &self.of) {
            (Copied, _) => {
                self.spans.iter().find(|span| span.hop == hop).map_or(0, |span| span.most)
            }
            (Bounced, _) if self.traffic.direction == Direction::Tx => {
                seen().min(self.traffic.seen(Hop::PageCacheToSocket, Moved))
            }
            _ if !self.tells(hop, disposition) => 0,
            _ => seen(),
        }
    }

    /// Whether bytes at a place, other than copies, can be told to be of this part.
    pub(super) fn tells(&self, hop: Hop, disposition: Disposition) -> bool {
        !matches!(self.of, Of::Port(_)) || AT_PORTS.contains(&(hop, disposition))
    }
}
