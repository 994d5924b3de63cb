//! One step that may take a while: a spinner on a terminal, two plain lines elsewhere.

use std::io::{IsTerminal as _, stderr};
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

/// Does `work` while `what` is shown, then says how long it took.
pub(crate) fn step<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    step_saying(what, work, |_| "done")
}

/// The same, and says the outcome.
pub(crate) fn step_saying<T>(
    what: &str,
    work: impl FnOnce() -> Result<T>,
    outcome: impl FnOnce(&T) -> &'static str,
) -> Result<T> {
    let started = Instant::now();
    let bar = if stderr().is_terminal() {
        let bar = ProgressBar::new_spinner().with_message(what.to_owned());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Some(bar)
    } else {
        eprintln!("{what} ...");
        None
    };
    let done = work();
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let verdict = done.as_ref().map_or("failed", outcome);
    eprintln!("{what}: {verdict} after {:.1} s", started.elapsed().as_secs_f64());
    done
}
