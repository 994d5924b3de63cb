//! Every way to damage a log, and what must be said of it: which file, where, and what.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use zcprof::fetch::log::{Batch, Damage, IndexDamage, Log, LogError, segment_name};

use super::{at_time, files, gold_copy, records, small};

/// Kafka's `segment.index.bytes`: the length of the indexes of a segment that is appended to.
const PREALLOCATED: u64 = 10 << 20;

fn overwrite(path: &Path, position: u64, bytes: &[u8]) {
    let file = OpenOptions::new().write(true).open(path).expect("writable");
    file.write_all_at(bytes, position).expect("written");
}

fn resize(path: &Path, length: impl Fn(u64) -> u64) {
    let file = OpenOptions::new().write(true).open(path).expect("writable");
    let old = file.metadata().expect("there").len();
    file.set_len(length(old)).expect("resized");
}

/// Harms a small log, which has batches of 5 records and 2 KiB and 4 segments, and returns what
/// is said of it.
fn harmed(harm: impl FnOnce(&Path, &Log)) -> LogError {
    let (_folder, path) = small();
    let log = Log::open(&path).expect("an intact log");
    harm(&path, &log);
    Log::open(&path).expect_err("damaged")
}

/// The damage, if it is in that file at that position.
fn segment_damage(error: LogError, file: &str, at: u64) -> Damage {
    assert!(error.to_string().contains(&format!("at byte {at}:")), "{error}");
    match error {
        LogError::Damaged { path, position, damage } => {
            assert_eq!((path.file_name(), position), (Some(file.as_ref()), at), "{damage}");
            damage
        }
        other => panic!("{other}"),
    }
}

fn index_damage(error: LogError, file: &str, at: u64) -> IndexDamage {
    assert!(error.to_string().contains(&format!("at byte {at}:")), "{error}");
    match error {
        LogError::Index { path, position, damage } => {
            assert_eq!((path.file_name(), position), (Some(file.as_ref()), at), "{damage}");
            damage
        }
        other => panic!("{other}"),
    }
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).expect("a name")
}

#[test]
fn a_torn_tail_is_named_by_the_batch_that_is_cut() {
    for missing in [1, 100] {
        let mut torn = (String::new(), 0);
        let error = harmed(|path, log| {
            let last = log.batches().last().expect("batches");
            let file = files(path, "log").pop().expect("segments");
            torn = (name(&file).to_owned(), last.position);
            resize(&file, |length| length - missing);
        });
        assert_eq!(segment_damage(error, &torn.0, torn.1), Damage::Torn);
    }
    let mut torn = (String::new(), 0);
    let error = harmed(|path, log| {
        let last = log.batches().last().expect("batches");
        let file = files(path, "log").pop().expect("segments");
        torn = (name(&file).to_owned(), last.position);
        // Not even a header is left.
        resize(&file, |_| last.position + 5);
    });
    assert_eq!(segment_damage(error, &torn.0, torn.1), Damage::Torn);
}

#[test]
fn a_flipped_bit_anywhere_in_a_batch_is_found() {
    let (_folder, path) = small();
    let log = Log::open(&path).expect("an intact log");
    let batch = log.batches()[1];
    let file = &files(&path, "log")[0];
    let intact = fs::read(file).expect("readable");
    // The offset and the leader's epoch are the broker's own, and not under the CRC. A greater
    // offset is a gap, which no batch but an index contradicts.
    let offset = batch.position..batch.position + 8;
    let epoch = batch.position + 12..batch.position + 16;
    let positions = (batch.position..batch.position + batch.length)
        .filter(|at| !epoch.contains(at) && !offset.contains(at));
    for at in positions.step_by(7) {
        let byte = usize::try_from(at).expect("small");
        overwrite(file, at, &[intact[byte] ^ 0x10]);
        let error = Log::open(&path).expect_err("damaged");
        overwrite(file, at, &intact[byte..=byte]);
        match error {
            LogError::Damaged { position, .. } => assert_eq!(position, batch.position, "{at}"),
            other => panic!("{at}: {other}"),
        }
    }
}

#[test]
fn a_segment_that_is_missing_is_named() {
    for (number, ending) in [(0, "index"), (1, "index"), (3, "index"), (3, "timeindex")] {
        let mut expected = (PathBuf::new(), PathBuf::new());
        let error = harmed(|path, _| {
            let segment = files(path, "log").swap_remove(number);
            fs::remove_file(&segment).expect("removed");
            for other in ["index", "timeindex"].iter().filter(|other| **other != ending) {
                fs::remove_file(segment.with_extension(other)).expect("removed");
            }
            expected = (segment.clone(), segment.with_extension(ending));
        });
        match error {
            LogError::Missing { segment, index } => assert_eq!((segment, index), expected),
            other => panic!("{other}"),
        }
    }
}

