//! The server: a Kafka broker that is only read from. Many connections on one thread, none of
//! which blocks it.
//!
//! What it does in which system call is part of its interface, because bytes are named by
//! system call: requests come in by recvfrom, what is encoded of responses leaves by sendto, and
//! records by the transfer's own calls. A connection is closed only after every step on it has
//! returned.

mod broker;
mod connection;
mod coordinator;
mod fetch;
mod groups;
mod metadata;
mod offsets;
mod run;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

pub use broker::Broker;
pub use metadata::Advertised;
pub use run::{BrokerOptions, Greeting, Listening, ServerOptions, run_broker, run_server};

use crate::transfer::Row;

/// How long a listener that could not accept a connection waits before it tries again: until
/// then another connection may have ended and freed what was lacking.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Connections that may wait to be accepted (the kernel's own limit is `somaxconn`, 4096). What
/// overflows this queue is tried again by TCP a second later.
const BACKLOG: u32 = 4096;

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Answers requests on every listener, for ever.
///
/// # Errors
/// There is no listener.
pub async fn serve(listeners: Vec<(&'static Row, TcpListener)>, broker: Arc<Broker>) -> Result<()> {
    let mut tasks = tokio::task::JoinSet::new();
    for (row, listener) in listeners {
        let broker = Arc::clone(&broker);
        tasks.spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => {
                        tokio::spawn(connection(stream, row, Arc::clone(&broker)));
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

/// One connection. Its errors end it and harm no other.
async fn connection(stream: TcpStream, row: &'static Row, broker: Arc<Broker>) {
    let peer = stream.peer_addr().map_or_else(|_| "a client".to_owned(), |a| a.to_string());
    if let Err(error) = answer_all(stream, row, &broker).await {
        log::warn!("closing the connection to {peer}: {error:#}");
    }
}

async fn answer_all(stream: TcpStream, row: &Row, broker: &Broker) -> Result<()> {
    // As Kafka does: a header must not wait for the records behind it, and a client whose host
    // is gone must be noticed.
    stream.set_nodelay(true)?;
    setsockopt(&stream, sockopt::KeepAlive, &true)?;
    connection::Connection::new(stream, (row.make)()?).serve(broker).await
}

#[cfg(test)]
mod tests;
