//! The checkpoints of a broker: small text files of a version, a number of entries, and the
//! entries.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

/// The only version there has been.
const VERSION: &str = "0";

/// Where deleted records end.
const LOG_START: &str = "log-start-offset-checkpoint";

/// Up to where a log was written to disk for certain.
const RECOVERY_POINT: &str = "recovery-point-offset-checkpoint";

/// Up to where every replica had a log.
const HIGH_WATERMARK: &str = "replication-offset-checkpoint";

/// Says that the broker closed all its logs before it ended.
const CLEAN: &str = ".kafka_cleanshutdown";

/// Where the epochs of leaders begin, in a partition's own folder.
const LEADER_EPOCHS: &str = "leader-epoch-checkpoint";

/// An offset for each partition.
type CheckpointOffsets = HashMap<(String, i32), u64>;

/// What a broker keeps beside the folders of its partitions.
#[derive(Debug, Default)]
pub(super) struct Checkpoints {
    log_start: CheckpointOffsets,
    recovery_point: CheckpointOffsets,
    high_watermark: CheckpointOffsets,
    /// Nothing has to be recovered: the broker ended in order.
    clean: bool,
    /// What is wrong with them. A broker too goes on without one that it cannot read.
    pub(super) said: Vec<String>,
}

impl Checkpoints {
    /// Reads those of a log folder; what is not there says nothing.
    pub(super) fn read(folder: &Path) -> Self {
        let mut said = Vec::new();
        let mut offsets = |name: &str| {
            let path = folder.join(name);
            read(&path, offset).unwrap_or_else(|reason| {
                said.push(format!("{} is not used: {reason}", path.display()));
                Vec::new()
            })
        };
        let [log_start, recovery_point, high_watermark] =
            [LOG_START, RECOVERY_POINT, HIGH_WATERMARK]
                .map(|name| offsets(name).into_iter().collect());
        let clean = folder.join(CLEAN).is_file();
        Self { log_start, recovery_point, high_watermark, clean, said }
    }

    /// What they say of one partition.
    pub(super) fn of(&self, topic: &str, partition: i32) -> Checkpoint {
        let key = (topic.to_owned(), partition);
        Checkpoint {
            log_start: self.log_start.get(&key).copied().unwrap_or(0),
            high_watermark: self.high_watermark.get(&key).copied(),
            recover_from: (!self.clean)
                .then(|| self.recovery_point.get(&key).copied().unwrap_or(0)),
        }
    }
}

/// What the checkpoints say of one partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Checkpoint {
    /// Records before this offset are deleted.
    pub(super) log_start: u64,
    /// Records from this offset on had not reached every replica.
    pub(super) high_watermark: Option<u64>,
    /// The segment with this offset and those behind it may end in what was never written whole.
    pub(super) recover_from: Option<u64>,
}

/// The epochs of a partition's leaders and the offsets where they begin; a reason if they cannot
/// be read.
pub(super) fn leader_epochs(folder: &Path) -> Result<Vec<(i32, u64)>, String> {
    let path = folder.join(LEADER_EPOCHS);
    read(&path, epoch).map_err(|reason| format!("{} is not used: {reason}", path.display()))
}

fn read<T>(path: &Path, entry: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, String> {
    match fs::read_to_string(path) {
        Ok(text) => parse(&text, entry),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error.to_string()),
    }
}

fn parse<T>(text: &str, entry: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, String> {
    let mut lines = text.lines();
    let version = lines.next().map(str::trim);
    if version != Some(VERSION) {
        return Err(format!("its version is {:?}, and {VERSION} is known", version.unwrap_or("")));
    }
    let count: usize = lines
        .next()
        .and_then(|line| line.trim().parse().ok())
        .ok_or("line 2 is no number of entries")?;
    let mut entries = Vec::new();
    for (number, line) in lines.enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        entries.push(entry(line).ok_or_else(|| format!("line {} is no entry", number + 3))?);
    }
    if entries.len() != count {
        return Err(format!("it announces {count} entries and has {}", entries.len()));
    }
    Ok(entries)
}

/// Topic, partition and offset.
fn offset(line: &str) -> Option<((String, i32), u64)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [topic, partition, offset] = words[..] else { return None };
    Some(((topic.to_owned(), partition.parse().ok()?), signed(offset)?))
}

/// Epoch and offset.
fn epoch(line: &str) -> Option<(i32, u64)> {
    let (epoch, offset) = line.trim().split_once(' ')?;
    Some((epoch.parse().ok().filter(|epoch| *epoch >= 0)?, signed(offset)?))
}

/// An offset, which has 63 bits.
fn signed(text: &str) -> Option<u64> {
    text.parse::<i64>().ok().and_then(|offset| u64::try_from(offset).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_as_a_broker_writes_them() {
        let read = parse("0\n2\norders 0 17\na.b-c 12 0\n", offset).expect("entries");
        assert_eq!(read, [(("orders".to_owned(), 0), 17), (("a.b-c".to_owned(), 12), 0)]);
        assert_eq!(parse("0\n2\n0 0\n4 720\n", epoch), Ok(vec![(0, 0), (4, 720)]));
    }

    #[test]
    fn what_is_no_checkpoint_is_said() {
        for (text, reason) in [
            ("", "version"),
            ("1\n0\n", "version"),
            ("0\nx\n", "line 2"),
            ("0\n2\na 0 1\n", "announces 2 entries and has 1"),
            ("0\n1\na 0 -1\n", "line 3"),
            ("0\n1\na 0\n", "line 3"),
        ] {
            let error = parse(text, offset).expect_err(text);
            assert!(error.contains(reason), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_broker_that_ended_in_order_has_nothing_to_recover() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text);
        write(RECOVERY_POINT, "0\n1\nt 0 9\n").expect("written");
        write(LOG_START, "nonsense").expect("written");
        let read = Checkpoints::read(folder.path());
        assert_eq!(
            (read.of("t", 0).recover_from, read.of("t", 1).recover_from),
            (Some(9), Some(0))
        );
        assert_eq!(read.of("t", 0).log_start, 0);
        assert!(read.said.len() == 1 && read.said[0].contains(LOG_START), "{:?}", read.said);
        write(CLEAN, "").expect("written");
        assert_eq!(Checkpoints::read(folder.path()).of("t", 0).recover_from, None);
    }
}
