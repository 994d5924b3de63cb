//! The log opener: a segment and its indexes in, a log whose batches are decoded or an error out.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use tempfile::TempDir;
use zcprof::fetch::log::batch::{self, BatchHeader, HEADER};
use zcprof::fetch::log::{Codec, Log, MakeLog, Topics, make, records, segment_name};

use crate::memory;

/// Bit of the first byte: batches get the checksum that they should have, or almost no mutation
/// would get past it.
const REPAIR: u8 = 1;

/// Bits of the first byte: there is an index of offsets, and of times.
const INDEX: u8 = 2;
const TIME_INDEX: u8 = 4;

/// Bit of the first byte: half of the segment's bytes are in a second one.
const TWO: u8 = 8;

/// Bit of the first byte: the index of times is one of aborted transactions instead, and the index
/// of offsets is each of the checkpoints.
const BROKERS_OWN: u8 = 16;

/// Position of the checksum in a batch.
const CRC: usize = 17;

/// Position of the attributes in a batch.
const ATTRIBUTES: Range<usize> = 21..23;

/// What a broker keeps beside the folders of its partitions.
const CHECKPOINTS: [&str; 3] = [
    "log-start-offset-checkpoint",
    "recovery-point-offset-checkpoint",
    "replication-offset-checkpoint",
];

/// A segment with committed and aborted transactions, and its index of the aborted ones.
pub(crate) const TRANSACTIONS: &[u8] =
    include_bytes!("../../zcprof/tests/data/cases/txnaborted-0/00000000000000000000.log");
const ABORTED: &[u8] =
    include_bytes!("../../zcprof/tests/data/cases/txnaborted-0/00000000000000000000.txnindex");

/// Other segments of brokers in use: compacted ones, a torn one, an older form.
const OTHERS: [&[u8]; 4] = [
    include_bytes!("../../zcprof/tests/data/cases/compactgap-0/00000000000000000000.log"),
    include_bytes!("../../zcprof/tests/data/cases/zerotail-0/00000000000000000000.log"),
    include_bytes!("../../zcprof/tests/data/cases/magic1-0/00000000000000000000.log"),
    include_bytes!("../../zcprof/tests/data/cases/gz2-0/00000000000000000000.log"),
];

/// A segment that a real broker wrote.
const BROKERS: &[u8] = include_bytes!("../../zcprof/tests/data/gold-0/00000000000000000000.log");

/// Memory that an input may take: a batch is decompressed whole, into a buffer that doubles.
const MEMORY: usize = 512 << 20;

/// What an input says.
struct Input<'a> {
    flags: u8,
    /// What the segment is named after.
    base_offset: u64,
    index: &'a [u8],
    time_index: &'a [u8],
    segment: &'a [u8],
}

impl<'a> Input<'a> {
    fn read(mut bytes: &'a [u8]) -> Option<Self> {
        let flags = *bytes.split_off_first()?;
        let base_offset = u64::from_be_bytes(*bytes.split_off(..8)?.first_chunk()?);
        let mut part = || {
            let length = usize::from(*bytes.split_off_first()?);
            bytes.split_off(..length)
        };
        let (index, time_index) = (part()?, part()?);
        Some(Self { flags, base_offset, index, time_index, segment: bytes })
    }

    fn write(&self) -> Vec<u8> {
        let length = |part: &[u8]| u8::try_from(part.len()).expect("a short index");
        let mut bytes = vec![self.flags];
        bytes.extend(self.base_offset.to_be_bytes());
        for part in [self.index, self.time_index] {
            bytes.push(length(part));
            bytes.extend(part);
        }
        bytes.extend(self.segment);
        bytes
    }
}

/// A folder in memory: a disk would be what takes the time.
///
/// # Panics
/// It cannot be made.
#[must_use]
pub fn memory_folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").expect("a folder in memory")
}

/// Holds one log at a time.
static FOLDER: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let folder = memory_folder();
    let path = folder.path().join("t-0");
    (folder, path)
});

/// Opens a log as the input says, and looks at everything in it.
///
/// # Panics
/// The log does.
pub fn fuzz(bytes: &[u8]) {
    let Some(input) = Input::read(bytes) else { return };
    let folder = &FOLDER.1;
    store(folder, &input);
    memory::within(MEMORY, || {
        if let Ok(log) = Log::open(folder) {
            look(&log);
        }
        // The same as a broker opens it: what is torn is cut.
        let topics = Topics::open(folder);
        for log in topics.iter().flat_map(Topics::logs) {
            look(log);
        }
    });
}

fn store(folder: &Path, input: &Input<'_>) {
    // That of the input before.
    let _ = fs::remove_dir_all(folder);
    fs::create_dir(folder).expect("a folder");
    let mut segment = input.segment.to_vec();
    if input.flags & REPAIR != 0 {
        repair(&mut segment);
    }
    let path = folder.join(segment_name(input.base_offset));
    let mut first = segment.as_slice();
    if input.flags & TWO != 0
        && let Some((next, second)) = split(&segment)
    {
        first = &segment[..segment.len() - second.len()];
        fs::write(folder.join(segment_name(next)), second).expect("written");
    }
    fs::write(&path, first).expect("written");
    let around = folder.parent().expect("a folder");
    for name in CHECKPOINTS {
        let _ = fs::remove_file(around.join(name));
    }
    if input.flags & BROKERS_OWN != 0 {
        fs::write(path.with_extension("txnindex"), input.time_index).expect("written");
        fs::write(folder.join("leader-epoch-checkpoint"), input.index).expect("written");
        for name in CHECKPOINTS {
            fs::write(around.join(name), input.index).expect("written");
        }
        return;
    }
    if input.flags & INDEX != 0 {
        fs::write(path.with_extension("index"), input.index).expect("written");
    }
    if input.flags & TIME_INDEX != 0 {
        fs::write(path.with_extension("timeindex"), input.time_index).expect("written");
    }
}

