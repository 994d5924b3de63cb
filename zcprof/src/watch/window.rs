//! The window: when it ends, and what is shown meanwhile.

use std::collections::BTreeMap;
use std::fs::File;
use std::process::Child;
use std::time::{Duration, Instant};

use super::command::{Started, write_into};
use super::ends::{Ends, in_words};
use super::listeners::Listeners;
use super::live::Live;
use super::series::WindowSeries;
use super::shown::RowStacks;
use super::targets::{Targets, add, claims};
use crate::cli;
use crate::measure::interrupt;
use crate::probe::Probes;
use crate::stacks::LiveStacks;
use anyhow::{Context as _, Result, bail};
use zcprof_common::sites::Site;
use zcprof_common::vocabulary::Instrument;
use zcprof_judge::run::Doubt;
use zcprof_judge::watch::Watch;
use zcprof_judge::watch::record::{Stretch, WatchedCount};

/// How often it is asked whether the window is over.
const PAUSE: Duration = Duration::from_millis(50);

/// How often it is looked what has been counted; if that takes long, so many times as long passes
/// between two looks.
const LOOK: Duration = Duration::from_secs(1);
const REST: u32 = 10;

/// How often something is said where there is no table.
const LINE: Duration = Duration::from_secs(10);

/// How long a port is waited for.
const READY: Duration = Duration::from_secs(30);

/// A window that is open.
pub(super) struct Window<'a> {
    options: &'a cli::WatchArgs,
    targets: &'a Targets,
    begin: Instant,
    closed: Option<Instant>,
    /// When it is looked again.
    due: Instant,
    said: Instant,
    own: Vec<u32>,
    load: Option<Child>,
    listeners: Listeners,
    series: WindowSeries,
    ends: Ends,
    /// The record as far as it goes.
    record: Watch,
    /// Processes that are watched since later than the window's begin, and may have sent before.
    late: u64,
    live: Option<Live>,
    /// What names stacks while a table has the terminal; none where no stacks are kept.
    stacks: Option<RowStacks>,
    /// What was said while a table had the terminal.
    kept: Vec<String>,
}

impl<'a> Window<'a> {
    /// Opens it. `record` is what is known by now.
    pub(super) fn open(
        options: &'a cli::WatchArgs,
        targets: &'a Targets,
        own: Vec<u32>,
        record: Watch,
    ) -> Self {
        interrupt::end_window_first(true);
        let now = Instant::now();
        Self {
            options,
            targets,
            listeners: targets.listeners(),
            begin: now,
            closed: None,
            due: now + LOOK,
            said: now,
            own,
            load: None,
            series: WindowSeries::new(now),
            ends: Ends::of(targets.roots()),
            record,
            late: 0,
            live: None,
            stacks: None,
            kept: Vec::new(),
        }
    }

    /// Shows it as a table from now on, with what is known of its stacks.
    pub(super) fn show(&mut self, stacks: Option<LiveStacks>) {
        self.stacks = stacks.map(RowStacks::of);
        match Live::open(self.record.clone(), self.stacks.is_some()) {
            Ok(live) => self.live = Some(live),
            Err(error) => log::warn!("no table can be drawn: {error}"),
        }
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
        (self.begin, self.said, self.due) = (now, now, now + LOOK);
        self.series = WindowSeries::new(now);
        Ok(())
    }

    /// Waits until it is over. What a load writes goes into a file, if there is one for it.
    ///
    /// # Errors
    /// The load cannot be started or fails, or nobody listens in time.
    pub(super) fn wait(
        &mut self,
        probes: &mut Probes,
        mut command: Option<&mut Started>,
        output: Option<&File>,
    ) -> Result<()> {
        let mut runs = command.is_some();
        loop {
            if let Some(command) = &mut command
                && command.has_ended()?
                && std::mem::take(&mut runs)
            {
                self.tell_of(command);
            }
            if self.is_over(probes, runs)? {
                break;
            }
            let load = self.start_load(output)?;
            if let Some(command) = &mut command {
                command.except(load);
            }
            if Instant::now() >= self.due {
                self.look(probes)?;
            }
            self.show_stacks();
            if self.rest() {
                break;
            }
        }
        self.closed = Some(Instant::now());
        for ended in self.ends.look(true) {
            self.tell(&ended);
        }
        (self.live, self.stacks) = (None, None);
        for said in std::mem::take(&mut self.kept) {
            eprintln!("{said}");
        }
        interrupt::end_window_first(false);
        if let Some(load) = &mut self.load {
            let _ = load.kill();
            let _ = load.wait();
        }
        Ok(())
    }

