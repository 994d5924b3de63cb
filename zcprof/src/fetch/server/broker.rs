//! What is served, and which request is answered by what.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, ConsumerGroupHeartbeatResponse};
use kafka_protocol::protocol::{self, Encodable, HeaderVersion};

use super::account::{Account, Told};
use super::coordinator::{self, Later};
use super::fetch::Slice;
use super::groups::Groups;
use super::metadata::Advertised;
use super::quiet::Quiet;
use super::{commits, epochs, fetch, metadata, offsets};
use crate::fetch::log::Topics;
use crate::fetch::tls::Identity;
use crate::fetch::wire::{Frame, Request, WireError};
use crate::transfer::Row;

/// A broker: topics, and the groups that read them.
#[derive(Debug)]
pub struct Broker {
    pub(super) topics: Topics,
    pub(super) advertised: Option<Advertised>,
    pub(super) quiet: Quiet,
    groups: Mutex<Groups>,
    /// Made when the first encrypted listener asks for it.
    identity: OnceLock<Identity>,
    /// What came of connections that have ended, by transfer.
    accounts: Mutex<BTreeMap<String, Account>>,
    /// Why transfers cannot be made, of those that were refused.
    refusals: Mutex<BTreeMap<String, String>>,
}

/// What a client gets.
#[derive(Debug)]
pub struct Reply<'a> {
    /// Everything but record bytes.
    pub frame: Frame,
    /// Records for the gaps in the frame, in order.
    pub slices: Vec<Slice<'a>>,
    /// How long it waits for that.
    pub delay: Option<Duration>,
}

/// What comes of a request.
#[derive(Debug)]
pub enum Answer<'a> {
    /// It is answered.
    Now(Reply<'a>),
    /// It is answered when other members of its group have done their part.
    Later(Later),
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

    /// What came of everything so far, by transfer.
    #[must_use]
    pub fn told(&self) -> Told {
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Told { accounts, refusals }
    }

    /// Adds what came of a connection.
    pub(super) fn book(&self, row: &'static Row, account: Account) {
        let mut all = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(row.name.to_owned()).or_default().add(account);
    }

    /// Notes why a transfer cannot be made.
    pub(super) fn refuse(&self, row: &'static Row, reason: String) {
        let mut all = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(row.name.to_owned()).or_insert(reason);
    }

    /// Answers a frame without its size that came in at the address `local`.
    ///
    /// # Errors
    /// After them the connection cannot go on.
    pub fn answer(&self, frame: Bytes, local: SocketAddr) -> Result<Answer<'_>> {
        let request = match Request::read(frame) {
            Ok(request) => request,
            // A newer client asks in its own way which versions are spoken here.
            Err(WireError::Unsupported { key, correlation_id, .. })
                if key == ApiKey::ApiVersions as i16 =>
            {
                let frame = Frame::encode(correlation_id, 0, &metadata::unsupported())?;
                return Ok(frame.into());
            }
            // The group protocol of Kafka 4 (KIP-848). It is not advertised, so that a client that
            // asks for it all the same must be told to use the other one.
            Err(WireError::Unsupported { key, correlation_id, .. })
                if key == ApiKey::ConsumerGroupHeartbeat as i16 =>
            {
                let word = "it asks for group.protocol=consumer, and only classic is spoken here";
                self.quiet.warn("a client", word);
                let unsupported = ResponseError::UnsupportedVersion.code();
                let refused =
                    ConsumerGroupHeartbeatResponse::default().with_error_code(unsupported);
                return Ok(Frame::encode(correlation_id, 0, &refused)?.into());
            }
            Err(error) => return Err(error.into()),
        };
        let what = || format!("answering {:?} version {}", request.key, request.version);
        self.dispatch(&request, local).with_context(what)
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

    fn groups(&self) -> MutexGuard<'_, Groups> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn dispatch(&self, request: &Request, local: SocketAddr) -> Result<Answer<'_>> {
        let r = request;
        let groups = &mut *self.groups();
        let now = Instant::now();
        let frame = match r.key {
            ApiKey::Fetch => return fetch::answer(self, r).map(Answer::Now),
            ApiKey::Produce => encode(r, &offsets::refuse(r)?),
            ApiKey::ApiVersions => respond(r, |_: ApiVersionsRequest| metadata::api_versions()),
            ApiKey::Metadata => respond(r, |body| metadata::topics(self, r.version, &body, local)),
            ApiKey::ListOffsets => respond(r, |body| offsets::list(self, r.version, &body)),
            ApiKey::OffsetForLeaderEpoch => respond(r, |body| epochs::ends(self, &body)),
            ApiKey::FindCoordinator => {
                respond(r, |body| metadata::coordinator(self, r.version, &body, local))
            }
            ApiKey::JoinGroup => match coordinator::join(groups, r, &r.body()?, now) {
                Ok(later) => return at_once(later),
                Err(response) => encode(r, &*response),
            },
            ApiKey::SyncGroup => match coordinator::sync(groups, r, &r.body()?, now) {
                Ok(later) => return at_once(later),
                Err(response) => encode(r, &*response),
            },
            ApiKey::Heartbeat => respond(r, |body| coordinator::heartbeat(groups, &body, now)),
            ApiKey::LeaveGroup => {
                respond(r, |body| coordinator::leave(groups, r.version, &body, now))
            }
            ApiKey::OffsetCommit => {
                respond(r, |body| commits::commit(groups, &self.topics, &body, now))
            }
            ApiKey::OffsetFetch => respond(r, |body| commits::committed(groups, r.version, &body)),
            other => bail!("{other:?} is in the table of requests, and nothing answers it"),
        };
        Ok(frame?.into())
    }
}

/// A request that need not wait, if its answer is there.
fn at_once(mut later: Later) -> Result<Answer<'static>> {
    Ok(later.frame_now()?.map_or(Answer::Later(later), Answer::from))
}

impl From<Frame> for Answer<'_> {
    fn from(frame: Frame) -> Self {
        Self::Now(frame.into())
    }
}

impl From<Frame> for Reply<'_> {
    fn from(frame: Frame) -> Self {
        Self { frame, slices: Vec::new(), delay: None }
    }
}

fn respond<Q: protocol::Request>(
    request: &Request,
    answer: impl FnOnce(Q) -> Q::Response,
) -> Result<Frame> {
    encode(request, &answer(request.body()?))
}

fn encode<T: Encodable + HeaderVersion>(request: &Request, response: &T) -> Result<Frame> {
    Ok(Frame::encode(request.correlation_id, request.version, response)?)
}
