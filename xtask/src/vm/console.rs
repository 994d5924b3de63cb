//! Reads the guest's console: kernel words and the lines that the guest's init says.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::outcome::{GUEST, GuestOutcome, GuestPhase, Hang};

/// Lines kept to explain a panic.
const KEPT: usize = 20;

/// What an oops says of a kernel that met its own breakpoint (see [`GuestOutcome::TornText`]).
const TORN: [&str; 2] = ["Oops: int3", "RIP: 0010:0x0"];

/// How long a guest may show no progress.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// From the start to the job's start.
    pub(crate) boot: Duration,
    /// Without any sign of life, later; init gives one every 5 s.
    pub(crate) silence: Duration,
    /// Without any output of the job.
    pub(crate) job: Duration,
}

/// What the console has shown so far.
#[derive(Debug)]
pub(crate) struct Console {
    limits: Limits,
    phase: GuestPhase,
    started: Instant,
    heard: Instant,
    job_heard: Instant,
    running_after: Option<Duration>,
    finished: Option<i32>,
    panicked: bool,
    torn_text: bool,
    full: bool,
    partial: Vec<u8>,
    last: VecDeque<String>,
}

impl Console {
    pub(crate) fn new(limits: Limits, now: Instant) -> Self {
        Self {
            limits,
            phase: GuestPhase::Booting,
            started: now,
            heard: now,
            job_heard: now,
            running_after: None,
            finished: None,
            panicked: false,
            torn_text: false,
            full: false,
            partial: Vec::new(),
            last: VecDeque::new(),
        }
    }

