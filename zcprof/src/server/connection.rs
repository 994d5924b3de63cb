//! One connection: requests in, responses out, in order.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::ops::Range;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::BytesMut;
use tokio::io::Interest;
use tokio::time::sleep;

use super::account::Account;
use super::answer::{Answer, Reply, Slice};
use super::broker::Broker;
use super::coordinator::Later;
use super::idle::{Awaited, Idle};
use super::stranger;
use crate::fetch::link::Link;
use crate::fetch::log::Segment;
use crate::fetch::wire::{self, ResponseFrame, SIZE};
use crate::transfer::Transfer;

/// How long a client may neither say anything nor take anything: Kafka's
/// `connections.max.idle.ms`.
const IDLE: Duration = Duration::from_mins(10);

/// How long the kernel may take to tell of sends that the client has received.
const SETTLE: Duration = Duration::from_secs(5);

/// Between two questions about them.
const SETTLE_PAUSE: Duration = Duration::from_millis(1);

/// How long a group is left alone at most while somebody waits for it, and at least.
const GROUP: Duration = Duration::from_mins(1);
const LEAST_GROUP: Duration = Duration::from_millis(5);

/// Bytes that are received at most in one step of a request that is not a short one.
const STEP: usize = 16 << 10;

/// Bytes that are received at most in the first step: what most clients ask is far shorter, and a
/// connection may ask only once.
const FIRST: usize = 1 << 10;

/// One client.
pub(super) struct Connection {
    /// Dropped before the link: who sees the connection closed sees everything of it closed.
    transfer: Box<dyn Transfer>,
    link: Link,
    account: Account,
    /// What was received and not yet read: never much more than one request.
    input: BytesMut,
    idle: Arc<Idle>,
}

impl Connection {
    pub(super) fn new(link: Link, transfer: Box<dyn Transfer>) -> Self {
        let (account, input) = (Account::default(), BytesMut::new());
        Self { link, transfer, account, input, idle: Arc::new(Idle::new(IDLE)) }
    }

    /// Answers until the client has shut its side down. `local` is the address that it reached.
    ///
    /// # Errors
    /// The client said what nobody understands, left in the middle, or was idle for too long.
    pub(super) async fn serve(&mut self, broker: &Broker, local: SocketAddr) -> Result<()> {
        let idle = Arc::clone(&self.idle);
        tokio::select! {
            biased;
            served = self.answer(broker, local) => served,
            wanted = idle.exceeded() => match wanted {
                Awaited::Request => bail!("the client was silent for {} s", IDLE.as_secs()),
                Awaited::Room => bail!("the client took nothing for {} s", IDLE.as_secs()),
            },
        }
    }

    async fn answer(&mut self, broker: &Broker, local: SocketAddr) -> Result<()> {
        while let Some(frame) = self.frame().await? {
            let reply = match broker.answer(frame.freeze(), local)? {
                Answer::Now(reply) => reply,
                // Boxed, as all that only some connections wait for: each connection would need the
                // room, and cost the time to move it into its task.
                Answer::Later(later) => match Box::pin(self.wait_for(broker, later)).await? {
                    Some(frame) => frame.into(),
                    None => return Ok(()),
                },
            };
            let Reply { frame, slices, delay } = reply;
            if let Some(delay) = delay
                && !Box::pin(self.wait(delay)).await?
            {
                return Ok(());
            }
            self.send(&frame, &slices).await?;
        }
        Ok(())
    }

