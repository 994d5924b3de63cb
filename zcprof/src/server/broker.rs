//! What is served, and what is known of its clients.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, Result};

use super::account::{Account, Told};
use super::advertised::Advertised;
use super::coordinator::Later;
use super::groups::Groups;
use super::quiet::Quiet;
use crate::fetch::log::Topics;
use crate::fetch::tls::Identity;
use crate::transfer::TransferSpec;

/// A broker: topics, and the groups that read them.
#[derive(Debug)]
pub struct Broker {
    pub(super) topics: Topics,
    pub(super) advertised: Option<Advertised>,
    pub(super) quiet: Quiet,
    groups: Mutex<Groups>,
    /// Made when the first encrypted listener asks for it.
    identity: OnceLock<Identity>,
    /// The outcome of connections that have ended, by transfer.
    accounts: Mutex<BTreeMap<String, Account>>,
    /// Why transfers cannot be made, of those that were refused.
    refusals: Mutex<BTreeMap<String, String>>,
}

impl Broker {
    /// Serves topics. Clients are told to connect to `advertised`, or else to the address that
    /// they have connected to already.
    #[must_use]
    pub fn new(topics: Topics, advertised: Option<Advertised>) -> Self {
        Self {
            topics,
            advertised,
            quiet: Quiet::default(),
            groups: Mutex::default(),
            identity: OnceLock::new(),
            accounts: Mutex::default(),
            refusals: Mutex::default(),
        }
    }

    /// Who this broker is to encrypted connections.
    ///
    /// # Errors
    /// No certificate can be made.
    pub fn identity(&self) -> Result<&Identity> {
        if self.identity.get().is_none() {
            let _ = self.identity.set(Identity::new()?);
        }
        self.identity.get().context("the certificate is not there")
    }

    /// The outcome of everything so far, by transfer.
    #[must_use]
    pub fn told(&self) -> Told {
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Told { accounts, refusals }
    }

    /// Adds the outcome of a connection.
    pub(super) fn book(&self, row: &'static TransferSpec, account: Account) {
        let mut all = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(row.name.to_owned()).or_default().add(account);
    }

    /// Notes why a transfer cannot be made.
    pub(super) fn refuse(&self, row: &'static TransferSpec, reason: String) {
        let mut all = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(row.name.to_owned()).or_insert(reason);
    }

    /// When a group that somebody waits for has something to do, if nobody says anything.
    pub(super) fn deadline(&self, later: &Later) -> Option<Instant> {
        self.groups().known(&later.group)?.next_deadline()
    }

    /// Has a group that somebody waits for take note of the time.
    pub(super) fn expire(&self, later: &Later) {
        if let Some(group) = self.groups().known(&later.group) {
            group.expire(Instant::now());
        }
    }

    pub(super) fn groups(&self) -> MutexGuard<'_, Groups> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
