//! Finds batches: by an index, then by a scan from where it points to, as Kafka does. The scan goes
//! over what is in memory of the batches; Kafka reads their headers again from the file.

use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

use anyhow::{Context as _, Result};
use bytes::Bytes;

use super::index::Indexes;
use super::{Batch, Log, Segment, records};

impl Log {
    /// Index of the batch that holds an offset.
    #[must_use]
    pub fn batch_at(&self, offset: u64) -> Option<usize> {
        let after = self.segments.partition_point(|segment| segment.base_offset <= offset);
        let segment = after.checked_sub(1)?;
        let relative = offset - self.segments[segment].base_offset;
        let from = self.indexes[segment].batch(relative);
        let scanned = self.batches[from..].iter().position(|batch| offset < batch.next_offset);
        scanned.map(|scanned| from + scanned)
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

    /// The first record whose timestamp (milliseconds since 1970) is not below the given one, as
    /// ListOffsets asks for it: its offset and its timestamp. Reads at least one batch from the
    /// file. `None` if there is no such record, or (with a warning) if a batch cannot be decoded.
    #[must_use]
    pub fn offset_at_time(&self, timestamp: i64) -> Option<(u64, i64)> {
        self.try_offset_at_time(timestamp).unwrap_or_else(|error| {
            let folder = self.folder.display();
            log::warn!("{folder}: cannot look up timestamp {timestamp}: {error:#}");
            None
        })
    }

    fn try_offset_at_time(&self, timestamp: i64) -> Result<Option<(u64, i64)>> {
        let reaches = |indexes: &Indexes| indexes.max_timestamp.is_some_and(|t| t >= timestamp);
        let Some(segment) = self.indexes.iter().position(reaches) else { return Ok(None) };
        let indexes = &self.indexes[segment];
        let from = indexes.batch(indexes.offset_before(timestamp));
        for batch in self.batches[from..].iter().filter(|batch| batch.max_timestamp >= timestamp) {
            let at = || {
                let path = self.segments[batch.segment].path.display();
                format!("{path}, byte {}", batch.position)
            };
            let records = records::decode(self.read(batch).with_context(at)?).with_context(at)?;
            if let Some(record) = records.iter().find(|record| record.timestamp >= timestamp) {
                return Ok(Some((u64::try_from(record.offset)?, record.timestamp)));
            }
        }
        Ok(None)
    }

    /// Reads a batch from its segment.
    ///
    /// # Errors
    /// The kernel's own.
    pub fn read(&self, batch: &Batch) -> io::Result<Bytes> {
        let length = usize::try_from(batch.length).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        self.segments[batch.segment].file.read_exact_at(&mut bytes, batch.position)?;
        Ok(bytes.into())
    }
}
