//! Makes the partitions of a topic.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Serialize;

use super::{Made, MakeLog, check, fill, sync, unfinished};
use crate::fetch::log::digest::Digest;

/// Characters of a topic's name, at most.
const MOST_NAME: usize = 249;

/// What `mkfs` leaves at the top of a new file system.
const LOST_AND_FOUND: &str = "lost+found";

/// A topic that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MadeTopic {
    /// Its name.
    pub topic: String,
    /// By rising number.
    pub partitions: Vec<Made>,
    /// Records of all partitions.
    pub records: u64,
    /// Bytes of all segments of all partitions, without their indexes.
    pub bytes: u64,
    /// See [`Digest::total`].
    pub sha256: Digest,
}

impl fmt::Display for MadeTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |number: usize| format!("{}-{number}", self.topic);
        let width = name(self.partitions.len()).len().max("partition".len());
        writeln!(
            f,
            "{:<width$} {:>12} {:>12} {:>8} {:>15}  sha256",
            "partition", "records", "end offset", "segments", "bytes"
        )?;
        for (number, made) in self.partitions.iter().enumerate() {
            let Made { records, end_offset, segments, bytes, sha256 } = made;
            let name = name(number);
            writeln!(
                f,
                "{name:<width$} {records:>12} {end_offset:>12} {segments:>8} {bytes:>15}  {sha256}"
            )?;
        }
        let Self { records, bytes, sha256, .. } = self;
        let segments: u64 = self.partitions.iter().map(|made| made.segments).sum();
        writeln!(
            f,
            "{:<width$} {records:>12} {:>12} {segments:>8} {bytes:>15}  {sha256}",
            "total", "-"
        )
    }
}

/// Makes a topic's partitions `DIR/TOPIC-0` and so on, in a folder that is empty or not there.
/// They have `wanted.records` records together, shared out as evenly as they can be, or
/// `wanted.bytes` bytes each; the seed of a partition is `wanted.seed` and its number.
///
/// `stop` is asked before each batch. No partition appears before all are whole.
///
/// # Errors
/// Names the size that makes no log, the folder that is not empty, or the file and what the
/// kernel says. Nothing is left behind.
pub fn make_topic(
    directory: &Path,
    topic: &str,
    partitions: i32,
    wanted: &MakeLog,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<MadeTopic> {
    check_topic_name(topic)?;
    ensure!(partitions > 0, "a topic of no partitions cannot be made");
    check(wanted)?;
    let missing = directory.ancestors().take_while(|folder| !folder.exists());
    let missing: Vec<_> = missing.filter(|folder| !folder.as_os_str().is_empty()).collect();
    check_empty(directory)?;
    let made = fs::create_dir_all(directory).map_err(anyhow::Error::new);
    let made = made.and_then(|()| make_in(directory, topic, partitions, wanted, stop));
    if made.is_err() {
        for folder in missing {
            // One that is not empty stays: somebody else put something there.
            let _ = fs::remove_dir(folder);
        }
    }
    let partitions = made.with_context(|| format!("making a log in {}", directory.display()))?;
    Ok(MadeTopic {
        topic: topic.to_owned(),
        records: partitions.iter().map(|made| made.records).sum(),
        bytes: partitions.iter().map(|made| made.bytes).sum(),
        sha256: Digest::total(partitions.iter().map(|made| made.sha256)),
        partitions,
    })
}

fn make_in(
    directory: &Path,
    topic: &str,
    partitions: i32,
    wanted: &MakeLog,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Vec<Made>> {
    let unfinished = unfinished(directory)?;
    // A name that is no partition's.
    let folder = |partition: i32| unfinished.path().join(partition.to_string());
    let failed = OnceLock::new();
    let stop = || failed.get().is_some() || stop();
    let next = AtomicI32::new(0);
    let made = Mutex::new(BTreeMap::new());
    let one = |partition| -> Result<Made> {
        fs::create_dir(folder(partition))?;
        fill(&folder(partition), &share(wanted, partition, partitions)?, &stop)
    };
    let work = || loop {
        let partition = next.fetch_add(1, Ordering::Relaxed);
        if partition >= partitions {
            break;
        }
        match one(partition) {
            Ok(one) => made.lock().unwrap_or_else(PoisonError::into_inner).insert(partition, one),
            // The first error is kept: those after it only say that they were stopped.
            Err(error) => break drop(failed.set(error)),
        };
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = workers.min(usize::try_from(partitions)?);
    std::thread::scope(|scope| (0..workers).for_each(|_| drop(scope.spawn(work))));
    if let Some(error) = failed.into_inner() {
        return Err(error);
    }
    let made = made.into_inner().unwrap_or_else(PoisonError::into_inner);
    for partition in made.keys() {
        let name = directory.join(format!("{topic}-{partition}"));
        fs::rename(folder(*partition), name)?;
    }
    sync(directory)?;
    Ok(made.into_values().collect())
}

/// What is wanted of one partition.
fn share(wanted: &MakeLog, partition: i32, partitions: i32) -> Result<MakeLog> {
    let (number, all) = (u64::try_from(partition)?, u64::try_from(partitions)?);
    Ok(MakeLog {
        records: wanted.records.map(|records| records / all + u64::from(number < records % all)),
        seed: wanted.seed.wrapping_add(number),
        ..*wanted
    })
}

fn check_empty(directory: &Path) -> Result<()> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.with_context(|| format!("cannot read {}", directory.display()))?,
    };
    for entry in entries {
        let name = entry.with_context(|| format!("reading {}", directory.display()))?.file_name();
        if name != OsStr::new(LOST_AND_FOUND) {
            bail!(
                "{} is not empty (it holds {}); name a folder that is empty or not there",
                directory.display(),
                name.display()
            );
        }
    }
    Ok(())
}

/// Whether Kafka would take a name for a topic's.
///
/// # Errors
/// It would not.
pub fn check_topic_name(name: &str) -> Result<()> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    ensure!(
        (1..=MOST_NAME).contains(&name.len()) && !matches!(name, "." | ".."),
        "a topic's name has 1 to {MOST_NAME} characters and is not . or .."
    );
    ensure!(name.bytes().all(legal), "a topic's name has only letters, digits, dots, _ and -");
    Ok(())
}
