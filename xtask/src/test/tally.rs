//! What Rust's test programs print: results are counted, and what failed is said again at the end.

use std::ops::AddAssign;

/// How many tests passed and failed, and what those that failed said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    /// Lines of the tests that failed, each test's behind its name.
    pub(crate) said: Vec<String>,
    /// Lines that are still taken from the test that is being read.
    left: usize,
}

/// Lines that are kept of a test that failed: its first, where it says what it expected.
const LINES: usize = 80;

impl Tally {
    /// Of one test.
    pub(crate) fn of(passed: bool) -> Self {
        Self { passed: u64::from(passed), failed: u64::from(!passed), ..Self::default() }
    }

    /// Takes a line of output.
    pub(crate) fn feed(&mut self, line: &str) {
        self.keep(line);
        let Some(rest) = line.trim().strip_prefix("test result: ") else { return };
        let Some((_, counts)) = rest.split_once(". ") else { return };
        for count in counts.split(';') {
            match count.trim().split_once(' ') {
                Some((number, "passed")) => self.passed += number.parse().unwrap_or(0),
                Some((number, "failed")) => self.failed += number.parse().unwrap_or(0),
                _ => {}
            }
        }
    }

    /// Keeps what stands between `---- a::test stdout ----` and the list of names, `failures:`.
    fn keep(&mut self, line: &str) {
        let line = line.trim_end();
        if line.starts_with("---- ") && line.ends_with(" stdout ----") {
            self.left = LINES;
        } else if line == "failures:" {
            self.left = 0;
        }
        if self.left > 0 && !line.is_empty() {
            self.left -= 1;
            self.said.push(line.to_owned());
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.said.extend(other.said);
    }
}

#[cfg(test)]
mod tests {
    use super::{LINES, Tally};

    #[test]
    fn closing_lines_are_added_up() {
        let mut tally = Tally::default();
        tally.feed("test a::b ... ok");
        tally.feed("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out");
        tally.feed("test result: FAILED. 3 passed; 2 failed; 0 ignored");
        assert_eq!(tally, Tally { passed: 15, failed: 2, ..Tally::default() });
    }

    #[test]
    fn what_a_test_that_failed_said_is_kept_and_nothing_else() {
        let mut tally = Tally::default();
        let before = ["test a ... ok", "test b ... FAILED", "", "failures:", ""];
        let said = ["---- b stdout ----", "", "thread 'b' panicked at src/b.rs:1:1:", "left: 1"];
        let after =
            ["failures:", "    b", "", "test result: FAILED. 1 passed; 1 failed; 0 ignored"];
        before.iter().chain(&said).chain(&after).for_each(|line| tally.feed(line));
        assert_eq!(tally.said, [said[0], said[2], said[3]]);
        assert_eq!((tally.passed, tally.failed), (1, 1));
        let mut long = Tally::default();
        long.feed(said[0]);
        (0..2 * LINES).for_each(|number| long.feed(&format!("line {number}")));
        assert_eq!(long.said.len(), LINES);
    }
}
