//! Finds batches in the list that was made when the log was opened. Kafka bisects its index and
//! reads headers from the file from there on; here only where several small batches share an entry
//! of the list their headers are read again.

use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

use bytes::Bytes;

use super::batch::BatchHeader;
use super::{Batch, Log, Segment, records};

/// Where a batch is, or several small ones that lie behind each other.
#[derive(Clone, Copy, Debug)]
pub struct BatchLocation<'a> {
    /// Its segment.
    pub segment: &'a Segment,
    /// Number of the segment.
    pub number: usize,
    /// Position in the segment, in bytes.
    pub position: u64,
    /// Length in bytes.
    pub length: u64,
    /// Offset of its first record.
    pub base_offset: u64,
    /// Offset of the next batch's first record, or less where some were left out.
    pub next_offset: u64,
}

/// Why a look-up by time failed.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The segment cannot be read any more.
    #[error("cannot read it: {0}")]
    Read(#[from] io::Error),
    /// A batch cannot be decoded.
    #[error("cannot decode the batch: {0:#}")]
    Decode(anyhow::Error),
}

impl Log {
    /// Index of the entry of the list that holds an offset, or of the next one where the offset's
    /// record was cleaned away.
    #[must_use]
    pub fn batch_at(&self, offset: u64) -> Option<usize> {
        let at = self.batches.partition_point(|batch| batch.next_offset <= offset);
        (at < self.batches.len()).then_some(at)
    }

    /// The batch that holds an offset, or the next one; `None` behind the last.
    ///
    /// # Errors
    /// The kernel's own.
    pub fn find(&self, offset: u64) -> io::Result<Option<BatchLocation<'_>>> {
        self.find_within(offset, 0)
    }

    /// As [`Log::find`], but small batches behind each other that begin there may be found as one,
    /// if they come to at most `most` bytes: then nothing is read. What a server reads to find
    /// records is a copy of bytes that are payload.
    ///
    /// # Errors
    /// The kernel's own.
    pub fn find_within(&self, offset: u64, most: u64) -> io::Result<Option<BatchLocation<'_>>> {
        let Some(at) = self.batch_at(offset) else { return Ok(None) };
        let entry = self.batches[at];
        let all = offset <= entry.base_offset && entry.length <= most;
        if entry.single || all {
            return Ok(Some(self.place(&entry)));
        }
        let bytes = self.read(&entry)?;
        let found = singly(&entry, &bytes).find(|batch| offset < batch.next_offset);
        let found = found.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "it was changed"));
        Ok(Some(self.place(&found?)))
    }

    fn place(&self, batch: &Batch) -> BatchLocation<'_> {
        BatchLocation {
            segment: &self.segments[batch.segment],
            number: batch.segment,
            position: batch.position,
            length: batch.length,
            base_offset: batch.base_offset,
            next_offset: batch.next_offset,
        }
    }

    /// The offset after every record that lies before a position in a segment: at most those of
    /// one entry of the list more.
    #[must_use]
    pub fn offset_behind(&self, segment: usize, position: u64) -> u64 {
        let before = |batch: &Batch| (batch.segment, batch.position) < (segment, position);
        let last = self.batches.partition_point(before).checked_sub(1);
        last.map_or(self.start, |last| self.batches[last].next_offset)
    }

    /// The whole batches from the one that holds `offset` on, in one segment, up to `most`
    /// bytes but at least one batch: segment and byte range. `None` if no batch holds it.
    ///
    /// # Errors
    /// The kernel's own.
    pub fn slice(&self, offset: u64, most: u64) -> io::Result<Option<(&Segment, Range<u64>)>> {
        let Some(first) = self.find(offset)? else { return Ok(None) };
        let (segment, start) = (first.segment, first.position);
        let mut end = start + first.length;
        let mut next = first.next_offset;
        while let Some(place) = self.find(next)?
            && place.number == first.number
            && place.position + place.length - start <= most
        {
            end = place.position + place.length;
            next = place.next_offset;
        }
        Ok(Some((segment, start..end)))
    }

    /// The first record whose timestamp (milliseconds since 1970) is not below the given one, as
    /// ListOffsets asks for it: its offset and its timestamp. Reads at least one batch from the
    /// file. `None` if there is no such record.
    ///
    /// # Errors
    /// A batch cannot be read or decoded.
    pub fn offset_at_time(&self, timestamp: i64) -> Result<Option<(u64, i64)>, LookupError> {
        let reaches = |latest: &Option<i64>| latest.is_some_and(|latest| latest >= timestamp);
        let Some(segment) = self.latest.iter().position(reaches) else { return Ok(None) };
        let from = self.batches.partition_point(|batch| batch.segment < segment);
        for batch in self.batches[from..].iter().filter(|batch| batch.max_timestamp >= timestamp) {
            let records = records::decode_all(self.read(batch)?).map_err(LookupError::Decode)?;
            let found = records.iter().find(|record| {
                record.timestamp >= timestamp && record.offset.unsigned_abs() >= self.start
            });
            if let Some(record) = found {
                return Ok(Some((record.offset.unsigned_abs(), record.timestamp)));
            }
        }
        Ok(None)
    }

    /// Every batch singly, by rising offset. Reads the small ones' headers from the file.
    ///
    /// # Errors
    /// The kernel's own.
    pub fn each_batch(&self) -> io::Result<Vec<Batch>> {
        let mut all = Vec::new();
        for entry in &self.batches {
            if entry.single {
                all.push(*entry);
            } else {
                all.extend(singly(entry, &self.read(entry)?));
            }
        }
        Ok(all)
    }

    /// Reads an entry of the list from its segment.
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

/// The batches of an entry, whose bytes these are.
fn singly<'a>(entry: &Batch, mut bytes: &'a [u8]) -> impl Iterator<Item = Batch> + use<'a> {
    let (segment, mut position) = (entry.segment, entry.position);
    std::iter::from_fn(move || {
        let header = BatchHeader::read(bytes).ok()?;
        let batch = Batch {
            base_offset: header.base_offset.unsigned_abs(),
            next_offset: header.next_offset.unsigned_abs(),
            segment,
            position,
            length: header.length as u64,
            max_timestamp: header.max_timestamp,
            single: true,
        };
        position += batch.length;
        bytes = bytes.get(header.length..).unwrap_or_default();
        Some(batch)
    })
}
