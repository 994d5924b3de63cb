//! One consumer group: Kafka's classic protocol. Who is in it, and how its members agree on who
//! reads what; the coordinator only passes on what the leader has assigned.
//!
//! States and answers are those of Kafka's `GroupCoordinator` (`ClassicGroup` since 4.0).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::ResponseError;

use super::member::{GroupResult, Joined, Joining, Member, Pending, Protocols, Synced};

/// Most members of a group: Kafka's `group.max.size`.
const MOST_MEMBERS: usize = 250;

/// Kafka's states of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum GroupState {
    /// Without members.
    #[default]
    Empty,
    /// Members are to join again, until then.
    Preparing(Instant),
    /// The leader is to say who reads what, until then.
    Completing(Instant),
    /// Everybody knows what to read.
    Stable,
}

/// A group.
#[derive(Debug, Default)]
pub(super) struct Group {
    state: GroupState,
    generation: i32,
    protocol_type: String,
    protocol: String,
    leader: Option<String>,
    members: BTreeMap<String, Member>,
    /// Ids that were given to members that have not joined by them yet, and until when they may.
    promised: BTreeMap<String, Instant>,
    /// Committed offsets and what was said with them, by topic and partition.
    pub(super) offsets: BTreeMap<(String, i32), (i64, String)>,
}

impl Group {
    /// Somebody wants to join; `new_id` is for it if it needs one.
    pub(super) fn join(
        &mut self,
        joining: Joining<'_>,
        new_id: String,
        now: Instant,
    ) -> GroupResult<Pending<Joined>> {
        self.expire(now);
        if joining.protocols.is_empty() || joining.protocol_type.is_empty() {
            return Err(ResponseError::InconsistentGroupProtocol);
        }
        let is_member = self.members.contains_key(joining.member);
        let others = self.members.iter().filter(|(id, _)| id.as_str() != joining.member);
        let others = others.map(|(_, member)| &member.protocols);
        let alone = self.members.is_empty() || (is_member && self.members.len() == 1);
        let same_type = alone || joining.protocol_type == self.protocol_type;
        if !same_type || joining.protocols.common(others).next().is_none() {
            return Err(ResponseError::InconsistentGroupProtocol);
        }
        let room = self.members.len() + self.promised.len() < MOST_MEMBERS;
        let of_instance = joining.instance.and_then(|instance| self.instance(instance));
        match (joining.member, of_instance) {
            ("", Some(old)) => Ok(self.replace(&old, joining, &new_id, now)),
            ("", None) if !room => Err(ResponseError::GroupMaxSizeReached),
            ("", None) => Ok(self.admit(joining, new_id, now)),
            (id, Some(known)) if known != id => Err(ResponseError::FencedInstanceId),
            (id, _) if self.promised.remove(id).is_some() => {
                Ok(self.admit(joining, id.to_owned(), now))
            }
            (_, _) if !is_member => Err(ResponseError::UnknownMemberId),
            (id, _) => Ok(self.rejoin(joining, id, now)),
        }
    }

    /// Gives an id to somebody who is to join by it: Kafka's MEMBER_ID_REQUIRED, so that who asks
    /// again and again without hearing an answer is one member.
    pub(super) fn promise(
        &mut self,
        id: String,
        session: Duration,
        now: Instant,
    ) -> Result<(), ResponseError> {
        self.expire(now);
        if self.members.len() + self.promised.len() >= MOST_MEMBERS {
            return Err(ResponseError::GroupMaxSizeReached);
        }
        self.promised.insert(id, now + session);
        Ok(())
    }

    /// Somebody new is a member.
    fn admit(&mut self, joining: Joining<'_>, id: String, now: Instant) -> Pending<Joined> {
        if self.members.is_empty() {
            joining.protocol_type.clone_into(&mut self.protocol_type);
        }
        let (member, pending) = Member::joining(joining, now);
        self.members.insert(id, member);
        self.prepare(now);
        pending
    }

    /// A member joins again.
    fn rejoin(&mut self, joining: Joining<'_>, id: &str, now: Instant) -> Pending<Joined> {
        let leads = self.leader.as_deref() == Some(id);
        if self.members.len() == 1 {
            joining.protocol_type.clone_into(&mut self.protocol_type);
        }
        let member = self.members.get_mut(id);
        let changed = member.as_ref().is_none_or(|member| member.protocols != joining.protocols);
        let (mut renewed, pending) = Member::joining(joining, now);
        let again = match self.state {
            GroupState::Stable => leads || changed,
            // It has not heard the answer to its first request.
            GroupState::Completing(_) => changed,
            GroupState::Preparing(_) | GroupState::Empty => true,
        };
        if let Some(member) = member {
            renewed.assignment = std::mem::take(&mut member.assignment);
            *member = renewed;
        }
        if again {
            self.prepare(now);
        } else {
            let answer = self.joined(id, leads);
            self.answer_join(id, answer);
        }
        pending
    }

