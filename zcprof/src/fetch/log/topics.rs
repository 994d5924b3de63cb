//! Everything below a log folder: topics and their partitions, found at once and verified one by
//! one. What cannot be served is left out, and said once.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context as _, Result, bail};
use uuid::Uuid;

use super::checkpoint::Checkpoints;
use super::{Load, Log, LogError, Progress, check_topic_name, files, open};

/// The name space of topic ids, which are made from the topics' names.
const NAMES: Uuid = Uuid::from_u128(0x7a63_7072_6f66_5f74_6f70_6963_5f6e_616d);

/// Kafka's own topics begin so. They are not for consumers, and their logs are compacted.
const INTERNAL: &str = "__";

/// Topics by name.
#[derive(Debug, Default)]
pub struct Topics {
    by_name: BTreeMap<String, Topic>,
    checkpoints: Checkpoints,
    /// Folders that are no partitions for consumers, and why.
    passed_over: Vec<String>,
}

/// A topic.
#[derive(Debug)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Always the same for that name.
    pub id: Uuid,
    /// Its partitions, by number.
    pub partitions: BTreeMap<i32, Partition>,
}

/// A partition.
#[derive(Debug)]
pub struct Partition {
    /// Where it lies.
    pub folder: PathBuf,
    state: OnceLock<PartitionState>,
}

/// What became of a partition that was verified.
#[derive(Debug)]
pub enum PartitionState {
    /// It is served.
    Served(Box<Log>),
    /// It cannot be served, for that reason.
    LeftOut(LogError),
}

impl Topics {
    /// Finds every topic-partition folder below a folder, or the folder itself if it is one, and
    /// verifies nothing yet. Folders of Kafka's own topics, and those of names that Kafka forbids,
    /// are passed over; those of other names are no partitions.
    ///
    /// # Errors
    /// The folder cannot be read, or there is nothing to serve.
    pub fn find(folder: &Path) -> Result<Self> {
        let read = || format!("cannot read the log folder {}", folder.display());
        // A relative `.` has no name to tell topic and partition from.
        let folder = folder.canonicalize().with_context(read)?;
        let mut topics = Self::default();
        if files::is_partition(&folder)? {
            topics.checkpoints = folder.parent().map(Checkpoints::read).unwrap_or_default();
            let (name, partition) =
                open::split_name(&folder).ok_or_else(|| LogError::Name(folder.clone()))?;
            check_topic_name(&name).with_context(|| folder.display().to_string())?;
            topics.add(name, partition, folder);
            return Ok(topics);
        }
        topics.checkpoints = Checkpoints::read(&folder);
        let mut folders = Vec::new();
        for entry in fs::read_dir(&folder).with_context(read)? {
            folders.push(entry.with_context(read)?.path());
        }
        folders.sort();
        for path in folders.into_iter().filter(|path| path.is_dir()) {
            topics.folder(path);
        }
        if topics.by_name.is_empty() {
            let passed = topics.passed_over.iter().map(|reason| format!("; {reason}"));
            bail!(
                "{} holds neither segments nor topic-partition folders (such as orders-0); name \
                 one that does{}",
                folder.display(),
                passed.collect::<String>()
            );
        }
        Ok(topics)
    }

    /// Finds and verifies everything, as leniently as a broker that starts.
    ///
    /// # Errors
    /// See [`Topics::find`].
    pub fn open(folder: &Path) -> Result<Self> {
        let topics = Self::find(folder)?;
        let progress = Progress::default();
        topics.verify(&Load { strict: false, high_watermark: false, progress: &progress })?;
        Ok(topics)
    }

    /// One partition.
    #[must_use]
    pub fn of(log: Log) -> Self {
        let mut topics = Self::default();
        let partition = topics.add(log.topic.clone(), log.partition, log.folder.clone());
        partition.state = OnceLock::from(PartitionState::Served(Box::new(log)));
        topics
    }