/// Compaction leaves gaps between batches, and between segments.
#[test]
fn a_batch_that_is_missing_in_a_segment_is_none_of_damage() {
    let (_folder, path) = small();
    let log = Log::open(&path).expect("an intact log");
    let [before, gone, next, ..] = log.batches() else { panic!("batches") };
    let file = &files(&path, "log")[0];
    let bytes = fs::read(file).expect("readable");
    let range = |batch: &Batch| {
        let begin = usize::try_from(batch.position).expect("small");
        begin..begin + usize::try_from(batch.length).expect("small")
    };
    let rest = [&bytes[..range(gone).start], &bytes[range(next).start..]].concat();
    fs::write(file, rest).expect("written");
    for ending in ["index", "timeindex"] {
        fs::remove_file(file.with_extension(ending)).expect("removed");
    }
    let compacted = Log::open(&path).expect("a gap is no damage");
    let found = compacted.find(gone.base_offset).expect("readable").expect("the next one");
    assert_eq!((found.base_offset, found.position), (next.base_offset, gone.position));
    assert_eq!((compacted.start_offset(), compacted.end_offset()), (0, log.end_offset()));

    let turned = [&bytes[range(gone)], &bytes[range(before)]].concat();
    fs::write(file, turned).expect("written");
    let error = Log::open(&path).expect_err("offsets that do not rise are damage");
    let damage = segment_damage(error, name(file), gone.length);
    let expected = gone.next_offset.cast_signed();
    assert_eq!(damage, Damage::NotRising { found: before.base_offset.cast_signed(), expected });
}

const FIRST: &str = "00000000000000000000";

/// The entry of an offset index of the first segment is overwritten.
fn entry_harmed(number: u64, entry: impl Fn(&Log) -> (u64, u64)) -> IndexDamage {
    let error = harmed(|path, log| {
        let (offset, position) = entry(log);
        let word = |number: u64| u32::try_from(number).expect("small").to_be_bytes();
        let entry = [word(offset), word(position)].concat();
        overwrite(&path.join(FIRST).with_extension("index"), number * 8, &entry);
    });
    index_damage(error, &format!("{FIRST}.index"), number * 8)
}

#[test]
fn an_offset_index_that_disagrees_is_named_by_the_entry() {
    // Batches 3, 6 and 9 have entries: each comes after two more of 2 KiB.
    let batch = |log: &Log, at: usize| log.batches()[at];
    let last = |log: &Log, at: usize| batch(log, at).next_offset - 1;
    let (_folder, path) = small();
    let log = Log::open(&path).expect("an intact log");
    let bytes = fs::read(path.join(FIRST).with_extension("index")).expect("readable");
    let positions = bytes.as_chunks::<8>().0.iter().map(|entry| u64::from(entry[7]));
    let expected = [3, 6, 9].map(|at| log.batches()[at].position & 0xff);
    assert!(positions.take(3).eq(expected));

    let behind = log.segments()[0].length;
    let damage = entry_harmed(1, |log| (last(log, 6), behind));
    assert_eq!(damage, IndexDamage::Beyond { position: behind, length: behind });
    let damage = entry_harmed(1, |log| (last(log, 6), 0xffff_fff0));
    assert_eq!(damage, IndexDamage::Beyond { position: 0xffff_fff0, length: behind });
    let position = log.batches()[6].position + 1;
    let damage = entry_harmed(1, |log| (last(log, 6), position));
    assert_eq!(damage, IndexDamage::NoBatch { position });
    for offset in [last(&log, 6) - 1, last(&log, 6) + 1, last(&log, 5)] {
        let damage = entry_harmed(1, |log| (offset, batch(log, 6).position));
        assert_eq!(damage, IndexDamage::Offset { offset });
    }
    for (offset, position) in [(3, 6), (6, 3), (3, 3), (2, 2)] {
        let damage = entry_harmed(1, |log| (last(log, offset), batch(log, position).position));
        assert_eq!(damage, IndexDamage::NotRising);
    }
    assert_eq!(entry_harmed(1, |_| (0, 0)), IndexDamage::NotRising, "zeros are a tail");
}

/// A follower appends as many batches as it fetched, and an entry stands for all of them.
#[test]
fn an_entry_may_stand_for_an_append_of_several_batches() {
    let (_folder, path) = small();
    let log = Log::open(&path).expect("an intact log");
    let last = u32::try_from(log.batches()[8].next_offset - 1).expect("small");
    overwrite(&path.join(FIRST).with_extension("index"), 8, &last.to_be_bytes());
    let log = Log::open(&path).expect("an intact log");
    for offset in 0..log.end_offset() {
        let batch = log.batches()[log.batch_at(offset).expect("a batch")];
        assert!((batch.base_offset..batch.next_offset).contains(&offset));
    }
}