    /// A static member was started again: it gets what it had, under another id.
    fn replace(
        &mut self,
        old: &str,
        joining: Joining<'_>,
        new_id: &str,
        now: Instant,
    ) -> Pending<Joined> {
        let version = joining.version;
        let (mut member, pending) = Member::joining(joining, now);
        let mut changed = true;
        if let Some(mut before) = self.members.remove(old) {
            changed = before.protocols != member.protocols;
            member.assignment = std::mem::take(&mut before.assignment);
            before.refuse(ResponseError::FencedInstanceId);
        }
        let leads = self.leader.as_deref() == Some(old);
        if leads {
            self.leader = Some(new_id.to_owned());
        }
        self.members.insert(new_id.to_owned(), member);
        if self.state != GroupState::Stable || changed {
            self.prepare(now);
            return pending;
        }
        let skips = version >= 9;
        let mut answer = self.joined(new_id, leads && skips);
        answer.skip_assignment = leads && skips;
        if leads && !skips {
            // An older client must not think that it leads, or it would assign anew.
            old.clone_into(&mut answer.leader);
        }
        self.answer_join(new_id, answer);
        pending
    }

    /// Everybody is to join again.
    fn prepare(&mut self, now: Instant) {
        if matches!(self.state, GroupState::Completing(_) | GroupState::Stable) {
            for member in self.members.values_mut() {
                member.refuse_sync(ResponseError::RebalanceInProgress);
            }
        }
        if !matches!(self.state, GroupState::Preparing(_)) {
            self.state = GroupState::Preparing(now + self.patience());
        }
        self.try_complete(now);
    }

    /// How long members have to join again: as long as the most patient one allows.
    fn patience(&self) -> Duration {
        self.members.values().map(|member| member.rebalance).max().unwrap_or_default()
    }

    /// Begins the next generation if everybody has joined, or if the time for that is over.
    fn try_complete(&mut self, now: Instant) {
        let GroupState::Preparing(deadline) = self.state else { return };
        let joined = self.members.values().all(Member::has_joined) && self.promised.is_empty();
        if !joined && now < deadline {
            return;
        }
        // A static member that is away keeps its place until its session ends.
        self.members.retain(|_, member| member.has_joined() || member.instance.is_some());
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        let present = self.members.iter().filter(|(_, member)| member.has_joined());
        let mut present = present.map(|(id, _)| id.clone()).collect::<Vec<_>>();
        if self.leader.as_ref().is_none_or(|leader| !present.contains(leader)) {
            self.leader = present.first().cloned();
        }
        if present.is_empty() {
            // A member that is away may come back; there is nobody to lead.
            if self.members.is_empty() {
                self.state = GroupState::Empty;
                self.protocol.clear();
            } else {
                self.state = GroupState::Preparing(now + self.patience());
            }
            return;
        }
        self.protocol =
            Protocols::vote(&self.members.values().map(|m| &m.protocols).collect::<Vec<_>>());
        self.state = GroupState::Completing(now + self.patience());
        let leader = self.leader.clone().unwrap_or_default();
        // The leader first: it has the most to do.
        present.sort_by_key(|id| *id != leader);
        for id in present {
            let answer = self.joined(&id, id == leader);
            if let Some(member) = self.members.get_mut(&id) {
                member.heard = now;
            }
            self.answer_join(&id, answer);
        }
    }

    fn joined(&self, id: &str, leads: bool) -> Joined {
        let members = self.members.iter().map(|(id, member)| {
            let metadata = member.protocols.metadata(&self.protocol);
            (id.clone(), member.instance.clone(), metadata)
        });
        Joined {
            member: id.to_owned(),
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            members: if leads { members.collect() } else { Vec::new() },
            skip_assignment: false,
        }
    }

    fn answer_join(&mut self, id: &str, answer: Joined) {
        if let Some(member) = self.members.get_mut(id) {
            member.answer_join(Ok(answer));
        }
    }

    /// A member asks what it is to read; the leader says what everybody is.
    pub(super) fn sync(
        &mut self,
        who: &Who<'_>,
        protocol: (Option<&str>, Option<&str>),
        assignments: &[(&str, &Bytes)],
        now: Instant,
    ) -> GroupResult<Pending<Synced>> {
        self.expire(now);
        self.check(who)?;
        let differs = |told: Option<&str>, known: &str| told.is_some_and(|told| told != known);
        if differs(protocol.0, &self.protocol_type) || differs(protocol.1, &self.protocol) {
            return Err(ResponseError::InconsistentGroupProtocol);
        }
        match self.state {
            GroupState::Empty => return Err(ResponseError::UnknownMemberId),
            GroupState::Preparing(_) => return Err(ResponseError::RebalanceInProgress),
            GroupState::Completing(_) | GroupState::Stable => {}
        }
        let leads = self.leader.as_deref() == Some(who.member);
        let member = self.members.get_mut(who.member).ok_or(ResponseError::UnknownMemberId)?;
        member.heard = now;
        let pending = member.syncing();
        if leads && self.state != GroupState::Stable {
            for (id, member) in &mut self.members {
                let own = assignments.iter().find(|(of, _)| of == id);
                member.assignment = own.map_or_else(Bytes::new, |(_, given)| (*given).clone());
            }
            self.state = GroupState::Stable;
        }
        if self.state == GroupState::Stable {
            let (protocol_type, protocol) = (self.protocol_type.clone(), self.protocol.clone());
            for member in self.members.values_mut() {
                member.answer_sync(&protocol_type, &protocol, now);
            }
        }
        Ok(pending)
    }

