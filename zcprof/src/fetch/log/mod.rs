//! A log: one topic-partition folder of segments named after the offset of their first record,
//! each with its indexes, byte for byte as Kafka writes them.

pub mod batch;
mod checkpoint;
mod codec;
mod damage;
pub mod digest;
mod epochs;
mod files;
mod index;
mod lookup;
mod make;
mod open;
mod plain;
pub mod records;
mod scan;
mod topics;
mod transactions;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use memmap2::Mmap;

pub use codec::Codec;
pub use damage::{Damage, LogError};
pub use epochs::LeaderEpochs;
pub use index::{IndexDamage, IndexRule};
pub use lookup::{BatchLocation, LookupError};
pub use make::{Made, MadeTopic, MakeLog, check_topic_name, make, make_topic, make_unless};
pub use topics::{Partition, PartitionState, Topic, Topics};
pub use transactions::{Aborted, Transactions};

/// How logs are opened.
#[derive(Clone, Copy, Debug)]
pub struct Load<'a> {
    /// What a broker would mend when it starts is an error.
    pub strict: bool,
    /// Records from the high watermark on, as its checkpoint says, are held back. A leader that
    /// is alone raises it to the log's end at once.
    pub high_watermark: bool,
    /// Is told of what was verified.
    pub progress: &'a Progress,
}

/// Bytes that were verified so far.
#[derive(Debug, Default)]
pub struct Progress(AtomicU64);

impl Progress {
    fn add(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Bytes so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A log that was verified when it was opened. Nobody writes to it while it is open.
#[derive(Debug)]
pub struct Log {
    folder: PathBuf,
    topic: String,
    partition: i32,
    segments: Vec<Segment>,
    batches: Vec<Batch>,
    /// Greatest timestamp of each segment, milliseconds since 1970; `None` if it has no record.
    latest: Vec<Option<i64>>,
    /// Offset of the first record that is not deleted.
    start: u64,
    /// Offset of the record that would be appended next.
    end: u64,
    /// From here on records are held back, if anybody asked for that.
    high_watermark: Option<u64>,
    transactions: Transactions,
    epochs: LeaderEpochs,
    /// What was mended or passed over, once for each.
    said: Vec<String>,
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
    /// It could not be read any more, after it was verified.
    failed: AtomicBool,
}

/// Where a batch is, or several small ones that lie behind each other.
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
    /// It is one batch.
    pub single: bool,
}

/// The file name of a segment.
#[must_use]
pub fn segment_name(base_offset: u64) -> String {
    format!("{base_offset:020}.log")
}

impl Log {
    /// Opens a topic-partition folder and verifies every batch in it; or any file, whose bytes
    /// are then served as they are. It is strict: see [`Load`].
    ///
    /// # Errors
    /// Names the file, the position and what is wrong there; such a log is never served.
    pub fn open(path: &Path) -> Result<Self, LogError> {
        if path.is_file() {
            return plain::open(path);
        }
        let progress = Progress::default();
        open::open(path, &Load { strict: true, high_watermark: false, progress: &progress })
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

    /// Record bytes in all batches.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.batches.iter().map(|batch| batch.length).sum()
    }

    /// Offset of the first record, which is above zero once records were deleted.
    #[must_use]
    pub fn start_offset(&self) -> u64 {
        self.start
    }

    /// Offset of the record that would be appended next.
    #[must_use]
    pub fn end_offset(&self) -> u64 {
        self.end
    }

    /// Offset of the first record that no consumer gets.
    #[must_use]
    pub fn high_watermark(&self) -> u64 {
        self.high_watermark.unwrap_or(self.end)
    }

    /// Offset of the first record that a consumer of committed records does not get yet, for a
    /// transaction before it has not ended: Kafka's last stable offset.
    #[must_use]
    pub fn last_stable_offset(&self) -> u64 {
        let open = self.transactions.first_open().unwrap_or(self.end);
        open.max(self.start).min(self.high_watermark())
    }

    /// Its transactions.
    #[must_use]
    pub fn transactions(&self) -> &Transactions {
        &self.transactions
    }

    /// The epochs of its leaders.
    #[must_use]
    pub fn epochs(&self) -> &LeaderEpochs {
        &self.epochs
    }

    /// What was mended or passed over when it was opened.
    #[must_use]
    pub fn said(&self) -> &[String] {
        &self.said
    }
}

impl Segment {
    /// A segment file, open for reading.
    #[must_use]
    pub fn new(file: File, path: PathBuf, base_offset: u64, length: u64) -> Self {
        Self {
            file,
            path,
            base_offset,
            length,
            mapping: Mutex::default(),
            failed: AtomicBool::new(false),
        }
    }

    /// Notes that the file is shorter than it was, or cannot be read; true the first time.
    pub fn fail(&self) -> bool {
        !self.failed.swap(true, Ordering::Relaxed)
    }

    /// Whether the file was found shorter than it was, or unreadable.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// The mapping of the whole segment. There is one, however many connections send
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
