//! Consumer groups of one member each, as if Kafka's `group.max.size` were 1: nobody shares the
//! partitions of a topic here, so nobody has to be waited for.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;
use kafka_protocol::messages::GroupId;

/// Most groups that are remembered. Where there are more, those without a member are forgotten.
const MOST_GROUPS: usize = 1000;

/// Longest name of a group, member or instance in bytes.
const LONGEST_NAME: usize = 256;

/// Longest session timeout: Kafka's `group.max.session.timeout.ms`.
const LONGEST_SESSION: Duration = Duration::from_mins(30);

/// Every group that anybody joined or committed offsets for.
#[derive(Debug, Default)]
pub(super) struct Groups {
    by_name: HashMap<String, Group>,
    /// Members so far, of all groups.
    members: u64,
    /// Tells this process's members from those of an earlier one.
    seed: RandomState,
}

/// A group.
#[derive(Debug, Default)]
pub(super) struct Group {
    member: Option<Member>,
    generation: i32,
    /// Committed offsets and what was said with them, by topic and partition.
    pub(super) offsets: BTreeMap<(String, i32), (i64, String)>,
}

#[derive(Debug)]
struct Member {
    id: String,
    /// The name that a static member keeps over its restarts.
    instance: Option<String>,
    /// It is gone when nothing was heard of it for so long.
    session: Duration,
    heard: Instant,
}

/// Who wants to join.
#[derive(Clone, Copy, Debug)]
pub(super) struct Joining<'a> {
    /// The id that it was given before, or nothing.
    pub(super) member: &'a str,
    pub(super) instance: Option<&'a str>,
    /// How it calls itself.
    pub(super) client: &'a str,
    pub(super) session: Duration,
}

impl Groups {
    /// A group by its name, which may be a new one.
    pub(super) fn group(
        &mut self,
        name: &GroupId,
        now: Instant,
    ) -> Result<&mut Group, ResponseError> {
        if name.is_empty() || name.len() > LONGEST_NAME {
            return Err(ResponseError::InvalidGroupId);
        }
        if !self.by_name.contains_key(name.as_str()) {
            if self.by_name.len() >= MOST_GROUPS {
                self.by_name.retain(|_, group| group.live(now).is_some());
            }
            if self.by_name.len() >= MOST_GROUPS {
                return Err(ResponseError::CoordinatorNotAvailable);
            }
        }
        Ok(self.by_name.entry(name.to_string()).or_default())
    }

    /// A group that is there.
    pub(super) fn known(&mut self, name: &GroupId) -> Option<&mut Group> {
        self.by_name.get_mut(name.as_str())
    }

    /// Makes somebody the member of a group; its id and the group's generation.
    pub(super) fn join(
        &mut self,
        name: &GroupId,
        joining: Joining<'_>,
        now: Instant,
    ) -> Result<(String, i32), ResponseError> {
        let names = [joining.instance.unwrap_or_default(), joining.client, joining.member];
        if names.iter().any(|name| name.len() > LONGEST_NAME) {
            return Err(ResponseError::InvalidRequest);
        }
        if joining.session.is_zero() || joining.session > LONGEST_SESSION {
            return Err(ResponseError::InvalidSessionTimeout);
        }
        self.members += 1;
        let new_id = format!("{}-{:016x}", joining.client, self.seed.hash_one(self.members));
        let group = self.group(name, now)?;
        let id = match group.live(now) {
            Some(member) if member.id == joining.member => member.id.clone(),
            // A static member that was started again.
            Some(member) if member.instance.is_some() && member.same_instance(joining.instance) => {
                new_id
            }
            Some(_) => return Err(ResponseError::GroupMaxSizeReached),
            None if joining.member.is_empty() => new_id,
            None => return Err(ResponseError::UnknownMemberId),
        };
        group.generation = group.generation.checked_add(1).unwrap_or(1);
        group.member = Some(Member {
            id: id.clone(),
            instance: joining.instance.map(str::to_owned),
            session: joining.session,
            heard: now,
        });
        Ok((id, group.generation))
    }

    /// Hears of a member: whether it is the one, in this generation.
    pub(super) fn hear(
        &mut self,
        name: &GroupId,
        id: &str,
        generation: i32,
        now: Instant,
    ) -> Result<&mut Group, ResponseError> {
        let group = self.known(name).ok_or(ResponseError::UnknownMemberId)?;
        let current = group.generation;
        let member = group.live(now).ok_or(ResponseError::UnknownMemberId)?;
        if member.id != id {
            return Err(ResponseError::UnknownMemberId);
        }
        if generation != current {
            return Err(ResponseError::IllegalGeneration);
        }
        member.heard = now;
        Ok(group)
    }

