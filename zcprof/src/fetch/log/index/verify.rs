//! Compares an index with the batches that it points into. What it gets wrong would be answered
//! with the wrong records.

use std::path::Path;

use super::{OFFSET_ENTRY, OffsetIndex, TIME_ENTRY, TimeIndex, offset_entry, time_entry};
use crate::fetch::log::{Batch, LogError, Segment};

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

/// Damage, and the number of bytes before it.
pub(super) struct At(u64, IndexDamage);

impl At {
    pub(super) fn in_file(self, path: &Path) -> LogError {
        LogError::Index { path: path.into(), position: self.0, damage: self.1 }
    }
}

/// Each entry must be (last offset, position) of an append. A follower appends several batches at
/// once, so the offset may be that of a later batch, as long as no other entry comes before it.
pub(super) fn offsets(index: &OffsetIndex, segment: &Segment, batches: &[Batch]) -> Result<(), At> {
    let entries = index.0.entries();
    let at = |number: usize| (number * OFFSET_ENTRY) as u64;
    let mut before = None;
    for (number, entry) in entries.iter().copied().map(offset_entry).enumerate() {
        let position = u64::from(entry.1);
        if position >= segment.length {
            let length = segment.length;
            return Err(At(at(number), IndexDamage::Beyond { position, length }));
        }
        if before.is_some_and(|(offset, position)| entry.0 <= offset || entry.1 <= position) {
            return Err(At(at(number), IndexDamage::NotRising));
        }
        before = Some(entry);
    }
    let after = entries.iter().skip(1).map(|entry| u64::from(offset_entry(*entry).1));
    let ends = after.chain([segment.length]);
    for (number, (entry, end)) in entries.iter().copied().map(offset_entry).zip(ends).enumerate() {
        let position = u64::from(entry.1);
        let first = batches.binary_search_by_key(&position, |batch| batch.position);
        let first = first.map_err(|_| At(at(number), IndexDamage::NoBatch { position }))?;
        let offset = segment.base_offset + u64::from(entry.0);
        let mut append = batches[first..].iter().take_while(|batch| batch.position < end);
        if !append.any(|batch| batch.next_offset == offset + 1) {
            return Err(At(at(number), IndexDamage::Offset { offset }));
        }
    }
    Ok(())
}

/// Each entry must be (greatest timestamp so far, an offset of the batch that brought it).
pub(super) fn times(index: &TimeIndex, segment: &Segment, batches: &[Batch]) -> Result<(), At> {
    let entries = index.0.entries();
    let at = |number: usize| (number * TIME_ENTRY) as u64;
    let mut batches = batches.iter();
    let mut before = None;
    let mut latest = i64::MIN;
    for (number, entry) in entries.iter().copied().map(time_entry).enumerate() {
        if before.is_some_and(|(time, offset)| entry.0 <= time || entry.1 <= offset) {
            return Err(At(at(number), IndexDamage::NotRising));
        }
        before = Some(entry);
        let offset = segment.base_offset + u64::from(entry.1);
        let holder = batches.by_ref().find(|batch| {
            let holds = offset < batch.next_offset;
            if !holds {
                latest = latest.max(batch.max_timestamp);
            }
            holds
        });
        let holder = holder.filter(|batch| batch.base_offset <= offset);
        let holder = holder.ok_or(At(at(number), IndexDamage::Offset { offset }))?;
        if holder.max_timestamp != entry.0 || latest >= entry.0 {
            let damage = IndexDamage::Timestamp { timestamp: entry.0, offset };
            return Err(At(at(number), damage));
        }
        latest = holder.max_timestamp;
    }
    Ok(())
}
