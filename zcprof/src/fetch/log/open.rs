//! Opens a log and verifies it: what is damaged is named and never served.
//!
//! What is damage and what is form is decided as Kafka does when it loads a log: gaps between
//! offsets are what compaction leaves, and behind the recovery point of a broker that did not end
//! in order a tail that was never written whole is cut (in memory, for nothing is written here).

use std::fs::{self, File};
use std::ops::RangeInclusive;
use std::path::Path;

use super::checkpoint::{self, Checkpoint, Checkpoints};
use super::epochs::LeaderEpochs;
use super::files::{self, SegmentFiles, Segments};
use super::index::{Disagreement, Indexes};
use super::scan::{FoundBatch, Scan};
use super::transactions::Transactions;
use super::{Batch, Damage, Load, Log, LogError, Segment};

/// Batches that are shorter share an entry of the list, so that a log of many small ones takes
/// little memory: how much shorter depends on the log. What a look-up reads is no longer than two
/// of the longest.
const SMALL: RangeInclusive<u64> = 1 << 10..=16 << 10;

/// Entries that a log of small batches should have at most, if it can be.
const ENTRIES: u64 = 1 << 18;

/// Opens one partition's folder; the checkpoints are those of the folder around it.
pub(super) fn open(folder: &Path, load: &Load<'_>) -> Result<Log, LogError> {
    let around = folder.parent().map(Checkpoints::read).unwrap_or_default();
    open_with(folder, &around, load)
}

/// Opens one partition's folder.
pub(super) fn open_with(
    folder: &Path,
    around: &Checkpoints,
    load: &Load<'_>,
) -> Result<Log, LogError> {
    let (topic, partition) = split_name(folder).ok_or_else(|| LogError::Name(folder.into()))?;
    let checkpoint = around.of(&topic, partition);
    let mut opening = Opening {
        log: Log {
            folder: folder.into(),
            topic,
            partition,
            segments: vec![],
            batches: vec![],
            latest: vec![],
            start: 0,
            end: 0,
            high_watermark: None,
            transactions: Transactions::default(),
            epochs: LeaderEpochs::default(),
            said: vec![],
            plain: false,
        },
        load,
        recover_from: checkpoint.recover_from,
        small: 0,
    };
    opening.epochs(folder);
    let found = files::list(folder)?;
    opening.small = small(bytes(&found));
    opening.segments(found)?;
    if opening.log.segments.is_empty() {
        return Err(LogError::Empty(folder.into()));
    }
    opening.bounds(checkpoint)?;
    Ok(opening.log)
}

/// A log that is being opened.
struct Opening<'a> {
    log: Log,
    load: &'a Load<'a>,
    /// See [`Checkpoint::recover_from`].
    recover_from: Option<u64>,
    /// Bytes from which on a batch has an entry of its own.
    small: u64,
}

