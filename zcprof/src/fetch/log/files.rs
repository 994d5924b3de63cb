//! Which files of a folder make its log, as Kafka's `LogLoader` decides when it starts
//! (storage/src/main/java/org/apache/kafka/storage/internals/log, and core's `LogLoader.scala`
//! before 4.0).

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::LogError;
use super::scan::last_offset;

/// The files of one segment.
#[derive(Debug, Default)]
pub(super) struct SegmentFiles {
    /// Batches.
    pub(super) log: Option<PathBuf>,
    /// Offsets and positions.
    pub(super) index: Option<PathBuf>,
    /// Timestamps and offsets.
    pub(super) times: Option<PathBuf>,
    /// Aborted transactions.
    pub(super) transactions: Option<PathBuf>,
}

/// What a folder holds of a log, by base offset. It holds more (checkpoints, snapshots, files that
/// wait to be deleted), which is none of a reader's business.
pub(super) type Segments = BTreeMap<u64, SegmentFiles>;

/// Whether segments are in a folder.
pub(super) fn is_partition(folder: &Path) -> Result<bool, LogError> {
    Ok(list(folder)?.values().any(|files| files.log.is_some()))
}

/// Lists the files that make the log, and those alone.
///
/// A cleaner or a split writes `.cleaned` files, renames them to `.swap` when all are whole, then
/// deletes what they replace. So a `.swap` file is the truth, unless a `.cleaned` file of its
/// offset or an earlier one says that the work did not get that far.
pub(super) fn list(folder: &Path) -> Result<Segments, LogError> {
    let read = |cause| LogError::Read { path: folder.into(), cause };
    let mut segments = Segments::new();
    let mut swapped = Segments::new();
    let mut first_cleaned = u64::MAX;
    for entry in fs::read_dir(folder).map_err(read)? {
        let path = entry.map_err(read)?.path();
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("cleaned") => {
                if let Some(offset) = base_offset(&path.with_extension("")) {
                    first_cleaned = first_cleaned.min(offset);
                }
            }
            Some("swap") => add(&mut swapped, &path.with_extension(""), &path),
            _ => add(&mut segments, &path, &path),
        }
    }
    swapped.retain(|offset, _| *offset < first_cleaned);
    if let Some(replaced) = range(&swapped)? {
        segments.retain(|offset, _| !replaced.contains(offset));
    }
    for (offset, swap) in swapped {
        let files = segments.entry(offset).or_default();
        let SegmentFiles { log, index, times, transactions } = swap;
        files.log = log.or(files.log.take());
        files.index = index.or(files.index.take());
        files.times = times.or(files.times.take());
        files.transactions = transactions.or(files.transactions.take());
    }
    Ok(segments)
}

/// The offsets that swapped segments replace.
fn range(swapped: &Segments) -> Result<Option<Range<u64>>, LogError> {
    let mut replaced: Option<Range<u64>> = None;
    for (offset, log) in swapped.iter().filter_map(|(at, files)| Some((*at, files.log.as_ref()?))) {
        let end = last_offset(log, offset)?;
        let so_far = replaced.unwrap_or(offset..end);
        replaced = Some(so_far.start.min(offset)..so_far.end.max(end));
    }
    Ok(replaced)
}

/// Adds a file whose name tells what it is; `path` is where it lies.
fn add(segments: &mut Segments, name: &Path, path: &Path) {
    let Some(offset) = base_offset(name) else { return };
    let mut put = |place: fn(&mut SegmentFiles) -> &mut Option<PathBuf>| {
        *place(segments.entry(offset).or_default()) = Some(path.into());
    };
    match name.extension().and_then(|ending| ending.to_str()) {
        Some("log") => put(|files| &mut files.log),
        Some("index") => put(|files| &mut files.index),
        Some("timeindex") => put(|files| &mut files.times),
        Some("txnindex") => put(|files| &mut files.transactions),
        _ => {}
    }
}

/// The offset that a file is named after: as all of Kafka's offsets, one of 63 bits.
fn base_offset(path: &Path) -> Option<u64> {
    let stem = path.file_stem()?.to_str()?;
    let digits = stem.len() == 20 && stem.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| stem.parse().ok().map(i64::unsigned_abs)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::log::batch;

    /// Names of the logs that make the partition, where the folder holds these files.
    fn logs(names: &[&str]) -> Vec<String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let header = |base: i64| {
            let mut bytes = vec![0; 61];
            bytes[..8].copy_from_slice(&base.to_be_bytes());
            bytes[8..12].copy_from_slice(&49_i32.to_be_bytes());
            bytes[16] = 2;
            bytes[23..27].copy_from_slice(&9_i32.to_be_bytes());
            let crc = batch::crc(&bytes);
            bytes[17..21].copy_from_slice(&crc.to_be_bytes());
            bytes
        };
        for name in names {
            let base = name[..20].parse().expect("an offset");
            fs::write(folder.path().join(name), header(base)).expect("written");
        }
        let found = list(folder.path()).expect("readable").into_values();
        let logs = found.filter_map(|files| files.log);
        logs.map(|path| path.file_name().expect("a name").to_string_lossy().into_owned()).collect()
    }

    const ZERO: &str = "00000000000000000000.log";
    const FIVE: &str = "00000000000000000005.log";
    const TEN: &str = "00000000000000000010.log";

    #[test]
    fn a_swapped_segment_replaces_those_that_it_was_made_of() {
        let swap = format!("{ZERO}.swap");
        assert_eq!(logs(&[ZERO, FIVE, TEN, &swap]), [swap.as_str(), TEN]);
        assert_eq!(logs(&[TEN, &swap]), [swap.as_str(), TEN]);
    }

    #[test]
    fn what_did_not_get_as_far_as_swapping_replaces_nothing() {
        let [swap, cleaned] = ["swap", "cleaned"].map(|ending| format!("{FIVE}.{ending}"));
        assert_eq!(logs(&[ZERO, FIVE, &cleaned]), [ZERO, FIVE]);
        assert_eq!(logs(&[ZERO, FIVE, &swap, &cleaned]), [ZERO, FIVE]);
        assert_eq!(logs(&[ZERO, &format!("{ZERO}.deleted")]), [ZERO]);
    }
}
