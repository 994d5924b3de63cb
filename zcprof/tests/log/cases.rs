//! Folders as brokers leave them: transactions, compaction, deleted records, torn tails.

use std::fs;
use std::path::{Path, PathBuf};

use zcprof::fetch::log::{Damage, Load, Log, LogError, MakeLog, PartitionState, Progress, Topics};

use super::{at_time, each_batch, made};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn case(name: &str) -> PathBuf {
    data("cases").join(format!("{name}-0"))
}

/// The only partition of a case, as `zcprof serve` opens it.
fn served(name: &str) -> Topics {
    Topics::open(&case(name)).expect("a partition")
}

fn only(topics: &Topics) -> &Log {
    topics.logs().next().expect("it is served")
}

fn bounds(log: &Log) -> (u64, u64) {
    (log.start_offset(), log.end_offset())
}

#[test]
fn aborted_transactions_are_known_with_and_without_their_index() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bare = folder.path().join("txnaborted-0");
    fs::create_dir(&bare).expect("made");
    let segment = "00000000000000000000.log";
    fs::copy(case("txnaborted").join(segment), bare.join(segment)).expect("copied");
    for path in [case("txnaborted"), bare] {
        let log = Log::open(&path).expect("an intact log");
        let aborted: Vec<_> = log.transactions().aborted(0, 8).collect();
        assert_eq!(aborted.len(), 1, "{aborted:?}");
        assert_eq!((aborted[0].producer_id, aborted[0].first_offset), (1000, 0));
        assert_eq!(aborted[0].last_offset, 3);
        assert_eq!((log.end_offset(), log.last_stable_offset()), (8, 8));
    }
}

#[test]
fn what_compaction_left_out_is_no_damage() {
    let log = Log::open(&case("compactgap")).expect("gaps between batches");
    assert_eq!(bounds(&log), (0, 11));
    let at = |log: &Log, offset| log.find(offset).expect("readable").map(|p| p.base_offset);
    assert_eq!((at(&log, 2), at(&log, 4), at(&log, 11)), (Some(0), Some(6), None));
    let log = Log::open(&case("compactseg")).expect("a gap at a segment's end");
    assert_eq!((bounds(&log), at(&log, 7)), ((0, 13), Some(11)));
    let (_, range) = log.slice(3, 1 << 20).expect("readable").expect("a batch");
    assert_eq!(range, 94..188, "no further than its segment");
}

#[test]
fn gzip_may_have_several_members() {
    let log = Log::open(&case("gz2")).expect("an intact log");
    assert_eq!(at_time(&log, 1_700_000_000_100), Some((10, 1_700_000_000_100)));
}

#[test]
fn zeros_behind_the_last_batch_are_cut_and_said() {
    let topics = served("zerotail");
    assert_eq!(bounds(only(&topics)), (0, 3));
    assert_eq!(only(&topics).bytes(), 94);
    let said = topics.said().concat();
    assert!(said.contains("torn at byte 94: 4096 bytes of zeros"), "{said}");
    let error = Log::open(&case("zerotail")).expect_err("a measurement is strict");
    let LogError::Damaged { damage, position: 94, .. } = error else { panic!("{error}") };
    assert_eq!(damage, Damage::Zeros { bytes: 4096 });
}

#[test]
fn what_lies_before_the_recovery_point_is_not_cut() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let copied = folder.path().join("zerotail-0");
    fs::create_dir(&copied).expect("made");
    for file in fs::read_dir(case("zerotail")).expect("there") {
        let path = file.expect("a file").path();
        fs::copy(&path, copied.join(path.file_name().expect("a name"))).expect("copied");
    }
    // The recovery point is in the active segment, which is then verified whole.
    fs::write(folder.path().join("recovery-point-offset-checkpoint"), "0\n1\nzerotail 0 3\n")
        .expect("written");
    assert_eq!(bounds(only(&Topics::open(folder.path()).expect("served"))), (0, 3));
    fs::write(copied.join("00000000000000000003.log"), "").expect("written");
    let topics = Topics::open(folder.path()).expect("a topic");
    let states: Vec<_> = topics.partitions().map(|partition| partition.state()).collect();
    assert!(
        matches!(states[..], [Some(PartitionState::LeftOut(LogError::Damaged { .. }))]),
        "{states:?}"
    );
    fs::remove_file(folder.path().join("recovery-point-offset-checkpoint")).expect("removed");
    let topics = Topics::open(folder.path()).expect("a topic");
    assert_eq!(bounds(only(&topics)), (0, 3), "without a recovery point everything is recovered");
    let said = topics.said().concat();
    assert!(said.contains("1 segment behind it"), "{said}");
}

