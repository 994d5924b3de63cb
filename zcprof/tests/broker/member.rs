//! A member of a consumer group that is a process of its own, and the account of offsets that the
//! members before it leave behind.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::topic::{BrokerProcess, TOPIC};

/// An offset for each partition.
pub(crate) type Offsets = BTreeMap<u64, u64>;

/// What a member has said so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadProgress {
    /// The first offset that it has read since it was assigned the partition.
    pub(crate) first: Offsets,
    /// The offset after the last record that it has read.
    pub(crate) read: Offsets,
    /// The last offset whose commit was acknowledged.
    committed: Offsets,
    /// Its partitions.
    pub(crate) assigned: Vec<u64>,
    /// When it began to read.
    pub(crate) begun: Option<Instant>,
}

/// A member, which runs.
pub(crate) struct ClientProcess {
    child: Child,
    lines: Receiver<(Instant, String)>,
    pub(crate) said: ReadProgress,
}

impl ClientProcess {
    pub(crate) fn start(
        python: &str,
        library: &str,
        broker: &BrokerProcess,
        session: Duration,
        strategy: &str,
    ) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/member.py");
        let mut child = Command::new(python)
            .arg(script)
            .args([library, &broker.address.to_string(), TOPIC, "readers"])
            .args([&session.as_millis().to_string(), strategy])
            .stdout(Stdio::piped())
            .spawn()
            .expect("python starts");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let (said, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = said.send((Instant::now(), line));
            }
        });
        Self { child, lines, said: ReadProgress::default() }
    }

    /// Listens for so long, or until what it waits for has come.
    pub(crate) fn listen(&mut self, time: Duration, until: impl Fn(&ReadProgress) -> bool) {
        let end = Instant::now() + time;
        while !until(&self.said) {
            let left = end.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok((when, line)) => assert!(self.said.hear(when, &line), "{line}"),
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => panic!("a member ended by itself"),
            }
        }
    }

    /// Kills it; all that it had said.
    pub(crate) fn kill(mut self) -> ReadProgress {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
        while let Ok((when, line)) = self.lines.recv() {
            // The last line may be cut.
            self.said.hear(when, &line);
        }
        std::mem::take(&mut self.said)
    }
}

impl Drop for ClientProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl ReadProgress {
    /// Notes a line; false if it is none of a member's.
    fn hear(&mut self, when: Instant, line: &str) -> bool {
        let mut words = line.split(' ');
        let what = words.next();
        let numbers: Option<Vec<u64>> = words.map(|word| word.parse().ok()).collect();
        match (what, numbers.as_deref()) {
            (Some("assigned"), Some(partitions)) => {
                // What it had to do with others before is over.
                for offsets in [&mut self.first, &mut self.read, &mut self.committed] {
                    offsets.retain(|partition, _| self.assigned.contains(partition));
                }
                self.assigned = partitions.to_vec();
            }
            (Some("read"), Some([partition, first, next])) => {
                self.begun.get_or_insert(when);
                self.first.entry(*partition).or_insert(*first);
                self.read.insert(*partition, *next);
            }
            (Some("committed"), Some([partition, next])) => {
                self.committed.insert(*partition, *next);
            }
            _ => return false,
        }
        true
    }
}

/// Where the next member may begin, as those before it have left the partitions.
#[derive(Debug, Default)]
pub(crate) struct Left {
    /// The group's offset is at least this: it was acknowledged, or a member began there.
    committed: Offsets,
    /// And at most this: what the last member that read the partition had read. It may have been
    /// killed when its commit had reached the broker and the answer had not come back.
    read: Offsets,
}

impl Left {
    /// A member was killed. It need not have read all of its partitions.
    pub(crate) fn by(&mut self, killed: &ReadProgress) {
        for (partition, read) in &killed.read {
            let known = killed.committed.get(partition).or(killed.first.get(partition));
            self.committed.insert(*partition, known.copied().unwrap_or(0));
            self.read.insert(*partition, *read);
        }
    }

    /// Nothing is lost, and what is read twice was not committed; else why not.
    pub(crate) fn check<'a>(
        &self,
        firsts: impl IntoIterator<Item = (&'a u64, &'a u64)>,
    ) -> Result<(), String> {
        for (partition, first) in firsts {
            let of = |offsets: &Offsets| offsets.get(partition).copied().unwrap_or(0);
            let (committed, read) = (of(&self.committed), of(&self.read));
            if !(committed..=read).contains(first) {
                return Err(format!(
                    "partition {partition}: {committed} committed, {read} read, and {first} is \
                     where the next one begins"
                ));
            }
        }
        Ok(())
    }
}

#[test]
fn where_the_next_member_may_begin_is_what_the_last_one_of_each_partition_left() {
    let said = |lines: &[&str]| {
        let mut said = ReadProgress::default();
        assert!(lines.iter().all(|line| said.hear(Instant::now(), line)));
        said
    };
    let mut left = Left::default();
    left.check([(&0, &0)]).expect("from the beginning");
    left.check([(&0, &5)]).expect_err("five are lost");
    // The commit of 200 is under way when it is killed.
    left.by(&said(&["read 0 0 100", "committed 0 100", "read 0 100 200"]));
    // The next one reads another partition only.
    left.by(&said(&["read 1 0 100", "committed 1 100"]));
    left.check([(&0, &100), (&0, &200), (&1, &100)]).expect("that commit arrived or not");
    left.check([(&0, &99)]).expect_err("it was committed");
    left.check([(&0, &201)]).expect_err("one is lost");
    left.check([(&1, &0)]).expect_err("it was committed");
    // Whoever began at 200 knew that as the group's offset.
    left.by(&said(&["read 0 200 250"]));
    left.check([(&0, &100)]).expect_err("200 was committed");
    left.check([(&0, &200)]).expect("and nothing behind it");
}
