//! Transactions of a partition: which were aborted, and which had not ended.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use super::batch::{BatchHeader, HEADER};
use super::records::control;

/// Bytes of an entry of `.txnindex`: version (i16), producer, first offset, last offset, last
/// stable offset (i64 each), big-endian. Kafka's `AbortedTxn`.
const ENTRY: usize = 34;

/// A transaction that was aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aborted {
    /// Who began it.
    pub producer_id: i64,
    /// Offset of its first record.
    pub first_offset: u64,
    /// Offset of the control record that says so.
    pub last_offset: u64,
    /// The last stable offset when it was aborted: no transaction that ends behind this one has a
    /// record before it.
    last_stable: u64,
}

/// The transactions of a log.
#[derive(Debug, Default)]
pub struct Transactions {
    /// By rising last offset.
    aborted: Vec<Aborted>,
    /// Offset of the first record of each transaction that has not ended, by producer.
    open: HashMap<i64, u64>,
}

impl Transactions {
    /// A batch comes, whole.
    pub(super) fn batch(&mut self, header: &BatchHeader, batch: &[u8]) {
        let base = header.base_offset.unsigned_abs();
        if !header.transactional || header.producer_id < 0 {
            return;
        }
        if !header.control {
            self.open.entry(header.producer_id).or_insert(base);
            return;
        }
        let Some(end) = batch.get(HEADER..).and_then(control::end_of_transaction) else { return };
        let Some(first_offset) = self.open.remove(&header.producer_id) else { return };
        if end == control::TransactionEnd::Aborted {
            let last_stable = self.first_open().unwrap_or(base + 1);
            let producer_id = header.producer_id;
            self.aborted.push(Aborted {
                producer_id,
                first_offset,
                last_offset: base,
                last_stable,
            });
        }
    }

    /// Adds what an index says and the batches did not: the beginning of a transaction, or the
    /// record of its end, may have been deleted or cleaned away. Returns what is wrong with the
    /// index.
    pub(super) fn index(&mut self, path: &Path) -> Result<(), String> {
        let said = |reason: String| format!("{} is not used: {reason}", path.display());
        let bytes = fs::read(path).map_err(|error| said(error.to_string()))?;
        // A rest that is no entry is what an append left that was never finished.
        let entries: Option<Vec<Aborted>> =
            bytes.as_chunks::<ENTRY>().0.iter().map(entry).collect();
        let entries = entries.ok_or_else(|| said("an entry is none".to_owned()))?;
        let same = |a: &Aborted, b: &Aborted| {
            (a.producer_id, a.last_offset) == (b.producer_id, b.last_offset)
        };
        for entry in entries {
            let from = self.aborted.partition_point(|known| known.last_offset < entry.last_offset);
            match self.aborted.get_mut(from).filter(|known| same(known, &entry)) {
                Some(known) => {
                    known.first_offset = known.first_offset.min(entry.first_offset);
                    known.last_stable = known.last_stable.min(entry.last_stable);
                }
                None => self.aborted.insert(from, entry),
            }
        }
        Ok(())
    }

    /// Forgets what lies behind the log's end, and what ends before its start.
    pub(super) fn truncate(&mut self, start: u64, end: u64) {
        self.aborted.retain(|aborted| (start..end).contains(&aborted.last_offset));
    }

    /// Offset of the first record whose transaction has not ended.
    #[must_use]
    pub fn first_open(&self) -> Option<u64> {
        self.open.values().min().copied()
    }

    /// The aborted ones that have a record from `start` on and one before `end`.
    pub fn aborted(&self, start: u64, end: u64) -> impl Iterator<Item = &Aborted> {
        let from = self.aborted.partition_point(|aborted| aborted.last_offset < start);
        let mut beyond = false;
        let near = self.aborted[from..].iter().take_while(move |aborted| {
            // Nothing that ends later has a record before this one's last stable offset.
            !std::mem::replace(&mut beyond, aborted.last_stable >= end)
        });
        near.filter(move |aborted| aborted.first_offset < end)
    }

    /// How many were aborted, and how many have not ended.
    #[must_use]
    pub fn count(&self) -> (usize, usize) {
        (self.aborted.len(), self.open.len())
    }
}

