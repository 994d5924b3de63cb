//! The window in stretches of time, while it is open.

use std::time::{Duration, Instant};

use zcprof_judge::watch::Promise;
use zcprof_judge::watch::record::{Asked, Of, Stretch, WatchedCount};
use zcprof_judge::watch::series::{MOST, between, stretch, thin};

use super::targets;
use crate::cli;

/// Length of a stretch at first: it doubles whenever there are too many.
const FIRST: Duration = Duration::from_secs(1);

/// What has been recorded so far.
pub(super) struct WindowSeries {
    length: Duration,
    began: Instant,
    last: Instant,
    before: Vec<WatchedCount>,
    stretches: Vec<Stretch>,
}

impl WindowSeries {
    /// Begins with the window.
    pub(super) const fn new(began: Instant) -> Self {
        Self { length: FIRST, began, last: began, before: Vec::new(), stretches: Vec::new() }
    }

    /// Whether a stretch is long enough to end.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        now.duration_since(self.last) >= self.length
    }

    /// Ends a stretch, given all that was counted in the window so far.
    pub(super) fn add(
        &mut self,
        now: Instant,
        counts: Vec<WatchedCount>,
        options: &cli::WatchArgs,
    ) {
        let at = |moment: Instant| moment.duration_since(self.began).as_secs_f64();
        let new = between(&self.before, &counts);
        let times = (at(self.last), at(now));
        let claims = claims(options, &counts);
        self.stretches.push(stretch(times, &new, &claims, options.direction, options.framing));
        (self.last, self.before) = (now, counts);
        if self.stretches.len() > MOST {
            thin(&mut self.stretches);
            self.length *= 2;
        }
    }

    /// What can be said of the claims by all that was counted so far; nothing where nothing is claimed.
    pub(super) fn verdict_so_far(counts: &[WatchedCount], options: &cli::WatchArgs) -> String {
        let claims = claims(options, counts);
        if claims.is_empty() {
            return String::new();
        }
        match stretch((0.0, 0.0), counts, &claims, options.direction, options.framing).held {
            Some(true) => ", so far it holds".to_owned(),
            Some(false) => ", so far it is refuted".to_owned(),
            None => ", so far it is inconclusive".to_owned(),
        }
    }

    /// Ends the last stretch with the window, whose counts these are.
    pub(super) fn close(
        mut self,
        end: Instant,
        counts: &[WatchedCount],
        options: &cli::WatchArgs,
    ) -> Vec<Stretch> {
        self.add(end, counts.to_vec(), options);
        self.stretches
    }
}

/// What is claimed by what was typed, given all that was counted in the window so far.
fn claims(options: &cli::WatchArgs, counts: &[WatchedCount]) -> Vec<(Of, Promise)> {
    let claim = |asked: Asked| Some((asked.of, Promise::parse(&asked.claim).ok()?));
    targets::claims(options, counts).into_iter().filter_map(claim).collect()
}
