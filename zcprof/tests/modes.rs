//! Every way to receive, from every way to send.

use std::net::SocketAddr;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use tempfile::TempDir;
use zcprof::fetch::consumer::mode::{MODES, ModeSpec, SABOTEURS};
use zcprof::fetch::consumer::{FetchCommand, Outcome, Protocol, Verified, consume, shares};
use zcprof::fetch::log::{Log, MakeLog, Topics, make};
use zcprof::fetch::socket::{Address, Listener, SOCKETS, SocketKind};
use zcprof::server;
use zcprof::transfer::{Layer, TRANSFERS, TransferSpec};

/// Larger than any pair of socket buffers, with batches that fill no page evenly.
const WANTED: MakeLog = MakeLog {
    bytes: 12 << 20,
    segment_bytes: 5 << 20,
    batch_bytes: 5_000,
    record_bytes: 333,
    seed: 7,
    ..MakeLog::DEFAULT
};

fn log() -> (TempDir, Arc<Log>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("orders-3");
    make(&path, &WANTED).expect("a log");
    let log = Log::open(&path).expect("an intact log");
    (folder, Arc::new(log))
}

fn broker(log: &Log) -> Arc<server::Broker> {
    let topics = Topics::open(log.folder()).expect("an intact log");
    Arc::new(server::Broker::new(topics, None))
}

fn listener(socket: &SocketKind) -> Listener {
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    socket.address(anywhere, "modes").listen().expect("a free address")
}

fn fetch(row: &'static TransferSpec, mode: &str, log: &Arc<Log>, fetch_size: u64) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let listener = listener(SocketKind::TCP);
        let address = listener.address.clone();
        let server = tokio::spawn(server::serve(vec![(row, listener)], broker(log)));
        let outcome = consume(command(address, mode, log, fetch_size)).await;
        server.abort();
        outcome
    })
}

fn command(address: Address, mode: &str, log: &Log, fetch_size: u64) -> FetchCommand {
    FetchCommand {
        certificate: None,
        address,
        protocol: Protocol::Kafka { topic: log.topic().to_owned(), partition: log.partition() },
        mode: mode.to_owned(),
        rounds: 1,
        shares: shares(log, 3, u64::MAX, fetch_size).expect("readable"),
    }
}

/// What a mode may say of whole and intact bytes.
fn best(mode: &ModeSpec) -> Verified {
    if mode.sees { Verified::Right } else { Verified::Counted }
}

#[test]
fn every_mode_receives_whole_shares_from_every_transfer() {
    let (_folder, log) = log();
    for row in TransferSpec::possible().filter(|row| row.layer == Layer::Plain) {
        for mode in MODES.iter().chain(SABOTEURS) {
            for fetch_size in [1, 100_000, 1 << 20] {
                let outcome = fetch(row, mode.name, &log, fetch_size);
                let what = format!("{} by {}, fetches of {fetch_size}", mode.name, row.name);
                assert_eq!((outcome.error, outcome.verified), (None, best(mode)), "{what}");
                assert_eq!(outcome.payload_bytes, log.bytes(), "{what}");
                assert_eq!(outcome.received.bytes(), log.bytes(), "{what}");
            }
        }
    }
}

#[test]
fn each_mode_accounts_for_its_own_kind_of_receiving() {
    let (_folder, log) = log();
    let row = TransferSpec::find("sendfile").expect("a transfer");
    let all = log.bytes();
    for mode in MODES {
        let received = fetch(row, mode.name, &log, 1 << 20).received;
        match mode.name {
            "copy" | "slow" => assert_eq!(received.copied, all),
            "discard" => assert_eq!(received.dropped, all),
            "splice" => assert_eq!(received.moved, all),
            // How much can be mapped depends on the kernel and the device.
            _ => assert_eq!(received.copied + received.mapped, all, "{}", mode.name),
        }
    }
}