    /// Waits until the kernel has told what became of every send. The client has everything and
    /// has left.
    ///
    /// # Errors
    /// It does not tell in time.
    pub(super) async fn settle(&mut self) -> Result<()> {
        let begun = Instant::now();
        loop {
            match self.transfer.settle(self.link.stream.as_fd()) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    ensure!(begun.elapsed() < SETTLE, "sends whose end the kernel does not tell");
                    Box::pin(sleep(SETTLE_PAUSE)).await;
                }
                done => return done.context("settling sends"),
            }
        }
    }

    /// What the connection has come to so far.
    pub(super) fn account(&self) -> Account {
        let (iovecs, notices) = (self.transfer.iovecs(), self.transfer.notices());
        Account { iovecs, notices, ..self.account }
    }

    /// The next request without its size, or `None` when the client has shut its side down.
    async fn frame(&mut self) -> Result<Option<BytesMut>> {
        let mut needed = SIZE;
        loop {
            if let Some(size) = self.input.first_chunk() {
                if let Some(word) = stranger::spoken(*size) {
                    bail!("{word}");
                }
                needed = SIZE + wire::request_size(*size)?;
            }
            if self.input.len() >= needed && needed > SIZE {
                let mut frame = self.input.split_to(needed);
                return Ok(Some(frame.split_off(SIZE)));
            }
            ensure!(self.input.len() < needed, "the client sent a request of no bytes");
            self.idle.expect(Awaited::Request, IDLE);
            if !self.receive().await? {
                ensure!(self.input.is_empty(), "the client left in the middle of a request");
                return Ok(None);
            }
        }
    }

    /// Receives something; false if the client has shut its side down.
    async fn receive(&mut self) -> Result<bool> {
        // Memory for what has come, not for what was announced.
        if self.input.capacity() - self.input.len() < FIRST {
            self.input.reserve(if self.input.is_empty() { FIRST } else { STEP });
        }
        let received = self.link.read_buf(&mut self.input).await.context("receiving")?;
        self.account.requests += received as u64;
        Ok(received > 0)
    }

    /// Lets time pass, unless the client leaves before; false if it did.
    async fn wait(&mut self, delay: Duration) -> Result<bool> {
        self.idle.expect(Awaited::Request, delay + IDLE);
        let passed = sleep(delay);
        tokio::pin!(passed);
        loop {
            // Requests that come meanwhile are kept, up to the size of the longest.
            let full = self.input.len() >= wire::MAX_REQUEST;
            tokio::select! {
                () = &mut passed => return Ok(true),
                received = self.receive(), if !full => {
                    if !received? {
                        return Ok(false);
                    }
                }
            }
        }
    }

    /// Waits for the other members of a group; `None` if the client leaves before.
    async fn wait_for(
        &mut self,
        broker: &Broker,
        mut later: Later,
    ) -> Result<Option<ResponseFrame>> {
        loop {
            self.idle.expect(Awaited::Request, GROUP + IDLE);
            let within = broker.deadline(&later);
            let within = within.map_or(GROUP, |at| at.saturating_duration_since(Instant::now()));
            // Requests that come meanwhile are kept, up to the size of the longest.
            let full = self.input.len() >= wire::MAX_REQUEST;
            tokio::select! {
                biased;
                frame = later.frame() => return Ok(Some(frame?)),
                () = sleep(within.clamp(LEAST_GROUP, GROUP)) => broker.expire(&later),
                received = self.receive(), if !full => {
                    if !received? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Sends what is encoded, and records in the gaps.
    async fn send(&mut self, frame: &ResponseFrame, slices: &[Slice<'_>]) -> Result<()> {
        ensure!(frame.gaps.len() == slices.len(), "a response has other records than it should");
        let mut sent = 0;
        for (gap, slice) in frame.gaps.iter().zip(slices) {
            let expected = (slice.from, slice.range.end - slice.range.start);
            if (gap.from, gap.bytes as u64) != expected {
                bail!("a response has other records than it should");
            }
            self.send_encoded(&frame.encoded[sent..gap.at]).await?;
            sent = gap.at;
            self.send_records(slice).await?;
        }
        self.send_encoded(&frame.encoded[sent..]).await
    }

    async fn send_encoded(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.idle.expect(Awaited::Room, IDLE);
        self.link.write_all(bytes).await.context("sending a response")?;
        self.account.encoded += bytes.len() as u64;
        Ok(())
    }

    async fn send_records(&mut self, slice: &Slice<'_>) -> Result<()> {
        let mut range: Range<u64> = slice.range.clone();
        self.account.fetches += u64::from(!range.is_empty());
        while !range.is_empty() {
            let (transfer, stream, idle) = (&mut self.transfer, &self.link.stream, &mut self.idle);
            let begun = range.start;
            let step = || {
                idle.expect(Awaited::Room, IDLE);
                range.start += transfer.send(slice.segment, range.clone(), stream.as_fd())? as u64;
                if range.is_empty() || !transfer.fills_the_socket() {
                    return Ok(());
                }
                // As if it had been asked for more: this waits until the socket has room.
                Err(ErrorKind::WouldBlock.into())
            };
            let sent = stream.async_io(Interest::WRITABLE, step).await;
            self.account.records += range.start - begun;
            let sent = sent.inspect_err(|error| note_failure(slice.segment, error));
            sent.context("sending records")?;
        }
        Ok(())
    }
}

/// Notes if a segment, and not the client, is what ended a transfer: from then on clients are told
/// that it cannot be read.
fn note_failure(segment: &Segment, error: &io::Error) {
    let shorter = error.kind() == ErrorKind::UnexpectedEof;
    let unreadable = matches!(error.raw_os_error(), Some(libc::EIO | libc::EFAULT));
    if (shorter || unreadable) && segment.fail() {
        let path = segment.path.display();
        let reason =
            if shorter { "it is shorter than it was".to_owned() } else { error.to_string() };
        log::error!("{path} cannot be served any more: {reason}; restore it, and start again");
    }
}
