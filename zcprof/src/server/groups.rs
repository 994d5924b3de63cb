//! Every consumer group that anybody joined or committed offsets for, and how much may be
//! remembered of them.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;

use super::group::Group;
use super::member::Joining;
use super::member::{GroupResult, Joined, Pending};

/// Most groups that are remembered. Where there are more, those without a member are forgotten.
const MOST_GROUPS: usize = 1000;

/// Most members of all groups.
const MOST_MEMBERS: usize = 2000;

/// Most that all members may say and be told, in bytes.
const MOST_BYTES: usize = 64 << 20;

/// Longest name of a group, member or instance in bytes.
const LONGEST_NAME: usize = 256;

/// Longest session timeout: Kafka's `group.max.session.timeout.ms`.
const LONGEST_SESSION: Duration = Duration::from_mins(30);

/// From this version of JoinGroup on a member must join by an id that it was given first.
const BY_ID: i16 = 4;

/// Groups by name.
#[derive(Debug, Default)]
pub(super) struct Groups {
    by_name: HashMap<String, Group>,
    /// Ids so far, of all groups.
    members: u64,
    /// Tells this process's members from those of an earlier one.
    seed: RandomState,
}

/// What becomes of a request to join.
#[derive(Debug)]
pub(super) enum Admission {
    /// It is to ask again by this id.
    ById(String),
    /// It is answered when everybody has joined.
    Pending(Pending<Joined>),
}

impl Groups {
    /// A group by its name, which may be a new one.
    pub(super) fn group(&mut self, name: &str, now: Instant) -> GroupResult<&mut Group> {
        if name.is_empty() || name.len() > LONGEST_NAME {
            return Err(ResponseError::InvalidGroupId);
        }
        if !self.by_name.contains_key(name) {
            if self.by_name.len() >= MOST_GROUPS {
                self.by_name.retain(|_, group| {
                    group.expire(now);
                    !group.is_vacant()
                });
            }
            if self.by_name.len() >= MOST_GROUPS {
                return Err(ResponseError::CoordinatorNotAvailable);
            }
        }
        Ok(self.by_name.entry(name.to_owned()).or_default())
    }

    /// A group that is there.
    pub(super) fn known(&mut self, name: &str) -> Option<&mut Group> {
        self.by_name.get_mut(name)
    }

    /// Somebody wants to join a group.
    pub(super) fn join(
        &mut self,
        name: &str,
        joining: Joining<'_>,
        now: Instant,
    ) -> GroupResult<Admission> {
        let names = [joining.instance.unwrap_or_default(), joining.client, joining.member];
        if names.iter().any(|name| name.len() > LONGEST_NAME) {
            return Err(ResponseError::InvalidRequest);
        }
        if joining.session.is_zero() || joining.session > LONGEST_SESSION {
            return Err(ResponseError::InvalidSessionTimeout);
        }
        if !self.has_room(joining.protocols.bytes()) {
            return Err(ResponseError::GroupMaxSizeReached);
        }
        self.members += 1;
        let new_id = format!("{}-{:016x}", joining.client, self.seed.hash_one(self.members));
        let is_new = joining.member.is_empty() && joining.instance.is_none();
        let group = self.group(name, now)?;
        if is_new && joining.version >= BY_ID {
            group.promise(new_id.clone(), joining.session, now)?;
            return Ok(Admission::ById(new_id));
        }
        group.join(joining, new_id, now).map(Admission::Pending)
    }

    /// Whether so many bytes more may be remembered, and a member more.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        let groups = self.by_name.values();
        groups.clone().map(Group::size).sum::<usize>() < MOST_MEMBERS
            && groups.map(Group::bytes).sum::<usize>() + bytes <= MOST_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::super::member::Protocols;
    use super::*;
    use bytes::Bytes;

    const SESSION: Duration = Duration::from_secs(6);

    fn joining(session: Duration) -> Joining<'static> {
        Joining {
            member: "",
            instance: None,
            client: "test",
            session,
            rebalance: SESSION,
            protocol_type: "consumer",
            protocols: Protocols(vec![("range".to_owned(), Bytes::new())]),
            version: 9,
        }
    }

    #[test]
    fn what_is_remembered_has_a_bound() {
        let (mut groups, now) = (Groups::default(), Instant::now());
        for number in 0..MOST_GROUPS {
            groups.join(&number.to_string(), joining(SESSION), now).expect("an id");
        }
        let more = groups.join("more", joining(SESSION), now).expect_err("full");
        assert_eq!(more, ResponseError::CoordinatorNotAvailable);
        let later = now + 2 * SESSION;
        groups.join("more", joining(SESSION), later).expect("the others are silent");
        for wrong in ["", &"x".repeat(LONGEST_NAME + 1)] {
            let error = groups.join(wrong, joining(SESSION), later).expect_err("refused");
            assert_eq!(error, ResponseError::InvalidGroupId);
        }
        for session in [Duration::ZERO, LONGEST_SESSION + SESSION] {
            let error = groups.join("g", joining(session), later).expect_err("refused");
            assert_eq!(error, ResponseError::InvalidSessionTimeout);
        }
        let mut large = joining(SESSION);
        large.protocols = Protocols(vec![("range".to_owned(), vec![0; MOST_BYTES].into())]);
        let error = groups.join("g", large, later).expect_err("refused");
        assert_eq!(error, ResponseError::GroupMaxSizeReached);
    }
}
