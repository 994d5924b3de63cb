//! The log-fetch workload in one process: files, transfers, server and consumer, and what
//! damaged files and hostile clients do to them.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use zcprof::fetch::cache;
use zcprof::fetch::consumer::{FetchCommand, Outcome, Protocol, Verified, consume, shares};
use zcprof::fetch::log::{Damage, Log, LogError, MakeLog, Topics, make};
use zcprof::fetch::socket::Address;
use zcprof::fetch::wire::Fetch;
use zcprof::server;
use zcprof::transfer::{Layer, TRANSFERS, TransferSpec};

/// A small log of several segments, with batches that fill no page evenly.
const SMALL: MakeLog = MakeLog {
    bytes: 600_000,
    segment_bytes: 150_000,
    batch_bytes: 5_000,
    record_bytes: 333,
    seed: 7,
    ..MakeLog::DEFAULT
};

fn log() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("orders-3");
    make(&path, &SMALL).expect("a log");
    (folder, path)
}

fn segments(path: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(path).expect("the log").map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<_> = paths.filter(|path| path.extension() == Some("log".as_ref())).collect();
    paths.sort();
    paths
}

#[test]
fn a_log_is_made_whole_and_always_the_same() {
    let (_one, first) = log();
    let (_two, second) = log();
    let opened = Log::open(&first).expect("an intact log");
    assert_eq!((opened.topic(), opened.partition()), ("orders", 3));
    assert!(opened.bytes() >= SMALL.bytes && opened.bytes() < SMALL.bytes + 10_000);
    assert!(opened.segments().len() >= 4, "it rolls");
    for (a, b) in segments(&first).iter().zip(segments(&second)) {
        assert_eq!(a.file_name(), b.file_name());
        assert_eq!(fs::read(a).expect("readable"), fs::read(b).expect("readable"));
    }
    assert!(make(&first, &SMALL).is_err(), "a log is never written over");
}

#[test]
fn slices_are_whole_batches_of_one_segment() {
    let (_folder, path) = log();
    let log = Log::open(&path).expect("an intact log");
    for offset in 0..log.end_offset() {
        let (segment, range) =
            log.slice(offset, 12_000).expect("readable").expect("a batch holds it");
        assert!(range.end <= segment.length);
        assert!(range.end - range.start <= 12_000);
        let (_, one) = log.slice(offset, 0).expect("readable").expect("at least one batch");
        assert_eq!(one.start, range.start);
    }
    assert!(log.slice(log.end_offset(), 1).expect("readable").is_none());
}

/// Each way to damage a log, and what must be said of it.
#[test]
fn damage_is_found_and_named() {
    type Harm = fn(&[PathBuf]);
    type IsThat = fn(&LogError) -> bool;
    let cases: &[(&str, Harm, IsThat)] = &[
        (
            "a torn tail",
            |paths| {
                let last = paths.last().expect("segments");
                let length = fs::metadata(last).expect("there").len();
                let file = fs::OpenOptions::new().write(true).open(last).expect("writable");
                file.set_len(length - 7).expect("shorter");
            },
            |error| matches!(error, LogError::Damaged { damage: Damage::Torn, .. }),
        ),
        (
            "a flipped bit",
            |paths| {
                let file = fs::OpenOptions::new().write(true).open(&paths[1]).expect("writable");
                file.write_all_at(&[0xa5], 1_000).expect("written");
            },
            |error| matches!(error, LogError::Damaged { damage: Damage::Crc { .. }, .. }),
        ),
        (
            "another magic",
            |paths| {
                let file = fs::OpenOptions::new().write(true).open(&paths[0]).expect("writable");
                file.write_all_at(&[1], 16).expect("written");
            },
            |error| {
                matches!(error, LogError::Damaged { damage: Damage::Magic(1), position: 0, .. })
            },
        ),
        (
            "a missing segment",
            |paths| fs::remove_file(&paths[1]).expect("removed"),
            |error| matches!(error, LogError::Missing { .. }),
        ),
        (
            "no segment",
            |paths| {
                for path in paths.iter().flat_map(|path| {
                    ["log", "index", "timeindex"].map(|ending| path.with_extension(ending))
                }) {
                    fs::remove_file(path).expect("removed");
                }
            },
            |error| matches!(error, LogError::Empty(_)),
        ),
    ];
    for (name, harm, named) in cases {
        let (_folder, path) = log();
        harm(&segments(&path));
        let error = Log::open(&path).expect_err(name);
        assert!(named(&error), "{name}: {error}");
        assert!(error.to_string().contains("orders-3"), "{name} names no file: {error}");
    }
}

