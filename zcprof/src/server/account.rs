//! What connections came to, as the server itself knows it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::transfer::Notices;

/// What the workload's server answers when it is asked the outcome of everything, by transfer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Of connections that have ended.
    pub accounts: BTreeMap<String, Account>,
    /// Why a transfer cannot be made: its socket or its file refused the first attempt.
    pub refusals: BTreeMap<String, String>,
}

/// The outcome of connections that have ended. Sizes in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Received: requests.
    pub requests: u64,
    /// Sent of responses, records excepted.
    pub encoded: u64,
    /// Record bytes sent, those included that the client could not use and fetched again.
    pub records: u64,
    /// Responses with records.
    pub fetches: u64,
    /// Pieces of memory that its system calls named, in a `struct iovec` each.
    pub iovecs: u64,
    /// What the kernel told of pinned sends.
    pub notices: Notices,
}

impl Account {
    /// Adds another connection's.
    pub fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.encoded += other.encoded;
        self.records += other.records;
        self.fetches += other.fetches;
        self.iovecs += other.iovecs;
        self.notices.add(other.notices);
    }

    /// What came after `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            requests: self.requests - before.requests,
            encoded: self.encoded - before.encoded,
            records: self.records - before.records,
            fetches: self.fetches - before.fetches,
            iovecs: self.iovecs - before.iovecs,
            notices: self.notices.since(before.notices),
        }
    }
}