    /// A member lives.
    pub(super) fn heartbeat(&mut self, who: &Who<'_>, now: Instant) -> Result<(), ResponseError> {
        self.expire(now);
        self.check(who)?;
        let member = self.members.get_mut(who.member).ok_or(ResponseError::UnknownMemberId)?;
        member.heard = now;
        match self.state {
            GroupState::Preparing(_) => Err(ResponseError::RebalanceInProgress),
            _ => Ok(()),
        }
    }

    /// Whether offsets may be committed, by a member or by somebody who assigns partitions to
    /// itself, which is allowed only where there are no members.
    pub(super) fn may_commit(&mut self, who: &Who<'_>, now: Instant) -> Result<(), ResponseError> {
        self.expire(now);
        if who.generation < 0 && who.member.is_empty() {
            let vacant = self.members.is_empty();
            return vacant.then_some(()).ok_or(ResponseError::UnknownMemberId);
        }
        self.check(who)?;
        let member = self.members.get_mut(who.member).ok_or(ResponseError::UnknownMemberId)?;
        member.heard = now;
        match self.state {
            GroupState::Completing(_) => Err(ResponseError::RebalanceInProgress),
            _ => Ok(()),
        }
    }

    /// A member goes.
    pub(super) fn leave(
        &mut self,
        id: &str,
        instance: Option<&str>,
        now: Instant,
    ) -> Result<(), ResponseError> {
        self.expire(now);
        if self.promised.remove(id).is_some() {
            self.try_complete(now);
            return Ok(());
        }
        let id = match instance.map(|instance| self.instance(instance)) {
            Some(Some(known)) if !id.is_empty() && known != id => {
                return Err(ResponseError::FencedInstanceId);
            }
            Some(Some(known)) => known,
            Some(None) => return Err(ResponseError::UnknownMemberId),
            None => id.to_owned(),
        };
        let gone = self.members.remove(&id).ok_or(ResponseError::UnknownMemberId)?;
        gone.refuse(ResponseError::UnknownMemberId);
        self.prepare(now);
        Ok(())
    }

    /// Takes note of the time: members that were not heard of are gone, and what was waited for
    /// too long is waited for no more.
    pub(super) fn expire(&mut self, now: Instant) {
        let before = self.members.len();
        self.members.retain(|_, member| now < member.expires());
        self.promised.retain(|_, deadline| now < *deadline);
        if self.members.len() < before {
            self.prepare(now);
        }
        match self.state {
            GroupState::Preparing(_) => self.try_complete(now),
            GroupState::Completing(deadline) if now >= deadline => {
                self.members.retain(|_, member| member.is_syncing());
                self.prepare(now);
            }
            _ => {}
        }
    }

    /// When [`Group::expire`] has something to do next, if nobody says anything.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let state = match self.state {
            GroupState::Preparing(deadline) | GroupState::Completing(deadline) => Some(deadline),
            GroupState::Empty | GroupState::Stable => None,
        };
        let members = self.members.values().map(Member::expires);
        members.chain(self.promised.values().copied()).chain(state).min()
    }

    /// Whether nobody is in it.
    pub(super) fn is_vacant(&self) -> bool {
        self.members.is_empty() && self.promised.is_empty()
    }

    /// How many are in it, or may be soon.
    pub(super) fn size(&self) -> usize {
        self.members.len() + self.promised.len()
    }

    /// Bytes that its members have said and are told.
    pub(super) fn bytes(&self) -> usize {
        self.members.values().map(|m| m.protocols.bytes() + m.assignment.len()).sum()
    }

    /// The id of the static member of that name.
    fn instance(&self, name: &str) -> Option<String> {
        let named = |(_, member): &(&String, &Member)| member.instance.as_deref() == Some(name);
        self.members.iter().find(named).map(|(id, _)| id.clone())
    }

    /// Whether it is who it says, in this generation.
    fn check(&self, who: &Who<'_>) -> Result<(), ResponseError> {
        if let Some(instance) = who.instance {
            match self.instance(instance) {
                Some(known) if known != who.member => return Err(ResponseError::FencedInstanceId),
                None => return Err(ResponseError::UnknownMemberId),
                Some(_) => {}
            }
        }
        if !self.members.contains_key(who.member) {
            return Err(ResponseError::UnknownMemberId);
        }
        if who.generation != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        Ok(())
    }
}

/// Who a request is from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Who<'a> {
    pub(super) member: &'a str,
    pub(super) instance: Option<&'a str>,
    pub(super) generation: i32,
}

#[cfg(test)]
mod tests;
