//! The server: many connections on one thread, none of which blocks it.
//!
//! What it does in which system call is part of its interface, because bytes are named by
//! system call: requests come in by recvfrom, response headers leave by sendto, and records by
//! the transfer's own calls. A connection is closed only after every step on it has returned.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::{TcpListener, TcpStream};

use super::log::Log;
use super::wire::{self, Answer, Fetch};
use crate::transfer::{Row, Transfer};

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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let served = runtime.block_on(async {
        let (listeners, log) = match set_up(options).await {
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

async fn set_up(options: &ServerOptions) -> Result<(Vec<(&'static Row, TcpListener)>, Log)> {
    let log = Log::open(&options.log_dir)?;
    let mut listeners = Vec::new();
    for (name, address) in &options.listeners {
        let row = Row::find(name).with_context(|| format!("no transfer is called {name}"))?;
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("cannot listen on {address}; free the port or choose another with --listen")
        })?;
        listeners.push((row, listener));
    }
    Ok((listeners, log))
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
/// A listener fails.
pub async fn serve(listeners: Vec<(&'static Row, TcpListener)>, log: Arc<Log>) -> Result<()> {
    let mut tasks = tokio::task::JoinSet::new();
    for (row, listener) in listeners {
        let log = Arc::clone(&log);
        tasks.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.context("accepting a connection")?;
                tokio::spawn(connection(stream, row, Arc::clone(&log)));
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
    while let Some(fetch) = request(stream).await? {
        answer(stream, transfer.as_mut(), &fetch, log).await?;
    }
    Ok(())
}

/// The next request, or `None` when the consumer has shut its side down.
async fn request(stream: &mut TcpStream) -> Result<Option<Fetch>> {
    let mut size = [0; wire::SIZE];
    let mut held = 0;
    while held < size.len() {
        match stream.read(&mut size[held..]).await? {
            0 if held == 0 => return Ok(None),
            0 => bail!("the consumer left in the middle of a request"),
            read => held += read,
        }
    }
    let mut frame = vec![0; wire::request_size(size)?];
    stream.read_exact(&mut frame).await.context("reading a request")?;
    Ok(Some(Fetch::decode(frame.into())?))
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