    /// Verifies every partition, one behind the other. Each is there for others as soon as it is
    /// verified.
    ///
    /// # Errors
    /// If it is to be strict, what cannot be served as it is.
    pub fn verify(&self, load: &Load<'_>) -> Result<(), LogError> {
        for partition in self.partitions() {
            let opened = match partition.state.get() {
                None => open::open_with(&partition.folder, &self.checkpoints, load),
                Some(_) => continue,
            };
            let state = match opened {
                Ok(log) => PartitionState::Served(Box::new(log)),
                Err(error) if load.strict => return Err(error),
                Err(error) => PartitionState::LeftOut(error),
            };
            // Nobody else sets it.
            let _ = partition.state.set(state);
        }
        Ok(())
    }

    /// Bytes that all segments have, as far as that can be told.
    #[must_use]
    pub fn bytes_to_verify(&self) -> u64 {
        let logs = self.partitions().filter_map(|partition| files::list(&partition.folder).ok());
        let logs = logs.flat_map(|segments| segments.into_values().filter_map(|files| files.log));
        logs.filter_map(|path| path.metadata().ok()).map(|metadata| metadata.len()).sum()
    }

    /// What was passed over, mended or left out so far, a line for each.
    #[must_use]
    pub fn said(&self) -> Vec<String> {
        let mut said = [&self.passed_over[..], &self.checkpoints.said].concat();
        for partition in self.partitions() {
            match partition.state.get() {
                Some(PartitionState::Served(log)) => said.extend(log.said().iter().cloned()),
                Some(PartitionState::LeftOut(error)) => {
                    said.push(format!("{} is left out: {error}", partition.folder.display()));
                }
                None => {}
            }
        }
        said
    }

    fn folder(&mut self, path: PathBuf) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some((topic, partition)) = open::split_name(&path) else { return };
        let segments = files::is_partition(&path);
        let passed_over = |reason: &str| format!("{} is passed over: {reason}", path.display());
        if matches!(segments, Ok(false)) {
            return;
        }
        if topic.starts_with(INTERNAL) {
            self.passed_over.push(passed_over("it is a topic of Kafka's own"));
        } else if let Err(error) = check_topic_name(&topic) {
            self.passed_over.push(passed_over(&format!("{error:#}")));
        } else if name != format!("{topic}-{partition}") || partition < 0 {
            self.passed_over.push(passed_over("Kafka writes the partition's number otherwise"));
        } else {
            self.add(topic, partition, path);
        }
    }

    fn add(&mut self, name: String, partition: i32, folder: PathBuf) -> &mut Partition {
        let topic = self.by_name.entry(name).or_insert_with_key(|name| Topic {
            name: name.clone(),
            id: Uuid::new_v5(&NAMES, name.as_bytes()),
            partitions: BTreeMap::new(),
        });
        let found = topic.partitions.entry(partition);
        found.or_insert(Partition { folder, state: OnceLock::new() })
    }

    /// Topics that have something to serve, or may have, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Topic> {
        self.by_name.values().filter(|topic| topic.listed().next().is_some())
    }

    /// Every partition that was found.
    pub fn partitions(&self) -> impl Iterator<Item = &Partition> {
        self.by_name.values().flat_map(|topic| topic.partitions.values())
    }

    /// Every partition that is served.
    pub fn logs(&self) -> impl Iterator<Item = &Log> {
        self.partitions().filter_map(Partition::log)
    }

    /// The topic of that name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Topic> {
        self.by_name.get(name)
    }

    /// The topic with that id.
    #[must_use]
    pub fn with_id(&self, id: Uuid) -> Option<&Topic> {
        self.by_name.values().find(|topic| topic.id == id)
    }
}

impl Topic {
    /// Partitions that are served or not verified yet, and their numbers.
    pub fn listed(&self) -> impl Iterator<Item = (i32, &Partition)> {
        let left_out =
            |state: Option<&PartitionState>| matches!(state, Some(PartitionState::LeftOut(_)));
        let all = self.partitions.iter().map(|(number, partition)| (*number, partition));
        all.filter(move |(_, partition)| !left_out(partition.state()))
    }
}