#[test]
fn an_older_message_format_is_named() {
    let error = Log::open(&case("magic1")).expect_err("refused");
    assert!(matches!(error, LogError::Format { form: 1, position: 0, .. }), "{error}");
    assert!(error.to_string().contains("message format v1"), "{error}");
    let topics = served("magic1");
    assert!(topics.logs().next().is_none() && topics.said().len() == 1);
}

#[test]
fn an_index_without_its_segment_is_passed_over() {
    let topics = served("orphanidx");
    assert_eq!(bounds(only(&topics)), (0, 3));
    assert!(topics.said().concat().contains("has no segment"), "{:?}", topics.said());
    let error = Log::open(&case("orphanidx")).expect_err("a measurement is strict");
    assert!(matches!(error, LogError::Missing { .. }), "{error}");
}

#[test]
fn deleted_records_stay_deleted() {
    let topics = Topics::open(&data("log-start")).expect("a topic");
    let log = only(&topics);
    assert_eq!((bounds(log), log.high_watermark()), ((2, 3), 3));
    assert_eq!(log.batches()[0].base_offset, 2);
    assert_eq!(at_time(log, 0), Some((2, 1_700_000_000_002)));
    let named = Log::open(&data("log-start/t-0"));
    assert_eq!(bounds(&named.expect("a measurement opens it too")), (2, 3));

    let topics = Topics::find(&data("log-start")).expect("a topic");
    let progress = Progress::default();
    let capped = Load { strict: false, high_watermark: true, progress: &progress };
    topics.verify(&capped).expect("lenient");
    let log = only(&topics);
    assert_eq!((log.end_offset(), log.high_watermark(), log.last_stable_offset()), (3, 2, 2));
}

/// Batches of one small record each. Those that lie behind each other share an entry of the list.
#[test]
fn tiny_batches_are_found_one_by_one_and_together() {
    let tiny = MakeLog {
        bytes: 200_000,
        segment_bytes: 70_000,
        batch_bytes: 10,
        record_bytes: 10,
        ..MakeLog::DEFAULT
    };
    let (folder, path) = made("orders-3", &tiny);
    let log = Log::open(&path).expect("an intact log");
    let all = each_batch(&log);
    assert!(log.segments().len() > 1 && all.len() as u64 == log.end_offset());
    assert!(log.batches().len() as u64 <= 2 * log.bytes() / 1024, "{}", log.batches().len());
    for batch in &all {
        let found = log.find(batch.base_offset).expect("readable").expect("it is there");
        assert_eq!((found.position, found.length), (batch.position, batch.length));
        assert_eq!((found.number, found.next_offset), (batch.segment, batch.next_offset));
    }
    for entry in log.batches() {
        let find = |offset, most| log.find_within(offset, most).expect("readable").expect("there");
        let whole = find(entry.base_offset, entry.length);
        assert_eq!((whole.position, whole.length), (entry.position, entry.length));
        let short = find(entry.base_offset, entry.length - 1);
        assert_eq!((short.position, short.base_offset), (entry.position, entry.base_offset));
        assert!(short.length < entry.length);
        let within = find(entry.next_offset - 1, entry.length);
        assert_eq!(within.base_offset, entry.next_offset - 1, "it is not where the entry begins");
    }

    // Records are deleted in the middle of an entry.
    let start = log.batches()[1].base_offset + 3;
    let checkpoint = format!("0\n1\norders 3 {start}\n");
    fs::write(folder.path().join("log-start-offset-checkpoint"), checkpoint).expect("written");
    let log = Log::open(&path).expect("an intact log");
    let batch = all[usize::try_from(start).expect("small")];
    let first = log.find_within(start, u64::MAX).expect("readable").expect("it is there");
    assert_eq!((first.base_offset, first.position), (start, batch.position));
    assert_eq!(each_batch(&log)[0], batch);
}
