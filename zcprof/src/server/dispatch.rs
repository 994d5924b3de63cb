//! Which request is answered by what.

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, ConsumerGroupHeartbeatResponse};
use kafka_protocol::protocol::{self, Encodable, HeaderVersion};

use super::answer::Answer;
use super::broker::Broker;
use super::coordinator::{self, Later};
use super::{commits, epochs, fetch, metadata, offsets};
use crate::fetch::wire::{Request, ResponseFrame, WireError};

impl Broker {
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
                let frame = ResponseFrame::encode(correlation_id, 0, &metadata::unsupported())?;
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
                return Ok(ResponseFrame::encode(correlation_id, 0, &refused)?.into());
            }
            Err(error) => return Err(error.into()),
        };
        let what = || format!("answering {:?} version {}", request.key, request.version);
        self.dispatch(&request, local).with_context(what)
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

fn respond<Q: protocol::Request>(
    request: &Request,
    answer: impl FnOnce(Q) -> Q::Response,
) -> Result<ResponseFrame> {
    encode(request, &answer(request.body()?))
}

fn encode<T: Encodable + HeaderVersion>(request: &Request, response: &T) -> Result<ResponseFrame> {
    Ok(ResponseFrame::encode(request.correlation_id, request.version, response)?)
}
