//! What a transfer promises about each payload byte.

use zcprof_common::names::claim;
use zcprof_common::vocabulary::Hop;

use crate::run::Cache;

/// A promise: how often each payload byte is copied on the server, where, and over which hop it
/// is handed over instead.
#[derive(Debug, PartialEq, Eq)]
pub struct Claim {
    /// Name on the command line, `zero-copy`.
    pub name: &'static str,
    /// The same in words, for a sentence.
    pub phrase: &'static str,
    /// Copies per payload byte, one entry per hop that copies.
    pub copied: &'static [(Hop, u32)],
    /// The hop over which pages are handed over instead of copied: the witness of a zero.
    pub moved: Option<Hop>,
    /// The hop at which every byte that was handed over is copied after all, once or (when it is
    /// sent again) more often.
    pub deferred: Option<Hop>,
    /// The hop at which every byte is encrypted into new pages.
    pub transformed: Option<Hop>,
    /// Whether storage may not have the CPU fill the page cache; else the claim begins at the page
    /// cache, however that was filled.
    pub from_storage: bool,
}

/// What most claims have in common: no copy, nothing handed over, and they begin at the page cache.
const NOTHING: Claim = Claim {
    name: "",
    phrase: "",
    copied: &[],
    moved: None,
    deferred: None,
    transformed: None,
    from_storage: false,
};

/// Nothing is copied after the page cache.
pub const ZERO_COPY: Claim = Claim {
    name: claim::ZERO_COPY,
    phrase: "zero-copy",
    moved: Some(Hop::PageCacheToSocket),
    ..NOTHING
};

/// Nothing is copied after the page cache, and a device filled that.
pub const ZERO_COPY_FROM_STORAGE: Claim = Claim {
    name: claim::ZERO_COPY_FROM_STORAGE,
    phrase: "zero-copy from storage",
    from_storage: true,
    ..ZERO_COPY
};

/// One copy: user memory (a mapping of the page cache) into the socket.
pub const ONE_COPY: Claim = Claim {
    name: claim::ONE_COPY,
    phrase: "one copy",
    copied: &[(Hop::UserToSocket, 1)],
    ..NOTHING
};

/// The textbook's two copies: page cache to user, user to socket.
pub const TWO_COPIES: Claim = Claim {
    name: claim::TWO_COPIES,
    phrase: "two copies",
    copied: &[(Hop::PageCacheToUser, 1), (Hop::UserToSocket, 1)],
    ..NOTHING
};

/// Pages are pinned instead of copied, and copied later: what MSG_ZEROCOPY comes to between two
/// sockets of one host (Documentation/networking/msg_zerocopy.rst, "Loopback").
pub const DEFERRED: Claim = Claim {
    name: claim::DEFERRED,
    phrase: "one copy, made later",
    moved: Some(Hop::UserToSocket),
    deferred: Some(Hop::SocketToSocket),
    ..NOTHING
};

/// Nothing is copied, but the CPU encrypts every byte into new pages, and those are handed over.
pub const TRANSFORMED: Claim = Claim {
    name: claim::TRANSFORMS,
    phrase: "encrypted, not copied",
    transformed: Some(Hop::PageCacheToSocket),
    ..ZERO_COPY
};

/// One copy into another file, and from there nothing but a hand-over.
pub const REPLICA: Claim = Claim {
    name: claim::REPLICA,
    phrase: "one copy, into the replica",
    copied: &[(Hop::PageCacheToPageCache, 1)],
    ..ZERO_COPY
};

/// Every claim that `--claim` knows.
pub const CLAIMS: &[&Claim] = &[
    &ZERO_COPY,
    &ZERO_COPY_FROM_STORAGE,
    &ONE_COPY,
    &TWO_COPIES,
    &DEFERRED,
    &TRANSFORMED,
    &REPLICA,
];

impl Claim {
    /// The claim called `name`.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        CLAIMS.iter().copied().find(|claim| claim.name == name)
    }

    /// What a transfer that promises this promises of a pass: with the page cache cold, a claim of no
    /// copy begins at storage.
    #[must_use]
    pub fn of_pass(&'static self, cache: Cache) -> &'static Self {
        if cache == Cache::Cold && *self == ZERO_COPY { &ZERO_COPY_FROM_STORAGE } else { self }
    }

    /// Copies per payload byte on the server, over all hops, deferred copies included.
    #[must_use]
    pub fn copies(&self) -> u32 {
        let deferred = u32::from(self.deferred.is_some());
        self.copied.iter().map(|(_, copies)| copies).sum::<u32>() + deferred
    }
}
