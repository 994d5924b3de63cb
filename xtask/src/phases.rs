//! How long each phase of a command took, so that the next slow thing is visible.

use std::time::{Duration, Instant};

/// Named durations in the order they happened.
#[derive(Debug)]
pub(crate) struct Phases {
    started: Instant,
    done: Vec<(String, Duration)>,
}

impl Phases {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now(), done: Vec::new() }
    }

    /// Does `work` and keeps how long it took.
    pub(crate) fn time<T>(&mut self, name: &str, work: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let result = work();
        self.add(name, started.elapsed());
        result
    }

    /// Adds a duration that was measured elsewhere.
    pub(crate) fn add(&mut self, name: &str, took: Duration) {
        self.done.push((name.to_owned(), took));
    }

    /// One line: every phase and the total, in seconds.
    pub(crate) fn line(&self) -> String {
        let total = ("total".to_owned(), self.started.elapsed());
        let words: Vec<String> = self
            .done
            .iter()
            .chain([&total])
            .map(|(name, took)| format!("{name} {:.1} s", took.as_secs_f64()))
            .collect();
        format!("phases: {}", words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_are_listed_in_order_with_the_total_last() {
        let mut phases = Phases::start();
        phases.add("boot", Duration::from_millis(8100));
        phases.add("measure", Duration::from_secs(30));
        assert_eq!(phases.line(), "phases: boot 8.1 s, measure 30.0 s, total 0.0 s");
    }
}
