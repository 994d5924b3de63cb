//! The consumer: fetches its shares of a log, one connection for each, and verifies every byte.

use std::future::poll_fn;
use std::io::{BufRead as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::FileExt as _;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, ready};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead as _, AsyncReadExt as _, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::check::Check;
use super::log::{Batch, Log};
use super::wire::{Answer, Fetch};

/// Size of the receive buffer in bytes.
const BUFFER: usize = 1 << 20;

/// What to fetch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Command {
    /// The server.
    pub address: SocketAddr,
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Times that every share is fetched.
    pub rounds: u32,
    /// One connection for each.
    pub shares: Vec<Share>,
}

/// A range of whole batches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Offset of the first record.
    pub from_offset: u64,
    /// Offset after the last record.
    pub to_offset: u64,
    /// Record bytes.
    pub bytes: u64,
    /// CRC-32C over all of them.
    pub crc32c: u32,
    /// The fetches that cover it, in order.
    pub fetches: Vec<Planned>,
}

/// A fetch of whole batches. It is planned so that no answer ends in a cut batch, which would
/// have to be fetched again: then every byte that leaves the server is payload, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Offset of the first record.
    pub offset: u64,
    /// Base offset of the segment that holds it.
    pub segment: u64,
    /// Position in the segment, in bytes.
    pub position: u64,
    /// Record bytes.
    pub bytes: u64,
}

/// What came of a command. Sizes in bytes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// Record bytes received.
    pub payload_bytes: u64,
    /// Fetches answered.
    pub fetches: u64,
    /// Every batch's CRC-32C and every share's are right.
    pub verified: bool,
    /// Bytes of all requests.
    pub request_bytes: u64,
    /// Bytes of all responses that are not record bytes.
    pub header_bytes: u64,
    /// From the first request to the last byte.
    pub seconds: f64,
    /// What kept it from receiving everything.
    pub error: Option<String>,
}

/// Splits the first whole batches that hold at least `bytes` (or all, if the log has fewer)
/// into nearly equal ranges, and each into fetches of up to `fetch_size` bytes but at least one
/// batch. Reads them for their CRC, so the page cache holds them then.
///
/// # Errors
/// A segment cannot be read.
pub fn shares(log: &Log, connections: u32, bytes: u64, fetch_size: u64) -> Result<Vec<Share>> {
    let mut wanted = 0;
    let enough = log.batches().iter().take_while(|batch| {
        let before = wanted;
        wanted += batch.length;
        before < bytes
    });
    let count = enough.count();
    let parts = usize::try_from(connections)?.clamp(1, count.max(1));
    let range = |part: usize| &log.batches()[count * part / parts..count * (part + 1) / parts];
    (0..parts).map(|part| share(log, range(part), fetch_size)).collect()
}

fn share(log: &Log, batches: &[Batch], fetch_size: u64) -> Result<Share> {
    let (first, last) = batches.first().zip(batches.last()).context("a share of no batches")?;
    let mut crc = 0;
    let mut buffer = Vec::new();
    for batch in batches {
        buffer.resize(usize::try_from(batch.length)?, 0);
        let segment = &log.segments()[batch.segment];
        segment
            .file
            .read_exact_at(&mut buffer, batch.position)
            .with_context(|| format!("reading {}", segment.path.display()))?;
        crc = crc32c::crc32c_append(crc, &buffer);
    }
    Ok(Share {
        from_offset: first.base_offset,
        to_offset: last.next_offset,
        bytes: batches.iter().map(|batch| batch.length).sum(),
        crc32c: crc,
        fetches: plan(log, batches, fetch_size),
    })
}

fn plan(log: &Log, batches: &[Batch], fetch_size: u64) -> Vec<Planned> {
    let mut fetches: Vec<Planned> = Vec::new();
    let mut last = None;
    for batch in batches {
        match fetches.last_mut() {
            Some(fetch)
                if last == Some(batch.segment) && fetch.bytes + batch.length <= fetch_size =>
            {
                fetch.bytes += batch.length;
            }
            _ => fetches.push(Planned {
                offset: batch.base_offset,
                segment: log.segments()[batch.segment].base_offset,
                position: batch.position,
                bytes: batch.length,
            }),
        }
        last = Some(batch.segment);
    }
    fetches
}

/// Carries out the commands on standard input, one line of JSON each, and prints an outcome for
/// each, until the input ends or the parent dies.
///
/// # Errors
/// A line is no command, or nobody listens to the outcome.
pub fn run_consumer() -> Result<()> {
    super::die_with_parent()?;
    super::allow_all_descriptors()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    for line in std::io::stdin().lock().lines() {
        let command: Command = serde_json::from_str(&line?).context("reading a command")?;
        let outcome = runtime.block_on(consume(command));
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", serde_json::to_string(&outcome)?)?;
        out.flush()?;
    }
    Ok(())
}

/// Carries out one command.
pub async fn consume(command: Command) -> Outcome {
    let mut outcome = Outcome { verified: true, ..Outcome::default() };
    let buffer: Buffer = Arc::new(Mutex::new(vec![0; BUFFER]));
    let mut connections = JoinSet::new();
    let (mut requested, mut received) = (None::<Instant>, None::<Instant>);
    let command = Arc::new(command);
    for share in command.shares.clone() {
        connections.spawn(Connection::fetch_share(
            Arc::clone(&command),
            share,
            Arc::clone(&buffer),
        ));
    }
    while let Some(ended) = connections.join_next().await {
        match ended.map_err(anyhow::Error::new).and_then(|connection| connection) {
            Ok(connection) => {
                outcome.add(&connection.outcome);
                requested = [requested, connection.requested].into_iter().flatten().min();
                received = received.max(connection.received);
            }
            Err(error) => {
                outcome.verified = false;
                outcome.error.get_or_insert(format!("{error:#}"));
            }
        }
    }
    if let (Some(first), Some(last)) = (requested, received) {
        outcome.seconds = last.duration_since(first).as_secs_f64();
    }
    outcome
}

