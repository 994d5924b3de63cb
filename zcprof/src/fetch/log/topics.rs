//! Everything below a log folder that can be served: topics and their partitions.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use uuid::Uuid;

use super::{Log, open};

/// The name space of topic ids, which are made from the topics' names.
const NAMES: Uuid = Uuid::from_u128(0x7a63_7072_6f66_5f74_6f70_6963_5f6e_616d);

/// Kafka's own topics begin so. They are not for consumers, and their logs are compacted.
const INTERNAL: &str = "__";

/// Topics by name.
#[derive(Debug, Default)]
pub struct Topics(BTreeMap<String, Topic>);

/// A topic.
#[derive(Debug)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Always the same for that name.
    pub id: Uuid,
    /// Its partitions, by number.
    pub partitions: BTreeMap<i32, Log>,
}

impl Topics {
    /// Opens every topic-partition folder below a folder, or the folder itself if it is one, and
    /// verifies every batch. Partitions may be empty; folders of Kafka's own topics, and those
    /// of other names, are passed over.
    ///
    /// # Errors
    /// Names what cannot be read, what is damaged, or that there is nothing to serve.
    pub fn open(folder: &Path) -> Result<Self> {
        // A relative `.` has no name to tell topic and partition from.
        let folder = &folder
            .canonicalize()
            .with_context(|| format!("cannot read the log folder {}", folder.display()))?;
        let mut topics = Self::default();
        if open::is_partition(folder)? {
            topics.add(open::read(folder)?)?;
            return Ok(topics);
        }
        let read = || format!("cannot read the log folder {}", folder.display());
        for entry in fs::read_dir(folder).with_context(read)? {
            let path = entry.with_context(read)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if !path.is_dir() || name.starts_with(INTERNAL) || open::split_name(&path).is_none() {
                continue;
            }
            if open::is_partition(&path)? {
                topics.add(open::read(&path)?)?;
            }
        }
        if topics.0.is_empty() {
            bail!(
                "{} holds neither segments nor topic-partition folders (such as orders-0); name \
                 one that does",
                folder.display()
            );
        }
        Ok(topics)
    }

    /// One partition.
    #[must_use]
    pub fn of(log: Log) -> Self {
        let topic = Topic::new(&log);
        let mut topics = Self::default();
        topics.0.entry(log.topic.clone()).or_insert(topic).partitions.insert(log.partition, log);
        topics
    }

    fn add(&mut self, log: Log) -> Result<()> {
        let folder = log.folder.clone();
        let topic = self.0.entry(log.topic.clone()).or_insert_with(|| Topic::new(&log));
        let twice = topic.partitions.insert(log.partition, log);
        // Such as orders-0 and orders-00.
        ensure!(twice.is_none(), "{} is a partition that is there twice", folder.display());
        Ok(())
    }

    /// Topics by name.
    pub fn iter(&self) -> impl Iterator<Item = &Topic> {
        self.0.values()
    }

    /// Every partition.
    pub fn logs(&self) -> impl Iterator<Item = &Log> {
        self.iter().flat_map(|topic| topic.partitions.values())
    }

    /// The topic of that name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Topic> {
        self.0.get(name)
    }

    /// The topic with that id.
    #[must_use]
    pub fn with_id(&self, id: Uuid) -> Option<&Topic> {
        self.iter().find(|topic| topic.id == id)
    }
}

impl Topic {
    fn new(log: &Log) -> Self {
        let id = Uuid::new_v5(&NAMES, log.topic.as_bytes());
        Self { name: log.topic.clone(), id, partitions: BTreeMap::new() }
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
        let empty = &orders.partitions[&2];
        assert_eq!((empty.start_offset(), empty.end_offset()), (720, 720));
        assert_eq!(topics.with_id(orders.id).expect("it is there").name, "orders");
        assert!(topics.with_id(Uuid::nil()).is_none() && topics.named("x.0f").is_none());

        let one = Topics::open(&folder.path().join("orders-1")).expect("a topic");
        assert_eq!(one.logs().count(), 1);
        assert_eq!(one.named("orders").expect("it is there").id, orders.id, "an id is for ever");
        let nothing = Topics::open(&folder.path().join("empty-0")).expect_err("refused");
        assert!(nothing.to_string().contains("neither segments nor"), "{nothing}");
    }
}