/// Who does not look must not say that nothing is wrong.
#[test]
fn a_changed_byte_is_seen_by_the_modes_that_see_and_vouched_for_by_none() {
    let (_folder, log) = log();
    let row = TransferSpec::find("sendfile").expect("a transfer");
    let segment = &log.segments()[1].path;
    let intact = std::fs::read(segment).expect("readable");
    let file = std::fs::OpenOptions::new().write(true).open(segment).expect("writable");
    for mode in MODES {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let outcome = runtime.expect("a runtime").block_on(async {
            let listener = listener(SocketKind::TCP);
            let address = listener.address.clone();
            let command = command(address, mode.name, &log, 1 << 20);
            let broker = broker(&log);
            file.write_all_at(&[intact[2_000] ^ 1], 2_000).expect("written");
            let server = tokio::spawn(server::serve(vec![(row, listener)], broker));
            let outcome = consume(command).await;
            server.abort();
            outcome
        });
        file.write_all_at(&intact[2_000..2_001], 2_000).expect("mended");
        let expected = if mode.sees { Verified::Wrong } else { Verified::Counted };
        assert_eq!(outcome.verified, expected, "{}", mode.name);
        assert!(!outcome.verified.is_right(), "{}", mode.name);
    }
}

#[test]
fn fetches_and_connections_are_timed() {
    let (_folder, log) = log();
    let outcome = fetch(&TRANSFERS[0], "copy", &log, 100_000);
    let (latency, pace) = (outcome.latency, outcome.pace);
    assert!(0 < latency.p50 && latency.p50 <= latency.p99 && latency.p99 <= latency.max);
    assert!(0.0 < pace.fastest && pace.fastest <= pace.median && pace.median <= pace.slowest);
    assert!(pace.slowest <= outcome.seconds, "no connection takes longer than all");
}

#[test]
fn modes_have_names_of_their_own_and_a_wrong_one_is_said() {
    for mode in MODES.iter().chain(SABOTEURS) {
        let all = || MODES.iter().chain(SABOTEURS);
        assert_eq!(all().filter(|other| other.name == mode.name).count(), 1);
        assert_eq!(ModeSpec::find(mode.name).map(|found| found.summary), Some(mode.summary));
    }
    let (_folder, log) = log();
    let outcome = fetch(&TRANSFERS[0], "telepathy", &log, 1 << 20);
    assert_eq!(outcome.verified, Verified::Wrong);
    assert!(outcome.error.expect("an error").contains("telepathy"));
}

/// Over whatever socket the records leave, the consumer gets them whole; a transfer that a kind of
/// socket refuses says so.
#[test]
fn every_transfer_serves_every_kind_of_socket_or_is_refused_by_it() {
    let (_folder, log) = log();
    for socket in SOCKETS.iter().filter(|socket| socket.name != SocketKind::TCP.name) {
        if socket.name == "mptcp" && !std::path::Path::new("/proc/sys/net/mptcp/enabled").exists() {
            println!("skipped: this kernel has no MPTCP");
            continue;
        }
        for row in TRANSFERS.iter().filter(|row| row.layer == Layer::Plain) {
            if (row.needs)().is_err() {
                continue;
            }
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let outcome = runtime.expect("a runtime").block_on(async {
                let listener = listener(socket);
                let address = listener.address.clone();
                let serving = tokio::spawn(server::serve(vec![(row, listener)], broker(&log)));
                let outcome = consume(command(address, "copy", &log, 1 << 20)).await;
                serving.abort();
                outcome
            });
            println!("{} over {}: {:?}", row.name, socket.title, outcome.error);
            // SO_ZEROCOPY is for TCP and a few others (`sk_setsockopt()`, net/core/sock.c).
            let may_be_refused = ["msg_zerocopy", "uring_send_zc"].contains(&row.name);
            assert!(may_be_refused || outcome.error.is_none(), "{} over {}", row.name, socket.name);
            if outcome.error.is_none() {
                assert_eq!(outcome.verified, Verified::Right, "{} over {}", row.name, socket.name);
            }
        }
    }
}
