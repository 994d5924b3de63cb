//! One connection of the consumer at work.

use std::os::fd::AsFd as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{io, sync::Arc};

use anyhow::{Context as _, Result, ensure};
use hdrhistogram::Histogram;
use tokio::io::{AsyncWriteExt as _, Interest};

use super::head::Head;
use super::mode::{self, Mode};
use super::outcome::{Latency, Outcome, Received, TlsBytes, Verified};
use super::plan::{PlannedFetch, Share};
use super::{FetchCommand, Protocol, http, kafka};
use crate::fetch::check::Check;
use crate::fetch::link::Link;
use crate::fetch::tls;

/// Longest time that a fetch is known to have taken, in microseconds: an hour.
const LONGEST: u64 = 3_600_000_000;

/// Most plaintext in a TLS record (RFC 8446, 5.1).
const RECORD: usize = 16 << 10;

/// What all connections of a command share.
pub(super) struct Task {
    pub(super) command: FetchCommand,
    mode: &'static mode::ModeSpec,
    /// Microseconds of every fetch, to three digits.
    latencies: Mutex<Histogram<u64>>,
}

impl Task {
    pub(super) fn new(command: FetchCommand) -> Result<Self> {
        let name = &command.mode;
        let mode =
            mode::ModeSpec::find(name).with_context(|| format!("no mode is called {name}"))?;
        let latencies = Mutex::new(Histogram::new_with_bounds(1, LONGEST, 3)?);
        Ok(Self { command, mode, latencies })
    }

    pub(super) fn latency(&self) -> Latency {
        let latencies = self.latencies.lock().unwrap_or_else(PoisonError::into_inner);
        Latency {
            p50: latencies.value_at_quantile(0.5),
            p99: latencies.value_at_quantile(0.99),
            max: latencies.max(),
        }
    }

    fn took(&self, time: Duration) {
        let microseconds = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let mut latencies = self.latencies.lock().unwrap_or_else(PoisonError::into_inner);
        latencies.saturating_record(microseconds);
    }
}

/// The state that a connection's protocol keeps between fetches.
enum Speech {
    Kafka(kafka::KafkaSpeech),
    Http(http::HttpSpeech),
}

/// One connection at work.
pub(super) struct ClientConnection {
    link: Link,
    /// Bytes received and sent before the first request.
    handshake: (u64, u64),
    task: Arc<Task>,
    /// Index of its share.
    share: usize,
    speech: Speech,
    mode: Box<dyn Mode>,
    ended: ConnectionEnd,
}

/// The outcome of a connection.
pub(super) struct ConnectionEnd {
    pub(super) outcome: Outcome,
    /// When the first request was about to leave.
    pub(super) requested: Option<Instant>,
    /// When the last byte had come.
    pub(super) received: Option<Instant>,
}

impl ConnectionEnd {
    /// From the first request to the last byte.
    pub(super) fn took(&self) -> Option<Duration> {
        Some(self.received?.duration_since(self.requested?))
    }
}

impl ClientConnection {
    pub(super) async fn open(task: Arc<Task>, share: usize) -> Result<Self> {
        let address = &task.command.address;
        let stream = address.connect().await;
        let stream = stream.with_context(|| format!("connecting to {address}"))?;
        let link = match &task.command.certificate {
            Some(certificate) => Link::secured(stream, tls::connect(certificate)?).await?,
            None => Link::plain(stream),
        };
        let speech = match &task.command.protocol {
            Protocol::Kafka { topic, partition } => {
                Speech::Kafka(kafka::KafkaSpeech::new(topic, *partition)?)
            }
            Protocol::Http { path } => {
                Speech::Http(http::HttpSpeech::new(path, address.internet()))
            }
        };
        let mode = (task.mode.make)().context("preparing to receive")?;
        let verified = if task.mode.sees { Verified::Right } else { Verified::Counted };
        let ended =
            ConnectionEnd { outcome: Outcome::begun(verified), requested: None, received: None };
        let handshake = (link.received, link.sent);
        Ok(Self { link, handshake, task, share, speech, mode, ended })
    }

    /// Fetches the share as often as the command says, and leaves.
    pub(super) async fn fetch_all(mut self) -> Result<ConnectionEnd> {
        let task = Arc::clone(&self.task);
        let share = task.command.shares.get(self.share).context("there is no such share")?;
        for _ in 0..task.command.rounds {
            self.round(share).await?;
        }
        self.leave().await?;
        if self.link.session().is_some() {
            let outcome = &mut self.ended.outcome;
            let plain = outcome.header_bytes + outcome.payload_bytes;
            let (handshake_received, handshake_sent) = self.handshake;
            outcome.tls = TlsBytes {
                handshake_received,
                handshake_sent,
                received: self.link.received.saturating_sub(plain + handshake_received),
                sent: self.link.sent.saturating_sub(outcome.request_bytes + handshake_sent),
            };
        }
        Ok(self.ended)
    }

