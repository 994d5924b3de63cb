//! Makes a log: segments of record batches, as Kafka would have written them.

mod segment;
mod topic;
mod values;

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Serialize;
use tempfile::TempDir;

pub use topic::{MadeTopic, check_topic_name, make_topic};

use super::digest::{Digest, RecordDigest};
use super::{Codec, records};
use segment::SegmentWriter;
use values::Values;

/// What kind of log to make. Sizes in bytes.
#[derive(Clone, Copy, Debug)]
pub struct MakeLog {
    /// Record bytes in all segments, at least; whole batches. Says nothing where `records` does.
    pub bytes: u64,
    /// Records, exactly.
    pub records: Option<u64>,
    /// Size that no segment exceeds, as Kafka's `segment.bytes`.
    pub segment_bytes: u64,
    /// Values of one batch, at least, as a producer's `batch.size` (Kafka's default is 16384).
    pub batch_bytes: usize,
    /// Value of one record.
    pub record_bytes: usize,
    /// How batches are compressed.
    pub codec: Codec,
    /// Seed of the values.
    pub seed: u64,
}

impl MakeLog {
    /// What is made unless something else is asked for.
    pub const DEFAULT: Self = Self {
        bytes: 64 << 20,
        records: None,
        segment_bytes: 16 << 20,
        batch_bytes: 16 << 10,
        record_bytes: 1 << 10,
        codec: Codec::None,
        seed: 1,
    };
}

