//! A tracer that runs beside the loads: when it watches, and how it is ended.

use std::fs::{self, File};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::watchers::{Armed, Chosen, End, Tracer};
use super::witness::WitnessedAmount;
use crate::measure::interrupt;
use crate::watch::with_signals;

/// How long a tracer may take to watch, and to end: an emulated kernel on a busy machine takes minutes.
const PATIENCE: Duration = Duration::from_mins(9);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// A tracer that watches; or nobody does.
pub(super) struct Attached(Option<(Running, &'static Tracer)>, Duration);

/// It is killed when it is dropped.
struct Running {
    child: Child,
    /// What it writes.
    folder: TempDir,
}

impl Attached {
    /// Starts a watcher of the table on a process, and waits until it watches.
    ///
    /// # Errors
    /// It cannot be started, ends, or does not watch in time.
    pub(super) fn start(chosen: &Chosen, at: usize, server: u32) -> Result<Self> {
        let begun = Instant::now();
        let Some(tracer) = chosen.rows[at].tracer.as_ref() else {
            return Ok(Self(None, Duration::ZERO));
        };
        let folder = tempfile::Builder::new().prefix("zcprof-cost-").tempdir()?;
        let mut command = tracer.command(&chosen.through, &server.to_string())?;
        let file = |name: &str| File::create(folder.path().join(name));
        command.stdin(Stdio::piped()).stdout(file(OUT)?).stderr(file(ERR)?);
        with_signals(&mut command);
        let child = command.spawn().with_context(|| format!("starting {command:?}"))?;
        interrupt::kill_on_interrupt(&child)?;
        let mut running = Running { child, folder };
        while !running.is_armed(tracer.armed, server)? {
            running.rest(begun)?;
        }
        Ok(Self(Some((running, tracer)), begun.elapsed()))
    }

    /// How long it took.
    pub(super) const fn seconds(&self) -> f64 {
        self.1.as_secs_f64()
    }

    /// Ends it, and says what it has seen.
    ///
    /// # Errors
    /// It does not end in time, or nobody understands what it said.
    pub(super) fn end(self) -> Result<WitnessedAmount> {
        let Some((mut running, tracer)) = self.0 else { return Ok(WitnessedAmount::default()) };
        match tracer.end {
            End::Input => drop(running.child.stdin.take()),
            End::Interrupt => kill(running.pid()?, Signal::SIGINT).context("ending the watcher")?,
        }
        let begun = Instant::now();
        while running.child.try_wait()?.is_none() {
            ensure!(begun.elapsed() < PATIENCE, "the watcher did not end within {PATIENCE:?}");
            interrupt::check()?;
            std::thread::sleep(PAUSE);
        }
        let (out, err) = running.said()?;
        (tracer.read)(&out, &err).with_context(|| format!("it wrote {:?}", last(&out, &err)))
    }
}

/// Names of the files that receive what it writes.
const OUT: &str = "out";
const ERR: &str = "err";

impl Running {
    fn pid(&self) -> Result<Pid> {
        Ok(Pid::from_raw(i32::try_from(self.child.id())?))
    }

    fn said(&self) -> Result<(String, String)> {
        let read = |name: &str| {
            let bytes = fs::read(self.folder.path().join(name)).context("reading what it wrote")?;
            anyhow::Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        Ok((read(OUT)?, read(ERR)?))
    }

    /// Waits a moment; fails if it has ended or too much time has passed.
    fn rest(&mut self, since: Instant) -> Result<()> {
        interrupt::check()?;
        if let Some(status) = self.child.try_wait()? {
            let (out, err) = self.said()?;
            bail!("it ended at once ({status}): {}", last(&out, &err));
        }
        ensure!(since.elapsed() < PATIENCE, "it did not watch within {PATIENCE:?}");
        std::thread::sleep(PAUSE);
        Ok(())
    }

    fn is_armed(&self, armed: Armed, server: u32) -> Result<bool> {
        Ok(match armed {
            Armed::Says(line) => self.said()?.0.lines().any(|said| said == line),
            Armed::Holds(what, number) => self.holds(what) >= number,
            Armed::Polls(what) => self.holds(what) > 0 && self.polls(),
            Armed::Traces => is_traced(server)?,
        })
    }

    /// How many descriptors it has of something.
    fn holds(&self, what: &str) -> usize {
        let folder = format!("/proc/{}/fd", self.child.id());
        let list = fs::read_dir(folder).into_iter().flatten().flatten();
        let links = list.filter_map(|entry| fs::read_link(entry.path()).ok());
        links.filter(|link| link.as_os_str() == what).count()
    }

    /// Whether it waits in poll(2) or ppoll(2): proc_pid_syscall(5).
    fn polls(&self) -> bool {
        let call = fs::read_to_string(format!("/proc/{}/syscall", self.child.id()));
        let number = call.unwrap_or_default();
        let number = number.split(' ').next().and_then(|number| number.parse::<i64>().ok());
        number.is_some_and(|number| [libc::SYS_poll, libc::SYS_ppoll].contains(&number))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        interrupt::forget(&self.child);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether every thread of a process has a tracer: proc_pid_status(5).
fn is_traced(process: u32) -> Result<bool> {
    let folder = format!("/proc/{process}/task");
    for thread in fs::read_dir(&folder).with_context(|| format!("reading {folder}"))? {
        let status = fs::read_to_string(thread?.path().join("status"))?;
        let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"));
        if tracer.is_none_or(|tracer| tracer.trim() == "0") {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The end of what it wrote.
fn last(out: &str, err: &str) -> String {
    let lines: Vec<&str> = out.lines().chain(err.lines()).collect();
    lines[lines.len().saturating_sub(5)..].join("\n")
}