#[test]
fn a_time_index_that_disagrees_is_named_by_the_entry() {
    let harmed_at = |number: u64, from: u64, bytes: &[u8]| {
        let error = harmed(|path, _| {
            overwrite(&path.join(FIRST).with_extension("timeindex"), number * 12 + from, bytes);
        });
        index_damage(error, &format!("{FIRST}.timeindex"), number * 12)
    };
    let (_folder, path) = small();
    let log = Log::open(&path).expect("an intact log");
    let time = |at: usize| log.batches()[at].max_timestamp;
    let last = |at: usize| log.batches()[at].next_offset - 1;
    let word = |offset: u64| u32::try_from(offset).expect("small").to_be_bytes();
    // Entry 1 is batch 6's.
    for wrong in [time(6) - 1, time(6) + 1] {
        let damage = harmed_at(1, 0, &wrong.to_be_bytes());
        let expected = IndexDamage::Timestamp { timestamp: wrong, offset: last(6) };
        assert_eq!(damage, expected);
    }
    for offset in [last(5), last(6) + 1] {
        let damage = harmed_at(1, 8, &word(offset));
        assert_eq!(damage, IndexDamage::Timestamp { timestamp: time(6), offset });
    }
    assert_eq!(harmed_at(1, 0, &time(3).to_be_bytes()), IndexDamage::NotRising);
    assert_eq!(harmed_at(1, 8, &word(last(3))), IndexDamage::NotRising);
    let offset = log.segments()[1].base_offset;
    assert_eq!(harmed_at(1, 8, &word(offset)), IndexDamage::Offset { offset });
    assert_eq!(harmed_at(1, 8, &[0xff; 4]), IndexDamage::Offset { offset: 0xffff_ffff });
}

#[test]
fn an_index_that_is_cut_within_an_entry_is_named() {
    for (ending, entry) in [("index", 8), ("timeindex", 12)] {
        for more in 1..entry {
            let mut before = 0;
            let error = harmed(|path, _| {
                resize(&path.join(FIRST).with_extension(ending), |length| length + more);
                let length = fs::metadata(path.join(FIRST).with_extension(ending));
                before = length.expect("there").len() - more;
            });
            let damage = index_damage(error, &format!("{FIRST}.{ending}"), before);
            let entry = usize::try_from(entry).expect("small");
            assert_eq!(damage, IndexDamage::Length { length: before + more, entry });
        }
    }
}

/// The last segment of a running broker: sparse indexes, no entry for the greatest timestamp yet.
#[test]
fn preallocated_indexes_are_used() {
    let (_folder, path) = gold_copy();
    let intact = Log::open(&path).expect("an intact log");
    for (ending, entry) in [("index", 8), ("timeindex", 12)] {
        resize(&path.join(FIRST).with_extension(ending), |_| PREALLOCATED / entry * entry);
    }
    let log = Log::open(&path).expect("an intact log");
    for offset in 0..=log.end_offset() {
        assert_eq!(log.batch_at(offset), intact.batch_at(offset));
    }
    for record in records(&intact) {
        let time = record.timestamp;
        assert_eq!(at_time(&log, time), at_time(&intact, time));
    }
    let found = intact.batch_at(700);
    // What is mapped must not be cut.
    drop((log, intact));
    for ending in ["index", "timeindex"] {
        resize(&path.join(FIRST).with_extension(ending), |_| 0);
    }
    let log = Log::open(&path).expect("an index may be empty");
    assert_eq!(log.batch_at(700), found);
}

#[test]
fn files_that_are_none_of_a_readers_business_are_ignored() {
    let (_folder, path) = small();
    for other in [
        "leader-epoch-checkpoint",
        "partition.metadata",
        "00000000000000000003.snapshot",
        "00000000000000000003.log.deleted",
        "00000000000000000003.index.deleted",
        "00000000000000000003.txnindex",
        "+0000000000000000003.log",
        "notes.index",
    ] {
        fs::write(path.join(other), "not a batch").expect("written");
    }
    Log::open(&path).expect("an intact log");
}

/// Kafka's offsets are signed. What an entry adds to a greater one would be no number.
#[test]
fn files_that_are_named_after_no_offset_are_ignored() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("orders-0");
    fs::create_dir(&path).expect("made");
    let segment = path.join(segment_name(u64::MAX));
    fs::write(&segment, "").expect("written");
    // A timestamp, and the relative offset of its record.
    fs::write(segment.with_extension("timeindex"), [1; 12]).expect("written");
    let error = Log::open(&path).expect_err("refused");
    assert!(matches!(error, LogError::Empty(_)), "{error}");
}
