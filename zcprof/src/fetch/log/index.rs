//! The indexes of a segment, as Kafka keeps them: mapped, and searched by bisection.
//!
//! An offset index holds (offset, position) and a time index (timestamp, offset), sparsely and
//! rising; offsets are relative to the segment's first. An entry of zeros is none: the indexes of
//! the segment that a broker appends to are made 10 MiB long beforehand.
#![expect(unsafe_code, reason = "a file mapping is valid only while nobody truncates the file")]

mod rule;
mod verify;

use std::fs::File;
use std::io;
use std::path::Path;

use memmap2::Mmap;

pub use rule::IndexRule;
pub use verify::IndexDamage;

use super::{Batch, LogError, Segment};

/// What is known of one segment beforehand. Either index may be missing.
#[derive(Debug)]
pub(super) struct Indexes {
    /// Greatest timestamp of its records, milliseconds since 1970; `None` if it has none.
    pub(super) max_timestamp: Option<i64>,
    /// Index of its first batch among all of the log.
    first_batch: usize,
    offsets: Option<OffsetIndex>,
    /// Number within the segment of the batch that each entry of `offsets` points to.
    batches: Vec<u32>,
    times: Option<TimeIndex>,
}

impl Indexes {
    /// Opens the indexes beside a segment and verifies them against its batches.
    ///
    /// A missing index is no damage: it repeats what the batches say, Kafka makes it again when
    /// it starts, and until then a lookup scans the segment from its beginning.
    pub(super) fn open(
        segment: &Segment,
        first_batch: usize,
        all: &[Batch],
    ) -> Result<Self, LogError> {
        let batches = &all[first_batch..];
        let path = segment.path.with_extension("index");
        let offsets = Entries::open(&path)?.map(OffsetIndex);
        if let Some(index) = &offsets {
            verify::offsets(index, segment, batches).map_err(|at| at.in_file(&path))?;
        }
        let numbers = offsets.as_ref().map(|index| index.batches(batches)).unwrap_or_default();
        let path = segment.path.with_extension("timeindex");
        let times = Entries::open(&path)?.map(TimeIndex);
        if let Some(index) = &times {
            verify::times(index, segment, batches).map_err(|at| at.in_file(&path))?;
        }
        let max_timestamp = batches.iter().map(|batch| batch.max_timestamp).max();
        Ok(Self { max_timestamp, first_batch, offsets, batches: numbers, times })
    }

    /// Of a segment without indexes, which is the first one.
    pub(super) fn none() -> Self {
        Self { max_timestamp: None, first_batch: 0, offsets: None, batches: vec![], times: None }
    }

    /// Index of the batch to scan from for a relative offset: that of the last entry that is not
    /// beyond it.
    pub(super) fn batch(&self, offset: u64) -> usize {
        let Some(index) = &self.offsets else { return self.first_batch };
        let after = index.0.partition_point(|entry| u64::from(offset_entry(entry).0) <= offset);
        let number = after.checked_sub(1).and_then(|at| self.batches.get(at));
        self.first_batch + number.map_or(0, |number| *number as usize)
    }

    /// Relative offset to scan from for a timestamp: no earlier record reaches it.
    pub(super) fn offset_before(&self, timestamp: i64) -> u64 {
        let Some(index) = &self.times else { return 0 };
        let after = index.0.partition_point(|entry| time_entry(entry).0 <= timestamp);
        let entry = after.checked_sub(1).and_then(|at| index.0.get(at));
        entry.map_or(0, |entry| u64::from(time_entry(entry).1))
    }
}

/// Bytes of an entry: relative offset (i32) and position (i32), big-endian.
const OFFSET_ENTRY: usize = 8;

/// Bytes of an entry: timestamp (i64) and relative offset (i32), big-endian.
const TIME_ENTRY: usize = 12;

#[derive(Debug)]
struct OffsetIndex(Entries<OFFSET_ENTRY>);

impl OffsetIndex {
    /// Number of the batch that each entry points to. The entries are known to be right; kept
    /// because a lookup by position would bisect all batches again.
    fn batches(&self, batches: &[Batch]) -> Vec<u32> {
        let number = |position: u32| batches.partition_point(|b| b.position < u64::from(position));
        let entries = self.0.entries().iter();
        // A segment has at most 2 GiB, and each of its batches dozens of bytes.
        entries.map(|entry| u32::try_from(number(offset_entry(*entry).1)).unwrap_or(0)).collect()
    }
}

#[derive(Debug)]
struct TimeIndex(Entries<TIME_ENTRY>);

/// Relative offset and position. Kafka writes signed numbers and never a negative one; read
/// unsigned, a negative one is beyond every segment, which is at most 2 GiB long.
fn offset_entry(entry: [u8; OFFSET_ENTRY]) -> (u32, u32) {
    let (words, _) = entry.as_chunks();
    (u32::from_be_bytes(words[0]), u32::from_be_bytes(words[1]))
}

/// Timestamp and relative offset.
fn time_entry(entry: [u8; TIME_ENTRY]) -> (i64, u32) {
    let ((time, _), (words, _)) = (entry.as_chunks(), entry.as_chunks());
    (i64::from_be_bytes(time[0]), u32::from_be_bytes(words[2]))
}

/// A mapped file of entries.
#[derive(Debug)]
struct Entries<const SIZE: usize> {
    map: Mmap,
    /// Entries before the zeros.
    count: usize,
}

impl<const SIZE: usize> Entries<SIZE> {
    /// `None` if there is no such file.
    fn open(path: &Path) -> Result<Option<Self>, LogError> {
        let read = |source| LogError::Read { path: path.into(), source };
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(read)?,
        };
        // SAFETY: nobody writes to a log while it is open (see `Log`).
        let map = unsafe { Mmap::map(&file) }.map_err(read)?;
        let (entries, rest) = map.as_chunks::<SIZE>();
        if !rest.is_empty() {
            return Err(LogError::Index {
                path: path.into(),
                position: (map.len() - rest.len()) as u64,
                damage: IndexDamage::Length { length: map.len() as u64, entry: SIZE },
            });
        }
        let count = entries.iter().rposition(|e| *e != [0; SIZE]).map_or(0, |last| last + 1);
        Ok(Some(Self { map, count }))
    }

    fn entries(&self) -> &[[u8; SIZE]] {
        &self.map.as_chunks::<SIZE>().0[..self.count]
    }

    fn get(&self, at: usize) -> Option<[u8; SIZE]> {
        self.entries().get(at).copied()
    }

    fn partition_point(&self, before: impl Fn([u8; SIZE]) -> bool) -> usize {
        self.entries().partition_point(|entry| before(*entry))
    }
}
