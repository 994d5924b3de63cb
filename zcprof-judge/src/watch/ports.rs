//! What is claimed of the ports that a window is about.

use super::record::{Asked, Direction, Of, WatchedCount};
use super::traffic::Traffic;
use crate::verdict::beyond_tolerance;

/// What is claimed in a window that is about these ports. A program may send from others as well, which
/// nobody claims anything of: if it does, or sends nothing from one of these, what is claimed of all that
/// was sent is claimed of each of them. What is written into files leaves by no port.
#[must_use]
pub fn claims_of_ports(
    claims: &[Asked],
    ports: &[u16],
    counts: &[WatchedCount],
    direction: Direction,
) -> Vec<Asked> {
    if ports.is_empty() || direction == Direction::File || is_all_theirs(ports, counts, direction) {
        return claims.to_vec();
    }
    let split = |asked: &Asked| match asked.of {
        Of::All => ports.iter().copied().map(Of::Port).collect(),
        Of::Port(_) | Of::Program(_) => vec![asked.of.clone()],
    };
    let of_each = |asked: &Asked| {
        let claim = asked.claim.clone();
        split(asked).into_iter().map(move |of| Asked { of, claim: claim.clone() })
    };
    claims.iter().flat_map(of_each).collect()
}

/// Whether these ports have sent (or received) all that was, within the tolerance, and each its part.
fn is_all_theirs(ports: &[u16], counts: &[WatchedCount], direction: Direction) -> bool {
    let sent = |of: &Of| Traffic::counted(counts, of, direction).sent();
    let all = sent(&Of::All);
    let each: Vec<u64> = ports.iter().map(|port| sent(&Of::Port(*port))).collect();
    let here = each.iter().fold(0, |sum: u64, sent| sum.saturating_add(*sent));
    !each.contains(&0) && !beyond_tolerance(all.saturating_sub(here), all)
}
