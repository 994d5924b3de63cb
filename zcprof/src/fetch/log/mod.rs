//! A log: one topic-partition folder of segments named after the offset of their first record.

pub mod batch;
mod make;
mod open;
mod topics;

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

pub use make::{MakeLog, make};
pub use open::{Damage, LogError};
pub use topics::{Topic, Topics};

/// A log that was verified when it was opened. Nobody writes to it while it is open.
#[derive(Debug)]
pub struct Log {
    folder: PathBuf,
    topic: String,
    partition: i32,
    segments: Vec<Segment>,
    batches: Vec<Batch>,
}

/// A segment file.
#[derive(Debug)]
pub struct Segment {
    /// Open for reading.
    pub file: File,
    /// Where it is.
    pub path: PathBuf,
    /// Offset of its first record.
    pub base_offset: u64,
    /// Length in bytes.
    pub length: u64,
}

/// Where a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Offset of its first record.
    pub base_offset: u64,
    /// Offset of the next batch's first record.
    pub next_offset: u64,
    /// Index of its segment.
    pub segment: usize,
    /// Position in the segment, in bytes.
    pub position: u64,
    /// Length in bytes.
    pub length: u64,
    /// Largest timestamp of its records, in milliseconds since 1970.
    pub max_timestamp: i64,
}

/// The file name of a segment.
#[must_use]
pub fn segment_name(base_offset: u64) -> String {
    format!("{base_offset:020}.log")
}

impl Log {
    /// Opens a topic-partition folder and verifies every batch in it.
    ///
    /// # Errors
    /// Names the file, the position and what is wrong there; such a log is never served.
    pub fn open(folder: &Path) -> Result<Self, LogError> {
        open::open(folder)
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The topic's name.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The partition's number.
    #[must_use]
    pub fn partition(&self) -> i32 {
        self.partition
    }

    /// Segments by rising offset.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Batches by rising offset.
    #[must_use]
    pub fn batches(&self) -> &[Batch] {
        &self.batches
    }

    /// Record bytes in all segments.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.length).sum()
    }

    /// Offset of the record that would be appended next.
    #[must_use]
    pub fn end_offset(&self) -> u64 {
        let empty = self.segments.last().map_or(0, |segment| segment.base_offset);
        self.batches.last().map_or(empty, |batch| batch.next_offset)
    }

    /// Offset of the first record.
    #[must_use]
    pub fn start_offset(&self) -> u64 {
        self.segments.first().map_or(0, |segment| segment.base_offset)
    }

    /// Offset and timestamp of the first batch with a record that is not older than that, in
    /// milliseconds since 1970.
    #[must_use]
    pub fn offset_at_time(&self, timestamp: i64) -> Option<(u64, i64)> {
        let found = self.batches.iter().find(|batch| batch.max_timestamp >= timestamp)?;
        Some((found.base_offset, found.max_timestamp))
    }

    /// Index of the batch that holds an offset.
    #[must_use]
    pub fn batch_at(&self, offset: u64) -> Option<usize> {
        let after = self.batches.partition_point(|batch| batch.base_offset <= offset);
        let at = after.checked_sub(1)?;
        (offset < self.batches[at].next_offset).then_some(at)
    }

    /// The whole batches from the one that holds `offset` on, in one segment, up to `most`
    /// bytes but at least one batch: segment and byte range. `None` if no batch holds it.
    #[must_use]
    pub fn slice(&self, offset: u64, most: u64) -> Option<(&Segment, Range<u64>)> {
        let from = self.batch_at(offset)?;
        let first = &self.batches[from];
        let mut end = first.position + first.length;
        for batch in &self.batches[from + 1..] {
            let next = batch.position + batch.length;
            if batch.segment != first.segment || next - first.position > most {
                break;
            }
            end = next;
        }
        Some((&self.segments[first.segment], first.position..end))
    }
}

impl Segment {
    /// Maps the whole segment into memory.
    ///
    /// # Errors
    /// The kernel's own.
    #[expect(unsafe_code, reason = "a file mapping is valid only while nobody truncates the file")]
    pub fn map(&self) -> io::Result<Mmap> {
        // SAFETY: nobody writes to a log while it is open (see `Log`).
        unsafe { Mmap::map(&self.file) }
    }
}