impl Default for MakeLog {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A log that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Made {
    /// Records.
    pub records: u64,
    /// Offset of the record that would be appended next.
    pub end_offset: u64,
    /// Segments.
    pub segments: u64,
    /// Bytes of all segments, without their indexes.
    pub bytes: u64,
    /// See [`RecordDigest`].
    pub sha256: Digest,
}

/// Timestamp of the first record, milliseconds since 1970: any will do, so long as it is always
/// the same. Each record is a millisecond later than the one before.
const EPOCH: i64 = 1_700_000_000_000;

/// Positions in a segment are signed 32-bit numbers in Kafka.
const MOST_SEGMENT_BYTES: u64 = i32::MAX as u64;

/// Makes a log in a topic-partition folder that does not exist yet. It appears whole or not at
/// all.
///
/// # Errors
/// Names the size that makes no log, or the file and what the kernel says.
pub fn make(folder: &Path, wanted: &MakeLog) -> Result<Made> {
    make_unless(folder, wanted, &|| false)
}

/// The same, unless it is told to stop: `stop` is asked before each batch.
///
/// # Errors
/// As [`make`]'s, and that it was interrupted.
pub fn make_unless(folder: &Path, wanted: &MakeLog, stop: &dyn Fn() -> bool) -> Result<Made> {
    if folder.exists() {
        bail!("{} is there already; name a folder that is not", folder.display());
    }
    check(wanted)?;
    let parent = folder.parent().context("a log needs a folder to lie in")?;
    let what = || format!("making a log in {}", parent.display());
    fs::create_dir_all(parent).with_context(what)?;
    let unfinished = unfinished(parent).with_context(what)?;
    let made = fill(unfinished.path(), wanted, stop).with_context(what)?;
    fs::rename(unfinished.path(), folder).with_context(what)?;
    // The folder has its own name now, and must not be removed under the old one.
    let _ = unfinished.keep();
    sync(parent).with_context(what)?;
    Ok(made)
}

fn check(wanted: &MakeLog) -> Result<()> {
    let MakeLog { bytes, segment_bytes, batch_bytes, record_bytes, .. } = *wanted;
    ensure!(
        bytes > 0 || wanted.records.is_some(),
        "a log of no bytes cannot be made; ask for at least one"
    );
    ensure!(segment_bytes > 0, "segments of no bytes cannot be made");
    ensure!(
        segment_bytes <= MOST_SEGMENT_BYTES,
        "segments of {segment_bytes} bytes cannot be made; Kafka's have at most \
         {MOST_SEGMENT_BYTES}"
    );
    ensure!(batch_bytes > 0 && record_bytes > 0, "an empty batch cannot be made");
    for (what, size) in [("batches", batch_bytes), ("records", record_bytes)] {
        ensure!(
            size as u64 <= segment_bytes,
            "{what} of {size} bytes do not fit into segments of {segment_bytes}; ask for larger \
             segments"
        );
    }
    Ok(())
}

/// A folder that nobody takes for a log, whatever becomes of it: its name ends in no number.
fn unfinished(parent: &Path) -> std::io::Result<TempDir> {
    tempfile::Builder::new().prefix(".unfinished-").suffix(".tmp").tempdir_in(parent)
}

/// Makes a file or the names in a folder durable.
fn sync(path: &Path) -> std::io::Result<()> {
    File::open(path).and_then(|file| file.sync_all())
}

/// Fills an empty folder with segments, unless it is told to stop.
fn fill(folder: &Path, wanted: &MakeLog, stop: &dyn Fn() -> bool) -> Result<Made> {
    let bytes =
        wanted.records.map_or(wanted.bytes, |r| r.saturating_mul(wanted.record_bytes as u64));
    let mut values = Values::new(wanted.seed, wanted.record_bytes, bytes);
    let mut segment = SegmentWriter::create(folder, 0)?;
    let (mut segments, mut finished) = (1, 0);
    let mut digest = RecordDigest::default();
    let mut written = 0;
    loop {
        ensure!(!stop(), "interrupted; nothing was made");
        if wanted.records.map_or(written >= wanted.bytes, |records| digest.records() >= records) {
            break;
        }
        let left = wanted.records.map_or(u64::MAX, |records| records - digest.records());
        let mut batch = batch(&mut digest, left, wanted, &mut values)?;
        let (batch, header) = records::encode(&mut batch, wanted.codec)?;
        if !segment.has_room_for(&header, wanted.segment_bytes) {
            ensure!(
                batch.len() as u64 <= wanted.segment_bytes,
                "a batch of {} bytes does not fit into segments of {}; ask for smaller batches \
                 or larger segments",
                batch.len(),
                wanted.segment_bytes
            );
            let next = SegmentWriter::create(folder, header.base_offset)?;
            finished += std::mem::replace(&mut segment, next).finish()?;
            segments += 1;
        }
        segment.append(&batch, &header)?;
        written += batch.len() as u64;
    }
    let bytes = finished + segment.finish()?;
    // Only now, so that the kernel writes segments back while others are made.
    for entry in fs::read_dir(folder)? {
        ensure!(!stop(), "interrupted; nothing was made");
        sync(&entry?.path())?;
    }
    sync(folder)?;
    // Offsets count from zero.
    let (records, end_offset) = (digest.records(), digest.records());
    Ok(Made { records, end_offset, segments, bytes, sha256: digest.finish() })
}

/// The next batch, of up to `most` records. Their offsets count from zero.
fn batch(
    digest: &mut RecordDigest,
    most: u64,
    wanted: &MakeLog,
    values: &mut Values,
) -> Result<Vec<records::Record>> {
    let mut batch = Vec::new();
    let mut size = 0;
    while size < wanted.batch_bytes && (batch.len() as u64) < most {
        let offset = i64::try_from(digest.records())?;
        let (key, value) = (format!("k{offset}").into(), values.next());
        size += value.len();
        let record = records::record(offset, EPOCH + offset, Some(key), Some(value), &[]);
        digest.add(&record);
        batch.push(record);
    }
    Ok(batch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::log::Log;

    #[test]
    fn records_share_a_batch_up_to_its_size() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("t-0");
        let wanted = MakeLog { bytes: 100_000, ..MakeLog::default() };
        make(&path, &wanted).expect("a log");
        let log = Log::open(&path).expect("an intact log");
        let last = log.batches().last().expect("batches").length;
        assert!(log.bytes() >= wanted.bytes && log.bytes() - last < wanted.bytes);
        for batch in log.batches() {
            assert_eq!(batch.next_offset - batch.base_offset, 16, "16 records of 1 KiB");
        }
        let bytes = fs::read(&log.segments()[0].path).expect("readable");
        assert_eq!(bytes[53..57], (-1_i32).to_be_bytes(), "baseSequence");
    }

    #[test]
    fn sizes_that_make_no_log_are_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for wanted in [
            MakeLog { bytes: 0, ..MakeLog::default() },
            MakeLog { segment_bytes: 0, ..MakeLog::default() },
            MakeLog { segment_bytes: 1 << 31, ..MakeLog::default() },
            MakeLog { batch_bytes: 0, ..MakeLog::default() },
            MakeLog { batch_bytes: 17 << 20, ..MakeLog::default() },
            MakeLog { record_bytes: 0, ..MakeLog::default() },
            MakeLog { record_bytes: usize::MAX, ..MakeLog::default() },
            // Only once it is encoded is the batch too long.
            MakeLog { batch_bytes: 5000, segment_bytes: 5000, ..MakeLog::default() },
        ] {
            assert!(make(&folder.path().join("t-0"), &wanted).is_err(), "{wanted:?}");
        }
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 0);
    }
}
