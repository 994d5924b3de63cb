//! Folders that a real broker of Kafka 4 wrote, or serves too, and what that broker gives to the
//! same consumer. It takes minutes, so it runs when it is asked for: `cargo test --test broker
//! kafka:: -- --ignored`, with ZCPROF_KAFKA, the folder of the broker's archives.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use zcprof::fetch::log::batch::BatchHeader;

use crate::cases::{CASES, data};
use crate::java::{Java, LEVELS, Real};
use crate::offsets::{LIBRARIES, kcat, python};
use crate::real::program;
use crate::topic::BrokerProcess;

/// What a broker knows of its own partition: which topic it is, and the epochs of its leaders.
const OWN: [&str; 2] = ["partition.metadata", "leader-epoch-checkpoint"];

/// Where a batch has its leader's epoch, which its checksum does not cover.
const EPOCH: Range<usize> = 12..16;

const TOPICS: [&str; 3] = ["transactions", "compacted", "deleted"];

fn same(expected: &[(String, String)], found: &[(String, String)]) {
    for ((what, expected), (_, found)) in expected.iter().zip(found) {
        let (records, others) = (expected.lines().count(), found.lines().count());
        assert!(expected == found, "{what}: {records} lines, and {others} were to come");
        assert!(records > 50, "{what}: {records} lines");
        println!("{what}: {records} lines are the same");
    }
}

#[test]
#[ignore = "it starts a real broker"]
fn a_real_brokers_folder_gives_what_that_broker_gave() {
    let name = "a_real_brokers_folder_gives_what_that_broker_gave";
    let Some(archives) = program("ZCPROF_KAFKA", name) else { return };
    let java = Java::new(&archives);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let real = Real::start(&java, folder.path(), true);
    real.client(&["write"]);
    let expected = java.read(real.address, &TOPICS);
    let logs = real.end(Signal::SIGTERM);
    let broker = BrokerProcess::start(&logs, "sendfile");
    same(&expected, &java.read(broker.address, &TOPICS));
    drop(broker);

    // It is killed, and what it gives is compared once it was started again; its cleaner must not
    // run meanwhile.
    let real = Real::start(&java, folder.path(), false);
    real.client(&["more"]);
    let logs = real.end(Signal::SIGKILL);
    let copy = folder.path().join("copy");
    let copied = Command::new("cp").arg("-r").args([&logs, &copy]).status();
    assert!(copied.expect("cp starts").success());
    let real = Real::start(&java, folder.path(), false);
    let expected = java.read(real.address, &TOPICS);
    drop(real);
    let broker = BrokerProcess::start(&copy, "sendfile");
    same(&expected, &java.read(broker.address, &TOPICS));
}

#[test]
#[ignore = "it starts Java"]
fn the_java_client_reads_every_case() {
    let Some(archives) = program("ZCPROF_KAFKA", "the_java_client_reads_every_case") else {
        return;
    };
    let java = Java::new(&archives);
    let broker = BrokerProcess::start(&data("cases"), "sendfile");
    let address = broker.address.to_string();
    for (topic, committed, all) in CASES {
        assert_eq!(java.offsets(&address, topic, LEVELS[0]), committed, "{topic}");
        assert_eq!(java.offsets(&address, topic, LEVELS[1]), all, "{topic}");
    }
    let every: Vec<u64> = (0..30).collect();
    assert_eq!(java.offsets(&address, "gz2", LEVELS[0]), every);
    let broker = BrokerProcess::start(&data("log-start"), "sendfile");
    assert_eq!(java.offsets(&broker.address.to_string(), "t", LEVELS[1]), [2]);
}

/// What clients make of folders in use is theirs: each is compared with itself, as it reads the
/// same bytes from a real broker. (librdkafka, for one, reads the first member of gzip only.)
#[test]
#[ignore = "it starts a real broker"]
fn every_client_reads_what_it_reads_from_a_real_broker() {
    let name = "every_client_reads_what_it_reads_from_a_real_broker";
    let (Some(archives), Some(kcat_program), Some(python_program)) = (
        program("ZCPROF_KAFKA", name),
        program("ZCPROF_KCAT", name),
        program("ZCPROF_PYTHON", name),
    ) else {
        return;
    };
    let java = Java::new(&archives);
    let all = |served: &[(&str, String)]| {
        let mut read = Vec::new();
        let each = served.iter().flat_map(|one| LEVELS.map(|level| (one, level)));
        for ((topic, address), level) in each {
            let address = address.as_str();
            let mut add = |client: &str, offsets| {
                read.push((format!("{client}, {topic}, {level}"), offsets));
            };
            add("Java", java.offsets(address, topic, level));
            add("kcat", kcat(&kcat_program, address, topic, level));
            for library in LIBRARIES {
                add(library, python(&python_program, library, address, topic, level));
            }
        }
        read
    };
    let folders: Vec<_> = CASES.iter().map(|(name, ..)| ("cases", *name)).collect();
    let folders = [&folders[..], &[("cases", "gz2"), ("log-start", "t")]].concat();
    let names: Vec<&str> = folders.iter().map(|(_, name)| *name).collect();

    let folder = tempfile::tempdir().expect("a temporary folder");
    let real = Real::start(&java, folder.path(), false);
    real.client(&[&["create"], &names[..]].concat());
    let logs = real.end(Signal::SIGTERM);
    for (of, name) in &folders {
        replace(&logs.join(format!("{name}-0")), &data(of).join(format!("{name}-0")));
    }
    let start = "log-start-offset-checkpoint";
    fs::copy(data("log-start").join(start), logs.join(start)).expect("copied");
    fs::remove_file(logs.join(".kafka_cleanshutdown")).expect("it was there");
    let real = Real::start(&java, folder.path(), false);
    let address = real.address.to_string();
    let expected = all(&names.iter().map(|name| (*name, address.clone())).collect::<Vec<_>>());
    drop(real);

    let brokers =
        ["cases", "log-start"].map(|of| (of, BrokerProcess::start(&data(of), "sendfile")));
    let of = |wanted: &str| brokers.iter().find(|(of, _)| *of == wanted).expect("served");
    let served = folders.iter().map(|(from, name)| (*name, of(from).1.address.to_string()));
    let found = all(&served.collect::<Vec<_>>());
    assert_eq!(expected.len(), found.len());
    let other = expected.iter().zip(&found).filter(|(expected, found)| expected != found);
    assert_eq!(other.count(), 0, "expected {expected:#?}, found {found:#?}");
    for (what, offsets) in &found {
        println!("{what}: {} records from both", offsets.len());
    }
}

/// Puts the files of one partition into the folder of another, as if that broker had led it: with
/// its first epoch, or clients would take the records for those of a leader that is to come.
fn replace(folder: &Path, with: &Path) {
    let entries = |folder: &Path| {
        let entries = fs::read_dir(folder).expect("a folder");
        entries.map(|entry| entry.expect("an entry").path()).collect::<Vec<_>>()
    };
    let own = |path: &Path| OWN.iter().any(|name| path.ends_with(name));
    for old in entries(folder).into_iter().filter(|path| !own(path)) {
        fs::remove_file(old).expect("removed");
    }
    for new in entries(with).into_iter().filter(|path| !own(path)) {
        let to = folder.join(new.file_name().expect("a name"));
        let mut bytes = fs::read(&new).expect("readable");
        if new.to_string_lossy().contains(".log") {
            let mut rest = &mut bytes[..];
            while let Ok(header) = BatchHeader::read(rest) {
                rest[EPOCH].fill(0);
                rest = &mut rest[header.length..];
            }
        }
        fs::write(to, bytes).expect("written");
    }
}
