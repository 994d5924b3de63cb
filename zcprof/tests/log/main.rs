//! The log on disk: what a real broker wrote, what zcprof writes, and what is refused.

mod cases;
mod damage;
mod make_log;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tempfile::TempDir;
use zcprof::fetch::log::batch::BatchHeader;
use zcprof::fetch::log::digest::RecordDigest;
use zcprof::fetch::log::records::{self, Record};
use zcprof::fetch::log::{Batch, Codec, IndexRule, Log, MakeLog, make, make_topic};

/// Several segments with several entries in each index.
const SMALL: MakeLog = MakeLog {
    bytes: 200_000,
    segment_bytes: 60_000,
    batch_bytes: 1_500,
    record_bytes: 333,
    seed: 7,
    ..MakeLog::DEFAULT
};

/// What an Apache Kafka 3.9.0 broker wrote, with everything that it keeps beside the segments.
fn gold() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/gold-0")
}

fn small() -> (TempDir, PathBuf) {
    made("orders-3", &SMALL)
}

fn made(name: &str, wanted: &MakeLog) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(name);
    make(&path, wanted).expect("a log");
    (folder, path)
}

fn records(log: &Log) -> Vec<Record> {
    let batches = each_batch(log);
    let decode = |batch| records::decode(log.read(batch).expect("readable")).expect("records");
    batches.iter().flat_map(decode).collect()
}

fn each_batch(log: &Log) -> Vec<Batch> {
    log.each_batch().expect("readable")
}

fn at_time(log: &Log, timestamp: i64) -> Option<(u64, i64)> {
    log.offset_at_time(timestamp).expect("readable")
}

fn files(path: &Path, ending: &str) -> Vec<PathBuf> {
    let paths = fs::read_dir(path).expect("the log").map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<_> =
        paths.filter(|path| path.extension() == Some(ending.as_ref())).collect();
    paths.sort();
    paths
}

#[test]
fn a_brokers_folder_opens_as_it_is() {
    let log = Log::open(&gold()).expect("an intact log");
    assert_eq!((log.topic(), log.partition()), ("gold", 0));
    assert_eq!((each_batch(&log).len(), log.start_offset(), log.end_offset()), (44, 0, 720));
}

/// Lines of offset | key | headers | length of the value | value.
#[test]
fn a_brokers_records_of_every_codec_decode_to_what_was_sent() {
    let log = Log::open(&gold()).expect("an intact log");
    let expected = gold().with_file_name("gold-0.expected-records.txt");
    let expected = fs::read_to_string(expected).expect("readable");
    let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).expect("text");
    let lines = records(&log).into_iter().map(|record| {
        let header = |(name, value): (_, &Option<Bytes>)| {
            format!("{name}={}", text(value.as_ref().expect("a value")))
        };
        let headers = record.headers.iter().map(|(name, value)| header((name.as_str(), value)));
        let headers = headers.collect::<Vec<_>>().join(",");
        let key = text(&record.key.expect("a key"));
        let value = text(&record.value.expect("a value"));
        format!("{}|{key}|{headers}|{}|{value}", record.offset, value.len())
    });
    let mut count = 0;
    for (found, expected) in lines.zip(expected.lines()) {
        assert_eq!(found, expected);
        count += 1;
    }
    assert_eq!((count, expected.lines().count()), (720, 720));
}

#[test]
fn the_rule_makes_the_indexes_that_a_broker_made() {
    let log = Log::open(&gold()).expect("an intact log");
    let (offsets, times) = indexes_by_rule(&log, 0);
    let segment = &log.segments()[0].path;
    assert_eq!(offsets.len(), 15 * 8);
    assert_eq!(fs::read(segment.with_extension("index")).expect("readable"), offsets);
    assert_eq!(fs::read(segment.with_extension("timeindex")).expect("readable"), times);
}

#[test]
fn the_indexes_of_a_log_that_is_made_follow_the_rule() {
    let (_folder, path) = small();
    let log = Log::open(&path).expect("an intact log");
    for (number, segment) in log.segments().iter().enumerate() {
        let (offsets, times) = indexes_by_rule(&log, number);
        assert!(offsets.len() / 8 >= 4, "every 4 KiB and more");
        assert_eq!(fs::read(segment.path.with_extension("index")).expect("readable"), offsets);
        assert_eq!(fs::read(segment.path.with_extension("timeindex")).expect("readable"), times);
    }
}

fn indexes_by_rule(log: &Log, segment: usize) -> (Vec<u8>, Vec<u8>) {
    let base = log.segments()[segment].base_offset;
    let mut rule = IndexRule::new(base.cast_signed());
    for batch in each_batch(log).iter().filter(|batch| batch.segment == segment) {
        let last = (batch.next_offset - 1).cast_signed();
        rule.append(batch.position, batch.length, last, batch.max_timestamp).expect("it fits");
    }
    rule.finish().expect("it fits")
}

