//! The server: a Kafka broker that is only read from. Many connections on one thread, none of
//! which blocks it.
//!
//! What it does in which system call is part of its interface, because bytes are named by
//! system call: requests come in by recvfrom, what is encoded of responses leaves by sendto, and
//! records by the transfer's own calls. A connection is closed only after every step on it has
//! returned.

mod account;
mod advertised;
mod answer;
mod broker;
mod check;
mod commits;
mod connection;
mod coordinator;
mod dispatch;
mod epochs;
mod fetch;
mod group;
mod groups;
mod idle;
mod member;
mod metadata;
mod offsets;
mod partitions;
mod public;
mod quiet;
mod run;
mod stranger;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub use account::{Account, Told};
pub use advertised::Advertised;
pub use answer::{Answer, Reply, Slice};
pub use broker::Broker;
pub use coordinator::Later;
pub use public::{BrokerOptions, run_broker};
pub use run::{Greeting, Listening, ServerOptions, run_server};

use crate::fetch::link::Link;
use crate::fetch::socket::Listener;
use crate::transfer::{Layer, TransferSpec};

/// How long a listener that could not accept a connection waits before it tries again: until
/// then another connection may have ended and freed what was lacking.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a client may take to shake hands.
const HANDSHAKE: Duration = Duration::from_secs(30);

/// Answers requests on every listener, for ever.
///
/// # Errors
/// There is no listener.
pub async fn serve(
    listeners: Vec<(&'static TransferSpec, Listener)>,
    broker: Arc<Broker>,
) -> Result<()> {
    let mut tasks = tokio::task::JoinSet::new();
    for (row, listener) in listeners {
        let broker = Arc::clone(&broker);
        let bound = listener.address.internet();
        tasks.spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, peer)) => {
                        let ends = ConnectionEnds { bound, peer };
                        tokio::spawn(connection(stream, ends, row, Arc::clone(&broker)));
                    }
                    // A client that left before it was accepted, or one too many for the
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

/// The two ends of a connection.
struct ConnectionEnds {
    /// What the listener is bound to.
    bound: SocketAddr,
    /// The client.
    peer: String,
}

/// One connection. Its errors end it and harm no other.
async fn connection(
    stream: TcpStream,
    ends: ConnectionEnds,
    row: &'static TransferSpec,
    broker: Arc<Broker>,
) {
    if let Err(error) = answer_all(stream, ends.bound, row, &broker).await {
        broker.quiet.warn(&ends.peer, &format!("closing the connection: {error:#}"));
    }
}

async fn answer_all(
    stream: TcpStream,
    bound: SocketAddr,
    row: &'static TransferSpec,
    broker: &Broker,
) -> Result<()> {
    // Every address of the host may have been reached; else it is known without a system call.
    let local = if bound.ip().is_unspecified() { stream.local_addr()? } else { bound };
    let link = match row.layer {
        Layer::Plain => Link::plain(stream),
        // Boxed, so that plain connections need no room for a handshake.
        Layer::Tls => Box::pin(secured(stream, broker)).await?,
        Layer::KernelTls => Box::pin(secured(stream, broker)).await?.into_kernel()?,
    };
    let mut transfer = (row.make)()?;
    if let Some(session) = link.session() {
        transfer.encrypt_with(session);
    }
    let mut connection = connection::Connection::new(link, transfer);
    let served = connection.serve(broker, local).await;
    let settled = match served {
        Ok(()) => connection.settle().await,
        Err(_) => Ok(()),
    };
    let account = connection.account();
    broker.book(row, account);
    if let Err(error) = &served
        && account.records == 0
        && let Some(reason) = refusal(error)
    {
        broker.refuse(row, reason);
    }
    served.and(settled)
}

/// What a kernel says that cannot do what it is asked for, with this kind of socket or file. The last
/// one is the kernel's own ENOTSUPP, which some of its sockets give away (include/linux/errno.h, 6.1
/// to 7.3).
const REFUSALS: [i32; 10] = [
    libc::EOPNOTSUPP,
    libc::EPROTONOSUPPORT,
    libc::ENOPROTOOPT,
    libc::ENOSYS,
    libc::EINVAL,
    libc::ENODEV,
    libc::ESPIPE,
    libc::EXDEV,
    libc::EROFS,
    524,
];

/// Why a transfer that sent nothing cannot be made, if that is what an error says.
fn refusal(error: &anyhow::Error) -> Option<String> {
    let mut numbers = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    let refused = numbers.any(|e| e.raw_os_error().is_some_and(|errno| REFUSALS.contains(&errno)));
    refused.then(|| format!("the kernel refuses it for this socket or file: {error:#}"))
}

/// Shakes hands in time.
async fn secured(stream: TcpStream, broker: &Broker) -> Result<Link> {
    let handshake = Link::secured(stream, broker.identity()?.accept()?);
    timeout(HANDSHAKE, handshake).await.context("no handshake in time")?
}

#[cfg(test)]
mod tests;
