//! zcprof while it measures, so that something can happen to it at a known moment.

use std::io::{BufRead as _, BufReader, Lines};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use zcprof::run::Run;

use crate::leftovers::Scene;
use crate::{code, folder, guest_folder, text, zcprof};

/// A measurement of 32 MiB from a warm page cache.
pub(crate) struct RunningMeasurement {
    child: Child,
    lines: Lines<BufReader<ChildStderr>>,
    said: Vec<String>,
    out: PathBuf,
    before: Scene,
}

/// How it ended; nothing of it is left.
pub(crate) struct Ended {
    /// Exit code.
    pub(crate) code: i32,
    /// Everything that it printed, as one line.
    pub(crate) said: String,
    /// Its record, if it wrote one.
    pub(crate) run: Option<Run>,
}

impl RunningMeasurement {
    pub(crate) fn begin(name: &str, arguments: &[&str]) -> Self {
        let (before, out) = (Scene::settled(), folder(name));
        let mut child =
            zcprof(&["-v", "measure", "--untimed", "--bytes", "32MiB", "--cache", "warm"])
                .args(arguments)
                .arg("--log-dir")
                .arg(guest_folder().join("log-32MiB"))
                .arg("--out")
                .arg(&out)
                .stderr(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("zcprof starts");
        let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        Self { child, lines, said: Vec::new(), out, before }
    }

    /// Waits until the first pass by a transfer begins. The controls come before: they are by
    /// `read_write` and, last, by `sendfile`.
    pub(crate) fn wait_for_pass(&mut self, transfer: &str) {
        self.wait_for("fetching: sendfile");
        self.wait_for(&format!("fetching: {transfer}"));
    }

    fn wait_for(&mut self, what: &str) {
        let found = self.lines.by_ref().map(|line| line.expect("text")).any(|line| {
            let found = line.contains(what);
            self.said.push(line);
            found
        });
        assert!(found, "{what} was not said: {}", self.said.join("\n"));
    }

    /// Does something while zcprof stands still, so that it notices nothing before all is done. The
    /// processes that send and receive go on.
    pub(crate) fn while_stopped<T>(&self, work: impl FnOnce() -> T) -> T {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"));
        kill(pid, Signal::SIGSTOP).expect("it runs");
        let done = work();
        kill(pid, Signal::SIGCONT).expect("it is stopped");
        done
    }

    pub(crate) fn end(mut self) -> Ended {
        self.said.extend(self.lines.map_while(Result::ok));
        let output = self.child.wait_with_output().expect("it ends");
        self.before.is_back();
        let run = std::fs::read(self.out.join("run.json")).ok();
        Ended {
            code: code(&output),
            said: format!("{} {}", text(&output), self.said.join(" ")),
            run: run.map(|bytes| serde_json::from_slice(&bytes).expect("run.json parses")),
        }
    }
}
