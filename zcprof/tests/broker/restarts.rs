//! Consumers that are killed and started again, and the others in their groups, with real clients.
//! It takes minutes, so it runs when it is asked for: `cargo test --test broker restarts -- \
//! --ignored`, with ZCPROF_PYTHON.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::member::{ClientProcess, Left, ReadProgress};
use crate::real::program;
use crate::topic::{BrokerProcess, TOPIC};

const PARTITIONS: usize = 6;

/// More than anybody reads meanwhile.
const RECORDS: &str = "1200000";

/// Beyond the session timeout of the member that was killed.
const SLACK: Duration = Duration::from_secs(3);

/// How often a member is killed.
const KILLS: usize = 10;

fn topic() -> (tempfile::TempDir, BrokerProcess) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let made = Command::new(env!("CARGO_BIN_EXE_zcprof"))
        .arg("make-log")
        .arg(folder.path())
        .args(["--topic", TOPIC, "--partitions", &PARTITIONS.to_string()])
        .args(["--records", RECORDS, "--record-bytes", "20"])
        .output()
        .expect("zcprof starts");
    assert!(made.status.success(), "{made:?}");
    let broker = BrokerProcess::start(folder.path(), "sendfile");
    (folder, broker)
}

/// A member is killed and started again, again and again.
fn restarts(library: &str, session: Duration) {
    let Some(python) = program("ZCPROF_PYTHON", "restarts") else { return };
    let (_folder, broker) = topic();
    let start = || ClientProcess::start(&python, library, &broker, session, "range");
    let mut member = start();
    let mut left = Left::default();
    member.listen(session + 2 * SLACK, |member| member.begun.is_some());
    for kill in 0..KILLS {
        member.listen(Duration::from_secs(2), |_| false);
        if kill % 2 == 0 {
            // It has just read, and its commit is under way.
            let read = member.said.read.clone();
            member.listen(Duration::from_secs(1), |said| said.read != read);
        }
        left.by(&member.kill());
        let at = Instant::now();
        member = start();
        member.listen(session + 2 * SLACK, |member| member.begun.is_some());
        let begun = member.said.begun.expect("it reads again");
        let back = begun.duration_since(at);
        println!("{library}, {session:?}, kill {kill}: back after {back:?}");
        assert!(back <= session + SLACK, "{library}, kill {kill}: back after {back:?}");
        member.listen(Duration::from_secs(1), |_| false);
        left.check(&member.said.first)
            .unwrap_or_else(|why| panic!("{library}, kill {kill}: {why}"));
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
        let mut members: Vec<_> = (0..3)
            .map(|_| ClientProcess::start(&python, library, &broker, SHORT, strategy))
            .collect();
        share(&mut members, library);
        let killed = members.pop().expect("three").kill();
        let at = Instant::now();
        share(&mut members, library);
        println!("{library}, {strategy}: taken over after {:?}", at.elapsed());
        let mut left = Left::default();
        left.by(&killed);
        for partition in &killed.assigned {
            let heir = members.iter().find(|member| member.said.assigned.contains(partition));
            let first = &heir.expect("somebody has it").said.first[partition];
            left.check([(partition, first)]).unwrap_or_else(|why| panic!("{library}: {why}"));
        }
    }
}

/// Waits until the members have every partition between them, and each reads all of its own.
fn share(members: &mut [ClientProcess], library: &str) {
    let end = Instant::now() + Duration::from_mins(1);
    let count = PARTITIONS / members.len();
    loop {
        for member in &mut *members {
            member.listen(Duration::from_millis(200), |_| false);
        }
        let said = || members.iter().map(|member| &member.said);
        let mut all: Vec<u64> = said().flat_map(|said| said.assigned.clone()).collect();
        all.sort_unstable();
        let whole = all == (0..PARTITIONS as u64).collect::<Vec<_>>();
        let fair = said().all(|said| said.assigned.len() == count);
        let reads =
            |said: &ReadProgress| said.assigned.iter().all(|own| said.first.contains_key(own));
        if whole && fair && said().all(reads) {
            return;
        }
        let shares: Vec<_> = said().map(|said| (&said.assigned, &said.first, &said.read)).collect();
        assert!(Instant::now() < end, "{library}: not shared, or not read: {shares:?}");
    }
}