    /// Fetches the share once.
    async fn round(&mut self, share: &Share) -> Result<()> {
        let begin = if share.plain { Check::plain } else { Check::new };
        let mut check = begin(share.from_offset);
        let before = self.ended.outcome.payload_bytes;
        for planned in &share.fetches {
            self.fetch(&mut check, planned).await?;
        }
        let outcome = &mut self.ended.outcome;
        let counted = outcome.payload_bytes - before;
        ensure!(counted == share.bytes, "{counted} bytes came of {}", share.bytes);
        if let Some(damage) = check.damage {
            // What was sent is not what was asked for: an outcome, and no error.
            log::warn!("received what the segments do not hold: {damage}");
            outcome.verified = Verified::Wrong;
        } else if self.task.mode.sees {
            let ends = check.next_offset;
            ensure!(ends == share.to_offset, "the last answer ends at offset {ends}");
            if (check.bytes, check.crc32c, check.intact) != (share.bytes, share.crc32c, true) {
                outcome.verified = Verified::Wrong;
            }
        }
        Ok(())
    }

    async fn fetch(&mut self, check: &mut Check, planned: &PlannedFetch) -> Result<()> {
        let offset = planned.offset;
        let sees = self.task.mode.sees && check.damage.is_none();
        let ended = check.next_offset;
        ensure!(!sees || ended == offset, "an answer ended at offset {ended}");
        let request = match &mut self.speech {
            Speech::Kafka(speech) => speech.request(planned)?,
            Speech::Http(speech) => speech.request(planned),
        };
        let requested = Instant::now();
        self.ended.requested.get_or_insert(requested);
        self.link.write_all(&request).await.context("sending a request")?;
        self.ended.outcome.request_bytes += request.len() as u64;
        let what = || format!("receiving the answer for offset {offset}");
        let head = match &mut self.speech {
            Speech::Kafka(speech) => speech.head(&mut self.link).await,
            Speech::Http(speech) => speech.head(&mut self.link.stream, planned).await,
        };
        let Head { length, record_bytes } = head.with_context(what)?;
        self.ended.outcome.header_bytes += length as u64;
        let wanted = planned.bytes;
        ensure!(
            record_bytes == wanted,
            "{record_bytes} record bytes for offset {offset}, not {wanted}"
        );
        self.receive(record_bytes, check).await.with_context(what)?;
        let received = Instant::now();
        self.task.took(received.duration_since(requested));
        self.ended.received = Some(received);
        self.ended.outcome.payload_bytes += record_bytes;
        self.ended.outcome.fetches += 1;
        ensure!(!self.task.mode.sees || check.is_whole(), "the answer for offset {offset} is cut");
        Ok(())
    }

    /// Receives record bytes in the command's mode.
    async fn receive(&mut self, mut bytes: u64, check: &mut Check) -> Result<()> {
        let Self { link, mode, ended, .. } = self;
        if link.session().is_some() {
            let copied = decrypt(link, bytes, check).await?;
            ended.outcome.received.add(Received { copied, ..Received::default() });
            return Ok(());
        }
        let stream = &link.stream;
        while bytes > 0 {
            let most = usize::try_from(bytes).unwrap_or(usize::MAX);
            let step = || mode.receive(stream.as_fd(), most, check);
            let step = stream.async_io(Interest::READABLE, step).await?;
            let received = step.received.bytes();
            ensure!(received > 0, "the server closed the connection {bytes} bytes too early");
            ended.outcome.received.add(step.received);
            bytes -= received;
            if step.drained && bytes > 0 {
                // Told that the socket would block, tokio waits for it instead of asking again.
                let would_block = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
                let _ = stream.try_io(Interest::READABLE, would_block);
            }
        }
        Ok(())
    }

    /// Shuts this side down and waits until the server has closed: then every system call that
    /// served this connection is over.
    async fn leave(&mut self) -> Result<()> {
        self.link.stream.shutdown().await.context("shutting the connection down")?;
        let more = self.link.read(&mut [0]).await.context("waiting for the server to close")?;
        ensure!(more == 0, "the server sent more than was asked for");
        Ok(())
    }
}

/// Receives so many encrypted record bytes and has them checked.
async fn decrypt(link: &mut Link, mut bytes: u64, check: &mut Check) -> Result<u64> {
    let (mut buffer, all) = (vec![0; RECORD], bytes);
    while bytes > 0 {
        let most = usize::try_from(bytes).unwrap_or(RECORD).min(RECORD);
        let read = link.read(&mut buffer[..most]).await?;
        ensure!(read > 0, "the server closed the connection {bytes} bytes too early");
        check.take(&buffer[..read]);
        bytes -= read as u64;
    }
    Ok(all)
}