    /// Takes what came on the console.
    pub(crate) fn feed(&mut self, bytes: &[u8], now: Instant) {
        if bytes.is_empty() {
            return;
        }
        self.heard = now;
        self.partial.extend_from_slice(bytes);
        while let Some(end) = self.partial.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.partial.drain(..=end).collect();
            self.line(String::from_utf8_lossy(&line).trim_end(), now);
        }
    }

    /// Notes that the job said something.
    pub(crate) fn job_spoke(&mut self, now: Instant) {
        self.heard = now;
        self.job_heard = now;
    }

    /// The outcome, if the guest has to be ended now.
    pub(crate) fn verdict(&self, now: Instant) -> Option<GuestOutcome> {
        if self.panicked {
            return Some(self.panic());
        }
        let (since, limit) = match self.phase {
            GuestPhase::Booting => (self.started, self.limits.boot),
            GuestPhase::Running if now - self.job_heard > self.limits.job => {
                (self.job_heard, self.limits.job)
            }
            GuestPhase::Running | GuestPhase::Ending => (self.heard, self.limits.silence),
        };
        (now - since > limit).then(|| {
            GuestOutcome::Hung(Hang {
                phase: self.phase,
                since: now - since,
                lines: self.last.iter().cloned().collect(),
            })
        })
    }

    /// The outcome once QEMU has ended by itself, having said `errors`.
    pub(crate) fn ended(&self, errors: &str) -> GuestOutcome {
        match self.finished {
            _ if self.panicked => self.panic(),
            _ if self.full => GuestOutcome::OutOfSpace(GUEST),
            Some(code) => GuestOutcome::Finished(code),
            None => GuestOutcome::QemuFailed(errors.trim().to_owned()),
        }
    }

    /// How long the boot took, once the job runs.
    pub(crate) fn boot_time(&self) -> Option<Duration> {
        self.running_after
    }

    fn panic(&self) -> GuestOutcome {
        let lines = self.last.iter().cloned().collect();
        if self.torn_text { GuestOutcome::TornText(lines) } else { GuestOutcome::Panicked(lines) }
    }

    fn line(&mut self, line: &str, now: Instant) {
        // The kernel may put a message in front of what init says.
        match line.split_once("guest: ").map(|(_, said)| said) {
            Some("alive" | "collected") => return,
            Some("running") => {
                self.phase = GuestPhase::Running;
                self.job_heard = now;
                self.running_after = Some(now - self.started);
            }
            Some("out-of-space") => self.full = true,
            Some(said) => {
                if let Some(code) = said.strip_prefix("finished ") {
                    self.phase = GuestPhase::Ending;
                    self.finished = code.parse().ok();
                }
            }
            None => {}
        }
        if self.panicked {
            return; // what follows the panic explains nothing
        }
        self.torn_text |=
            TORN.iter().any(|sign| line.ends_with(sign) || line.contains(&format!("{sign}:")));
        self.panicked = line.contains("Kernel panic - not syncing");
        self.last.push_back(line.to_owned());
        if self.last.len() > KEPT + 1 {
            self.last.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        boot: Duration::from_mins(2),
        silence: Duration::from_mins(1),
        job: Duration::from_mins(10),
    };

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    fn hung(phase: GuestPhase, seconds: u64, line: &str) -> GuestOutcome {
        let since = Duration::from_secs(seconds);
        GuestOutcome::Hung(Hang { phase, since, lines: vec![line.to_owned()] })
    }

    fn console() -> (Console, Instant) {
        let start = Instant::now();
        (Console::new(LIMITS, start), start)
    }

    #[test]
    fn booting_running_finished() {
        let (mut console, start) = console();
        console.feed(b"[    0.1] Linux\r\nguest: run", after(start, 5));
        assert_eq!(console.boot_time(), None);
        console.feed(b"ning\r\n", after(start, 8));
        assert_eq!(console.boot_time(), Some(Duration::from_secs(8)));
        console.feed(b"guest: finished 3\r\nguest: collected\r\n", after(start, 9));
        assert_eq!(console.verdict(after(start, 10)), None);
        assert_eq!(console.ended(""), GuestOutcome::Finished(3));
    }

    #[test]
    fn a_panic_comes_with_the_twenty_lines_before_it() {
        let (mut console, start) = console();
        for number in 0..30 {
            console.feed(format!("line {number}\n").as_bytes(), start);
        }
        console.feed(b"[ 1.0] Kernel panic - not syncing: x\nafter\n", start);
        let Some(GuestOutcome::Panicked(lines)) = console.verdict(start) else {
            panic!("no panic")
        };
        assert_eq!(lines.len(), 21);
        assert_eq!(lines[0], "line 10");
        assert!(lines[20].contains("not syncing: x"));
        assert!(matches!(console.ended(""), GuestOutcome::Panicked(_)));
    }

    #[test]
    fn a_kernel_that_hits_its_own_breakpoint_has_torn_text() {
        let (mut console, start) = console();
        console.feed(b"[ 2.1] Oops: int3: 0000 [#1] SMP NOPTI\n", start);
        assert_eq!(console.verdict(start), None, "an oops need not be the end");
        console.feed(b"[ 2.2] Kernel panic - not syncing: Fatal exception\n", start);
        assert!(matches!(console.verdict(start), Some(GuestOutcome::TornText(_))));
    }

    #[test]
    fn a_kprobe_that_goes_on_at_address_0_has_torn_text() {
        let (mut console, start) = console();
        console.feed(b"[ 2.1] RIP: 0010:0x0\n", start);
        console.feed(b"[ 2.2] Kernel panic - not syncing: Fatal exception\n", start);
        assert!(matches!(console.verdict(start), Some(GuestOutcome::TornText(_))));
        let (mut console, start) = self::console();
        console.feed(b"[ 2.1] RIP: 0010:0x0badc0de\n", start);
        console.feed(b"[ 2.2] Kernel panic - not syncing: Fatal exception\n", start);
        assert!(matches!(console.verdict(start), Some(GuestOutcome::Panicked(_))), "another fault");
    }

    #[test]
    fn a_boot_that_takes_too_long_hangs_even_if_it_talks() {
        let (mut console, start) = console();
        console.feed(b"still probing\n", after(start, 119));
        assert_eq!(console.verdict(after(start, 120)), None);
        let hung = hung(GuestPhase::Booting, 121, "still probing");
        assert_eq!(console.verdict(after(start, 121)), Some(hung));
    }

    #[test]
    fn signs_of_life_keep_a_guest_but_not_a_stuck_job() {
        let (mut console, start) = console();
        console.feed(b"guest: running\n", start);
        for second in 1..=600 {
            console.feed(b"guest: alive\n", after(start, second));
            assert_eq!(console.verdict(after(start, second)), None);
        }
        let hung = hung(GuestPhase::Running, 601, "guest: running");
        assert_eq!(console.verdict(after(start, 601)), Some(hung));
    }

    #[test]
    fn silence_is_a_hang() {
        let (mut console, start) = console();
        console.feed(b"guest: running\n", start);
        console.job_spoke(after(start, 10));
        assert_eq!(console.verdict(after(start, 70)), None);
        let hung = hung(GuestPhase::Running, 61, "guest: running");
        assert_eq!(console.verdict(after(start, 71)), Some(hung));
    }

    #[test]
    fn an_end_without_an_exit_code_is_qemus_failure() {
        let (console, _) = console();
        assert_eq!(
            console.ended("no such file\n"),
            GuestOutcome::QemuFailed("no such file".to_owned())
        );
    }

    #[test]
    fn results_that_do_not_fit_are_out_of_space() {
        let (mut console, start) = console();
        console.feed(b"guest: running\nguest: finished 0\nguest: out-of-space\n", start);
        assert!(matches!(console.ended(""), GuestOutcome::OutOfSpace(_)));
    }
}
