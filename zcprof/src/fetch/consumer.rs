//! The consumer: fetches its shares of a log, one connection for each, and verifies every byte.

use std::io::{BufRead as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::FileExt as _;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::log::batch::{self, BatchHeader};
use super::log::{Batch, Log};
use super::wire::{Answer, Fetch};

/// What to fetch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Command {
    /// The server.
    pub address: SocketAddr,
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Most record bytes in one fetch.
    pub fetch_size: u64,
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
/// into nearly equal ranges. Reads them for their CRC, so the page cache holds them then.
///
/// # Errors
/// A segment cannot be read.
pub fn shares(log: &Log, connections: u32, bytes: u64) -> Result<Vec<Share>> {
    let mut wanted = 0;
    let enough = log.batches().iter().take_while(|batch| {
        let before = wanted;
        wanted += batch.length;
        before < bytes
    });
    let count = enough.count();
    let parts = usize::try_from(connections)?.clamp(1, count.max(1));
    let range = |part: usize| &log.batches()[count * part / parts..count * (part + 1) / parts];
    (0..parts).map(|part| share(log, range(part))).collect()
}

fn share(log: &Log, batches: &[Batch]) -> Result<Share> {
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
    })
}

/// Carries out the commands on standard input, one line of JSON each, and prints an outcome for
/// each, until the input ends or the parent dies.
///
/// # Errors
/// A line is no command, or nobody listens to the outcome.
pub fn run_consumer() -> Result<()> {
    super::die_with_parent()?;
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
    let start = Instant::now();
    let mut connections = JoinSet::new();
    for share in command.shares.clone() {
        connections.spawn(Connection::fetch_share(command.clone(), share));
    }
    while let Some(ended) = connections.join_next().await {
        match ended.map_err(anyhow::Error::new).and_then(|connection| connection) {
            Ok(connection) => outcome.add(&connection.outcome),
            Err(error) => {
                outcome.verified = false;
                outcome.error.get_or_insert(format!("{error:#}"));
            }
        }
    }
    outcome.seconds = start.elapsed().as_secs_f64();
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

/// One connection at work.
struct Connection {
    stream: TcpStream,
    command: Command,
    header: Vec<u8>,
    records: Vec<u8>,
    outcome: Outcome,
}

impl Connection {
    async fn fetch_share(command: Command, share: Share) -> Result<Self> {
        let address = command.address;
        let stream = TcpStream::connect(address).await;
        let stream = stream.with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        let header = vec![0; Answer::header_bytes(&command.topic)?];
        let outcome = Outcome { verified: true, ..Outcome::default() };
        let mut connection = Self { stream, command, header, records: Vec::new(), outcome };
        for _ in 0..connection.command.rounds {
            connection.round(&share).await?;
        }
        connection.leave().await?;
        Ok(connection)
    }

    /// Fetches the share once.
    async fn round(&mut self, share: &Share) -> Result<()> {
        let mut offset = share.from_offset;
        let (mut crc, mut received) = (0, 0);
        while offset < share.to_offset {
            let most = self.command.fetch_size.min(share.bytes.saturating_sub(received));
            self.fetch(offset, most).await?;
            crc = crc32c::crc32c_append(crc, &self.records);
            received += self.records.len() as u64;
            offset = self.verify_batches(offset)?;
        }
        self.outcome.verified &= crc == share.crc32c && received == share.bytes;
        Ok(())
    }

    /// One fetch; its records are in `self.records` then.
    async fn fetch(&mut self, offset: u64, most: u64) -> Result<()> {
        let correlation_id = i32::try_from(self.outcome.fetches & 0x7fff_ffff)?;
        let fetch = Fetch {
            correlation_id,
            topic: self.command.topic.clone(),
            partition: self.command.partition,
            offset: i64::try_from(offset)?,
            max_bytes: i32::try_from(most).unwrap_or(i32::MAX),
        };
        let request = fetch.encode()?;
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
        // Copy mode: recv(2) into user memory.
        self.records.resize(usize::try_from(answer.record_bytes)?, 0);
        self.stream.read_exact(&mut self.records).await.with_context(what)?;
        self.outcome.payload_bytes += u64::from(answer.record_bytes);
        self.outcome.fetches += 1;
        Ok(())
    }

    /// Verifies every batch received, and returns the offset after the last one.
    fn verify_batches(&mut self, from: u64) -> Result<u64> {
        let mut offset = from;
        let mut rest = &self.records[..];
        while !rest.is_empty() {
            let whole = BatchHeader::read(rest).filter(|header| header.length <= rest.len());
            let header = whole.with_context(|| format!("a cut batch at offset {offset}"))?;
            let (batch, behind) = rest.split_at(header.length);
            self.outcome.verified &= batch::crc(batch) == header.crc;
            offset = u64::try_from(header.next_offset()).context("a negative offset")?;
            rest = behind;
        }
        ensure!(offset > from, "an answer without records for offset {from}");
        Ok(offset)
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
