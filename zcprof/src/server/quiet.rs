//! What is said of clients: one line for each kind of trouble, client and minute, for a client
//! that tries again and again would fill a disk otherwise.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the same is not said again.
const SILENCE: Duration = Duration::from_mins(1);

/// Most kinds that are remembered.
const MOST: usize = 1000;

/// What was said of late, when, and how often it was not said since.
#[derive(Debug, Default)]
pub(super) struct Quiet(Mutex<HashMap<String, (Instant, u64)>>);

impl Quiet {
    /// Warns of a client, unless the same was said within the last minute. `peer` is its address,
    /// whose port says nothing: a client that tries again has another.
    pub(super) fn warn(&self, peer: &str, word: &str) {
        if let Some(left_out) = self.may_say(peer, word, Instant::now()) {
            let often = match left_out {
                0 => String::new(),
                times => format!(" ({times} more since this was last said)"),
            };
            log::warn!("{peer}: {word}{often}");
        }
    }

    /// How often the same was left out, if it may be said now.
    fn may_say(&self, peer: &str, word: &str, now: Instant) -> Option<u64> {
        let host = peer.rsplit_once(':').map_or(peer, |(host, _)| host);
        // Numbers in it (sizes, versions, offsets) make no other kind.
        let kind: String = word.chars().filter(|letter| !letter.is_ascii_digit()).collect();
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() >= MOST {
            said.retain(|_, (when, _)| now.duration_since(*when) < SILENCE);
        }
        if said.len() >= MOST {
            return None;
        }
        match said.get_mut(&format!("{host} {kind}")) {
            Some((when, left_out)) if now.duration_since(*when) < SILENCE => {
                *left_out += 1;
                None
            }
            Some(entry) => Some(std::mem::replace(entry, (now, 0)).1),
            None => {
                said.insert(format!("{host} {kind}"), (now, 0));
                Some(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_trouble_is_said_once_a_minute() {
        let (quiet, now) = (Quiet::default(), Instant::now());
        let say = |peer: &str, word: &str, after: u64| {
            quiet.may_say(peer, word, now + Duration::from_secs(after))
        };
        assert_eq!(say("10.0.0.1:40000", "request 7 is not spoken", 0), Some(0));
        assert_eq!(say("10.0.0.1:40001", "request 9 is not spoken", 1), None);
        assert_eq!(say("10.0.0.2:40001", "request 9 is not spoken", 1), Some(0));
        assert_eq!(say("10.0.0.1:40002", "it was silent for 3 s", 2), Some(0));
        assert_eq!(say("10.0.0.1:40003", "request 7 is not spoken", 61), Some(1));
    }
}
