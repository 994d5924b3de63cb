//! The indexes of a segment, as Kafka keeps them. Here they are only compared with the batches: a
//! look-up bisects the list of batches that opening the log has made anyway.
//!
//! An offset index holds (offset, position) and a time index (timestamp, offset), sparsely and
//! rising; offsets are relative to the segment's first. An entry of zeros is none: the indexes of
//! the segment that a broker appends to are made 10 MiB long beforehand.

mod rule;
mod verify;

use std::fs;
use std::path::{Path, PathBuf};

pub use rule::IndexRule;
pub use verify::IndexDamage;

use super::files::SegmentFiles;
use super::{Batch, LogError};
use verify::{At, OffsetCheck, Times};

/// An index that disagrees with its segment, or cannot be read.
#[derive(Debug)]
pub(super) struct Disagreement(pub(super) Box<LogError>);

/// The indexes beside a segment, while it is compared with them batch by batch. Either may be
/// missing, which is no damage: it repeats what the batches say, and Kafka makes it again when it
/// starts.
#[derive(Debug, Default)]
pub(super) struct Indexes {
    offsets: Option<(PathBuf, OffsetCheck)>,
    times: Option<(PathBuf, Times)>,
}

impl Indexes {
    /// Reads the indexes of a segment of `length` bytes. They are read and not mapped, because
    /// nobody promises that they are not cut meanwhile.
    pub(super) fn open(
        files: &SegmentFiles,
        base_offset: u64,
        length: u64,
    ) -> Result<Self, Disagreement> {
        let mut indexes = Self::default();
        if let Some(path) = &files.index {
            let index = OffsetCheck::new(entries(path)?, base_offset, length);
            let index = index.map_err(|at| in_file(at, path))?;
            indexes.offsets = Some((path.clone(), index));
        }
        if let Some(path) = &files.times {
            indexes.times = Some((path.clone(), Times::new(entries(path)?, base_offset)));
        }
        Ok(indexes)
    }

    /// Compares them with the next batch.
    pub(super) fn batch(&mut self, batch: &Batch) -> Result<(), Disagreement> {
        if let Some((path, offsets)) = &mut self.offsets {
            offsets.batch(batch).map_err(|at| in_file(at, path))?;
        }
        if let Some((path, times)) = &mut self.times {
            times.batch(batch).map_err(|at| in_file(at, path))?;
        }
        Ok(())
    }

    /// There are no more batches.
    pub(super) fn finish(self) -> Result<(), Disagreement> {
        if let Some((path, offsets)) = self.offsets {
            offsets.finish().map_err(|at| in_file(at, &path))?;
        }
        if let Some((path, times)) = self.times {
            times.finish().map_err(|at| in_file(at, &path))?;
        }
        Ok(())
    }
}

fn in_file(At(position, damage): At, path: &Path) -> Disagreement {
    Disagreement(Box::new(LogError::Index { path: path.into(), position, damage }))
}

/// The entries of a file, before the zeros at its end.
fn entries<const SIZE: usize>(path: &Path) -> Result<Vec<[u8; SIZE]>, Disagreement> {
    let read = |cause| Disagreement(Box::new(LogError::Read { path: path.into(), cause }));
    let bytes = fs::read(path).map_err(read)?;
    let (entries, rest) = bytes.as_chunks::<SIZE>();
    if !rest.is_empty() {
        let damage = IndexDamage::Length { length: bytes.len() as u64, entry: SIZE };
        return Err(in_file(At((bytes.len() - rest.len()) as u64, damage), path));
    }
    let count = entries.iter().rposition(|e| *e != [0; SIZE]).map_or(0, |last| last + 1);
    Ok(entries[..count].to_vec())
}

/// Bytes of an entry: relative offset (i32) and position (i32), big-endian.
const OFFSET_ENTRY: usize = 8;

/// Bytes of an entry: timestamp (i64) and relative offset (i32), big-endian.
const TIME_ENTRY: usize = 12;

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
