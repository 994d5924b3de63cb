//! A member of a group, and what it can do.

use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::ResponseError;
use tokio::sync::oneshot;

/// What a member is told that has joined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Joined {
    pub(super) member: String,
    pub(super) generation: i32,
    pub(super) protocol_type: String,
    pub(super) protocol: String,
    pub(super) leader: String,
    /// For the leader: every member's id, instance and metadata.
    pub(super) members: Vec<(String, Option<String>, Bytes)>,
    /// The leader need not assign anything: nothing has changed.
    pub(super) skip_assignment: bool,
}

/// What a member is told that asked for its assignment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Synced {
    pub(super) protocol_type: String,
    pub(super) protocol: String,
    pub(super) assignment: Bytes,
}

pub(super) type GroupResult<T> = Result<T, ResponseError>;

/// Where an answer comes in once it is known.
pub(super) type Pending<T> = oneshot::Receiver<GroupResult<T>>;

/// Who wants to join.
#[derive(Clone, Debug)]
pub(super) struct Joining<'a> {
    /// The id that it was given before, or nothing.
    pub(super) member: &'a str,
    /// The name that a static member keeps over its restarts.
    pub(super) instance: Option<&'a str>,
    /// How it calls itself.
    pub(super) client: &'a str,
    /// It is gone when nothing was heard of it for so long.
    pub(super) session: Duration,
    /// How long it lets others take to join again.
    pub(super) rebalance: Duration,
    /// What the group is for, such as `consumer`.
    pub(super) protocol_type: &'a str,
    pub(super) protocols: Protocols,
    /// Of the request.
    pub(super) version: i16,
}

/// Ways to share partitions that a member knows, the best first, with its metadata for each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Protocols(pub(super) Vec<(String, Bytes)>);

impl Protocols {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How much memory their metadata takes.
    pub(super) fn bytes(&self) -> usize {
        self.0.iter().map(|(name, metadata)| name.len() + metadata.len()).sum()
    }

    /// Those that all others know too.
    pub(super) fn common<'a>(
        &'a self,
        others: impl Iterator<Item = &'a Self>,
    ) -> impl Iterator<Item = &'a str> {
        let others: Vec<_> = others.collect();
        let names = self.0.iter().map(|(name, _)| name.as_str());
        names.filter(move |name| others.iter().all(|other| other.knows(name)))
    }

    /// Each member votes for the first of its protocols that all know; most votes win, and of as
    /// many the first that got them.
    pub(super) fn vote(all: &[&Self]) -> String {
        let mut votes: Vec<(&str, usize)> = Vec::new();
        for member in all {
            let Some(choice) = member.common(all.iter().copied()).next() else { continue };
            match votes.iter_mut().find(|(name, _)| *name == choice) {
                Some((_, count)) => *count += 1,
                None => votes.push((choice, 1)),
            }
        }
        let most = votes.iter().map(|(_, count)| *count).max();
        let winner = votes.iter().find(|(_, count)| Some(*count) == most);
        winner.map(|(name, _)| (*name).to_owned()).unwrap_or_default()
    }

    /// What its member says with one of them.
    pub(super) fn metadata(&self, name: &str) -> Bytes {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
    }

    fn knows(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }
}

/// A member.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) instance: Option<String>,
    session: Duration,
    pub(super) rebalance: Duration,
    pub(super) heard: Instant,
    pub(super) protocols: Protocols,
    /// What it is to read, as the leader said.
    pub(super) assignment: Bytes,
    join: Option<oneshot::Sender<GroupResult<Joined>>>,
    sync: Option<oneshot::Sender<GroupResult<Synced>>>,
}

impl Member {
    /// A member that waits for the answer to its request to join.
    pub(super) fn joining(joining: Joining<'_>, now: Instant) -> (Self, Pending<Joined>) {
        let (join, pending) = oneshot::channel();
        let member = Self {
            instance: joining.instance.map(str::to_owned),
            session: joining.session,
            rebalance: joining.rebalance,
            heard: now,
            protocols: joining.protocols,
            assignment: Bytes::new(),
            join: Some(join),
            sync: None,
        };
        (member, pending)
    }

    /// Whether it waits for the next generation. One whose connection is gone does not.
    pub(super) fn has_joined(&self) -> bool {
        self.join.as_ref().is_some_and(|join| !join.is_closed())
    }

    /// Whether it waits for its assignment, or has it.
    pub(super) fn is_syncing(&self) -> bool {
        self.sync.as_ref().is_some_and(|sync| !sync.is_closed())
    }

    /// When it is gone unless it is heard of. Who waits for an answer need not say anything.
    pub(super) fn expires(&self) -> Instant {
        let waits = self.has_joined() || self.is_syncing();
        let patience = if waits { Duration::from_hours(24) } else { self.session };
        self.heard + patience
    }

    pub(super) fn answer_join(&mut self, answer: GroupResult<Joined>) {
        if let Some(join) = self.join.take() {
            // It may have left.
            let _ = join.send(answer);
        }
    }

    /// It waits for its assignment.
    pub(super) fn syncing(&mut self) -> Pending<Synced> {
        let (sync, pending) = oneshot::channel();
        self.sync = Some(sync);
        pending
    }

    /// It is told its assignment, if it waits for that.
    pub(super) fn answer_sync(&mut self, protocol_type: &str, protocol: &str, now: Instant) {
        if let Some(sync) = self.sync.take() {
            self.heard = now;
            let _ = sync.send(Ok(Synced {
                protocol_type: protocol_type.to_owned(),
                protocol: protocol.to_owned(),
                assignment: self.assignment.clone(),
            }));
        }
    }

    pub(super) fn refuse_sync(&mut self, error: ResponseError) {
        if let Some(sync) = self.sync.take() {
            let _ = sync.send(Err(error));
        }
    }

    /// It is no member any more.
    pub(super) fn refuse(mut self, error: ResponseError) {
        self.answer_join(Err(error));
        self.refuse_sync(error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protocols(names: &[&str]) -> Protocols {
        Protocols(names.iter().map(|name| ((*name).to_owned(), Bytes::new())).collect())
    }

    #[test]
    fn the_protocol_is_one_that_all_know_and_most_want() {
        let vote = |members: &[&[&str]]| {
            let members: Vec<_> = members.iter().map(|names| protocols(names)).collect();
            Protocols::vote(&members.iter().collect::<Vec<_>>())
        };
        assert_eq!(
            vote(&[&["range", "sticky"], &["sticky", "range"], &["sticky", "range"]]),
            "sticky"
        );
        assert_eq!(vote(&[&["range", "sticky"], &["sticky"]]), "sticky");
        assert_eq!(vote(&[&["range", "sticky"], &["sticky", "range"]]), "range");
        assert_eq!(vote(&[&["range"], &["sticky"]]), "");
    }
}