    /// Lets a member go, by its id or by its instance's name.
    pub(super) fn leave(
        &mut self,
        name: &GroupId,
        id: &str,
        instance: Option<&str>,
        now: Instant,
    ) -> Result<(), ResponseError> {
        let group = self.known(name).ok_or(ResponseError::UnknownMemberId)?;
        let member = group.live(now).ok_or(ResponseError::UnknownMemberId)?;
        if member.id != id && !(instance.is_some() && member.same_instance(instance)) {
            return Err(ResponseError::UnknownMemberId);
        }
        group.member = None;
        Ok(())
    }
}

impl Group {
    /// The member, if it was heard of in time.
    fn live(&mut self, now: Instant) -> Option<&mut Member> {
        self.member.take_if(|member| now.duration_since(member.heard) > member.session);
        self.member.as_mut()
    }

    /// Whether somebody who is no member may commit offsets.
    pub(super) fn is_vacant(&mut self, now: Instant) -> bool {
        self.live(now).is_none()
    }
}

impl Member {
    fn same_instance(&self, instance: Option<&str>) -> bool {
        self.instance.as_deref() == instance
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::protocol::StrBytes;

    use super::*;

    const SESSION: Duration = Duration::from_secs(6);

    fn name(text: &str) -> GroupId {
        GroupId(StrBytes::from_string(text.to_owned()))
    }

    fn joining<'a>(member: &'a str, instance: Option<&'a str>) -> Joining<'a> {
        Joining { member, instance, client: "test", session: SESSION }
    }

    #[test]
    fn a_group_has_one_member_until_it_leaves_or_falls_silent() {
        let (mut groups, group, now) = (Groups::default(), name("g"), Instant::now());
        let (first, one) = groups.join(&group, joining("", None), now).expect("joined");
        let full = groups.join(&group, joining("", None), now).expect_err("full");
        assert_eq!(full, ResponseError::GroupMaxSizeReached);
        let (again, two) = groups.join(&group, joining(&first, None), now).expect("joined");
        assert_eq!((&again, two), (&first, one + 1));
        let old = groups.hear(&group, &first, one, now).expect_err("an old generation");
        assert_eq!(old, ResponseError::IllegalGeneration);
        let later = now + SESSION;
        groups.hear(&group, &first, two, later).expect("still there");
        groups.hear(&group, &first, two, later + SESSION).expect("heard of since");
        let silent = later + 3 * SESSION;
        let gone = groups.hear(&group, &first, two, silent).expect_err("gone");
        assert_eq!(gone, ResponseError::UnknownMemberId);
        let gone = groups.join(&group, joining(&first, None), silent).expect_err("gone");
        assert_eq!(gone, ResponseError::UnknownMemberId);
        let (second, three) = groups.join(&group, joining("", None), silent).expect("joined");
        assert!(second != first && three == two + 1);
        let stranger = groups.leave(&group, &first, None, silent).expect_err("another");
        assert_eq!(stranger, ResponseError::UnknownMemberId);
        groups.leave(&group, &second, None, silent).expect("left");
        groups.join(&group, joining("", None), silent).expect("there is room again");
    }

    #[test]
    fn a_static_member_may_come_again_under_another_id() {
        let (mut groups, group, now) = (Groups::default(), name("g"), Instant::now());
        let (first, _) = groups.join(&group, joining("", Some("i")), now).expect("joined");
        let (second, two) = groups.join(&group, joining("", Some("i")), now).expect("joined");
        assert_ne!(first, second);
        assert!(groups.hear(&group, &first, two, now).is_err());
        assert!(groups.join(&group, joining("", Some("j")), now).is_err());
        groups.leave(&group, "", Some("i"), now).expect("left");
    }

    #[test]
    fn what_is_remembered_has_a_bound() {
        let (mut groups, now) = (Groups::default(), Instant::now());
        for number in 0..MOST_GROUPS {
            let group = name(&number.to_string());
            groups.join(&group, joining("", None), now).expect("joined");
        }
        let more = groups.join(&name("more"), joining("", None), now).expect_err("full");
        assert_eq!(more, ResponseError::CoordinatorNotAvailable);
        let later = now + 2 * SESSION;
        groups.join(&name("more"), joining("", None), later).expect("the others are silent");
        for wrong in ["", &"x".repeat(LONGEST_NAME + 1)] {
            let error = groups.join(&name(wrong), joining("", None), later).expect_err("refused");
            assert_eq!(error, ResponseError::InvalidGroupId);
        }
        for session in [Duration::ZERO, LONGEST_SESSION + SESSION] {
            let joining = Joining { session, ..joining("", None) };
            let error = groups.join(&name("g"), joining, later).expect_err("refused");
            assert_eq!(error, ResponseError::InvalidSessionTimeout);
        }
    }
}