impl Opening<'_> {
    fn epochs(&mut self, folder: &Path) {
        match checkpoint::leader_epochs(folder) {
            Ok(entries) => self.log.epochs = LeaderEpochs::from_checkpoint(entries),
            Err(reason) => self.log.said.push(reason),
        }
    }

    fn segments(&mut self, found: Segments) -> Result<(), LogError> {
        let mut found = found.into_iter().peekable();
        while let Some((base_offset, files)) = found.next() {
            let Some(path) = &files.log else {
                self.orphan(base_offset, &files)?;
                continue;
            };
            // Kafka recovers from the segment on that holds the recovery point.
            let next = found.peek().map(|(base, _)| *base);
            let recovered = self
                .recover_from
                .is_some_and(|point| next.is_none_or(|next| point < next) && !self.load.strict);
            let cut = self.segment(base_offset, path, &files, recovered)?;
            if let Some(reason) = cut {
                let rest = found.filter(|(_, files)| files.log.is_some()).count();
                let rest = match rest {
                    0 => String::new(),
                    1 => " (and 1 segment behind it)".to_owned(),
                    _ => format!(" (and {rest} segments behind it)"),
                };
                self.log.said.push(format!(
                    "{reason}; it is cut off there{rest}, as a broker does behind its recovery point"
                ));
                break;
            }
        }
        Ok(())
    }

    /// An index whose segment is not there. Kafka removes it.
    fn orphan(&mut self, base_offset: u64, files: &SegmentFiles) -> Result<(), LogError> {
        let Some(index) = files.index.as_ref().or(files.times.as_ref()) else { return Ok(()) };
        let segment = self.log.folder.join(super::segment_name(base_offset));
        let missing = LogError::Missing { segment, index: index.clone() };
        if self.load.strict {
            return Err(missing);
        }
        self.log.said.push(format!("{} is passed over, for it has no segment", index.display()));
        Ok(())
    }

    /// Verifies a segment and adds its batches; says why it ends before its file does.
    fn segment(
        &mut self,
        base_offset: u64,
        path: &Path,
        files: &SegmentFiles,
        recovered: bool,
    ) -> Result<Option<String>, LogError> {
        let read = |cause| LogError::Read { path: path.into(), cause };
        let file = File::open(path).map_err(read)?;
        let length = file.metadata().map_err(read)?.len();
        // A broker makes the indexes of a segment anew that it recovers.
        let (mut indexes, disagreement) = match Indexes::open(files, base_offset, length) {
            Ok(indexes) if !recovered => (indexes, None),
            Err(disagreement) if !recovered => (Indexes::default(), Some(disagreement)),
            _ => (Indexes::default(), None),
        };
        self.doubt(disagreement)?;
        let mut scan = Scan::new(&file, path, length);
        let mut cut = None;
        loop {
            let expected = self.log.end.max(base_offset);
            let found = match scan.next() {
                Ok(Some(found)) => found,
                Ok(None) => break,
                Err(LogError::Damaged { path, position, damage }) if recovered => {
                    cut = Some(format!("{} is torn at byte {position}: {damage}", path.display()));
                    break;
                }
                Err(error) => return Err(error),
            };
            let FoundBatch { position, header, bytes } = found;
            if header.base_offset.unsigned_abs() < expected {
                let damage = Damage::NotRising {
                    found: header.base_offset,
                    expected: i64::try_from(expected).unwrap_or(i64::MAX),
                };
                return Err(LogError::Damaged { path: path.into(), position, damage });
            }
            let batch = Batch {
                base_offset: header.base_offset.unsigned_abs(),
                next_offset: header.next_offset.unsigned_abs(),
                segment: self.log.segments.len(),
                position,
                length: header.length as u64,
                max_timestamp: header.max_timestamp,
                single: true,
            };
            self.log.epochs.assign(header.leader_epoch, batch.base_offset);
            self.log.transactions.batch(&header, bytes);
            self.log.end = batch.next_offset;
            add(&mut self.log.batches, batch, self.small);
            let checked = indexes.batch(&batch);
            if let Err(disagreement) = checked {
                indexes = Indexes::default();
                self.doubt(Some(disagreement))?;
            }
            self.load.progress.add(batch.length);
        }
        let (valid, checked) = (scan.position(), indexes.finish());
        self.doubt(checked.err())?;
        if let Some(index) = files.transactions.as_ref().filter(|_| !recovered)
            && let Err(reason) = self.log.transactions.index(index)
        {
            self.log.said.push(reason);
        }
        self.log.end = self.log.end.max(base_offset);
        let number = self.log.segments.len();
        let own = self.log.batches.iter().rev().take_while(|batch| batch.segment == number);
        self.log.latest.push(own.map(|batch| batch.max_timestamp).max());
        self.log.segments.push(Segment::new(file, path.into(), base_offset, valid));
        Ok(cut)
    }

    /// An index that disagrees is an error if `strict`, and is not used otherwise.
    fn doubt(&mut self, disagreement: Option<Disagreement>) -> Result<(), LogError> {
        let Some(Disagreement(error)) = disagreement else { return Ok(()) };
        if self.load.strict || matches!(*error, LogError::Read { .. }) {
            return Err(*error);
        }
        self.log.said.push(format!("{error} (it is not used)"));
        Ok(())
    }

    /// Where the log begins and ends for consumers.
    fn bounds(&mut self, checkpoint: Checkpoint) -> Result<(), LogError> {
        let log = &mut self.log;
        let first = log.segments.first().map_or(0, |segment| segment.base_offset);
        log.start = checkpoint.log_start.max(first);
        if log.start > log.end {
            log.said.push(format!(
                "{}: records before offset {} are deleted, and the log ends with {}",
                log.folder.display(),
                log.start,
                log.end
            ));
            log.end = log.start;
        }
        log.transactions.truncate(log.start, log.end);
        log.epochs.truncate(log.start, log.end);
        let deleted = log.batches.partition_point(|batch| batch.next_offset <= log.start);
        log.batches.drain(..deleted);
        let first = log.find(log.start).map_err(|cause| {
            let segment = log.batches.first().map(|batch| &log.segments[batch.segment]);
            let path = segment.map_or(&log.folder, |segment| &segment.path).clone();
            LogError::Read { path, cause }
        })?;
        let first = first.map(|place| (place.position, place.base_offset));
        if let Some((batch, (position, base))) = log.batches.first_mut().zip(first) {
            batch.length -= position - batch.position;
            batch.position = position;
            batch.base_offset = base.max(log.start);
        }
        if self.load.high_watermark {
            let known = checkpoint.high_watermark.unwrap_or(log.start);
            log.high_watermark = Some(known.clamp(log.start, log.end));
        }
        Ok(())
    }
}

/// Adds a batch to the list: small ones share the entry of the one before.
fn add(batches: &mut Vec<Batch>, batch: Batch, small: u64) {
    match batches.last_mut() {
        Some(last)
            if last.segment == batch.segment && last.length < small && batch.length < small =>
        {
            last.next_offset = batch.next_offset;
            last.length += batch.length;
            last.max_timestamp = last.max_timestamp.max(batch.max_timestamp);
            last.single = false;
        }
        _ => batches.push(batch),
    }
}

/// Bytes that the segments come to.
fn bytes(found: &Segments) -> u64 {
    let logs = found.values().filter_map(|files| files.log.as_ref());
    logs.filter_map(|log| fs::metadata(log).ok()).map(|file| file.len()).sum()
}

/// Bytes from which on a batch has an entry of its own, in a log of so many bytes.
fn small(bytes: u64) -> u64 {
    (bytes / ENTRIES).clamp(*SMALL.start(), *SMALL.end())
}

/// Topic and partition, as the name of a folder says.
pub(super) fn split_name(folder: &Path) -> Option<(String, i32)> {
    let (topic, partition) = folder.file_name()?.to_str()?.rsplit_once('-')?;
    Some((topic.to_owned(), partition.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::small;

    #[test]
    fn the_longer_the_log_the_more_small_batches_share_an_entry() {
        assert_eq!([0, 1 << 28].map(small), [1 << 10; 2]);
        assert_eq!(small(1 << 30), 4 << 10);
        assert_eq!([1 << 32, 1 << 40].map(small), [16 << 10; 2], "a look-up reads them");
    }
}
