//! Makes a log: segments of record batches, as Kafka would have written them.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use kafka_protocol::records::{
    Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

use super::segment_name;

/// What kind of log to make. Sizes in bytes.
#[derive(Clone, Copy, Debug)]
pub struct MakeLog {
    /// Record bytes in all segments, at least; whole batches.
    pub bytes: u64,
    /// Size at which a segment is full and the next one begins.
    pub segment_bytes: u64,
    /// Records of one batch, as a producer's `batch.size` (Kafka's default is 16384).
    pub batch_bytes: usize,
    /// Value of one record.
    pub record_bytes: usize,
    /// Seed of the values.
    pub seed: u64,
}

impl Default for MakeLog {
    fn default() -> Self {
        Self {
            bytes: 64 << 20,
            segment_bytes: 16 << 20,
            batch_bytes: 16 << 10,
            record_bytes: 1 << 10,
            seed: 1,
        }
    }
}

/// Timestamp of the first record, milliseconds since 1970: any will do, so long as it is always
/// the same.
const EPOCH: i64 = 1_700_000_000_000;

/// Kafka's base sequence of a batch whose producer numbers nothing. Records count on from it,
/// for the encoder begins a new batch where sequence and offset do not rise together.
const NO_SEQUENCE: i32 = -1;

/// Makes a log in a topic-partition folder that does not exist yet. It appears whole or not at
/// all.
///
/// # Errors
/// Names the size that makes no log, or the file and what the kernel says.
pub fn make(folder: &Path, wanted: &MakeLog) -> Result<()> {
    if folder.exists() {
        bail!("{} is there already; name a folder that is not", folder.display());
    }
    ensure!(wanted.bytes > 0, "a log of no bytes cannot be made; ask for at least one");
    ensure!(wanted.segment_bytes > 0, "segments of no bytes cannot be made");
    ensure!(wanted.batch_bytes > 0 && wanted.record_bytes > 0, "an empty batch cannot be made");
    let parent = folder.parent().context("a log needs a folder to lie in")?;
    let what = || format!("making a log in {}", parent.display());
    fs::create_dir_all(parent).with_context(what)?;
    let unfinished = tempfile::Builder::new().prefix(".unfinished-").tempdir_in(parent);
    let unfinished = unfinished.with_context(what)?;
    write_segments(unfinished.path(), wanted).with_context(what)?;
    fs::rename(unfinished.path(), folder).with_context(what)?;
    // The folder has its own name now, and must not be removed under the old one.
    let _ = unfinished.keep();
    File::open(parent).and_then(|parent| parent.sync_all()).with_context(what)
}

fn write_segments(folder: &Path, wanted: &MakeLog) -> Result<()> {
    let mut values = Values::new(wanted.seed, wanted.record_bytes);
    let mut offset = 0;
    let mut written = 0;
    while written < wanted.bytes {
        let path = folder.join(segment_name(u64::try_from(offset)?));
        let file = File::create_new(&path).with_context(|| path.display().to_string())?;
        let mut file = BufWriter::with_capacity(1 << 20, file);
        let mut size = 0;
        while size < wanted.segment_bytes && written < wanted.bytes {
            let batch = batch(&mut offset, wanted.batch_bytes, &mut values)?;
            file.write_all(&batch).with_context(|| path.display().to_string())?;
            size += u64::try_from(batch.len())?;
            written += u64::try_from(batch.len())?;
        }
        let file = file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        file.sync_all().with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// One batch of records from `offset` on, which it moves past them.
fn batch(offset: &mut i64, batch_bytes: usize, values: &mut Values) -> Result<Bytes> {
    let mut records = Vec::new();
    let mut size = 0;
    let mut sequence = NO_SEQUENCE;
    while size < batch_bytes {
        let value = values.next();
        size += value.len();
        records.push(record(*offset, sequence, value));
        *offset += 1;
        sequence += 1;
    }
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    let mut buffer = BytesMut::with_capacity(size + 64 * records.len());
    RecordBatchEncoder::encode(&mut buffer, &records, &options)?;
    Ok(buffer.freeze())
}

#[expect(clippy::default_trait_access, reason = "the map of headers is a dependency's own type")]
fn record(offset: i64, sequence: i32, value: Bytes) -> Record {
    Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: 0,
        producer_id: -1,
        producer_epoch: -1,
        timestamp_type: TimestampType::Creation,
        offset,
        sequence,
        timestamp: EPOCH + offset,
        key: Some(Bytes::copy_from_slice(&offset.to_be_bytes())),
        value: Some(value),
        headers: Default::default(),
    }
}

/// Pseudo-random values: slices of one random block, so that a large log is made at the speed
/// of the disk.
struct Values {
    block: Bytes,
    length: usize,
    state: u64,
}

impl Values {
    fn new(seed: u64, length: usize) -> Self {
        let mut values = Self { block: Bytes::new(), length, state: seed.max(1) };
        let words = (length * 16).div_ceil(8);
        values.block = (0..words).flat_map(|_| values.random().to_le_bytes()).collect();
        values
    }

    fn next(&mut self) -> Bytes {
        let room = self.block.len() - self.length + 1;
        let from = usize::try_from(self.random() % room as u64).unwrap_or(0);
        self.block.slice(from..from + self.length)
    }

    /// xorshift64: good enough for bytes that must only differ.
    fn random(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }
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
        assert_eq!(bytes[53..57], NO_SEQUENCE.to_be_bytes(), "baseSequence");
    }

    #[test]
    fn sizes_that_make_no_log_are_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for wanted in [
            MakeLog { bytes: 0, ..MakeLog::default() },
            MakeLog { segment_bytes: 0, ..MakeLog::default() },
            MakeLog { batch_bytes: 0, ..MakeLog::default() },
            MakeLog { record_bytes: 0, ..MakeLog::default() },
        ] {
            assert!(make(&folder.path().join("t-0"), &wanted).is_err(), "{wanted:?}");
        }
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 0);
    }
}
