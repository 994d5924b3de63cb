//! The window: when it ends, and what is said meanwhile.

use std::process::Child;
use std::time::{Duration, Instant};

use super::command::Started;
use super::series::Series;
use super::targets::Targets;
use crate::cli;
use crate::measure::interrupt;
use crate::probe::Probes;
use anyhow::{Context as _, Result, bail};
use zcprof_judge::watch::record::{Stretch, WatchedCount};

/// How often it is asked whether the window is over.
const PAUSE: Duration = Duration::from_millis(50);

/// How often something is said.
const LINE: Duration = Duration::from_secs(10);

/// How long a port is waited for.
const READY: Duration = Duration::from_secs(30);

/// A window that is open.
pub(super) struct Window<'a> {
    options: &'a cli::Watch,
    begin: Instant,
    closed: Option<Instant>,
    said: Instant,
    /// Whether the window ends with the last process.
    by_process: bool,
    own: Vec<u32>,
    load: Option<Child>,
    series: Series,
}

impl<'a> Window<'a> {
    /// Opens it.
    pub(super) fn open(options: &'a cli::Watch, targets: &Targets, own: Vec<u32>) -> Self {
        interrupt::end_window_first(true);
        let now = Instant::now();
        let by_process = targets.is_by_process();
        let series = Series::new(options, now);
        Self { options, begin: now, closed: None, said: now, by_process, own, load: None, series }
    }

    /// Its length so far, or in all, in seconds.
    pub(super) fn seconds(&self) -> f64 {
        let end = self.closed.unwrap_or_else(Instant::now);
        end.duration_since(self.begin).as_secs_f64()
    }

    /// The window in stretches, given all that was counted in it.
    pub(super) fn into_series(self, counts: &[WatchedCount]) -> Vec<Stretch> {
        self.series.close(self.closed.unwrap_or_else(Instant::now), counts, self.options)
    }

    /// Lets the time pass that is not to be counted, and opens the window anew.
    ///
    /// # Errors
    /// The counts cannot be read.
    pub(super) fn skip(&mut self, probes: &mut Probes) -> Result<()> {
        let Some(time) = self.options.skip else { return Ok(()) };
        while self.begin.elapsed() < time && !interrupt::is_window_over() {
            std::thread::sleep(PAUSE);
        }
        probes.snapshot()?;
        let now = Instant::now();
        (self.begin, self.said, self.series) = (now, now, Series::new(self.options, now));
        Ok(())
    }

    /// Waits until it is over.
    ///
    /// # Errors
    /// The load cannot be started or fails, or nobody listens in time.
    pub(super) fn wait(
        &mut self,
        probes: &mut Probes,
        mut command: Option<&mut Started>,
    ) -> Result<()> {
        loop {
            if let Some(command) = &mut command {
                command.has_ended()?;
            }
            if self.is_over(probes)? {
                break;
            }
            self.start_load()?;
            self.say(probes)?;
            self.series.tick(probes, self.options, &self.own)?;
            std::thread::sleep(PAUSE);
        }
        self.closed = Some(Instant::now());
        interrupt::end_window_first(false);
        if let Some(load) = &mut self.load {
            let _ = load.kill();
            let _ = load.wait();
        }
        Ok(())
    }

    /// Whether a signal came, the time is up, the load has ended, or the last watched process has.
    fn is_over(&mut self, probes: &mut Probes) -> Result<bool> {
        let is_late = self.options.time.is_some_and(|time| self.begin.elapsed() >= time);
        if interrupt::is_window_over() || is_late {
            return Ok(true);
        }
        if let Some(load) = &mut self.load
            && let Some(status) = load.try_wait().context("waiting for the load")?
        {
            self.load = None;
            if !status.success() {
                bail!("the load failed ({status})");
            }
            return Ok(true);
        }
        Ok(self.by_process && self.options.load.is_none() && self.left(probes)? == 0)
    }

    /// Watched processes that are left.
    fn left(&self, probes: &mut Probes) -> Result<usize> {
        let watched = probes.watched()?;
        Ok(watched.iter().filter(|(pid, _)| !self.own.contains(pid)).count())
    }

    /// Starts the load when the port is listened at.
    fn start_load(&mut self) -> Result<()> {
        let Some(line) = self.options.load.as_ref().filter(|_| self.load.is_none()) else {
            return Ok(());
        };
        if let Some(port) = self.options.ready
            && !super::processes::is_listened_at(port)
        {
            if self.begin.elapsed() > READY {
                bail!("nobody listens at port {port} after {} s", READY.as_secs());
            }
            return Ok(());
        }
        let mut shell = std::process::Command::new("sh");
        shell.arg("-c").arg(line);
        super::command::with_signals(&mut shell);
        self.load = Some(shell.spawn().with_context(|| format!("starting the load {line:?}"))?);
        Ok(())
    }

    /// One line every ten seconds.
    fn say(&mut self, probes: &mut Probes) -> Result<()> {
        if self.said.elapsed() < LINE {
            return Ok(());
        }
        self.said = Instant::now();
        let names = probes.programs()?;
        let excluded = &self.options.excluded;
        let (_, counts, _) = super::record::counted(&probes.peek()?, &names, &self.own, excluded);
        let verdict = self.series.verdict_so_far(&counts, self.options);
        eprintln!(
            "zcprof: {:.0} s: {}{verdict}",
            self.seconds(),
            super::so_far(&counts, self.options.direction)
        );
        Ok(())
    }
}
