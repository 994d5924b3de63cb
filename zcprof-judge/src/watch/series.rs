//! Pure: a window in stretches of time. A mean over half an hour hides a bad minute.

use std::collections::BTreeMap;

use super::judge::{has_held, so_far};
use super::promise::Promise;
use super::record::{Direction, Interval, Of, Stretch, Tolerance, WatchedCount};

/// Most stretches that a record keeps: neighbours are put together when there are more.
pub const MOST: usize = 600;

/// A stretch by what was counted in it. `claims` are all that is claimed of the window.
#[must_use]
pub fn stretch(
    (from, to): (f64, f64),
    counts: &[WatchedCount],
    claims: &[(Of, Promise)],
    direction: Direction,
    framing: Tolerance,
) -> Stretch {
    let (sent, copies) = so_far(counts, direction);
    let held = claims.iter().map(|(of, promise)| has_held(counts, of, promise, direction, framing));
    let held = held.reduce(worse).flatten();
    Stretch { from, to, sent, copies, held }
}

/// What was counted between two moments, each told by all that was counted until then.
#[must_use]
pub fn between(earlier: &[WatchedCount], later: &[WatchedCount]) -> Vec<WatchedCount> {
    let before: BTreeMap<_, _> = earlier.iter().map(|count| (key(count), count)).collect();
    let mut counts = Vec::new();
    for count in later {
        let mut count = count.clone();
        if let Some(old) = before.get(&key(&count)) {
            count.calls = count.calls.saturating_sub(old.calls);
            count.bytes = count.bytes.saturating_sub(old.bytes);
            count.small_calls = count.small_calls.saturating_sub(old.small_calls);
            count.small_bytes = count.small_bytes.saturating_sub(old.small_bytes);
        }
        if count.calls > 0 {
            counts.push(count);
        }
    }
    counts
}

fn key(count: &WatchedCount) -> impl Ord + use<> {
    (count.site.clone(), count.charged.clone(), count.port, count.syscall, count.iter, count.file)
}

/// Puts neighbours together where there are too many; an odd one at the end stays.
pub fn thin(series: &mut Vec<Stretch>) {
    if series.len() > MOST {
        *series = series.chunks(2).filter_map(|pair| pair.iter().copied().reduce(joined)).collect();
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown, and not judged by")]
fn joined(first: Stretch, second: Stretch) -> Stretch {
    let sent = first.sent.saturating_add(second.sent);
    let mean = |a: f64, b: f64| {
        if sent == 0 { 0.0 } else { (a * first.sent as f64 + b * second.sent as f64) / sent as f64 }
    };
    let copies = Interval {
        least: mean(first.copies.least, second.copies.least),
        most: mean(first.copies.most, second.copies.most),
    };
    let held = match (first.sent, second.sent) {
        (0, _) => second.held,
        (_, 0) => first.held,
        _ => worse(first.held, second.held),
    };
    Stretch { from: first.from, to: second.to, sent, copies, held }
}

/// Of two answers the one that is worse for the claim.
fn worse(first: Option<bool>, second: Option<bool>) -> Option<bool> {
    match (first, second) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (None, _) | (_, None) => None,
        _ => Some(true),
    }
}

/// The stretch in which most was copied per sent byte, of those that sent at least a tenth of what
/// the mean one did: of a few bytes the headers are most.
#[must_use]
pub fn worst(series: &[Stretch]) -> Option<&Stretch> {
    let sent = series.iter().fold(0_u64, |sum, stretch| sum.saturating_add(stretch.sent));
    let enough = sent / 10 / u64::try_from(series.len().max(1)).unwrap_or(u64::MAX);
    let counted = series.iter().filter(|stretch| stretch.sent > 0 && stretch.sent >= enough);
    counted.max_by(|a, b| a.copies.most.total_cmp(&b.copies.most))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch(from: u32, sent: u64, most: f64, held: Option<bool>) -> Stretch {
        let from = f64::from(from);
        Stretch { from, to: from + 1.0, sent, copies: Interval { least: most, most }, held }
    }

    #[test]
    fn thinning_keeps_what_was_sent_and_what_failed() {
        let mut series: Vec<_> = (0..601).map(|at| stretch(at, 10, 0.0, Some(true))).collect();
        series[77] = stretch(77, 30, 1.0, Some(false));
        thin(&mut series);
        assert_eq!(series.len(), 301);
        assert_eq!(series.iter().map(|s| s.sent).sum::<u64>(), 6030);
        assert_eq!(series.iter().filter(|s| s.held == Some(false)).count(), 1);
        assert!((series[38].copies.most - 0.75).abs() < 1e-9, "{:?}", series[38]);
        assert!(series.windows(2).all(|pair| pair[0].to <= pair[1].from));
    }

    #[test]
    fn the_worst_stretch_is_one_that_sent_much() {
        let series = [
            stretch(0, 1000, 0.1, Some(true)),
            stretch(1, 3, 2.0, Some(false)),
            stretch(2, 900, 0.4, None),
            stretch(3, 0, 0.0, None),
        ];
        assert_eq!(worst(&series).map(|s| s.from), Some(2.0));
        assert_eq!(worst(&[]), None);
    }
}
