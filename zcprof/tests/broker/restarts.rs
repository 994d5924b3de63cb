//! Consumers that are killed and started again, and the others in their groups, with real clients.
//! It takes minutes, so it runs when it is asked for: `cargo test --test broker restarts -- \
//! --ignored`, with ZCPROF_PYTHON.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::real::program;
use crate::topic::{Broker, TOPIC};

const PARTITIONS: usize = 6;

/// More than anybody reads meanwhile.
const RECORDS: &str = "1200000";

/// Beyond the session timeout of the member that was killed.
const SLACK: Duration = Duration::from_secs(3);

/// How often a member is killed.
const KILLS: usize = 10;

/// A member of a group, and what it says.
struct Member {
    child: Child,
    lines: Receiver<(Instant, String)>,
    /// The offset after the last record that it has read, by partition.
    read: BTreeMap<u64, u64>,
    /// The offset that it has committed, by partition.
    committed: BTreeMap<u64, u64>,
    /// The first offset that it has read, by partition.
    first: BTreeMap<u64, u64>,
    assigned: Vec<u64>,
    begun: Option<Instant>,
}

impl Member {
    fn start(
        python: &str,
        library: &str,
        broker: &Broker,
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
        let [read, committed, first] = [(); 3].map(|()| BTreeMap::new());
        Self { child, lines, read, committed, first, assigned: vec![], begun: None }
    }

    /// Listens for so long, or until what it waits for has come.
    fn listen(&mut self, time: Duration, until: impl Fn(&Self) -> bool) {
        let end = Instant::now() + time;
        while !until(self) {
            let left = end.saturating_duration_since(Instant::now());
            let (when, line) = match self.lines.recv_timeout(left) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => panic!("a member ended by itself"),
            };
            let mut words = line.split(' ');
            let what = words.next().expect("a word");
            let numbers: Vec<u64> = words.map(|word| word.parse().expect("a number")).collect();
            match (what, &numbers[..]) {
                ("assigned", partitions) => self.assigned = partitions.to_vec(),
                ("read", [partition, first, next]) => {
                    self.begun.get_or_insert(when);
                    self.first.entry(*partition).or_insert(*first);
                    self.read.insert(*partition, *next);
                }
                ("committed", [partition, next]) => {
                    self.committed.insert(*partition, *next);
                }
                _ => panic!("{line}"),
            }
        }
    }

    /// Kills it, and hears what it had said.
    fn kill(mut self) -> Self {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
        while let Ok((_, line)) = self.lines.recv() {
            // The last line may be cut.
            let words: Vec<&str> = line.split(' ').collect();
            let number = |at: usize| words.get(at)?.parse::<u64>().ok();
            match (words[0], number(1), number(2), number(3)) {
                ("read", Some(partition), _, Some(next)) => {
                    self.read.insert(partition, next);
                }
                ("committed", Some(partition), Some(next), _) => {
                    self.committed.insert(partition, next);
                }
                _ => {}
            }
        }
        self
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn topic() -> (tempfile::TempDir, Broker) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let made = Command::new(env!("CARGO_BIN_EXE_zcprof"))
        .arg("make-log")
        .arg(folder.path())
        .args(["--topic", TOPIC, "--partitions", &PARTITIONS.to_string()])
        .args(["--records", RECORDS, "--record-bytes", "20"])
        .output()
        .expect("zcprof starts");
    assert!(made.status.success(), "{made:?}");
    let broker = Broker::start(folder.path(), "sendfile");
    (folder, broker)
}

