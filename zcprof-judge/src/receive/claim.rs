//! What a way to receive promises about each byte that arrived.

use zcprof_common::names::receive_claim;

/// A promise: how often each received byte is copied from the socket's receive queue on, and where the
/// bytes go that are not.
#[derive(Debug, PartialEq, Eq)]
pub struct ReceiveClaim {
    /// Name in reports, `receive-piped`.
    pub name: &'static str,
    /// The same in words.
    pub phrase: &'static str,
    /// Fewest copies from socket to user per received byte, in thousandths.
    pub least: u32,
    /// Most of them. No other hop may copy.
    pub most: u32,
    /// Where the bytes go that are not copied: the witness of a zero.
    pub rest: Rest,
}

/// Where received bytes go that are not copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Nowhere: all are copied.
    Nothing,
    /// The kernel drops them (MSG_TRUNC): system calls say that they took them.
    Dropped,
    /// Their pages go into a pipe.
    Piped,
    /// Their pages are mapped into user memory.
    Mapped,
}

/// `recv(2)`.
pub const COPIED: ReceiveClaim = ReceiveClaim {
    name: receive_claim::COPIED,
    phrase: "one copy per byte, from the socket into user memory",
    least: 1000,
    most: 1000,
    rest: Rest::Nothing,
};

/// `recv(2)` with MSG_TRUNC.
pub const DROPPED: ReceiveClaim = ReceiveClaim {
    name: receive_claim::DROPPED,
    phrase: "no copy: the kernel drops the bytes",
    least: 0,
    most: 0,
    rest: Rest::Dropped,
};

/// `splice(2)` into a pipe.
pub const PIPED: ReceiveClaim = ReceiveClaim {
    name: receive_claim::PIPED,
    phrase: "no copy: every byte's page goes from the socket into a pipe, and no copy out of that",
    least: 0,
    most: 0,
    rest: Rest::Piped,
};

/// `TCP_ZEROCOPY_RECEIVE`. What is no whole page is copied: of a packet of 64 KiB, the most that there
/// is (GSO_LEGACY_MAX_SIZE, include/linux/netdevice.h), not more than a part of its first and of its
/// last page, and two pages of sixteen are an eighth.
pub const MAPPED: ReceiveClaim = ReceiveClaim {
    name: receive_claim::MAPPED,
    phrase: "every byte's page is mapped, but for at most 0.125 copies per byte",
    least: 0,
    most: 125,
    rest: Rest::Mapped,
};

/// Every promise of a way to receive.
pub const RECEIVE_CLAIMS: &[&ReceiveClaim] = &[&COPIED, &DROPPED, &PIPED, &MAPPED];

impl ReceiveClaim {
    /// The promise called `name`.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        RECEIVE_CLAIMS.iter().copied().find(|claim| claim.name == name)
    }
}