#[test]
fn every_offset_is_found_where_a_scan_finds_it_with_and_without_an_index() {
    let (_folder, path) = small();
    for path in [path, gold_copy().1] {
        let indexed = Log::open(&path).expect("an intact log");
        for file in files(&path, "index").iter().step_by(2) {
            fs::remove_file(file).expect("removed");
        }
        let some = Log::open(&path).expect("indexes may be missing");
        for offset in 0..indexed.end_offset() + 3 {
            let holds = |batch: &Batch| (batch.base_offset..batch.next_offset).contains(&offset);
            let scanned = indexed.batches().iter().position(holds);
            assert_eq!(indexed.batch_at(offset), scanned, "{offset}");
            assert_eq!(some.batch_at(offset), scanned, "{offset}");
        }
    }
}

#[test]
fn every_timestamp_is_found_where_a_scan_finds_it_with_and_without_an_index() {
    let (_folder, path) = small();
    for path in [path, gold_copy().1] {
        let indexed = Log::open(&path).expect("an intact log");
        for file in files(&path, "timeindex").iter().step_by(2) {
            fs::remove_file(file).expect("removed");
        }
        let some = Log::open(&path).expect("indexes may be missing");
        let records = records(&indexed);
        let times: BTreeSet<i64> = records.iter().map(|record| record.timestamp).collect();
        for time in times.iter().flat_map(|time| [time - 1, *time, time + 1]).chain([i64::MIN, 0]) {
            let first = records.iter().find(|record| record.timestamp >= time);
            let first = first.map(|record| (record.offset.cast_unsigned(), record.timestamp));
            assert_eq!(at_time(&indexed, time), first, "{time}");
            assert_eq!(at_time(&some, time), first, "{time}");
        }
        assert_eq!(at_time(&indexed, i64::MAX), None);
    }
}

/// Where timestamps fall, the time index holds the greatest so far, as Kafka's does.
#[test]
fn timestamps_need_not_rise() {
    let times = [100, 90, 130, 120, 130, 140, 10, 140, 200];
    let batches = (0..).zip(times).map(|(number, time)| {
        let values = (0..20).map(|index| {
            let offset = number * 20 + index;
            let value = Some(Bytes::from(vec![b'v'; 100]));
            records::record(offset, time - index % 3, None, value, &[])
        });
        records::encode(&mut values.collect::<Vec<_>>(), Codec::None).expect("a batch")
    });
    let (_folder, path) = written(batches);
    let log = Log::open(&path).expect("an intact log");
    let records = records(&log);
    for time in 0..210 {
        let first = records.iter().find(|record| record.timestamp >= time);
        let first = first.map(|record| (record.offset.cast_unsigned(), record.timestamp));
        assert_eq!(at_time(&log, time), first, "{time}");
    }
}

/// Bit 3 of the attributes: the broker's time holds for every record, whatever it says itself.
#[test]
fn a_batch_that_the_broker_stamped_has_one_timestamp() {
    let mut values: Vec<_> = (0..3).map(|i| records::record(i, 50, None, None, &[])).collect();
    let (batch, _) = records::encode(&mut values, Codec::None).expect("a batch");
    let mut batch = batch.to_vec();
    batch[22] |= 1 << 3;
    batch[35..43].copy_from_slice(&70_i64.to_be_bytes());
    let (_folder, path) = written([signed(batch)]);
    let log = Log::open(&path).expect("an intact log");
    assert_eq!((at_time(&log, 60), at_time(&log, 71)), (Some((0, 70)), None));
    assert_eq!(records(&log)[2].timestamp, 70);
}

/// Nothing is reserved for records that cannot be there; the answer is an error.
#[test]
fn a_batch_that_claims_too_much_is_refused_by_the_decoder() {
    let mut values = [records::record(0, 50, None, None, &[])];
    for codec in Codec::ALL {
        let (batch, _) = records::encode(&mut values, *codec).expect("a batch");
        let mut batch = batch.to_vec();
        batch[57..61].copy_from_slice(&i32::MAX.to_be_bytes());
        let (batch, header) = signed(batch);
        assert!(records::decode(batch.clone()).is_err(), "{}", codec.name());
        let (_folder, path) = written([(batch, header)]);
        let log = Log::open(&path).expect("its CRC is right");
        let error = log.offset_at_time(0).expect_err("an error is no answer");
        assert!(error.to_string().contains("claims 2147483647 records"), "{error}");
    }
}

/// A batch that was changed, with the CRC that it must claim then.
fn signed(mut batch: Vec<u8>) -> (Bytes, BatchHeader) {
    let crc = zcprof::fetch::log::batch::crc(&batch);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    let header = BatchHeader::read(&batch).expect("a header");
    (batch.into(), header)
}

/// One segment of these batches, with its indexes.
fn written(batches: impl IntoIterator<Item = (Bytes, BatchHeader)>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("orders-0");
    fs::create_dir(&path).expect("made");
    let (mut bytes, mut rule) = (Vec::new(), IndexRule::new(0));
    for (batch, header) in batches {
        let (last, time) = (header.next_offset - 1, header.max_timestamp);
        rule.append(bytes.len() as u64, batch.len() as u64, last, time).expect("it fits");
        bytes.extend_from_slice(&batch);
    }
    let (offsets, times) = rule.finish().expect("it fits");
    for (ending, bytes) in [("log", bytes), ("index", offsets), ("timeindex", times)] {
        fs::write(path.join("00000000000000000000").with_extension(ending), bytes)
            .expect("written");
    }
    (folder, path)
}

