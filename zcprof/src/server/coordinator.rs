//! The requests of consumer groups' members: who they are, and what they are told.

use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::{
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
    LeaveGroupResponse, SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::group::Who;
use super::groups::{Admission, Groups};
use super::member::{GroupResult, Joined, Joining, Pending, Protocols, Synced};
use crate::fetch::wire::{Request, ResponseFrame};

/// Least time in which others may join again, whatever a member allows them.
const LEAST_REBALANCE: Duration = Duration::from_secs(1);

pub(super) fn error_code<T>(result: &Result<T, ResponseError>) -> i16 {
    result.as_ref().map_or_else(ResponseError::code, |_| 0)
}

/// A request that is answered when other members have done what is to be waited for.
#[derive(Debug)]
pub struct Later {
    pub(super) group: String,
    version: i16,
    correlation_id: i32,
    waiting: Waiting,
}

#[derive(Debug)]
enum Waiting {
    Join(Pending<Joined>),
    Sync(Pending<Synced>),
}

impl Later {
    /// Waits for the answer, and encodes it.
    ///
    /// # Errors
    /// The codec's own.
    pub(super) async fn frame(&mut self) -> Result<ResponseFrame> {
        // A member that nobody knows any more, where the sender is gone.
        let unknown = ResponseError::UnknownMemberId;
        let (id, version) = (self.correlation_id, self.version);
        Ok(match &mut self.waiting {
            Waiting::Join(answer) => {
                let answer = answer.await.unwrap_or(Err(unknown));
                ResponseFrame::encode(id, version, &joined(version, &answer))?
            }
            Waiting::Sync(answer) => {
                let answer = answer.await.unwrap_or(Err(unknown));
                ResponseFrame::encode(id, version, &synced(version, answer))?
            }
        })
    }

    /// The answer, if it is there already.
    ///
    /// # Errors
    /// The codec's own.
    pub(super) fn frame_now(&mut self) -> Result<Option<ResponseFrame>> {
        let (id, version) = (self.correlation_id, self.version);
        Ok(match &mut self.waiting {
            Waiting::Join(answer) => match answer.try_recv() {
                Ok(answer) => Some(ResponseFrame::encode(id, version, &joined(version, &answer))?),
                Err(_) => None,
            },
            Waiting::Sync(answer) => match answer.try_recv() {
                Ok(answer) => Some(ResponseFrame::encode(id, version, &synced(version, answer))?),
                Err(_) => None,
            },
        })
    }
}

/// Somebody wants to be a member.
///
/// # Errors
/// The answer, if it is known at once.
pub(super) fn join(
    groups: &mut Groups,
    request: &Request,
    body: &JoinGroupRequest,
    now: Instant,
) -> Result<Later, Box<JoinGroupResponse>> {
    let time = |milliseconds: i32| u64::try_from(milliseconds).map(Duration::from_millis);
    let session = time(body.session_timeout_ms).unwrap_or_default();
    // Before version 1 there was one time for both.
    let rebalance = time(body.rebalance_timeout_ms).unwrap_or(session);
    // Copies, for a request may be far longer than what is kept of it.
    let protocols = body
        .protocols
        .iter()
        .map(|protocol| (protocol.name.to_string(), Bytes::copy_from_slice(&protocol.metadata)));
    let joining = Joining {
        member: &body.member_id,
        instance: body.group_instance_id.as_deref(),
        client: request.client_id.as_deref().unwrap_or("consumer"),
        session,
        rebalance: rebalance.max(LEAST_REBALANCE),
        protocol_type: &body.protocol_type,
        protocols: Protocols(protocols.collect()),
        version: request.version,
    };
    let refused = |error: ResponseError, member: StrBytes| {
        Box::new(joined(request.version, &Err(error)).with_member_id(member))
    };
    match groups.join(&body.group_id, joining, now) {
        Ok(Admission::Pending(answer)) => Ok(Later {
            group: body.group_id.to_string(),
            version: request.version,
            correlation_id: request.correlation_id,
            waiting: Waiting::Join(answer),
        }),
        Ok(Admission::ById(id)) => {
            Err(refused(ResponseError::MemberIdRequired, StrBytes::from_string(id)))
        }
        Err(error) => Err(refused(error, body.member_id.clone())),
    }
}

fn joined(version: i16, answer: &GroupResult<Joined>) -> JoinGroupResponse {
    let response = JoinGroupResponse::default().with_error_code(error_code(answer));
    let text = |text: &str| StrBytes::from_string(text.to_owned());
    let Ok(joined) = answer else {
        // Before version 7 null was no name.
        let none = (version < 7).then(StrBytes::default);
        return response.with_generation_id(-1).with_protocol_name(none);
    };
    let members = joined.members.iter().map(|(id, instance, metadata)| {
        JoinGroupResponseMember::default()
            .with_member_id(text(id))
            .with_group_instance_id(instance.as_deref().map(text).filter(|_| version >= 5))
            .with_metadata(metadata.clone())
    });
    response
        .with_generation_id(joined.generation)
        .with_protocol_type((version >= 7).then(|| text(&joined.protocol_type)))
        .with_protocol_name(Some(text(&joined.protocol)))
        .with_leader(text(&joined.leader))
        .with_skip_assignment(joined.skip_assignment)
        .with_member_id(text(&joined.member))
        .with_members(members.collect())
}

/// A member asks what it is to read.
///
/// # Errors
/// The answer, if it is known at once.
pub(super) fn sync(
    groups: &mut Groups,
    request: &Request,
    body: &SyncGroupRequest,
    now: Instant,
) -> Result<Later, Box<SyncGroupResponse>> {
    let who = Who {
        member: &body.member_id,
        instance: body.group_instance_id.as_deref(),
        generation: body.generation_id,
    };
    let given: Vec<_> = body
        .assignments
        .iter()
        .map(|given| (given.member_id.as_str(), Bytes::copy_from_slice(&given.assignment)))
        .collect();
    let given: Vec<_> = given.iter().map(|(id, assignment)| (*id, assignment)).collect();
    let has_room = groups.has_room(given.iter().map(|(_, assignment)| assignment.len()).sum());
    let protocol = (body.protocol_type.as_deref(), body.protocol_name.as_deref());
    let group = groups.known(&body.group_id).ok_or(ResponseError::UnknownMemberId);
    let group =
        group.and_then(|group| has_room.then_some(group).ok_or(ResponseError::GroupMaxSizeReached));
    match group.and_then(|group| group.sync(&who, protocol, &given, now)) {
        Ok(answer) => Ok(Later {
            group: body.group_id.to_string(),
            version: request.version,
            correlation_id: request.correlation_id,
            waiting: Waiting::Sync(answer),
        }),
        Err(error) => Err(Box::new(synced(request.version, Err(error)))),
    }
}

fn synced(version: i16, answer: GroupResult<Synced>) -> SyncGroupResponse {
    let response = SyncGroupResponse::default().with_error_code(error_code(&answer));
    let Ok(synced) = answer else { return response };
    let named = |name: String| (version >= 5).then(|| StrBytes::from_string(name));
    response
        .with_protocol_type(named(synced.protocol_type))
        .with_protocol_name(named(synced.protocol))
        .with_assignment(synced.assignment)
}

pub(super) fn heartbeat(
    groups: &mut Groups,
    body: &HeartbeatRequest,
    now: Instant,
) -> HeartbeatResponse {
    let who = Who {
        member: &body.member_id,
        instance: body.group_instance_id.as_deref(),
        generation: body.generation_id,
    };
    let group = groups.known(&body.group_id).ok_or(ResponseError::UnknownMemberId);
    let heard = group.and_then(|group| group.heartbeat(&who, now));
    HeartbeatResponse::default().with_error_code(error_code(&heard))
}

pub(super) fn leave(
    groups: &mut Groups,
    version: i16,
    body: &LeaveGroupRequest,
    now: Instant,
) -> LeaveGroupResponse {
    let mut left = |id: &str, instance: Option<&str>| {
        let group = groups.known(&body.group_id).ok_or(ResponseError::UnknownMemberId);
        group.and_then(|group| group.leave(id, instance, now))
    };
    if version < 3 {
        let left = left(&body.member_id, None);
        return LeaveGroupResponse::default().with_error_code(error_code(&left));
    }
    let members = body.members.iter().map(|member| {
        let left = left(&member.member_id, member.group_instance_id.as_deref());
        MemberResponse::default()
            .with_member_id(member.member_id.clone())
            .with_group_instance_id(member.group_instance_id.clone())
            .with_error_code(error_code(&left))
    });
    LeaveGroupResponse::default().with_members(members.collect())
}
