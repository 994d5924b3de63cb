//! What can be wrong with a log.

use std::io;
use std::path::{Path, PathBuf};

use super::IndexDamage;

/// Why a log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The folder or a file in it cannot be read.
    #[error("cannot read {path}: {cause}")]
    Read {
        /// Which.
        path: PathBuf,
        /// The kernel's word.
        cause: io::Error,
    },
    /// The folder's name is not TOPIC-PARTITION.
    #[error("{0} is not named TOPIC-PARTITION; rename it, for example to topic-0")]
    Name(PathBuf),
    /// No segment is in the folder.
    #[error("{0} holds no segment (a file such as 00000000000000000000.log)")]
    Empty(PathBuf),
    /// A segment is damaged.
    #[error(
        "{path} is damaged at byte {position}: {damage}; restore the file, or name another log"
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Position in the file where the batch begins.
        position: u64,
        /// What is wrong.
        damage: Damage,
    },
    /// The log has records of a form that is not read here.
    #[error(
        "{path} has records of message format v{form} at byte {position}, and only v2 (Kafka 0.11 \
         and later) is served; have a broker of Kafka 3 copy the topic, or name another log"
    )]
    Format {
        /// Which file.
        path: PathBuf,
        /// Position in the file where they begin.
        position: u64,
        /// Kafka's magic: 0 or 1.
        form: i8,
    },
    /// An index disagrees with its segment.
    #[error(
        "{path} disagrees with its segment at byte {position}: {damage}; remove the file (a log \
         can be read without it), or name another log"
    )]
    Index {
        /// Which file.
        path: PathBuf,
        /// Position in the file where the entry begins.
        position: u64,
        /// What is wrong.
        damage: IndexDamage,
    },
    /// An index has no segment.
    #[error(
        "{segment} is missing, for its index {index} is there; restore the segment, or name \
         another log"
    )]
    Missing {
        /// The segment.
        segment: PathBuf,
        /// Its index.
        index: PathBuf,
    },
}

impl LogError {
    /// The file or folder that it is about.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Read { path, .. }
            | Self::Name(path)
            | Self::Empty(path)
            | Self::Damaged { path, .. }
            | Self::Format { path, .. }
            | Self::Index { path, .. } => path,
            Self::Missing { segment, .. } => segment,
        }
    }
}

/// What is wrong with a segment.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The file ends in the middle of a batch.
    #[error("the file ends in the middle of a batch")]
    Torn,
    /// The batch has another form than 2.
    #[error("record batch has magic {0}, and only 2 is known")]
    Magic(i8),
    /// The length of the batch is one that no batch can have.
    #[error("record batch has batchLength {0}, which no batch can have")]
    Length(i32),
    /// Offsets that no records can have.
    #[error("record batch has base offset {base} and lastOffsetDelta {delta}")]
    Offsets {
        /// Offset of the first record.
        base: i64,
        /// Offset of the last one, less that.
        delta: i32,
    },
    /// The bytes are not those that were written.
    #[error("CRC-32C is {found:08x}, and the batch claims {claimed:08x}")]
    Crc {
        /// Of the bytes.
        found: u32,
        /// In the header.
        claimed: u32,
    },
    /// Nothing but zeros follow, as in a file that was made longer than what was written.
    #[error("{bytes} bytes of zeros follow the last batch")]
    Zeros {
        /// How many.
        bytes: u64,
    },
    /// Offsets do not rise. That some are left out is no damage: compaction does that.
    #[error("the batch begins at offset {found}, and {expected} was the least that could come")]
    NotRising {
        /// In the header.
        found: i64,
        /// After the batch before, or what the segment is named after.
        expected: i64,
    },
}
