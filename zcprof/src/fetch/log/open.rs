//! Opens a log and verifies it: what is damaged is named and never served.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::batch::{self, BatchHeader, HEADER};
use super::{Batch, Log, Segment};

/// Why a log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The folder or a file in it cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// The kernel's word.
        source: io::Error,
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
    /// Offsets do not continue: a segment or a batch is missing.
    #[error(
        "the batch begins at offset {found}, and {expected} was to come (is a segment missing?)"
    )]
    Gap {
        /// In the header.
        found: i64,
        /// After the batch before.
        expected: i64,
    },
}

pub(super) fn open(folder: &Path) -> Result<Log, LogError> {
    let log = read(folder)?;
    if log.batches.is_empty() {
        return Err(LogError::Empty(folder.into()));
    }
    Ok(log)
}

/// Whether segments are in a folder.
pub(super) fn is_partition(folder: &Path) -> Result<bool, LogError> {
    Ok(!segment_paths(folder)?.is_empty())
}

/// Opens a log that may hold no record.
pub(super) fn read(folder: &Path) -> Result<Log, LogError> {
    let (topic, partition) = split_name(folder).ok_or_else(|| LogError::Name(folder.into()))?;
    let mut log =
        Log { folder: folder.into(), topic, partition, segments: vec![], batches: vec![] };
    let mut expected = None;
    for (base_offset, path) in segment_paths(folder)? {
        let read = |source| LogError::Read { path: path.clone(), source };
        let file = File::open(&path).map_err(read)?;
        let length = file.metadata().map_err(read)?.len();
        let segment = Segment { file, path: path.clone(), base_offset, length };
        let begin = i64::try_from(base_offset).unwrap_or(i64::MAX);
        let missing = expected.filter(|next| *next != begin);
        if let Some(expected) = missing {
            let damage = Damage::Gap { found: begin, expected };
            return Err(LogError::Damaged { path, position: 0, damage });
        }
        expected = Some(verify(&segment, log.segments.len(), &mut log.batches)?);
        log.segments.push(segment);
    }
    if log.segments.is_empty() {
        return Err(LogError::Empty(folder.into()));
    }
    Ok(log)
}

/// Verifies a segment, adds its batches, and returns the offset after the last one. No more than
/// one batch is in memory at a time.
fn verify(segment: &Segment, index: usize, batches: &mut Vec<Batch>) -> Result<i64, LogError> {
    let mut expected = i64::try_from(segment.base_offset).unwrap_or(i64::MAX);
    let mut bytes = Vec::new();
    let mut position = 0;
    while position < segment.length {
        let damaged = |damage| LogError::Damaged { path: segment.path.clone(), position, damage };
        read_into(&mut bytes, HEADER, segment, position)?;
        let header = BatchHeader::read(&bytes).map_err(damaged)?;
        read_into(&mut bytes, header.length, segment, position)?;
        if bytes.len() < header.length {
            return Err(damaged(Damage::Torn));
        }
        let found = batch::crc(&bytes);
        if found != header.crc {
            return Err(damaged(Damage::Crc { found, claimed: header.crc }));
        }
        if header.base_offset != expected {
            return Err(damaged(Damage::Gap { found: header.base_offset, expected }));
        }
        expected = header.next_offset;
        batches.push(Batch {
            base_offset: header.base_offset.unsigned_abs(),
            next_offset: expected.unsigned_abs(),
            segment: index,
            position,
            length: header.length as u64,
            max_timestamp: header.max_timestamp,
        });
        position += header.length as u64;
    }
    Ok(expected)
}

/// Reads `length` bytes at a position, or as many as the segment has there.
fn read_into(
    bytes: &mut Vec<u8>,
    length: usize,
    segment: &Segment,
    position: u64,
) -> Result<(), LogError> {
    let there = usize::try_from(segment.length - position).unwrap_or(usize::MAX);
    bytes.resize(length.min(there), 0);
    segment
        .file
        .read_exact_at(bytes, position)
        .map_err(|source| LogError::Read { path: segment.path.clone(), source })
}

/// Segment files by rising base offset.
fn segment_paths(folder: &Path) -> Result<Vec<(u64, PathBuf)>, LogError> {
    let read = |source| LogError::Read { path: folder.into(), source };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(read)? {
        let path = entry.map_err(read)?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).filter(|s| s.len() == 20);
        if path.extension().is_some_and(|ending| ending == "log")
            && let Some(Ok(offset)) = stem.map(str::parse)
        {
            paths.push((offset, path));
        }
    }
    paths.sort();
    Ok(paths)
}

pub(super) fn split_name(folder: &Path) -> Option<(String, i32)> {
    let (topic, partition) = folder.file_name()?.to_str()?.rsplit_once('-')?;
    Some((topic.to_owned(), partition.parse().ok()?))
}