#[test]
fn every_codec_brings_keys_values_and_headers_back() {
    let bytes = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
    let headers = [("trace", bytes("00ff")), ("empty", bytes("")), ("null", None)];
    let mut sent = [
        records::record(40, 5, bytes("key"), bytes("value"), &headers),
        records::record(41, 6, None, bytes(""), &[]),
        records::record(42, 6, bytes(""), None, &headers[..1]),
    ];
    for codec in Codec::ALL {
        let (batch, header) = records::encode(&mut sent, *codec).expect("a batch");
        assert_eq!((header.base_offset, header.next_offset, header.max_timestamp), (40, 43, 6));
        assert_eq!(Codec::ALL[usize::from(batch[22] & 7)], *codec);
        assert_eq!(records::decode(batch).expect("records"), sent, "{}", codec.name());
    }
}

#[test]
fn a_log_of_every_codec_holds_the_same_records_and_compresses_as_text_does() {
    let plain = MakeLog { records: Some(3_000), ..SMALL };
    let (_folder, path) = made("orders-3", &plain);
    let plain_log = Log::open(&path).expect("an intact log");
    let mut digests = BTreeSet::new();
    for codec in Codec::ALL {
        let wanted = MakeLog { codec: *codec, batch_bytes: 16 << 10, ..plain };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("orders-3");
        let made = make(&path, &wanted).expect("a log");
        let log = Log::open(&path).expect("an intact log");
        assert_eq!((made.records, made.end_offset, log.end_offset()), (3_000, 3_000, 3_000));
        assert_eq!((made.segments, made.bytes), (log.segments().len() as u64, log.bytes()));
        let mut digest = RecordDigest::default();
        for record in records(&log) {
            digest.add(&record);
        }
        assert_eq!(digest.finish(), made.sha256, "{}", codec.name());
        digests.insert(made.sha256.to_string());
        let percent = log.bytes() * 100 / plain_log.bytes();
        let expected = if *codec == Codec::None { 90..=100 } else { 20..=75 };
        assert!(expected.contains(&percent), "{}: {percent} %", codec.name());
    }
    assert_eq!(digests.len(), 1, "records do not depend on the codec");
    let other = MakeLog { seed: 8, ..plain };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let other = make(&folder.path().join("orders-3"), &other).expect("a log");
    assert!(!digests.contains(&other.sha256.to_string()), "the seed matters");
}

#[test]
fn segments_roll_before_they_exceed_their_size() {
    let (_folder, path) = small();
    let log = Log::open(&path).expect("an intact log");
    assert_eq!(log.segments().len(), 4);
    for (number, segment) in log.segments().iter().enumerate() {
        assert!(segment.length <= SMALL.segment_bytes);
        if let Some(next) = log.segments().get(number + 1) {
            let batch = log.batch_at(next.base_offset).expect("its first batch");
            let length = log.batches()[batch].length;
            assert!(segment.length + length > SMALL.segment_bytes, "it rolled too early");
        }
    }
}

#[test]
fn a_topics_partitions_share_the_records() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let wanted = MakeLog { records: Some(8), ..SMALL };
    let topic = make_topic(folder.path(), "orders", 3, &wanted, &|| false).expect("a topic");
    let records: Vec<_> = topic.partitions.iter().map(|made| made.records).collect();
    assert_eq!((records, topic.records), (vec![3, 3, 2], 8));
    let empty = tempfile::tempdir().expect("a temporary folder");
    let wanted = MakeLog { records: Some(1), ..SMALL };
    make_topic(empty.path(), "orders", 2, &wanted, &|| false).expect("a topic");
    let log = Log::open(&empty.path().join("orders-1")).expect("a broker's new partition is empty");
    assert_eq!((log.start_offset(), log.end_offset(), log.batch_at(0)), (0, 0, None));
    assert_eq!(at_time(&log, 0), None);
}

#[test]
fn a_topic_that_is_interrupted_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let directory = folder.path().join("deep/er");
    let batches = std::sync::atomic::AtomicU32::new(0);
    let stop = || batches.fetch_add(1, std::sync::atomic::Ordering::Relaxed) > 100;
    let error = make_topic(&directory, "orders", 3, &SMALL, &stop).expect_err("interrupted");
    assert!(format!("{error:#}").contains("interrupted"), "{error:#}");
    assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 0);
}

fn gold_copy() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("gold-0");
    fs::create_dir(&path).expect("made");
    for entry in fs::read_dir(gold()).expect("readable") {
        let entry = entry.expect("an entry");
        fs::copy(entry.path(), path.join(entry.file_name())).expect("copied");
    }
    (folder, path)
}
