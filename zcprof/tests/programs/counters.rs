//! What others count of the same bytes: a server's log, the kernel's own statistics.

use std::fs;
use std::path::Path;

use super::TIMES;
use super::image::ROOT;
use super::place::Place;
use super::table::Counter;

/// A counter before the window.
pub(super) struct Before {
    counter: Counter,
    connections: u64,
}

impl Before {
    /// Looks at it; a log begins anew.
    pub(super) fn look(counter: Counter, place: &Place) -> Self {
        if let Counter::AccessLog(path) = counter {
            let _ = fs::remove_file(in_image(path));
        }
        Self { counter, connections: encrypting(place) }
    }

    /// What differs from what zcprof counted, if it does.
    pub(super) fn differs(&self, sent: u64, place: &Place) -> Option<String> {
        match self.counter {
            Counter::AccessLog(path) => {
                let log = fs::read_to_string(in_image(path)).unwrap_or_default();
                let logged: u64 = log.lines().filter_map(|line| line.parse::<u64>().ok()).sum();
                println!("the access log has {logged} bytes, zcprof {sent}");
                (logged != sent).then(|| format!("the access log has {logged} bytes, not {sent}"))
            }
            Counter::TlsStat => {
                let new = encrypting(place) - self.connections;
                println!("TlsTxSw has {new} connections more");
                let expected = TIMES as u64;
                (new != expected).then(|| format!("TlsTxSw says {new} connections, not {expected}"))
            }
        }
    }
}

fn in_image(path: &str) -> std::path::PathBuf {
    Path::new(ROOT).join(path.trim_start_matches('/'))
}

/// Connections that have begun to encrypt what they send, in software: /proc/net/tls_stat
/// (Documentation/networking/tls.rst, "Statistics").
fn encrypting(place: &Place) -> u64 {
    let text = place.proc_net("tls_stat");
    let line = text.lines().find_map(|line| line.strip_prefix("TlsTxSw"));
    line.and_then(|number| number.trim().parse().ok()).unwrap_or_default()
}