    /// Whether a signal came, the time is up, the load has ended, or the last watched process has. The
    /// probes see the command's end before its parent can wait for it; while it `runs` for its parent,
    /// nobody knows yet how it ended.
    fn is_over(&mut self, probes: &mut Probes, runs: bool) -> Result<bool> {
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
        let is_open = !self.targets.is_by_process() || self.options.load.is_some() || runs;
        Ok(!is_open && self.left(probes)? == 0)
    }

    /// Watched processes that are left.
    fn left(&self, probes: &mut Probes) -> Result<usize> {
        let watched = probes.watched()?;
        Ok(watched.iter().filter(|(pid, _)| !self.own.contains(pid)).count())
    }

    /// Starts the load when the port is listened at; says which process it is, once.
    fn start_load(&mut self, output: Option<&File>) -> Result<Option<u32>> {
        let Some(line) = self.options.load.as_ref().filter(|_| self.load.is_none()) else {
            return Ok(None);
        };
        if let Some(port) = self.options.ready
            && !super::processes::is_listened_at(port)
        {
            if self.begin.elapsed() > READY {
                bail!("nobody listens at port {port} after {} s", READY.as_secs());
            }
            return Ok(None);
        }
        let mut shell = std::process::Command::new("sh");
        shell.arg("-c").arg(line);
        write_into(&mut shell, output)?;
        super::command::with_signals(&mut shell);
        let load = shell.spawn().with_context(|| format!("starting the load {line:?}"))?;
        Ok(Some(self.load.insert(load).id()))
    }

    /// Looks what has been counted, and shows it. The last snapshot stays what it was, so that nothing
    /// changes for what is read at the end.
    fn look(&mut self, probes: &mut Probes) -> Result<()> {
        let now = Instant::now();
        for ended in self.ends.look(false) {
            self.tell(&ended);
        }
        for found in self.listeners.look() {
            if add(found.pid, probes, &self.own)? {
                self.late += 1;
                self.tell(&format!("{} (pid {}) is watched from here on", found.name, found.pid));
            }
        }
        let is_line = self.live.is_none() && self.said.elapsed() >= LINE;
        let is_stretch = self.series.is_due(now);
        let mut alive = BTreeMap::new();
        if is_line || is_stretch || self.live.is_some() {
            let names = self.read(probes)?;
            if self.live.is_some() {
                alive = self.alive(probes, &names)?;
                self.seek_stacks(probes, &names)?;
            }
        }
        if is_stretch {
            self.series.add(now, self.record.counts.clone(), self.options);
        }
        if is_line {
            self.line();
        }
        let shown = self.live.as_mut().map(|live| live.renew(&self.record, &alive));
        self.give_up_if(shown.transpose());
        self.due = now + LOOK.max(now.elapsed() * REST);
        Ok(())
    }

    /// Has the stacks of that row looked up whose details are shown.
    fn seek_stacks(&mut self, probes: &Probes, names: &[(u32, String)]) -> Result<()> {
        let Some(stacks) = &mut self.stacks else { return Ok(()) };
        let program = self.live.as_ref().and_then(Live::detailed);
        let chosen = self.targets.chosen(self.options, &self.own);
        let charged =
            |key: &_, value: &_| super::record::counted_by_stack(key, value, names, chosen);
        stacks.seek(probes, program, charged, &self.record.counts)
    }

    /// Shows what was found of them.
    fn show_stacks(&mut self) {
        let found = self.stacks.as_mut().and_then(RowStacks::found);
        if let (Some(found), Some(live)) = (found, &mut self.live) {
            let shown = live.explain(found);
            self.give_up_if(shown);
        }
    }

