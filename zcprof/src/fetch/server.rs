//! The server: many connections on one thread, none of which blocks it.
//!
//! What it does in which system call is part of its interface, because bytes are named by
//! system call: requests come in by recvfrom, response headers leave by sendto, and records by
//! the transfer's own calls. A connection is closed only after every step on it has returned.

use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bytes::{Buf as _, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::log::Log;
use super::wire::{self, Answer, Fetch};
use crate::transfer::{Row, Transfer};

/// How long a listener that could not accept a connection waits before it tries again: until
/// then another connection may have ended and freed what was lacking.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Connections that may wait to be accepted (the kernel's own limit is `somaxconn`, 4096). What
/// overflows this queue is tried again by TCP a second later.
const BACKLOG: u32 = 4096;

/// What to serve, and where.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// A topic-partition folder.
    pub log_dir: PathBuf,
    /// Transfer and address of each listener.
    pub listeners: Vec<(String, SocketAddr)>,
}

/// The first and only line that the server prints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Greeting {
    /// It serves, at these addresses.
    Ready(Vec<Listening>),
    /// It cannot serve.
    Error(String),
}

/// A listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listening {
    /// Which transfer answers there.
    pub transfer: String,
    /// Where.
    pub address: SocketAddr,
}

/// Serves until standard input ends or the parent dies.
///
/// # Errors
/// What kept it from serving; it is in the greeting too.
pub fn run_server(options: &ServerOptions) -> Result<()> {
    super::die_with_parent()?;
    super::allow_all_descriptors()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let served = runtime.block_on(async {
        let (listeners, log) = match set_up(options) {
            Ok(ready) => ready,
            Err(error) => {
                greet(&Greeting::Error(format!("{error:#}")))?;
                return Err(error);
            }
        };
        let at = |(row, listener): &(&Row, TcpListener)| {
            let transfer = row.name.to_owned();
            Ok(Listening { transfer, address: listener.local_addr()? })
        };
        greet(&Greeting::Ready(listeners.iter().map(at).collect::<Result<_>>()?))?;
        end_with_stdin()?;
        serve(listeners, Arc::new(log)).await
    });
    served.context("serving")
}

/// Inside a runtime, which the listeners belong to.
fn set_up(options: &ServerOptions) -> Result<(Vec<(&'static Row, TcpListener)>, Log)> {
    let log = Log::open(&options.log_dir)?;
    let mut listeners = Vec::new();
    for (name, address) in &options.listeners {
        let row = Row::find(name).with_context(|| format!("no transfer is called {name}"))?;
        let listener = listen(*address).with_context(|| {
            format!("cannot listen on {address}; free the port or choose another with --listen")
        })?;
        listeners.push((row, listener));
    }
    Ok((listeners, log))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn greet(greeting: &Greeting) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(greeting)?)?;
    Ok(out.flush()?)
}

/// Ends the process when standard input ends, on a thread that does nothing else.
fn end_with_stdin() -> Result<()> {
    std::thread::Builder::new().name("stdin".to_owned()).spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    })?;
    Ok(())
}

/// Answers fetches on every listener, for ever.
///
/// # Errors
/// There is no listener.
pub async fn serve(listeners: Vec<(&'static Row, TcpListener)>, log: Arc<Log>) -> Result<()> {
    let mut tasks = tokio::task::JoinSet::new();
    for (row, listener) in listeners {
        let log = Arc::clone(&log);
        tasks.spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => {
                        tokio::spawn(connection(stream, row, Arc::clone(&log)));
                    }
                    // A consumer that left before it was accepted, or one too many for the
                    // descriptors there are: those that are served already must not suffer.
                    Err(error) => {
                        log::warn!("cannot accept a connection for {}: {error}", row.name);
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        });
    }
    match tasks.join_next().await {
        Some(ended) => ended?,
        None => bail!("there is nothing to serve"),
    }
}

/// One connection. Its errors end it and harm no other.
async fn connection(mut stream: TcpStream, row: &'static Row, log: Arc<Log>) {
    if let Err(error) = answer_all(&mut stream, row, &log).await {
        let peer = stream.peer_addr().map_or_else(|_| "a consumer".to_owned(), |a| a.to_string());
        log::warn!("closing the connection to {peer}: {error:#}");
    }
}

