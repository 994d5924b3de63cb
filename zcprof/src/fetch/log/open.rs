//! Opens a log and verifies it: what is damaged is named and never served.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::batch::{self, BatchHeader, HEADER};
use super::index::Indexes;
use super::{Batch, Damage, Log, LogError, Segment};

/// Whether segments are in a folder.
pub(super) fn is_partition(folder: &Path) -> Result<bool, LogError> {
    Ok(!Files::list(folder)?.segments.is_empty())
}

pub(super) fn open(folder: &Path) -> Result<Log, LogError> {
    let (topic, partition) = split_name(folder).ok_or_else(|| LogError::Name(folder.into()))?;
    let mut log = Log {
        folder: folder.into(),
        topic,
        partition,
        segments: vec![],
        batches: vec![],
        indexes: vec![],
        plain: false,
    };
    let files = Files::list(folder)?;
    let mut expected = None;
    for (base_offset, path) in files.segments {
        let read = |source| LogError::Read { path: path.clone(), source };
        let file = File::open(&path).map_err(read)?;
        let length = file.metadata().map_err(read)?.len();
        let segment = Segment::new(file, path.clone(), base_offset, length);
        let begin = i64::try_from(base_offset).unwrap_or(i64::MAX);
        let missing = expected.filter(|next| *next != begin);
        if let Some(expected) = missing {
            let damage = Damage::Gap { found: begin, expected };
            return Err(LogError::Damaged { path, position: 0, damage });
        }
        let first = log.batches.len();
        expected = Some(verify(&segment, log.segments.len(), &mut log.batches)?);
        log.indexes.push(Indexes::open(&segment, first, &log.batches)?);
        log.segments.push(segment);
    }
    // A segment that is missing between two others was found as a gap; this is one before or
    // behind all others.
    for (base_offset, index) in files.indexes {
        if log.segments.binary_search_by_key(&base_offset, |s| s.base_offset).is_err() {
            return Err(LogError::Missing { segment: index.with_extension("log"), index });
        }
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

/// What a folder holds of a log. A broker's folder holds more (checkpoints, snapshots, files that
/// wait to be deleted), which is none of a reader's business.
#[derive(Default)]
struct Files {
    /// Segment files by rising base offset.
    segments: Vec<(u64, PathBuf)>,
    /// Index files by rising base offset.
    indexes: Vec<(u64, PathBuf)>,
}

impl Files {
    fn list(folder: &Path) -> Result<Self, LogError> {
        let read = |source| LogError::Read { path: folder.into(), source };
        let mut files = Self::default();
        for entry in fs::read_dir(folder).map_err(read)? {
            let path = entry.map_err(read)?.path();
            let Some(offset) = base_offset(&path) else { continue };
            match path.extension().and_then(|ending| ending.to_str()) {
                Some("log") => files.segments.push((offset, path)),
                Some("index" | "timeindex") => files.indexes.push((offset, path)),
                _ => {}
            }
        }
        files.segments.sort();
        files.indexes.sort();
        Ok(files)
    }
}

/// The offset that a file is named after: as all of Kafka's offsets, one of 63 bits.
fn base_offset(path: &Path) -> Option<u64> {
    let stem = path.file_stem()?.to_str()?;
    let digits = stem.len() == 20 && stem.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| stem.parse().ok().map(i64::unsigned_abs)).flatten()
}

pub(super) fn split_name(folder: &Path) -> Option<(String, i32)> {
    let (topic, partition) = folder.file_name()?.to_str()?.rsplit_once('-')?;
    Some((topic.to_owned(), partition.parse().ok()?))
}