impl Outcome {
    fn add(&mut self, other: &Self) {
        self.payload_bytes += other.payload_bytes;
        self.fetches += other.fetches;
        self.verified &= other.verified;
        self.request_bytes += other.request_bytes;
        self.header_bytes += other.header_bytes;
    }
}

/// See [`BUFFER`].
type Buffer = Arc<Mutex<Vec<u8>>>;

/// One connection at work.
struct Connection {
    stream: TcpStream,
    command: Arc<Command>,
    header: Vec<u8>,
    /// Record bytes that were received last. All connections share it, so that it stays in the
    /// CPU's cache however many there are: what is received is checked before anybody else runs.
    buffer: Buffer,
    outcome: Outcome,
    /// When the first request was about to leave.
    requested: Option<Instant>,
    /// When the last byte had come.
    received: Option<Instant>,
}

impl Connection {
    async fn fetch_share(command: Arc<Command>, share: Share, buffer: Buffer) -> Result<Self> {
        let address = command.address;
        let stream = TcpStream::connect(address).await;
        let stream = stream.with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        let header = vec![0; Answer::header_bytes(&command.topic)?];
        let outcome = Outcome { verified: true, ..Outcome::default() };
        let (requested, received) = (None, None);
        let mut connection = Self { stream, command, header, buffer, outcome, requested, received };
        for _ in 0..connection.command.rounds {
            connection.round(&share).await?;
        }
        connection.leave().await?;
        Ok(connection)
    }

    /// Fetches the share once.
    async fn round(&mut self, share: &Share) -> Result<()> {
        let mut check = Check::new(share.from_offset);
        for planned in &share.fetches {
            self.fetch(&mut check, planned).await?;
            ensure!(check.is_whole(), "the answer for offset {} is cut", planned.offset);
        }
        ensure!(check.next_offset == share.to_offset, "the last answer ends at another offset");
        let whole = (check.bytes, check.crc32c) == (share.bytes, share.crc32c);
        self.outcome.verified &= whole && check.intact;
        Ok(())
    }

    async fn fetch(&mut self, check: &mut Check, planned: &Planned) -> Result<()> {
        let offset = planned.offset;
        ensure!(check.next_offset == offset, "an answer ended at offset {}", check.next_offset);
        let correlation_id = i32::try_from(self.outcome.fetches & 0x7fff_ffff)?;
        let fetch = Fetch {
            correlation_id,
            topic: self.command.topic.clone(),
            partition: self.command.partition,
            offset: i64::try_from(offset)?,
            max_bytes: i32::try_from(planned.bytes).context("a fetch of 2 GiB or more")?,
        };
        let request = fetch.encode()?;
        self.requested.get_or_insert_with(Instant::now);
        self.stream.write_all(&request).await.context("sending a request")?;
        self.outcome.request_bytes += request.len() as u64;
        let what = || format!("receiving the answer for offset {offset}");
        self.stream.read_exact(&mut self.header).await.with_context(what)?;
        self.outcome.header_bytes += self.header.len() as u64;
        let answer = Answer::decode(&self.header).with_context(what)?;
        ensure!(answer.correlation_id == correlation_id, "an answer to another request");
        if answer.error_code != 0 {
            bail!("the server answered offset {offset} with Kafka error {}", answer.error_code);
        }
        let announced = u64::from(answer.record_bytes);
        let wanted = planned.bytes;
        ensure!(announced == wanted, "{announced} record bytes for offset {offset}, not {wanted}");
        self.receive(announced, check).await.with_context(what)?;
        self.received = Some(Instant::now());
        self.outcome.payload_bytes += announced;
        self.outcome.fetches += 1;
        Ok(())
    }

    /// Receives record bytes in copy mode: recv(2) into user memory, where they are checked.
    async fn receive(&mut self, mut bytes: u64, check: &mut Check) -> Result<()> {
        while bytes > 0 {
            let most = usize::try_from(bytes).unwrap_or(BUFFER).min(BUFFER);
            let received = poll_fn(|context| {
                let mut buffer = self.buffer.lock().unwrap_or_else(PoisonError::into_inner);
                let mut piece = ReadBuf::new(&mut buffer[..most]);
                ready!(Pin::new(&mut self.stream).poll_read(context, &mut piece))?;
                check.take(piece.filled())?;
                Poll::Ready(anyhow::Ok(piece.filled().len()))
            });
            let received = received.await?;
            ensure!(received > 0, "the server closed the connection {bytes} bytes too early");
            bytes -= received as u64;
        }
        Ok(())
    }

    /// Shuts this side down and waits until the server has closed: then every system call that
    /// served this connection is over.
    async fn leave(&mut self) -> Result<()> {
        self.stream.shutdown().await.context("shutting the connection down")?;
        let more = self.stream.read(&mut [0]).await.context("waiting for the server to close")?;
        ensure!(more == 0, "the server sent more than was asked for");
        Ok(())
    }
}