async fn answer_all(stream: &mut TcpStream, row: &Row, log: &Log) -> Result<()> {
    // As Kafka does: a header must not wait for the records behind it.
    stream.set_nodelay(true)?;
    let mut transfer = (row.make)()?;
    let mut requests = Requests::default();
    while let Some(fetch) = requests.next(stream).await? {
        answer(stream, transfer.as_mut(), &fetch, log).await?;
    }
    Ok(())
}

/// What a consumer has sent and was not answered yet.
///
/// It is received with more room than a request needs: a read that leaves room tells tokio that
/// the socket is empty, so that a request costs one recvfrom, and neither one more for its size
/// nor one that would block.
#[derive(Default)]
struct Requests {
    received: BytesMut,
}

/// Room for requests in bytes; a fetch of one partition needs about a hundred.
const ROOM: usize = 4096;

impl Requests {
    /// The next one, or `None` when the consumer has shut its side down.
    async fn next(&mut self, stream: &mut TcpStream) -> Result<Option<Fetch>> {
        loop {
            if let Some(frame) = self.frame()? {
                return Ok(Some(Fetch::decode(frame)?));
            }
            self.received.reserve(ROOM);
            match stream.read_buf(&mut self.received).await.context("reading a request")? {
                0 if self.received.is_empty() => return Ok(None),
                0 => bail!("the consumer left in the middle of a request"),
                _ => {}
            }
        }
    }

    /// A whole frame without its size, if one has come.
    fn frame(&mut self) -> Result<Option<Bytes>> {
        let Some((size, rest)) = self.received.split_first_chunk() else { return Ok(None) };
        let size = wire::request_size(*size)?;
        if rest.len() < size {
            return Ok(None);
        }
        self.received.advance(wire::SIZE);
        Ok(Some(self.received.split_to(size).freeze()))
    }
}

async fn answer(
    stream: &mut TcpStream,
    transfer: &mut dyn Transfer,
    fetch: &Fetch,
    log: &Log,
) -> Result<()> {
    let ours = fetch.topic == log.topic() && fetch.partition == log.partition();
    let most = u64::try_from(fetch.max_bytes).unwrap_or(0);
    let records = match u64::try_from(fetch.offset) {
        Ok(offset) if ours => log.slice(offset, most),
        _ => None,
    };
    let error_code = match records {
        Some(_) => 0,
        None if ours => wire::OFFSET_OUT_OF_RANGE,
        None => wire::UNKNOWN_TOPIC_OR_PARTITION,
    };
    let length = records.as_ref().map_or(0, |(_, range)| range.end - range.start);
    let header = Answer {
        correlation_id: fetch.correlation_id,
        topic: fetch.topic.clone(),
        partition: fetch.partition,
        error_code,
        high_watermark: i64::try_from(log.end_offset())?,
        record_bytes: u32::try_from(length)?,
    };
    stream.write_all(&header.encode()?).await.context("sending a response header")?;
    let Some((segment, mut range)) = records else { return Ok(()) };
    while !range.is_empty() {
        let step = || transfer.send(segment, range.clone(), stream.as_fd());
        let sent = stream.async_io(Interest::WRITABLE, step).await.context("sending records")?;
        range.start += sent as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::consumer::{Command, Protocol, Verified, consume, shares};
    use crate::fetch::log::{MakeLog, make};
    use crate::transfer::TRANSFERS;

    #[test]
    fn a_consumer_that_leaves_in_mid_transfer_harms_no_other() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("orders-0");
        // Larger than any pair of socket buffers, so that the server is in the middle of it.
        make(&path, &MakeLog { bytes: 12 << 20, ..MakeLog::default() }).expect("a log");
        let log = Arc::new(Log::open(&path).expect("an intact log"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            for row in TRANSFERS {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                let address = listener.local_addr().expect("bound");
                let server = tokio::spawn(serve(vec![(row, listener)], Arc::clone(&log)));
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
                    rounds: 1,
                    shares: shares(&log, 2, u64::MAX, 1 << 20).expect("readable"),
                })
                .await;
                assert_eq!(
                    (outcome.error, outcome.verified),
                    (None, Verified::Right),
                    "{}",
                    row.name
                );
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
        let ended = runtime.expect("a runtime").block_on(async { set_up(&options) });
        let error = format!("{:#}", ended.expect_err("refused"));
        assert!(error.contains(&address.to_string()) && error.contains("--listen"), "{error}");
    }
}
