//! Compares an index with the batches that it points into. What it gets wrong would be answered
//! with the wrong records.

use super::{OFFSET_ENTRY, TIME_ENTRY, offset_entry, time_entry};
use crate::fetch::log::Batch;

/// What is wrong with an index.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndexDamage {
    /// The file is cut.
    #[error("the file has {length} bytes, which is no multiple of an entry's {entry}")]
    Length {
        /// Of the file, in bytes.
        length: u64,
        /// Bytes of one entry.
        entry: usize,
    },
    /// Entries do not rise.
    #[error("the entry does not lie above the one before it")]
    NotRising,
    /// The entry points behind the segment.
    #[error("the entry points to byte {position}, and the segment has {length} bytes")]
    Beyond {
        /// Position in the segment.
        position: u64,
        /// Bytes of the segment.
        length: u64,
    },
    /// No batch begins there.
    #[error("the entry points to byte {position} of the segment, where no batch begins")]
    NoBatch {
        /// Position in the segment.
        position: u64,
    },
    /// The offset is not that of the batch.
    #[error("the entry says offset {offset}, with which no batch ends that it stands for")]
    Offset {
        /// What the entry says.
        offset: u64,
    },
    /// The timestamp is not that of the batch.
    #[error(
        "the entry says that offset {offset} is the first to reach timestamp {timestamp}, and it \
         is not"
    )]
    Timestamp {
        /// What the entry says, milliseconds since 1970.
        timestamp: i64,
        /// What the entry says.
        offset: u64,
    },
}

/// Number of bytes before the damage, and what it is.
#[derive(Debug)]
pub(super) struct At(pub(super) u64, pub(super) IndexDamage);

/// Each entry must be (last offset, position) of an append. A follower appends several batches at
/// once, so the offset may be that of a later batch, as long as no other entry comes before it.
#[derive(Debug)]
pub(super) struct OffsetCheck {
    base_offset: u64,
    entries: Vec<[u8; OFFSET_ENTRY]>,
    /// Entries whose batch has come.
    come: usize,
    /// Whether the last of them has found the batch that ends with its offset.
    ended: bool,
}

impl OffsetCheck {
    pub(super) fn new(
        entries: Vec<[u8; OFFSET_ENTRY]>,
        base_offset: u64,
        length: u64,
    ) -> Result<Self, At> {
        let mut before = None;
        for (number, entry) in entries.iter().copied().map(offset_entry).enumerate() {
            let position = u64::from(entry.1);
            if position >= length {
                return Err(Self::at(number, IndexDamage::Beyond { position, length }));
            }
            if before.is_some_and(|(offset, at)| entry.0 <= offset || entry.1 <= at) {
                return Err(Self::at(number, IndexDamage::NotRising));
            }
            before = Some(entry);
        }
        Ok(Self { base_offset, entries, come: 0, ended: true })
    }

    pub(super) fn batch(&mut self, batch: &Batch) -> Result<(), At> {
        if let Some((_, position)) = self.entry(self.come)
            && u64::from(position) <= batch.position
        {
            self.end()?;
            if u64::from(position) < batch.position {
                return Err(self.no_batch(position));
            }
            self.come += 1;
            self.ended = false;
        }
        if !self.ended {
            self.ended = batch.next_offset == self.last_offset() + 1;
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<(), At> {
        self.end()?;
        self.entry(self.come).map_or(Ok(()), |(_, position)| Err(self.no_batch(position)))
    }

    /// No batch is left for the last entry that has come.
    fn end(&self) -> Result<(), At> {
        let damage = IndexDamage::Offset { offset: self.last_offset() };
        if self.ended { Ok(()) } else { Err(Self::at(self.come - 1, damage)) }
    }

    fn no_batch(&self, position: u32) -> At {
        Self::at(self.come, IndexDamage::NoBatch { position: position.into() })
    }

    /// What the last entry that has come says.
    fn last_offset(&self) -> u64 {
        let last = self.come.checked_sub(1).and_then(|last| self.entry(last));
        self.base_offset + last.map_or(0, |(offset, _)| u64::from(offset))
    }

    fn entry(&self, number: usize) -> Option<(u32, u32)> {
        self.entries.get(number).copied().map(offset_entry)
    }

    fn at(number: usize, damage: IndexDamage) -> At {
        At((number * OFFSET_ENTRY) as u64, damage)
    }
}

/// Each entry must be (greatest timestamp so far, an offset of the batch that brought it).
#[derive(Debug)]
pub(super) struct Times {
    base_offset: u64,
    entries: Vec<[u8; TIME_ENTRY]>,
    /// Entries whose batch has come.
    come: usize,
    /// Greatest timestamp of the batches that have come.
    latest: i64,
}

impl Times {
    pub(super) fn new(entries: Vec<[u8; TIME_ENTRY]>, base_offset: u64) -> Self {
        Self { base_offset, entries, come: 0, latest: i64::MIN }
    }

    pub(super) fn batch(&mut self, batch: &Batch) -> Result<(), At> {
        if let Some((timestamp, offset)) = self.next()?
            && offset < batch.next_offset
        {
            if batch.base_offset > offset {
                return Err(self.damaged(IndexDamage::Offset { offset }));
            }
            if batch.max_timestamp != timestamp || self.latest >= timestamp {
                return Err(self.damaged(IndexDamage::Timestamp { timestamp, offset }));
            }
            self.come += 1;
        }
        self.latest = self.latest.max(batch.max_timestamp);
        Ok(())
    }

    pub(super) fn finish(self) -> Result<(), At> {
        match self.next()? {
            Some((_, offset)) => Err(self.damaged(IndexDamage::Offset { offset })),
            None => Ok(()),
        }
    }

    /// Timestamp and offset of the entry whose batch is to come.
    fn next(&self) -> Result<Option<(i64, u64)>, At> {
        let entry = |number: usize| self.entries.get(number).copied().map(time_entry);
        let before = self.come.checked_sub(1).and_then(entry);
        let Some(next) = entry(self.come) else { return Ok(None) };
        if before.is_some_and(|(time, offset)| next.0 <= time || next.1 <= offset) {
            return Err(self.damaged(IndexDamage::NotRising));
        }
        Ok(Some((next.0, self.base_offset + u64::from(next.1))))
    }

    fn damaged(&self, damage: IndexDamage) -> At {
        At((self.come * TIME_ENTRY) as u64, damage)
    }
}