/// A member is killed and started again, again and again.
fn restarts(library: &str, session: Duration) {
    let Some(python) = program("ZCPROF_PYTHON", "restarts") else { return };
    let (_folder, broker) = topic();
    let start = || Member::start(&python, library, &broker, session, "range");
    let mut member = start();
    let mut committed = BTreeMap::new();
    member.listen(session + 2 * SLACK, |member| member.begun.is_some());
    for kill in 0..KILLS {
        member.listen(Duration::from_secs(2), |_| false);
        let killed = member.kill();
        committed.extend(killed.committed.clone());
        let at = Instant::now();
        member = start();
        member.listen(session + 2 * SLACK, |member| member.begun.is_some());
        let begun = member.begun.expect("it reads again");
        let back = begun.duration_since(at);
        println!("{library}, {session:?}, kill {kill}: back after {back:?}");
        assert!(back <= session + SLACK, "{library}, kill {kill}: back after {back:?}");
        member.listen(Duration::from_secs(1), |_| false);
        for (partition, first) in &member.first {
            let committed = committed.get(partition).copied().unwrap_or(0);
            let read = killed.read.get(partition).copied().unwrap_or(committed).max(committed);
            // Nothing is lost, and what is read twice was not committed.
            assert!(
                (committed..=read).contains(first),
                "{library}, partition {partition}: {committed} committed, {read} read, {first}"
            );
        }
    }
}

const SHORT: Duration = Duration::from_secs(6);
const LONG: Duration = Duration::from_secs(45);

#[test]
#[ignore = "minutes"]
fn confluent_kafka_is_back_in_time_with_6_seconds() {
    restarts("confluent-kafka", SHORT);
}

#[test]
#[ignore = "minutes"]
fn kafka_python_is_back_in_time_with_6_seconds() {
    restarts("kafka-python", SHORT);
}

#[test]
#[ignore = "minutes"]
fn aiokafka_is_back_in_time_with_6_seconds() {
    restarts("aiokafka", SHORT);
}

#[test]
#[ignore = "minutes"]
fn confluent_kafka_is_back_in_time_with_45_seconds() {
    restarts("confluent-kafka", LONG);
}

#[test]
#[ignore = "minutes"]
fn kafka_python_is_back_in_time_with_45_seconds() {
    restarts("kafka-python", LONG);
}

/// Three members share six partitions; one is killed, and the others take over.
#[test]
#[ignore = "minutes"]
fn the_others_take_over_what_a_killed_member_read() {
    let Some(python) = program("ZCPROF_PYTHON", "takeover") else { return };
    let rows = [
        ("confluent-kafka", "range"),
        ("confluent-kafka", "cooperative-sticky"),
        ("kafka-python", "range"),
        ("aiokafka", "range"),
    ];
    for (library, strategy) in rows {
        let (_folder, broker) = topic();
        let mut members: Vec<_> =
            (0..3).map(|_| Member::start(&python, library, &broker, SHORT, strategy)).collect();
        share(&mut members, library);
        let killed = members.pop().expect("three").kill();
        let at = Instant::now();
        share(&mut members, library);
        println!("{library}, {strategy}: taken over after {:?}", at.elapsed());
        for partition in &killed.assigned {
            let of = members.iter().find(|member| member.assigned.contains(partition));
            let first = of.and_then(|member| member.first.get(partition)).copied();
            let first = first.expect("somebody reads it");
            let committed = killed.committed.get(partition).copied().unwrap_or(0);
            let read = killed.read.get(partition).copied().unwrap_or(committed).max(committed);
            assert!((committed..=read).contains(&first), "{library} {partition}: {first}");
        }
    }
}

/// Waits until the members have every partition between them, and each reads all of its own.
fn share(members: &mut [Member], library: &str) {
    let end = Instant::now() + Duration::from_mins(1);
    let count = PARTITIONS / members.len();
    loop {
        for member in &mut *members {
            member.listen(Duration::from_millis(200), |_| false);
        }
        let mut all: Vec<u64> = members.iter().flat_map(|m| m.assigned.clone()).collect();
        all.sort_unstable();
        let whole = all == (0..PARTITIONS as u64).collect::<Vec<_>>();
        let fair = members.iter().all(|member| member.assigned.len() == count);
        let read = |m: &Member| m.assigned.iter().all(|partition| m.read.contains_key(partition));
        if whole && fair && members.iter().all(read) {
            return;
        }
        let shares: Vec<_> = members.iter().map(|member| &member.assigned).collect();
        assert!(Instant::now() < end, "{library}: not shared: {shares:?}");
    }
}
