//! What waits in sockets when the window ends. What the kernel copies or encrypts below a socket it does so
//! when the bytes leave, which may be after the window.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use zcprof_common::layout::NO_PORT;
use zcprof_judge::watch::queued::is_below_sockets;
use zcprof_judge::watch::record::{Charged, Direction, Queued, QueuedBytes};

use super::record::{self, Chosen};
use crate::probe::{Probes, Queue};

/// How long it is waited for what waits there, and how often it is looked.
const MOST: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(20);

/// Waits until what waited in sockets has left, and tells what became of it; none if nothing waited and nothing
/// was copied meanwhile, or if what was sent is not judged. The counts of the window have been read; what
/// waited then may have left before it is looked.
///
/// # Errors
/// The probes cannot be asked.
pub(super) fn wait(
    probes: &mut Probes,
    direction: Direction,
    names: &[(u32, String)],
    chosen: Chosen<'_>,
) -> Result<Option<Queued>> {
    if direction != Direction::Tx {
        return Ok(None);
    }
    let begin = Instant::now();
    let is_watched =
        |queue: &Queue| record::charged(queue.subject, names, chosen) != Charged::Elsewhere;
    let mut queues = probes.queues()?;
    queues.retain(is_watched);
    let mut left = vec![0; queues.len()];
    loop {
        for (queue, left) in queues.iter().zip(&mut left) {
            *left = probes.left(queue)?;
        }
        if begin.elapsed() >= MOST || left.iter().all(|bytes| *bytes == 0) {
            break;
        }
        std::thread::sleep(PAUSE);
    }
    let meanwhile = probes.peek()?;
    let (_, mut counts, mut exits) = record::counted(&meanwhile, names, chosen);
    counts.retain(|count| count.charged != Charged::Elsewhere && is_below_sockets(count));
    exits.retain(|exit| exit.charged != Charged::Elsewhere);
    let mut sockets: BTreeMap<_, (u64, u64)> = BTreeMap::new();
    for (queue, left) in queues.iter().zip(&left) {
        let charged = record::charged(queue.subject, names, chosen);
        let port = (queue.port != NO_PORT).then_some(queue.port);
        let (bytes, all_left) = sockets.entry((charged, port)).or_default();
        *bytes += u64::from(queue.bytes);
        *all_left += u64::from(*left);
    }
    let of_sockets = |((charged, port), (bytes, left))| QueuedBytes { charged, port, bytes, left };
    let sockets = sockets.into_iter().map(of_sockets).collect();
    let known = Queued { seconds: begin.elapsed().as_secs_f64(), sockets, counts, exits };
    Ok(known.says_something().then_some(known))
}
