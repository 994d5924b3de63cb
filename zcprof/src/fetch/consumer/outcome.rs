//! The outcome of a command.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The outcome of a command. Sizes in bytes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// Record bytes received.
    pub payload_bytes: u64,
    /// Fetches answered.
    pub fetches: u64,
    /// What was made sure of.
    pub verified: Verified,
    /// How the record bytes came to this process.
    pub received: Received,
    /// Bytes of all requests.
    pub request_bytes: u64,
    /// Bytes of all responses that are not record bytes.
    pub header_bytes: u64,
    /// What TLS added.
    pub tls: TlsBytes,
    /// From the first request to the last byte.
    pub seconds: f64,
    /// How long a fetch took, over all connections.
    pub latency: Latency,
    /// How long the connections took.
    pub pace: Pace,
    /// What kept it from receiving everything.
    pub error: Option<String>,
}

/// What was made sure of, from best to worst. Bytes that nobody looked at are not verified,
/// however right their number is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verified {
    /// Every batch's CRC-32C and every share's are right.
    Right,
    /// The mode does not see the bytes; their number alone is right.
    #[default]
    Counted,
    /// Bytes are wrong or did not come.
    Wrong,
}

impl Verified {
    /// Whether a claim may rest on these bytes.
    #[must_use]
    pub fn is_right(self) -> bool {
        self == Self::Right
    }
}

/// How record bytes came to this process, by its own account. In bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// By recv(2) into user memory.
    pub copied: u64,
    /// As pages of the socket's buffers, mapped into user memory.
    pub mapped: u64,
    /// By splice(2) into a pipe, and never into user memory.
    pub moved: u64,
    /// Dropped by the kernel.
    pub dropped: u64,
}

impl Received {
    /// All of them.
    #[must_use]
    pub fn bytes(self) -> u64 {
        self.copied + self.mapped + self.moved + self.dropped
    }

    pub(super) fn add(&mut self, other: Self) {
        self.copied += other.copied;
        self.mapped += other.mapped;
        self.moved += other.moved;
        self.dropped += other.dropped;
    }
}

/// What TLS added to requests and responses. In bytes; zero without TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsBytes {
    /// Handshakes, from the server.
    pub handshake_received: u64,
    /// Handshakes, to the server.
    pub handshake_sent: u64,
    /// Headers and tags of the records that carried the responses.
    pub received: u64,
    /// Headers and tags of the records that carried the requests.
    pub sent: u64,
}

impl TlsBytes {
    fn add(&mut self, other: Self) {
        self.handshake_received += other.handshake_received;
        self.handshake_sent += other.handshake_sent;
        self.received += other.received;
        self.sent += other.sent;
    }
}

/// How long fetches took, from before the request leaves until the last record byte has come.
/// In microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// Half of the fetches took no longer.
    pub p50: u64,
    /// 99 of 100 took no longer.
    pub p99: u64,
    /// The slowest.
    pub max: u64,
}

/// How long connections took, each from its first request to its last byte. In seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    /// The fastest connection.
    pub fastest: f64,
    /// The one in the middle.
    pub median: f64,
    /// The slowest.
    pub slowest: f64,
}

impl Pace {
    /// Of all connections; zero if there is none.
    pub(super) fn of(mut connections: Vec<Duration>) -> Self {
        connections.sort_unstable();
        let seconds = |at: usize| connections.get(at).map_or(0.0, Duration::as_secs_f64);
        let last = connections.len().saturating_sub(1);
        Self { fastest: seconds(0), median: seconds(last / 2), slowest: seconds(last) }
    }
}

impl Outcome {
    /// What a connection begins with: nothing received, nothing wrong.
    pub(super) fn begun(verified: Verified) -> Self {
        Self { verified, ..Self::default() }
    }

    /// Adds another connection's bytes and fetches.
    pub(super) fn add(&mut self, other: &Self) {
        self.payload_bytes += other.payload_bytes;
        self.fetches += other.fetches;
        self.verified = self.verified.max(other.verified);
        self.received.add(other.received);
        self.request_bytes += other.request_bytes;
        self.header_bytes += other.header_bytes;
        self.tls.add(other.tls);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_worst_on_one_connection_is_so_of_all() {
        for (one, other, both) in [
            (Verified::Right, Verified::Right, Verified::Right),
            (Verified::Right, Verified::Counted, Verified::Counted),
            (Verified::Wrong, Verified::Counted, Verified::Wrong),
        ] {
            let mut sum = Outcome::begun(one);
            sum.add(&Outcome::begun(other));
            assert_eq!(sum.verified, both);
        }
        assert!(!Outcome::default().verified.is_right(), "nothing is verified by default");
    }

    #[test]
    fn the_pace_is_that_of_real_connections() {
        let pace = Pace::of([5, 1, 3].map(Duration::from_secs).to_vec());
        assert_eq!(pace, Pace { fastest: 1.0, median: 3.0, slowest: 5.0 });
        assert_eq!(Pace::of(Vec::new()), Pace::default());
    }
}