/// What follows the first batch, and the offset that it should begin with.
fn split(segment: &[u8]) -> Option<(u64, &[u8])> {
    let header = BatchHeader::read(segment).ok()?;
    Some((header.next_offset.unsigned_abs(), segment.get(header.length..)?))
}

/// Gives every batch, as far as their lengths lead, the checksum that it should have.
fn repair(mut rest: &mut [u8]) {
    while let Ok(header) = BatchHeader::read(rest) {
        let Some((batch, next)) = rest.split_at_mut_checked(header.length) else { return };
        let crc = batch::crc(batch);
        batch[CRC..CRC + size_of::<u32>()].copy_from_slice(&crc.to_be_bytes());
        rest = next;
    }
}

/// What a server and a consumer do with a log that has opened.
fn look(log: &Log) {
    for batch in &log.each_batch().expect("readable") {
        assert!(batch.length >= HEADER as u64 && batch.base_offset < batch.next_offset);
        for offset in [batch.base_offset, batch.next_offset - 1] {
            let found = log.find(offset).expect("readable").expect("the batch is there");
            assert_eq!((found.base_offset, found.position), (batch.base_offset, batch.position));
            let slice = log.slice(offset, 0).expect("readable");
            let (_, range) = slice.expect("the batch is there");
            assert_eq!(range, batch.position..batch.position + batch.length);
        }
        if let Ok(bytes) = log.read(batch) {
            let _ = records::decode(bytes);
        }
        let _ = log.offset_at_time(batch.max_timestamp);
    }
    assert_eq!(log.batch_at(log.end_offset()), None);
    assert!(log.last_stable_offset() <= log.end_offset());
    let _ = log.transactions().aborted(log.start_offset(), log.end_offset()).count();
    for epoch in -1..4 {
        let _ = log.epochs().end(epoch, log.end_offset());
    }
}

/// Small logs with every codec, whole and in two segments, with and without indexes; and the
/// shortest batch of each codec and form that a real broker wrote.
///
/// # Panics
/// They cannot be made.
#[must_use]
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let folder = memory_folder();
    let mut seeds = from_broker();
    let in_use = |index, time_index, segment| {
        Input { flags: REPAIR | BROKERS_OWN, base_offset: 0, index, time_index, segment }.write()
    };
    for (number, checkpoint) in ["0\n1\nt 0 2\n", "0\n2\n0 0\n3 4\n", ""].iter().enumerate() {
        let seed = in_use(checkpoint.as_bytes(), ABORTED, TRANSACTIONS);
        seeds.push((format!("transactions-{number}"), seed));
        let others = OTHERS.iter().map(|other| in_use(checkpoint.as_bytes(), &[], other));
        seeds.extend((0..).zip(others).map(|(at, seed)| (format!("in-use-{number}-{at}"), seed)));
    }
    for codec in Codec::ALL {
        let path = folder.path().join(format!("{}-0", codec.name()));
        // Some batches are beyond the 4096 bytes that lie between two entries of an index.
        let small =
            MakeLog { bytes: 6000, batch_bytes: 900, record_bytes: 300, ..MakeLog::DEFAULT };
        make(&path, &MakeLog { codec: *codec, ..small }).expect("a log");
        let read = |ending: &str| {
            let path = path.join(segment_name(0)).with_extension(ending);
            fs::read(path).expect("a file of the log")
        };
        let (segment, index, time_index) = (read("log"), read("index"), read("timeindex"));
        for flags in 0..2 * TWO {
            let input = Input {
                flags,
                base_offset: 0,
                index: &index,
                time_index: &time_index,
                segment: &segment,
            };
            seeds.push((format!("{}-{flags:02}", codec.name()), input.write()));
        }
    }
    seeds
}

/// The shortest batch for each value of the attributes in a segment of a real broker.
fn from_broker() -> Vec<(String, Vec<u8>)> {
    let mut rest = BROKERS;
    let mut shortest: BTreeMap<&[u8], (u64, &[u8])> = BTreeMap::new();
    while let Ok(header) = BatchHeader::read(rest) {
        let (batch, next) = rest.split_at(header.length);
        let found = (header.base_offset.unsigned_abs(), batch);
        let place = shortest.entry(&batch[ATTRIBUTES]).or_insert(found);
        if batch.len() < place.1.len() {
            *place = found;
        }
        rest = next;
    }
    let input = |base_offset, segment| {
        Input { flags: REPAIR, base_offset, index: &[], time_index: &[], segment }.write()
    };
    let seeds =
        shortest.values().map(|(base, batch)| (format!("broker-{base}"), input(*base, batch)));
    seeds.collect()
}