fn entry(bytes: &[u8; ENTRY]) -> Option<Aborted> {
    let (version, words) = bytes.split_at(2);
    let (words, _) = words.as_chunks::<8>();
    let [producer_id, first, last, stable] = [0, 1, 2, 3].map(|at| i64::from_be_bytes(words[at]));
    let offset = |word: i64| u64::try_from(word).ok();
    let aborted = Aborted {
        producer_id,
        first_offset: offset(first)?,
        last_offset: offset(last)?,
        last_stable: offset(stable)?,
    };
    (version == [0, 0] && first <= last).then_some(aborted)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A batch of one record at an offset: of a producer's transaction, or the end of it.
    fn batch(base: i64, producer: i64, end: Option<i16>) -> Vec<u8> {
        let key = end.map(|end| [[0, 0], end.to_be_bytes()].concat()).unwrap_or_default();
        let mut record = vec![0, 0, 0, u8::try_from(2 * key.len()).expect("short")];
        record.extend(key);
        record.extend([0, 0]);
        let mut bytes = vec![0; HEADER];
        bytes[..8].copy_from_slice(&base.to_be_bytes());
        bytes[8..12].copy_from_slice(&90_i32.to_be_bytes());
        bytes[16] = 2;
        bytes[22] = if end.is_some() { 0x30 } else { 0x10 };
        bytes[43..51].copy_from_slice(&producer.to_be_bytes());
        bytes.push(u8::try_from(2 * record.len()).expect("short"));
        bytes.extend(record);
        bytes
    }

    const ABORT: Option<i16> = Some(0);
    const COMMIT: Option<i16> = Some(1);

    fn follow(batches: &[(i64, i64, Option<i16>)]) -> Transactions {
        let mut transactions = Transactions::default();
        for (base, producer, end) in batches {
            let bytes = batch(*base, *producer, *end);
            transactions.batch(&BatchHeader::read(&bytes).expect("a header"), &bytes);
        }
        transactions
    }

    fn firsts(transactions: &Transactions, start: u64, end: u64) -> Vec<(i64, u64)> {
        let aborted = transactions.aborted(start, end);
        aborted.map(|aborted| (aborted.producer_id, aborted.first_offset)).collect()
    }

    #[test]
    fn a_transaction_is_open_until_its_control_record() {
        let open = [(0, 7, None), (1, 8, None), (2, 7, None), (3, 7, COMMIT)];
        let transactions = follow(&open);
        assert_eq!((transactions.first_open(), transactions.count()), (Some(1), (0, 1)));
        let ended = follow(&[&open[..], &[(4, 8, ABORT), (5, 9, ABORT)]].concat());
        assert_eq!((ended.first_open(), ended.count()), (None, (1, 0)));
        assert_eq!(firsts(&ended, 0, 5), [(8, 1)]);
    }

    #[test]
    fn only_what_concerns_the_records_of_an_answer_is_told() {
        // One long transaction around two short ones.
        let transactions = follow(&[
            (0, 1, None),
            (1, 2, None),
            (2, 2, ABORT),
            (3, 3, None),
            (4, 3, ABORT),
            (5, 1, ABORT),
            (6, 2, None),
            (7, 2, ABORT),
        ]);
        assert_eq!(firsts(&transactions, 0, 8), [(2, 1), (3, 3), (1, 0), (2, 6)]);
        assert_eq!(firsts(&transactions, 0, 1), [(1, 0)], "it ends far behind the answer");
        assert_eq!(firsts(&transactions, 3, 5), [(3, 3), (1, 0)]);
        assert_eq!(firsts(&transactions, 6, 8), [(2, 6)]);
    }

    #[test]
    fn an_index_adds_what_the_batches_do_not_say() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("x.txnindex");
        let entry = |producer: i64, first: i64, last: i64| {
            let words = [producer, first, last, first].map(i64::to_be_bytes);
            [&[0, 0][..], words.as_flattened()].concat()
        };
        let mut transactions = follow(&[(4, 1, None), (5, 1, ABORT)]);
        let rest = vec![0; 4];
        fs::write(&path, [entry(1, 2, 5), entry(9, 0, 3), rest].concat()).expect("written");
        transactions.index(&path).expect("an index");
        assert_eq!(firsts(&transactions, 0, 9), [(9, 0), (1, 2)]);
        transactions.truncate(4, 9);
        assert_eq!(firsts(&transactions, 0, 9), [(1, 2)]);
        fs::write(&path, entry(1, 5, 2)).expect("written");
        let reason = transactions.index(&path).expect_err("no entry");
        assert!(reason.contains("x.txnindex is not used"), "{reason}");
    }
}
