//! The epochs of a partition's leaders, as Kafka's `LeaderEpochFileCache` keeps them.

/// Epochs and the offsets of their first records, both rising.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaderEpochs(Vec<(i32, u64)>);

impl LeaderEpochs {
    /// Takes the entries of a checkpoint; what does not rise ends them.
    pub(super) fn from_checkpoint(entries: Vec<(i32, u64)>) -> Self {
        let mut epochs = Self::default();
        for (epoch, offset) in entries {
            epochs.assign(epoch, offset);
        }
        epochs
    }

    /// A batch of that epoch begins at the offset.
    pub(super) fn assign(&mut self, epoch: i32, offset: u64) {
        let rises = self.0.last().is_none_or(|last| epoch > last.0 && offset >= last.1);
        if epoch >= 0 && rises {
            self.0.push((epoch, offset));
        }
    }

    /// Forgets what lies behind the log's end, and what ends before its start.
    pub(super) fn truncate(&mut self, start: u64, end: u64) {
        self.0.retain(|(_, offset)| *offset < end);
        let before = self.0.iter().rposition(|(_, offset)| *offset <= start);
        if let Some(first) = before {
            self.0.drain(..first);
            self.0[0].1 = start;
        }
    }

    /// The epoch of the last leader that appended something.
    #[must_use]
    pub fn latest(&self) -> Option<i32> {
        self.0.last().map(|(epoch, _)| *epoch)
    }

    /// The epoch in which the record at an offset was appended.
    #[must_use]
    pub fn at(&self, offset: u64) -> Option<i32> {
        self.0.iter().rfind(|(_, begin)| *begin <= offset).map(|(epoch, _)| *epoch)
    }

    /// The latest epoch that is not above `epoch`, and the offset where it ends: where a client
    /// whose last record is of that epoch must go on at the latest. `None` for an epoch that is
    /// not known yet.
    #[must_use]
    pub fn end(&self, epoch: i32, log_end: u64) -> Option<(i32, u64)> {
        if self.latest() == Some(epoch) {
            return Some((epoch, log_end));
        }
        let above = self.0.iter().position(|(known, _)| *known > epoch)?;
        let own = above.checked_sub(1).map_or(epoch, |below| self.0[below].0);
        (epoch >= 0).then_some((own, self.0[above].1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs() -> LeaderEpochs {
        LeaderEpochs::from_checkpoint(vec![(2, 0), (3, 10), (7, 25)])
    }

    #[test]
    fn an_epoch_ends_where_the_next_one_begins() {
        let epochs = epochs();
        assert_eq!(epochs.end(7, 40), Some((7, 40)));
        assert_eq!(epochs.end(3, 40), Some((3, 25)));
        assert_eq!(epochs.end(5, 40), Some((3, 25)), "the latest one before it");
        assert_eq!(epochs.end(1, 40), Some((1, 0)), "before all that are known");
        assert_eq!((epochs.end(8, 40), epochs.end(-1, 40)), (None, None));
        assert_eq!((epochs.at(9), epochs.at(10), epochs.at(99)), (Some(2), Some(3), Some(7)));
        assert_eq!(LeaderEpochs::default().end(0, 4), None);
    }

    #[test]
    fn what_was_deleted_or_cut_has_no_epoch() {
        let mut cut = epochs();
        cut.truncate(12, 25);
        assert_eq!(cut, LeaderEpochs(vec![(3, 12)]));
        let mut whole = epochs();
        whole.truncate(0, 26);
        assert_eq!(whole, epochs());
        whole.assign(7, 30);
        whole.assign(6, 31);
        assert_eq!(whole.latest(), Some(7), "an epoch never comes again");
    }
}
