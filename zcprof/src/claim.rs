//! What a transfer promises about each payload byte.

use zcprof_common::vocabulary::Hop;

/// A promise: how often each payload byte is copied on the server, where, and over which hop it
/// is handed over instead.
#[derive(Debug, PartialEq, Eq)]
pub struct Claim {
    /// Name on the command line, `zero-copy`.
    pub name: &'static str,
    /// Copies per payload byte, one entry per hop that copies.
    pub copied: &'static [(Hop, u32)],
    /// The hop over which pages are moved instead of copied: the witness of a zero.
    pub moved: Option<Hop>,
}

/// Nothing is copied between the page cache and the socket.
pub const ZERO_COPY: Claim =
    Claim { name: "zero-copy", copied: &[], moved: Some(Hop::PageCacheToSocket) };

/// One copy: user memory (a mapping of the page cache) into the socket.
pub const ONE_COPY: Claim =
    Claim { name: "one-copy", copied: &[(Hop::UserToSocket, 1)], moved: None };

/// The textbook's two copies: page cache to user, user to socket.
pub const TWO_COPIES: Claim = Claim {
    name: "two-copies",
    copied: &[(Hop::PageCacheToUser, 1), (Hop::UserToSocket, 1)],
    moved: None,
};

/// Every claim that `--claim` knows.
pub const CLAIMS: &[&Claim] = &[&ZERO_COPY, &ONE_COPY, &TWO_COPIES];

impl Claim {
    /// The claim called `name`.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        CLAIMS.iter().copied().find(|claim| claim.name == name)
    }

    /// Copies per payload byte on the server, over all hops.
    #[must_use]
    pub fn copies(&self) -> u32 {
        self.copied.iter().map(|(_, copies)| copies).sum()
    }
}
