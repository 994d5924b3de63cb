//! The live view: a table that renews itself while a window is open. What it shows is read from the
//! same counters as the report, which it leaves as they are.

mod columns;
mod details;
mod draw;
mod rows;
mod state;
pub(super) mod way;

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use zcprof_judge::watch::Watch;
use zcprof_judge::watch::record::WatchedCount;

use crate::stacks::FoundStacks;
use crate::terminal;
use details::KnownStacks;
use draw::{View, draw};
use rows::{LiveRow, rows};
use state::{Next, Screen, ViewState};

/// The shortest time that keys are waited for: in no time at all crossterm reads none.
const AT_ONCE: Duration = Duration::from_millis(1);

/// A view that is open. The terminal is given back when it is dropped, and if zcprof panics.
pub(super) struct Live {
    terminal: DefaultTerminal,
    record: Watch,
    rows: Vec<LiveRow>,
    stacks: KnownStacks,
    state: ViewState,
    /// What had been counted at the last look, and when that was.
    before: Option<(Vec<WatchedCount>, Instant)>,
    said: Option<String>,
    colour: bool,
}

impl Live {
    /// Takes the terminal, and shows a window that has just begun. `kept` says whether its stacks are.
    ///
    /// # Errors
    /// The terminal's own.
    pub(super) fn open(record: Watch, kept: bool) -> io::Result<Self> {
        // What is being done is taken away first: it would stand there again at the end.
        terminal::hold();
        // Its panic hook gives the terminal back before the message is printed.
        let terminal = ratatui::try_init().inspect_err(|_| terminal::release())?;
        let sort = if record.claims.is_empty() { "copied/s" } else { "sent/s" };
        let state = ViewState::new(sort, !record.claims.is_empty());
        let colour = terminal::colour();
        let (rows, before, said) = (Vec::new(), None, None);
        let stacks = if kept { KnownStacks::Sought } else { KnownStacks::NotKept };
        let mut live = Self { terminal, record, rows, stacks, state, before, said, colour };
        live.draw()?;
        Ok(live)
    }

    /// Shows what has been counted by now. `alive` are the processes that live, by program.
    ///
    /// # Errors
    /// The terminal's own.
    pub(super) fn renew(
        &mut self,
        record: &Watch,
        alive: &BTreeMap<String, usize>,
    ) -> io::Result<()> {
        let now = Instant::now();
        let since = |at: &Instant| now.duration_since(*at).as_secs_f64();
        let before = self.before.as_ref().map(|(counts, at)| (counts.as_slice(), since(at)));
        self.rows = rows(record, before, alive);
        self.record = record.clone();
        self.before = Some((record.counts.clone(), now));
        self.draw()
    }

    /// The program whose details are shown.
    pub(super) fn detailed(&self) -> Option<&str> {
        let shown = self.state.selected.as_ref();
        shown.filter(|_| self.state.page == Screen::Details).map(|id| id.program.as_str())
    }

    /// Shows the stacks of a program, as they were found.
    ///
    /// # Errors
    /// The terminal's own.
    pub(super) fn explain(&mut self, (program, stacks): FoundStacks) -> io::Result<()> {
        self.stacks = KnownStacks::Of { program, stacks };
        self.draw()
    }

    /// Says what happened, until something else does.
    pub(super) fn say(&mut self, what: &str) {
        self.said = Some(what.to_owned());
    }

    /// Waits for keys for so long, and says whether the user ended the window. All keys that have come
    /// by the end of it take effect.
    ///
    /// # Errors
    /// The terminal's own.
    pub(super) fn rest(&mut self, time: Duration) -> io::Result<bool> {
        let mut left = time;
        while event::poll(left)? {
            left = AT_ONCE;
            if let Event::Key(key) = event::read()?
                && key.kind == KeyEventKind::Press
                && self.state.press(key, &self.rows) == Next::End
            {
                return Ok(true);
            }
            self.draw()?;
        }
        Ok(false)
    }

    fn draw(&mut self) -> io::Result<()> {
        let view = View {
            record: &self.record,
            rows: &self.rows,
            stacks: &self.stacks,
            state: &self.state,
            said: self.said.as_deref(),
            colour: self.colour,
        };
        self.terminal.draw(|frame| draw(frame, &view)).map(|_| ())
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = self.terminal.show_cursor();
        // Done twice it would put the cursor back to where it was before, over the panic's message.
        if !std::thread::panicking() {
            ratatui::restore();
        }
        terminal::release();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use zcprof_common::syscalls::Syscall;
    use zcprof_judge::watch::record::{Charged, Program};

    use super::*;

    /// A window in which nginx sent files and headers.
    pub(super) fn golden() -> Watch {
        let path =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../zcprof-judge/tests/golden/watch/watch.json");
        zcprof_judge::record::read(&fs::read(path).expect("a golden")).expect("a record")
    }

    /// The same a while later: everything was counted twice.
    pub(super) fn grown() -> Watch {
        let mut record = golden();
        for count in &mut record.counts {
            (count.calls, count.bytes) = (count.calls * 2, count.bytes * 2);
        }
        record
    }

    /// Rows of three programs: one copies all that it sends, one half, one at another port.
    pub(super) fn several() -> Vec<LiveRow> {
        let mut record = golden();
        let own = record.programs[0].name.clone();
        let of_it = |count: &WatchedCount| count.charged == Charged::Program(own.clone());
        let counts: Vec<_> = record.counts.iter().filter(|count| of_it(count)).cloned().collect();
        record.counts.clear();
        record.programs.clear();
        for (name, port, copying) in [("broker", 9092, 1), ("copier", 80, 9), ("proxy", 8080, 2)] {
            record.programs.push(Program { name: name.to_owned(), pid: 1 });
            for count in &counts {
                let copied = count.syscall == Syscall::Writev;
                record.counts.push(WatchedCount {
                    charged: Charged::Program(name.to_owned()),
                    port: count.port.map(|_| port),
                    bytes: count.bytes * if copied { copying } else { 1 },
                    ..count.clone()
                });
            }
        }
        rows(&record, None, &BTreeMap::new())
    }
}

#[cfg(test)]
#[path = "terminal.rs"]
mod on_a_terminal;

#[cfg(test)]
#[path = "../../../tests/pty/mod.rs"]
mod pty;
