//! The server as its neighbours in this process see it.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::fetch::consumer::{Command, Protocol, Verified, consume, shares};
use crate::fetch::log::{Log, MakeLog, Topics, make};
use crate::fetch::wire::Fetch;
use crate::transfer::{Layer, Row};

#[test]
fn a_consumer_that_leaves_in_mid_transfer_harms_no_other() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("orders-0");
    // Larger than any pair of socket buffers, so that the server is in the middle of it.
    make(&path, &MakeLog { bytes: 12 << 20, ..MakeLog::default() }).expect("a log");
    let log = Log::open(&path).expect("an intact log");
    let broker = Arc::new(Broker::new(Topics::open(&path).expect("a topic"), None));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        for row in Row::possible().filter(|row| row.layer == Layer::Plain) {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let address = listener.local_addr().expect("bound");
            let server = tokio::spawn(serve(vec![(row, listener)], Arc::clone(&broker)));
            let fetch = Fetch {
                correlation_id: 0,
                topic: "orders".to_owned(),
                partition: 0,
                offset: 0,
                max_bytes: i32::MAX,
            };
            let mut leaver = TcpStream::connect(address).await.expect("connects");
            leaver.write_all(&fetch.encode().expect("encodes")).await.expect("sent");
            leaver.read_exact(&mut [0; 1000]).await.expect("an answer has begun");
            drop(leaver);
            let outcome = consume(Command {
                address,
                protocol: Protocol::Kafka { topic: "orders".to_owned(), partition: 0 },
                mode: "copy".to_owned(),
                certificate: None,
                rounds: 1,
                shares: shares(&log, 2, u64::MAX, 1 << 20).expect("readable"),
            })
            .await;
            assert_eq!((outcome.error, outcome.verified), (None, Verified::Right), "{}", row.name);
            assert!(outcome.seconds > 0.0);
            assert!(!server.is_finished(), "{}: the server goes on", row.name);
            server.abort();
        }
    });
}

#[test]
fn a_busy_port_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log_dir = folder.path().join("orders-0");
    make(&log_dir, &MakeLog { bytes: 1, ..MakeLog::default() }).expect("a log");
    let busy = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = busy.local_addr().expect("bound");
    let options = ServerOptions { log_dir, listeners: vec![("sendfile".into(), address)] };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = runtime.expect("a runtime").block_on(async { run::set_up(&options) });
    let error = format!("{:#}", ended.expect_err("refused"));
    assert!(error.contains(&address.to_string()) && error.contains("--listen"), "{error}");
}

/// Time is let go by, where everybody waits for it.
#[test]
fn clients_that_say_or_take_nothing_are_left_in_the_end() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("orders-0");
    make(&path, &MakeLog { bytes: 12 << 20, ..MakeLog::default() }).expect("a log");
    let broker = Arc::new(Broker::new(Topics::open(&path).expect("a topic"), None));
    let fetch = Fetch {
        correlation_id: 0,
        topic: "orders".to_owned(),
        partition: 0,
        offset: 0,
        max_bytes: i32::MAX,
    };
    let fetch = fetch.encode().expect("encodes");
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        for row in Row::possible().filter(|row| row.layer == Layer::Plain) {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let address = listener.local_addr().expect("bound");
            let server = tokio::spawn(serve(vec![(row, listener)], Arc::clone(&broker)));
            let start = tokio::time::Instant::now();
            let mut silent = TcpStream::connect(address).await.expect("connects");
            let ended = silent.read(&mut [0]).await.expect("closed in peace");
            assert!(ended == 0 && start.elapsed() >= Duration::from_mins(10), "{}", row.name);
            let mut slow = TcpStream::connect(address).await.expect("connects");
            slow.write_all(&fetch).await.expect("sent");
            tokio::time::sleep(Duration::from_mins(11)).await;
            let mut received = Vec::new();
            // Reset or closed, but without what was not taken in time.
            let _ = slow.read_to_end(&mut received).await;
            assert!(received.len() < 12 << 20, "{}: {}", row.name, received.len());
            server.abort();
        }
    });
}
