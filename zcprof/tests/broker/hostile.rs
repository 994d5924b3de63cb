//! Clients that mean ill or fell silent: what they cost a broker, and what it says of them.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use kafka_protocol::messages::ApiVersionsRequest;
use nix::sys::signal::Signal;
use zcprof::fetch::log::{MakeLog, make};
use zcprof::fetch::wire::MAX_REQUEST;
use zcprof::transfer::{Layer, TransferSpec};

use crate::client::{Client, fetch};
use crate::topic::{BrokerProcess, TOPIC, served};

/// Clients at once.
const CLIENTS: usize = 60;

/// Private memory that each may cost, in bytes: the buffers of the largest transfer, and what
/// the runtime needs.
const MOST: usize = 256 << 10;

#[test]
fn clients_that_take_nothing_cost_little_and_delay_nobody() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = MakeLog { bytes: 16 << 20, ..MakeLog::default() };
    make(&folder.path().join(format!("{TOPIC}-0")), &log).expect("a log");
    for row in TransferSpec::possible().filter(|row| row.layer == Layer::Plain) {
        let broker = BrokerProcess::start(folder.path(), row.name);
        let before = private_memory(&broker);
        let mut slow: Vec<Client> = Vec::new();
        for _ in 0..CLIENTS {
            let mut client = Client::connect(broker.address);
            for _ in 0..3 {
                client.send(11, &fetch(&[(0, 0, i32::MAX)], i32::MAX));
            }
            slow.push(client);
        }
        // The broker has come to all of them when it answers one that came after.
        Client::connect(broker.address).call(3, &ApiVersionsRequest::default());
        let data = Client::connect(broker.address).fetch(0, i32::MAX);
        assert!(data.records.is_some_and(|records| records.len() > 15 << 20), "{}", row.name);
        let cost = private_memory(&broker).saturating_sub(before);
        assert!(cost < CLIENTS * MOST, "{}: {cost} bytes for {CLIENTS} clients", row.name);
        drop(slow);
        let (code, _) = broker.end(Signal::SIGTERM);
        assert_eq!(code, Some(0), "{}", row.name);
    }
}

/// Memory is for what came, not for what was announced.
#[test]
fn what_is_announced_and_never_sent_costs_little() {
    let (_folder, broker) = served("sendfile");
    let before = private_memory(&broker);
    let announced = i32::try_from(MAX_REQUEST).expect("small").to_be_bytes();
    let silent: Vec<TcpStream> = (0..CLIENTS)
        .map(|_| {
            let mut stream = TcpStream::connect(broker.address).expect("connects");
            stream.write_all(&announced).expect("sent");
            stream
        })
        .collect();
    Client::connect(broker.address).call(3, &ApiVersionsRequest::default());
    let cost = private_memory(&broker).saturating_sub(before);
    assert!(cost < CLIENTS * MOST, "{cost} bytes for {CLIENTS} clients");
    drop(silent);
}

#[test]
fn a_request_that_is_too_long_closes_its_connection_and_is_logged() {
    let (_folder, broker) = served("sendfile");
    for size in [i32::try_from(MAX_REQUEST + 1).expect("small"), i32::MAX, -1] {
        let mut client = Client::connect(broker.address);
        client.stream.write_all(&size.to_be_bytes()).expect("sent");
        let start = Instant::now();
        assert!(client.receive_frame().is_none(), "{size}");
        assert!(start.elapsed() < Duration::from_secs(5), "at once");
    }
    Client::connect(broker.address).call(3, &ApiVersionsRequest::default());
    let (_, said) = broker.end(Signal::SIGTERM);
    let words = format!("a frame of {} bytes is announced, and {MAX_REQUEST}", MAX_REQUEST + 1);
    assert!(said.contains(&words), "{said}");
}

/// Anonymous memory of a broker that is resident, in bytes.
fn private_memory(broker: &BrokerProcess) -> usize {
    let path = format!("/proc/{}/status", broker.child.id());
    let status = std::fs::read_to_string(path).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).expect("a line of status");
    kib.parse::<usize>().expect("a number") << 10
}
