//! Writes a segment and its indexes.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::fetch::log::batch::BatchHeader;
use crate::fetch::log::{IndexRule, segment_name};

/// A segment that is appended to.
pub(super) struct SegmentWriter {
    file: BufWriter<File>,
    path: PathBuf,
    base_offset: i64,
    /// Bytes so far.
    length: u64,
    indexes: IndexRule,
}

impl SegmentWriter {
    pub(super) fn create(folder: &Path, base_offset: i64) -> Result<Self> {
        let path = folder.join(segment_name(u64::try_from(base_offset)?));
        let file = File::create_new(&path).with_context(|| path.display().to_string())?;
        let file = BufWriter::with_capacity(1 << 20, file);
        Ok(Self { file, path, base_offset, length: 0, indexes: IndexRule::new(base_offset) })
    }

    /// Whether Kafka would append a batch here, and not roll to a new segment.
    pub(super) fn has_room_for(&self, header: &BatchHeader, segment_bytes: u64) -> bool {
        let fits = self.length + header.length as u64 <= segment_bytes;
        fits && i32::try_from(header.next_offset - 1 - self.base_offset).is_ok()
    }

    pub(super) fn append(&mut self, batch: &[u8], header: &BatchHeader) -> Result<()> {
        let what = || self.path.display().to_string();
        let length = batch.len() as u64;
        let (last, time) = (header.next_offset - 1, header.max_timestamp);
        self.indexes.append(self.length, length, last, time).with_context(what)?;
        self.file.write_all(batch).with_context(what)?;
        self.length += length;
        Ok(())
    }

    /// Ends the segment, writes its indexes, and returns its length in bytes.
    pub(super) fn finish(mut self) -> Result<u64> {
        let what = || self.path.display().to_string();
        self.file.flush().with_context(what)?;
        let (offsets, times) = self.indexes.finish().with_context(what)?;
        for (ending, entries) in [("index", offsets), ("timeindex", times)] {
            let path = self.path.with_extension(ending);
            fs::write(&path, entries).with_context(|| path.display().to_string())?;
        }
        Ok(self.length)
    }
}
