//! A topic of three partitions and several segments, in which every batch has another codec
//! than the one before, and a served one.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use bytes::{Bytes, BytesMut};
use kafka_protocol::records::{
    Compression, Record, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use zcprof::fetch::log::{Log, segment_name};

pub(crate) const TOPIC: &str = "orders";

pub(crate) const PARTITIONS: i32 = 3;

/// Timestamp of the first record; each later one is a second later.
pub(crate) const EPOCH: i64 = 1_700_000_000_000;

const CODECS: [Compression; 5] = [
    Compression::None,
    Compression::Gzip,
    Compression::Snappy,
    Compression::Lz4,
    Compression::Zstd,
];

const BATCHES: i64 = 40;

const RECORDS_OF_A_BATCH: i64 = 12;

const BATCHES_OF_A_SEGMENT: i64 = 15;

/// Makes the topic's folders in a folder.
pub(crate) fn make(folder: &Path) {
    for partition in 0..PARTITIONS {
        let folder = folder.join(format!("{TOPIC}-{partition}"));
        fs::create_dir(&folder).expect("a new folder");
        let mut segment = folder.join(segment_name(0));
        let mut bytes = BytesMut::new();
        for batch in 0..BATCHES {
            let first = batch * RECORDS_OF_A_BATCH;
            if batch % BATCHES_OF_A_SEGMENT == 0 {
                fs::write(&segment, &bytes).expect("written");
                bytes.clear();
                segment = folder.join(segment_name(first.unsigned_abs()));
            }
            let codec = usize::try_from(batch + i64::from(partition)).expect("small");
            let compression = CODECS[codec % CODECS.len()];
            let records: Vec<_> =
                (0..RECORDS_OF_A_BATCH).map(|index| record(first, index, partition)).collect();
            let options = RecordEncodeOptions { version: 2, compression };
            RecordBatchEncoder::encode(&mut bytes, &records, &options).expect("encodes");
        }
        fs::write(&segment, &bytes).expect("written");
    }
}

/// Keys and values of many lengths, some empty and some null, with every byte in them.
fn record(first: i64, index: i64, partition: i32) -> Record {
    let offset = first + index;
    let bytes = |length: i64| -> Bytes {
        let from = usize::try_from(offset * 7 + i64::from(partition)).expect("small");
        let every = (0..=u8::MAX).cycle().skip(from % 256);
        every.take(usize::try_from(length).expect("short")).collect()
    };
    Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: 0,
        producer_id: -1,
        producer_epoch: -1,
        timestamp_type: TimestampType::Creation,
        offset,
        sequence: i32::try_from(index).expect("few") - 1,
        timestamp: EPOCH + 1000 * offset,
        key: (offset % 3 != 0).then(|| bytes(offset % 5)),
        value: (offset % 17 != 0).then(|| bytes(offset * 31 % 900)),
        headers: [("origin".to_owned().into(), Some(Bytes::from_static(b"test")))]
            .into_iter()
            .collect(),
    }
}

/// Number of records and SHA-256 of a partition, as `clients/consume.py` has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
pub(crate) struct Content {
    pub(crate) records: u64,
    pub(crate) sha256: String,
}

/// Content by partition.
pub(crate) type Contents = BTreeMap<i32, Content>;

/// Adds records to a digest.
#[derive(Default)]
pub(crate) struct Digesting {
    records: u64,
    sha256: Sha256,
}

impl Digesting {
    pub(crate) fn take(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) {
        self.records += 1;
        for field in [key, value] {
            let length = field.map_or(-1, |field| i32::try_from(field.len()).expect("short"));
            self.sha256.update(length.to_be_bytes());
            self.sha256.update(field.unwrap_or_default());
        }
    }

    pub(crate) fn content(self) -> Content {
        let sha256: Vec<String> =
            self.sha256.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Content { records: self.records, sha256: sha256.concat() }
    }
}

/// What is in the topic's segments, decoded by kafka-protocol.
pub(crate) fn contents(folder: &Path) -> Contents {
    contents_with(folder, None)
}

/// The same for clients that do not tell null from empty.
pub(crate) fn contents_without_nulls(folder: &Path) -> Contents {
    contents_with(folder, Some(&[]))
}

fn contents_with(folder: &Path, null: Option<&[u8]>) -> Contents {
    let content = |partition: i32| {
        let log = Log::open(&folder.join(format!("{TOPIC}-{partition}"))).expect("an intact log");
        let mut digest = Digesting::default();
        for segment in log.segments() {
            let mut bytes = Bytes::from(fs::read(&segment.path).expect("readable"));
            for batch in RecordBatchDecoder::decode_all(&mut bytes).expect("decodes") {
                for record in batch.records {
                    digest.take(record.key.as_deref().or(null), record.value.as_deref().or(null));
                }
            }
        }
        (partition, digest.content())
    };
    (0..PARTITIONS).map(content).collect()
}

/// A broker of its own, that ends with the test.
pub(crate) struct BrokerProcess {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
    /// What it says when it listens.
    pub(crate) line: String,
}

impl BrokerProcess {
    /// Serves a folder on a free port.
    pub(crate) fn start(folder: &Path, transfer: &str) -> Self {
        Self::start_with(folder, &["--transfer", transfer, "--listen", "127.0.0.1:0"])
    }

    pub(crate) fn start_with(folder: &Path, options: &[&str]) -> Self {
        let mut child = command(folder, options)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("zcprof starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("it says that it listens");
        let address = line.split(' ').nth(2).and_then(|word| word.parse().ok());
        let address = address.unwrap_or_else(|| panic!("no address in {line:?}"));
        Self { child, address, line }
    }

    /// Ends it by a signal; its exit code, and what it said of its connections.
    pub(crate) fn end(mut self, signal: Signal) -> (Option<i32>, String) {
        let pid = i32::try_from(self.child.id()).expect("a process id");
        kill(Pid::from_raw(pid), signal).expect("it runs");
        let stderr = std::io::read_to_string(self.child.stderr.take().expect("piped"));
        (self.child.wait().expect("it ends").code(), stderr.expect("text"))
    }
}

impl Drop for BrokerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn command(folder: &Path, options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zcprof"));
    command.arg("serve").arg("--log-dir").arg(folder).args(options).env("RUST_BACKTRACE", "0");
    command
}

/// The topic, and a broker that serves it.
pub(crate) fn served(transfer: &str) -> (TempDir, BrokerProcess) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    make(folder.path());
    let broker = BrokerProcess::start(folder.path(), transfer);
    (folder, broker)
}