impl Partition {
    /// What became of it, if it was verified.
    #[must_use]
    pub fn state(&self) -> Option<&PartitionState> {
        self.state.get()
    }

    /// Its log, if that is served.
    #[must_use]
    pub fn log(&self) -> Option<&Log> {
        match self.state() {
            Some(PartitionState::Served(log)) => Some(log),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::log::{MakeLog, make, segment_name};

    #[test]
    fn every_partition_below_a_folder_is_found_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let small = MakeLog { bytes: 1, ..MakeLog::default() };
        for name in ["orders-0", "orders-1", "a-b-c-7", "__consumer_offsets-3", "x.0f-delete"] {
            make(&folder.path().join(name), &small).expect("a log");
        }
        fs::create_dir(folder.path().join("empty-0")).expect("made");
        fs::create_dir(folder.path().join("lost+found")).expect("made");
        fs::write(folder.path().join("meta.properties"), "").expect("written");
        let quiet = folder.path().join("orders-2");
        fs::create_dir(&quiet).expect("made");
        fs::write(quiet.join(segment_name(720)), "").expect("written");

        let topics = Topics::open(folder.path()).expect("topics");
        let found: Vec<_> = topics.logs().map(|log| (log.topic(), log.partition())).collect();
        assert_eq!(found, [("a-b-c", 7), ("orders", 0), ("orders", 1), ("orders", 2)]);
        let orders = topics.named("orders").expect("it is there");
        let empty = orders.partitions[&2].log().expect("served");
        assert_eq!((empty.start_offset(), empty.end_offset()), (720, 720));
        assert_eq!(topics.with_id(orders.id).expect("it is there").name, "orders");
        assert!(topics.with_id(Uuid::nil()).is_none() && topics.named("x.0f").is_none());

        let one = Topics::open(&folder.path().join("orders-1")).expect("a topic");
        assert_eq!(one.logs().count(), 1);
        assert_eq!(one.named("orders").expect("it is there").id, orders.id, "an id is for ever");
        let nothing = Topics::open(&folder.path().join("empty-0")).expect_err("refused");
        assert!(nothing.to_string().contains("neither segments nor"), "{nothing}");
    }

    #[test]
    fn what_kafka_forbids_or_cannot_be_read_is_left_out_and_said() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let small = MakeLog { bytes: 1, ..MakeLog::default() };
        for name in ["orders-0", "orders-1", "__consumer_offsets-3"] {
            make(&folder.path().join(name), &small).expect("a log");
        }
        for name in ["-0", "with space-0", "orders-00"] {
            fs::create_dir(folder.path().join(name)).expect("made");
            fs::write(folder.path().join(name).join(segment_name(0)), "").expect("written");
        }
        fs::write(folder.path().join(".kafka_cleanshutdown"), "").expect("written");
        fs::write(folder.path().join("orders-1").join(segment_name(0)), "no batch").expect("it");
        let topics = Topics::open(folder.path()).expect("topics");
        assert_eq!(topics.logs().map(Log::partition).collect::<Vec<_>>(), [0]);
        let said = topics.said();
        for words in ["/-0 is", "with space-0 is", "orders-00 is", "__consumer_offsets-3 is"] {
            let lines = said.iter().filter(|line| line.contains(words)).count();
            assert_eq!(lines, 1, "{words}: {said:?}");
        }
        let left_out = said.iter().find(|line| line.contains("orders-1 is left out"));
        assert!(left_out.is_some_and(|line| line.contains("at byte 0")), "{said:?}");
        let progress = Progress::default();
        let strict = Load { strict: true, high_watermark: false, progress: &progress };
        let topics = Topics::find(folder.path()).expect("topics");
        assert!(topics.verify(&strict).is_err());
    }
}
