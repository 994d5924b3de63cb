//! Which fetches cover how much of a log.

use std::borrow::Cow;
use std::os::unix::fs::FileExt as _;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::fetch::log::{Batch, Log};

/// A range of whole batches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Offset of the first record.
    pub from_offset: u64,
    /// Offset after the last record.
    pub to_offset: u64,
    /// Record bytes.
    pub bytes: u64,
    /// CRC-32C over all of them.
    pub crc32c: u32,
    /// Whether the bytes are those of a plain file, and no batches.
    pub plain: bool,
    /// The fetches that cover it, in order.
    pub fetches: Vec<PlannedFetch>,
}

/// A fetch of whole batches. It is planned so that no answer ends in a cut batch, which would
/// have to be fetched again: then every byte that leaves the server is payload, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedFetch {
    /// Offset of the first record.
    pub offset: u64,
    /// Base offset of the segment that holds it.
    pub segment: u64,
    /// Position in the segment, in bytes.
    pub position: u64,
    /// Record bytes.
    pub bytes: u64,
}

/// Splits the first whole batches that hold at least `bytes` (or all, if the log has fewer)
/// into nearly equal ranges, and each into fetches of up to `fetch_size` bytes but at least one
/// batch. Reads them for their CRC, so the page cache holds them then.
///
/// # Errors
/// A segment cannot be read.
pub fn shares(log: &Log, connections: u32, bytes: u64, fetch_size: u64) -> Result<Vec<Share>> {
    // Small batches share an entry of the list, and small fetches may want them apart.
    let shared = log.batches().iter().any(|entry| !entry.single && entry.length > fetch_size);
    let batches = if shared { Cow::Owned(log.each_batch()?) } else { log.batches().into() };
    let mut wanted = 0;
    let enough = batches.iter().take_while(|batch| {
        let before = wanted;
        wanted += batch.length;
        before < bytes
    });
    let count = enough.count();
    let parts = usize::try_from(connections)?.clamp(1, count.max(1));
    let range = |part: usize| &batches[count * part / parts..count * (part + 1) / parts];
    (0..parts).map(|part| share(log, range(part), fetch_size)).collect()
}

/// A share for each connection, of equally many fetches that are as full as `fetch_size` lets
/// them be. They lie one behind the other, and overlap where the log is too short for that. Reads
/// them for their CRC, so the page cache holds them then.
///
/// # Errors
/// The log is too short for one share, or a segment cannot be read.
pub fn equal_shares(
    log: &Log,
    connections: u32,
    fetches: usize,
    fetch_size: u64,
) -> Result<Vec<Share>> {
    let mut all = plan(log, log.batches(), fetch_size);
    // What is left over for the last one is no full fetch.
    if all.len() > 1 {
        all.pop();
    }
    let places = all.len().checked_sub(fetches).map(|last| last + 1);
    let places = places.with_context(|| {
        format!("the log holds {} fetches of {fetch_size} bytes, not {fetches}", all.len())
    })?;
    let of = |index: usize| {
        let from = index * fetches % places;
        let fetches = &all[from..from + fetches];
        let (first, last) = fetches.first().zip(fetches.last()).context("a share of no fetches")?;
        let (first, last) = (log.batch_at(first.offset), log.batch_at(last.offset));
        let (first, mut end) = first.zip(last).context("a fetch of no batch")?;
        let mut left = fetches.last().map_or(0, |last| last.bytes);
        while left > 0 {
            left = left.saturating_sub(log.batches()[end].length);
            end += 1;
        }
        share(log, &log.batches()[first..end], fetch_size)
    };
    (0..usize::try_from(connections)?).map(of).collect()
}

fn share(log: &Log, batches: &[Batch], fetch_size: u64) -> Result<Share> {
    let (first, last) = batches.first().zip(batches.last()).context("a share of no batches")?;
    let mut crc = 0;
    let mut buffer = Vec::new();
    for batch in batches {
        buffer.resize(usize::try_from(batch.length)?, 0);
        let segment = &log.segments()[batch.segment];
        segment
            .file
            .read_exact_at(&mut buffer, batch.position)
            .with_context(|| format!("reading {}", segment.path.display()))?;
        crc = crc32c::crc32c_append(crc, &buffer);
    }
    Ok(Share {
        from_offset: first.base_offset,
        to_offset: last.next_offset,
        bytes: batches.iter().map(|batch| batch.length).sum(),
        crc32c: crc,
        plain: log.is_plain(),
        fetches: plan(log, batches, fetch_size),
    })
}

fn plan(log: &Log, batches: &[Batch], fetch_size: u64) -> Vec<PlannedFetch> {
    let mut fetches: Vec<PlannedFetch> = Vec::new();
    let mut last = None;
    for batch in batches {
        match fetches.last_mut() {
            Some(fetch)
                if last == Some(batch.segment) && fetch.bytes + batch.length <= fetch_size =>
            {
                fetch.bytes += batch.length;
            }
            _ => fetches.push(PlannedFetch {
                offset: batch.base_offset,
                segment: log.segments()[batch.segment].base_offset,
                position: batch.position,
                bytes: batch.length,
            }),
        }
        last = Some(batch.segment);
    }
    fetches
}