    /// Reads what has been counted into the record; says which programs there are, by subject.
    fn read(&mut self, probes: &mut Probes) -> Result<Vec<(u32, String)>> {
        let snapshot = probes.peek()?;
        let names = probes.programs()?;
        let chosen = self.targets.chosen(self.options, &self.own);
        let counted = super::record::counted(&snapshot, &names, chosen);
        let record = &mut self.record;
        (record.programs, record.counts, record.exits) = counted;
        record.claims = claims(self.options, &record.counts);
        self.record.doubts = self.doubts(snapshot.doubts);
        self.record.doubts.retain(is_known_by_now);
        self.record.seconds = self.seconds();
        Ok(names)
    }

    /// Doubts of the probes, and what processes did before they were watched, which is in no account.
    pub(super) fn doubts(&self, mut known: Vec<Doubt>) -> Vec<Doubt> {
        known.extend((self.late > 0).then_some(Doubt::Unfollowed { times: self.late }));
        known
    }

    /// How many processes of each program live.
    fn alive(
        &self,
        probes: &mut Probes,
        names: &[(u32, String)],
    ) -> Result<BTreeMap<String, usize>> {
        let watched = probes.watched()?;
        let mut alive = BTreeMap::new();
        for (_, subject) in watched.iter().filter(|(pid, _)| !self.own.contains(pid)) {
            *alive.entry(super::record::name(*subject, names)).or_default() += 1;
        }
        Ok(alive)
    }

    /// Rests, and says whether the user ended the window meanwhile.
    fn rest(&mut self) -> bool {
        let Some(live) = &mut self.live else {
            std::thread::sleep(PAUSE);
            return false;
        };
        let ended = live.rest(PAUSE);
        self.give_up_if(ended).unwrap_or(false)
    }

    /// A terminal that is gone ends no window.
    fn give_up_if<T>(&mut self, done: std::io::Result<T>) -> Option<T> {
        done.inspect_err(|error| {
            self.live = None;
            log::warn!("the table is drawn no more: {error}");
        })
        .ok()
    }

    /// Says how the command ended.
    fn tell_of(&mut self, command: &Started) {
        let how = command.status().map_or_else(|| "has ended".to_owned(), in_words);
        self.tell(&format!("the command {how}"));
    }

    /// Says what happened to whom is watched.
    fn tell(&mut self, what: &str) {
        let line = format!("zcprof: {:.0} s: {what}", self.seconds());
        if let Some(live) = &mut self.live {
            live.say(what);
            self.kept.push(line);
        } else {
            eprintln!("{line}");
        }
    }

    /// What was counted so far, in a line.
    fn line(&mut self) {
        self.said = Instant::now();
        let counts = &self.record.counts;
        let verdict = WindowSeries::verdict_so_far(counts, self.options);
        let sent = super::so_far(counts, self.options.direction);
        eprintln!("zcprof: {:.0} s: {sent}{verdict}", self.seconds());
    }
}

/// Whether a doubt is one while the breakpoints go on. Their hits and the runs of their programs are read
/// at different moments then, and differ by what was copied in between; what they missed is known when
/// they have been stopped, at the end.
fn is_known_by_now(doubt: &Doubt) -> bool {
    let is_of_audit =
        |name: &str| Site::find(name).is_some_and(|(_, site)| site.instrument == Instrument::Audit);
    !matches!(doubt, Doubt::Missed { site, .. } if is_of_audit(site))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_breakpoints_missed_is_known_at_the_end_only() {
        let missed = |site: &str| Doubt::Missed { site: site.to_owned(), runs: 3 };
        assert!(!is_known_by_now(&missed("_copy_to_iter")));
        assert!(is_known_by_now(&missed("tcp_sendmsg_locked")));
        assert!(is_known_by_now(&missed("a site that is not in the table")));
        assert!(is_known_by_now(&Doubt::Unfollowed { times: 1 }));
    }
}
