//! The consumer: fetches its shares of a log, one connection for each, by a protocol and in a
//! mode, and verifies every byte that it sees.

mod connection;
mod head;
mod http;
mod kafka;
pub mod mode;
mod outcome;
mod plan;

use std::convert::Infallible;
use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use connection::{ClientConnection, ConnectionEnd, Task};
pub use outcome::{Latency, Outcome, Pace, Received, TlsBytes, Verified};
pub use plan::{PlannedFetch, Share, equal_shares, shares};

use crate::fetch::socket::Address;
use crate::privilege::User;

/// What to fetch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FetchCommand {
    /// The server.
    pub address: Address,
    /// How it is asked.
    pub protocol: Protocol,
    /// The server's certificate (PEM), if the connections are encrypted. They are received by
    /// copy then, whatever the mode.
    pub certificate: Option<String>,
    /// Name of the mode in which record bytes are received.
    pub mode: String,
    /// Times that every share is fetched.
    pub rounds: u32,
    /// One connection for each.
    pub shares: Vec<Share>,
}

/// How a server is asked for record bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// Kafka's Fetch, of one partition.
    Kafka {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
    },
    /// HTTP/1.1: GET with a range of bytes, on connections that stay open.
    Http {
        /// Path of the folder that holds the segments; it begins and ends with a slash.
        path: String,
    },
}

/// Carries out the commands on standard input, one line of JSON each, and prints an outcome for
/// each, until the input ends or the parent dies.
///
/// # Errors
/// A line is no command, or nobody listens to the outcome.
pub fn run_consumer() -> Result<()> {
    super::die_with_parent()?;
    super::allow_all_descriptors()?;
    super::give_up_privileges(User::able_to(Path::new("/"), || Ok::<_, Infallible>(())), &[])?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    for line in std::io::stdin().lock().lines() {
        let command: FetchCommand = serde_json::from_str(&line?).context("reading a command")?;
        let outcome = runtime.block_on(consume(command));
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", serde_json::to_string(&outcome)?)?;
        out.flush()?;
    }
    Ok(())
}

/// Carries out one command: all connections are made first, then all fetch at once.
pub async fn consume(command: FetchCommand) -> Outcome {
    let mut outcome = Outcome::begun(Verified::Right);
    let task = match Task::new(command) {
        Ok(task) => Arc::new(task),
        Err(error) => {
            outcome.fail(&error);
            return outcome;
        }
    };
    let mut connecting = JoinSet::new();
    for share in 0..task.command.shares.len() {
        connecting.spawn(ClientConnection::open(Arc::clone(&task), share));
    }
    let connections: Vec<ClientConnection> = outcome.successes(connecting).await;
    let mut fetching = JoinSet::new();
    for connection in connections {
        fetching.spawn(connection.fetch_all());
    }
    let ended: Vec<ConnectionEnd> = outcome.successes(fetching).await;
    for connection in &ended {
        outcome.add(&connection.outcome);
    }
    let first = ended.iter().filter_map(|connection| connection.requested).min();
    let last = ended.iter().filter_map(|connection| connection.received).max();
    if let (Some(first), Some(last)) = (first, last) {
        outcome.seconds = last.duration_since(first).as_secs_f64();
    }
    outcome.latency = task.latency();
    outcome.pace = Pace::of(ended.iter().filter_map(ConnectionEnd::took).collect());
    outcome
}

impl Outcome {
    /// What the tasks gave that did not fail; of the others the first is kept as the error.
    async fn successes<T: 'static>(&mut self, mut tasks: JoinSet<Result<T>>) -> Vec<T> {
        let mut successes = Vec::new();
        while let Some(ended) = tasks.join_next().await {
            match ended.map_err(anyhow::Error::new).and_then(|result| result) {
                Ok(success) => successes.push(success),
                Err(error) => self.fail(&error),
            }
        }
        successes
    }

    fn fail(&mut self, error: &anyhow::Error) {
        self.verified = Verified::Wrong;
        self.error.get_or_insert_with(|| format!("{error:#}"));
    }
}
