//! A log: one topic-partition folder of segments named after the offset of their first record,
//! each with its indexes, byte for byte as Kafka writes them.

pub mod batch;
mod codec;
mod damage;
pub mod digest;
mod index;
mod lookup;
mod make;
mod open;
mod plain;
pub mod records;
mod topics;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use memmap2::Mmap;

pub use codec::Codec;
pub use damage::{Damage, LogError};
pub use index::{IndexDamage, IndexRule};
pub use make::{Made, MadeTopic, MakeLog, check_topic_name, make, make_topic};
pub use topics::{Topic, Topics};

use index::Indexes;

/// A log that was verified when it was opened. Nobody writes to it while it is open.
#[derive(Debug)]
pub struct Log {
    folder: PathBuf,
    topic: String,
    partition: i32,
    segments: Vec<Segment>,
    batches: Vec<Batch>,
    /// Of each segment.
    indexes: Vec<Indexes>,
    /// Whether it is a file of any bytes, served as it is.
    plain: bool,
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
    /// The mapping that connections share while one of them has it.
    mapping: Mutex<Weak<Mmap>>,
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
    /// Greatest timestamp of its records, milliseconds since 1970.
    pub max_timestamp: i64,
}

/// The file name of a segment.
#[must_use]
pub fn segment_name(base_offset: u64) -> String {
    format!("{base_offset:020}.log")
}

impl Log {
    /// Opens a topic-partition folder and verifies every batch in it; or any file, whose bytes
    /// are then served as they are.
    ///
    /// # Errors
    /// Names the file, the position and what is wrong there; such a log is never served.
    pub fn open(path: &Path) -> Result<Self, LogError> {
        if path.is_file() { plain::open(path) } else { open::open(path) }
    }

    /// Whether it is a file of any bytes. Its offsets are positions in bytes, and its batches
    /// pieces that nobody can verify one by one.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.plain
    }

    /// The folder, or the file if it is a plain one.
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

    /// Offset of the first record, which is above zero once Kafka has deleted old segments.
    #[must_use]
    pub fn start_offset(&self) -> u64 {
        self.segments.first().map_or(0, |segment| segment.base_offset)
    }

    /// Offset of the record that would be appended next.
    #[must_use]
    pub fn end_offset(&self) -> u64 {
        // A broker's last segment may be empty still.
        let begun = self.segments.last().map_or(0, |segment| segment.base_offset);
        self.batches.last().map_or(begun, |batch| batch.next_offset)
    }
}

impl Segment {
    /// A segment file, open for reading.
    #[must_use]
    pub fn new(file: File, path: PathBuf, base_offset: u64, length: u64) -> Self {
        Self { file, path, base_offset, length, mapping: Mutex::default() }
    }

    /// The mapping of the whole segment, of which there is one however many connections send
    /// from it: each page that is mapped twice would count twice as this process's memory. When
    /// the last of them drops it the page cache is free again.
    ///
    /// # Errors
    /// The kernel's own.
    pub fn shared_map(&self) -> io::Result<Arc<Mmap>> {
        let mut mapping = self.mapping.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mapped) = mapping.upgrade() {
            return Ok(mapped);
        }
        let mapped = Arc::new(self.map()?);
        *mapping = Arc::downgrade(&mapped);
        Ok(mapped)
    }

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