#[test]
fn the_page_cache_obeys_or_says_so() {
    let (_folder, path) = log();
    let log = Log::open(&path).expect("an intact log");
    cache::warm(&log).expect("readable");
    let (resident, pages) = cache::resident_pages(&log).expect("mincore");
    assert_eq!(resident, pages);
    assert!(pages >= SMALL.bytes / 4096);
}

/// Every transfer, step by step into a socket that takes little at a time.
#[test]
fn transfers_continue_where_a_partial_send_stopped() {
    let (_folder, path) = log();
    let log = Log::open(&path).expect("an intact log");
    let segment = &log.segments()[1];
    let expected = fs::read(&segment.path).expect("readable");
    for row in TransferSpec::possible().filter(|row| row.layer == Layer::Plain) {
        let (near, mut far) = tcp_pair();
        near.set_nonblocking(true).expect("nonblocking");
        nix::sys::socket::setsockopt(&near, nix::sys::socket::sockopt::SndBuf, &4096)
            .expect("a small buffer");
        let mut transfer = (row.make)().expect("made");
        let mut received = Vec::new();
        let mut blocked = 0;
        let mut range = 100..segment.length;
        let mut buffer = [0; 3000];
        while !range.is_empty() {
            match transfer.send(segment, range.clone(), near.as_fd()) {
                Ok(sent) => range.start += sent as u64,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    blocked += 1;
                    let read = far.read(&mut buffer).expect("readable");
                    received.extend_from_slice(&buffer[..read]);
                }
                Err(error) => panic!("{}: {error}", row.name),
            }
        }
        drop(near);
        far.read_to_end(&mut received).expect("readable");
        assert!(blocked > 0, "{}: the socket never was full", row.name);
        assert_eq!(received, expected[100..], "{}", row.name);
    }
}

#[test]
fn a_segment_shorter_than_the_range_is_an_error_and_not_a_loop() {
    let (_folder, path) = log();
    let log = Log::open(&path).expect("an intact log");
    let segment = &log.segments()[0];
    for row in TransferSpec::possible().filter(|row| row.layer == Layer::Plain) {
        let (near, _far) = tcp_pair();
        let mut transfer = (row.make)().expect("made");
        let behind = segment.length..segment.length + 10;
        let error = transfer.send(segment, behind, near.as_fd()).expect_err(row.name);
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{}: {error}", row.name);
    }
}

#[test]
fn every_transfer_serves_one_three_and_fifty_connections() {
    let (_folder, path) = log();
    for row in TransferSpec::possible() {
        for connections in [1, 3, 50] {
            let log = Log::open(&path).expect("an intact log");
            let command = command(&log, connections);
            let outcome = fetch(row, log, command);
            assert_eq!(outcome.error, None, "{}, {connections}", row.name);
            assert_eq!(outcome.verified, Verified::Right, "{}, {connections}", row.name);
            assert!(outcome.payload_bytes >= 2 * SMALL.bytes, "two rounds");
            assert!(outcome.request_bytes > 0 && outcome.header_bytes > 0);
        }
    }
}

#[test]
fn a_byte_that_changes_after_the_log_was_opened_is_seen_by_the_consumer() {
    let (_folder, path) = log();
    for row in TransferSpec::possible() {
        let log = Log::open(&path).expect("an intact log");
        let command = command(&log, 1);
        let segment = &segments(&path)[2];
        let intact = fs::read(segment).expect("readable");
        let file = fs::OpenOptions::new().write(true).open(segment).expect("writable");
        file.write_all_at(&[intact[2_000] ^ 1], 2_000).expect("written");
        let outcome = fetch(row, log, command);
        file.write_all_at(&intact[2_000..2_001], 2_000).expect("mended");
        assert_eq!(outcome.verified, Verified::Wrong, "{}", row.name);
    }
}

#[test]
fn an_offset_out_of_range_is_an_error_and_no_panic() {
    let (_folder, path) = log();
    let log = Log::open(&path).expect("an intact log");
    let mut command = command(&log, 1);
    command.shares[0].from_offset = log.end_offset() + 5;
    command.shares[0].fetches[0].offset = log.end_offset() + 5;
    let outcome = fetch(&TRANSFERS[0], log, command);
    assert!(outcome.error.expect("an error").contains("Kafka error 1"));
}

