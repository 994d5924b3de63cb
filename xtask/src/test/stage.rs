//! The outcome of each step of the tests, as one table.

use std::time::{Duration, Instant};

use super::tally::Tally;

/// One step of the tests: what it is called, whether it passed, how long it took.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) name: String,
    pub(super) passed: bool,
    pub(super) note: String,
    pub(super) took: Duration,
    /// CPU time of its guest. Two guests run at a time, so that this says what a stage costs.
    pub(super) cpu: Option<Duration>,
}

impl Stage {
    /// A step on this host.
    pub(super) fn done(name: &str, passed: bool, began: Instant) -> Self {
        let (name, note) = (name.to_owned(), String::new());
        Self { name, passed, note, took: began.elapsed(), cpu: None }
    }
}

/// Every step, and what the tests counted.
#[derive(Debug, Default)]
pub(super) struct Stages {
    all: Vec<Stage>,
    total: Tally,
    /// What could not be tested here, with why.
    left_out: Vec<String>,
}

impl Stages {
    pub(super) fn add(&mut self, stage: Stage, tally: Tally) {
        self.all.push(stage);
        self.total += tally;
    }

    /// A comparison on this host, with what it said.
    pub(super) fn add_outcome(&mut self, name: &str, outcome: anyhow::Result<String>) {
        let passed = outcome.is_ok();
        let note = outcome.unwrap_or_else(|error| format!("{error:#}"));
        let stage = Stage { note, ..Stage::done(name, passed, Instant::now()) };
        self.add(stage, Tally::of(passed));
    }

    /// Says of something that was asked for that it could not be tested here.
    pub(super) fn leave_out(&mut self, what: String) {
        self.left_out.push(what);
    }

    /// What was left out.
    pub(super) fn left_out(&self) -> &[String] {
        &self.left_out
    }

    pub(super) fn append(&mut self, mut other: Self) {
        self.all.append(&mut other.all);
        self.left_out.append(&mut other.left_out);
        self.total += other.total;
    }

    pub(super) fn passed(&self) -> bool {
        self.all.iter().all(|stage| stage.passed) && self.total.failed == 0
    }

    /// A line for each, and the sums.
    pub(super) fn table(&self, took: Duration) -> String {
        let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
        let head = ["stage", "", "time", "CPU of its guest"];
        let mut lines =
            vec![format!("{:<36} {:<7} {:>9} {:>17}", head[0], head[1], head[2], head[3])];
        for Stage { name, passed, note, took, cpu } in &self.all {
            let verdict = if *passed { "ok" } else { "FAILED" };
            let (took, cpu) = (seconds(*took), cpu.map(seconds).unwrap_or_default());
            let line = format!("{name:<36} {verdict:<7} {took:>9} {cpu:>17}  {note}");
            lines.push(line.trim_end().to_owned());
        }
        let guests: Duration = self.all.iter().filter_map(|stage| stage.cpu).sum();
        let Tally { passed, failed, said, .. } = &self.total;
        lines.push(format!(
            "total: {passed} passed, {failed} failed; {:.1} min, guests used {:.1} min of CPU time",
            took.as_secs_f64() / 60.0,
            guests.as_secs_f64() / 60.0
        ));
        let failed: Vec<_> = self.all.iter().filter(|stage| !stage.passed).collect();
        if !failed.is_empty() {
            let names: Vec<_> = failed.iter().map(|stage| stage.name.as_str()).collect();
            lines.push(format!("FAILED: {}", names.join(", ")));
        }
        lines.extend(said.iter().map(|line| format!("  {line}")));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(name: &str, passed: bool, cpu: Option<u64>) -> Stage {
        let (took, cpu) = (Duration::from_secs(90), cpu.map(Duration::from_secs));
        Stage { name: name.to_owned(), passed, note: String::new(), took, cpu }
    }

    /// What a test program that prints these lines comes to.
    fn tally(lines: &[&str]) -> Tally {
        let mut tally = Tally::default();
        for line in lines {
            tally.feed(line);
        }
        tally
    }

    #[test]
    fn one_stage_that_failed_is_a_failure_and_so_is_one_test() {
        let mut stages = Stages::default();
        stages.add(stage("format", true, None), Tally::default());
        let three_passed = tally(&["test result: ok. 3 passed; 0 failed"]);
        stages.add(stage("tests on trixie", true, Some(60)), three_passed);
        assert!(stages.passed());
        let table = stages.table(Duration::from_mins(2));
        assert!(table.ends_with("3 passed, 0 failed; 2.0 min, guests used 1.0 min of CPU time"));
        stages.add(stage("kcat on trixie", false, Some(9)), Tally::default());
        assert!(!stages.passed());
        assert!(stages.table(Duration::from_mins(2)).ends_with("\nFAILED: kcat on trixie"));
        let mut stages = Stages::default();
        let result = "test result: FAILED. 3 passed; 1 failed";
        let one_failed = tally(&["---- b stdout ----", "left: 1", "failures:", "    b", result]);
        stages.add(stage("tests on trixie", true, None), one_failed);
        assert!(!stages.passed());
        let table = stages.table(Duration::from_mins(2));
        assert!(table.ends_with("\n  ---- b stdout ----\n  left: 1"), "{table}");
    }
}