#[test]
fn hostile_clients_harm_no_other_connection() {
    let (_folder, path) = log();
    for row in TransferSpec::possible() {
        let log = Log::open(&path).expect("an intact log");
        let mut command = command(&log, 2);
        let outcome = served(row, log, async |address, certificate| {
            let hostile: &[&[u8]] = &[
                b"GET / HTTP/1.1\r\n\r\n",
                &[0x7f, 0xff, 0xff, 0xff],
                &[0xff, 0xff, 0xff, 0xff],
                &[0, 0, 0, 0],
                &[0, 0, 0, 2, 0, 1],
                &[0, 0, 0, 12, 0, 1, 0, 11, 0, 0, 0, 1, 0x7f, 0xff, 0, 0],
                &[0, 0, 0, 15, 0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0],
                &[0, 0, 0, 14, 0, 3, 0, 9, 0, 0, 0, 1, 0xff, 0xff, 0, 0xff, 0xff, 0x7f],
                &[0, 0],
                &[],
            ];
            for bytes in hostile {
                let mut stream = std::net::TcpStream::connect(address).expect("connects");
                stream.write_all(bytes).expect("written");
                stream.shutdown(std::net::Shutdown::Write).expect("shut down");
                let ended = move || stream.read_to_end(&mut Vec::new());
                let ended = tokio::task::spawn_blocking(ended);
                // Closed or reset, but never answered and never left open.
                let answer = ended.await.expect("no panic").unwrap_or(0);
                assert_eq!(answer, 0, "{}: {bytes:x?}", row.name);
            }
            (command.address, command.certificate) = (address.into(), certificate);
            consume(command.clone()).await
        });
        assert_eq!((outcome.error, outcome.verified), (None, Verified::Right), "{}", row.name);
    }
}

/// Clients that neither go on nor go: some that stop in the middle of a request, and some that
/// ask for more than sockets hold and take nothing of it.
#[test]
fn clients_that_linger_harm_no_other_connection() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("orders-3");
    make(&path, &MakeLog { bytes: 12 << 20, segment_bytes: 16 << 20, ..SMALL }).expect("a log");
    let whole = Fetch {
        correlation_id: 1,
        topic: "orders".to_owned(),
        partition: 3,
        offset: 0,
        max_bytes: i32::MAX,
    };
    let whole = whole.encode().expect("encodes");
    for row in TransferSpec::possible() {
        let log = Log::open(&path).expect("an intact log");
        let mut command = command(&log, 3);
        served(row, log, async |address, certificate| {
            let lingering: Vec<_> = [&whole[..], &whole[..], &whole[..7], &whole[..2], &[]]
                .into_iter()
                .chain([&[0, 0x10, 0, 0, 0, 3][..]])
                .map(|bytes| {
                    let mut stream = std::net::TcpStream::connect(address).expect("connects");
                    stream.write_all(bytes).expect("written");
                    stream
                })
                .collect();
            (command.address, command.certificate) = (address.into(), certificate);
            let outcome = consume(command.clone()).await;
            assert_eq!((outcome.error, outcome.verified), (None, Verified::Right), "{}", row.name);
            // Those that took nothing leave while records are on their way to them.
            drop(lingering);
            let outcome = consume(command.clone()).await;
            assert_eq!((outcome.error, outcome.verified), (None, Verified::Right), "{}", row.name);
        });
    }
}

fn command(log: &Log, connections: u32) -> FetchCommand {
    FetchCommand {
        certificate: None,
        address: SocketAddr::from(([127, 0, 0, 1], 0)).into(),
        protocol: Protocol::Kafka { topic: log.topic().to_owned(), partition: log.partition() },
        mode: "copy".to_owned(),
        rounds: 2,
        shares: shares(log, connections, u64::MAX, 40_000).expect("readable"),
    }
}

/// Has a server on a free port answer one command.
fn fetch(row: &'static TransferSpec, log: Log, mut command: FetchCommand) -> Outcome {
    served(row, log, async |address, certificate| {
        (command.address, command.certificate) = (address.into(), certificate);
        consume(command.clone()).await
    })
}

fn served<T>(
    row: &'static TransferSpec,
    log: Log,
    client: impl AsyncFnOnce(SocketAddr, Option<String>) -> T,
) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let anywhere = Address::from(SocketAddr::from(([127, 0, 0, 1], 0)));
        let listener = anywhere.listen().expect("a free port");
        let address = listener.address.internet();
        let broker = Arc::new(server::Broker::new(Topics::of(log), None));
        let certificate = (row.layer != Layer::Plain)
            .then(|| broker.identity().expect("a certificate").certificate.clone());
        let server = tokio::spawn(server::serve(vec![(row, listener)], broker));
        let result = client(address, certificate).await;
        server.abort();
        result
    })
}

fn tcp_pair() -> (std::net::TcpStream, std::net::TcpStream) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let near = std::net::TcpStream::connect(listener.local_addr().expect("bound"));
    (near.expect("connects"), listener.accept().expect("accepted").0)
}
