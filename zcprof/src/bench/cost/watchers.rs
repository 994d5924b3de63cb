//! THE TABLE of who watches. To add a tracer is to add a row, with what shows that it has seen the loads.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use super::record::Watcher;
use super::witness::{self, Expected, WitnessedAmount};
use zcprof_judge::cost::watcher;

/// A row of the table.
pub(super) struct WatcherSpec {
    /// Its name in the record.
    pub(super) name: &'static str,
    /// How it watches; `None` if nobody does.
    pub(super) tracer: Option<Tracer>,
}

/// A program that watches a process.
pub(super) struct Tracer {
    /// Its name; zcprof is this program itself.
    program: &'static str,
    /// Debian's package.
    package: &'static str,
    /// What it is told; `PID` stands for the server's process.
    words: &'static [&'static str],
    /// When it watches.
    pub(super) armed: Armed,
    /// What ends it.
    pub(super) end: End,
    /// What it must have seen.
    unit: &'static str,
    expected: fn(&Expected) -> (u64, Option<u64>),
    /// Reads that out of what it wrote on standard output and standard error.
    pub(super) read: fn(&str, &str) -> Result<WitnessedAmount>,
}

/// What shows that a tracer watches.
#[derive(Clone, Copy, Debug)]
pub(super) enum Armed {
    /// A line on its standard output.
    Says(&'static str),
    /// It holds so many descriptors of what the kernel calls this.
    Holds(&'static str, usize),
    /// It holds a descriptor of what the kernel calls this, and waits in poll(2).
    Polls(&'static str),
    /// It traces every thread of the server, by ptrace(2).
    Traces,
}

/// What ends a tracer.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// Its standard input ends.
    Input,
    /// SIGINT.
    Interrupt,
}

/// zcprof itself, which says `armed` when its window is open and ends it at the end of its input.
const fn zcprof(words: &'static [&'static str]) -> Tracer {
    Tracer {
        program: ZCPROF,
        package: "",
        words,
        armed: Armed::Says("armed"),
        end: End::Input,
        unit: "the bytes that were sent",
        expected: witness::bytes,
        read: witness::zcprof,
    }
}

const ZCPROF: &str = "zcprof";

/// What stands for the server's process.
const PID: &str = "PID";

/// zcprof's words before those that differ.
macro_rules! watch {
    ($($word:literal),*) => {
        &["watch", "--json", "--pid", PID, "--while", "echo armed; exec cat", $($word),*]
    };
}

static WATCHERS: &[WatcherSpec] = &[
    WatcherSpec { name: watcher::NOBODY, tracer: None },
    // Shows how far two turns without a watcher differ.
    WatcherSpec { name: watcher::NOBODY_AGAIN, tracer: None },
    WatcherSpec {
        name: watcher::CALLERS,
        tracer: Some(zcprof(watch!("--without", "audit", "--no-stacks"))),
    },
    WatcherSpec {
        name: watcher::CALLERS_STACKS,
        tracer: Some(zcprof(watch!("--without", "audit", "--stacks"))),
    },
    WatcherSpec { name: watcher::BOTH, tracer: Some(zcprof(watch!("--no-stacks"))) },
    WatcherSpec { name: watcher::BOTH_STACKS, tracer: Some(zcprof(watch!("--stacks"))) },
    WatcherSpec {
        name: watcher::BPFTRACE,
        tracer: Some(Tracer {
            program: "bpftrace",
            package: "bpftrace",
            // Every transfer calls each of these: mm/filemap.c, fs/read_write.c, net/ipv4/tcp.c.
            words: &[
                "-e",
                "fentry:filemap_get_pages, fentry:rw_verify_area, fentry:tcp_push, \
                 fentry:tcp_sendmsg_locked /pid == PID/ { @[probe] = count(); }",
            ],
            armed: Armed::Holds("anon_inode:bpf_link", 4),
            end: End::Interrupt,
            unit: "a call for each fetch",
            expected: witness::calls,
            read: |out, _| witness::bpftrace(out),
        }),
    },
    WatcherSpec {
        name: watcher::PERF_TRACE,
        tracer: Some(Tracer {
            program: "perf",
            package: "linux-perf",
            words: &["trace", "-s", "-p", PID],
            armed: Armed::Polls("anon_inode:[perf_event]"),
            end: End::Interrupt,
            unit: "a call for each fetch",
            expected: witness::calls,
            read: |out, err| witness::perf(&[out, err].concat()),
        }),
    },
    WatcherSpec {
        name: watcher::STRACE,
        tracer: Some(Tracer {
            program: "strace",
            package: "strace",
            words: &["-f", "-p", PID],
            armed: Armed::Traces,
            end: End::Interrupt,
            unit: "a call for each fetch",
            expected: witness::calls,
            read: |_, err| Ok(witness::strace(err)),
        }),
    },
];

impl WatcherSpec {
    /// What it must have seen at least, and can have seen at most.
    pub(super) fn expected(&self, loads: &Expected) -> (u64, Option<u64>) {
        self.tracer.as_ref().map_or((0, None), |tracer| (tracer.expected)(loads))
    }
}

impl Tracer {
    /// The command, behind words that lead to where it is.
    pub(super) fn command(&self, through: &[String], pid: &str) -> Result<Command> {
        let mut command = self.program(through)?;
        command.args(self.words.iter().map(|word| word.replace(PID, pid)));
        Ok(command)
    }

    fn program(&self, through: &[String]) -> Result<Command> {
        if self.program == ZCPROF {
            let this = std::env::current_exe().context("finding this program's own file")?;
            return Ok(Command::new(this));
        }
        let mut words = through.iter().map(String::as_str).chain([self.program]);
        let mut command = Command::new(words.next().unwrap_or(self.program));
        command.args(words);
        Ok(command)
    }

    /// What it says that it is.
    fn version(&self, through: &[String]) -> Result<String> {
        let mut command = self.program(through)?;
        let output = command.arg("--version").stdin(Stdio::null()).output();
        let output = output.ok().filter(|output| output.status.success()).with_context(|| {
            format!("{0} cannot be started: apt install {1}", self.program, self.package)
        })?;
        let said = String::from_utf8_lossy(&output.stdout);
        Ok(said.lines().next().unwrap_or_default().trim().to_owned())
    }
}

/// Those who take part, and how to reach the tracers that are not zcprof.
pub(super) struct Chosen {
    pub(super) rows: Vec<&'static WatcherSpec>,
    pub(super) through: Vec<String>,
}

impl Chosen {
    /// Those that are named, in the table's order; all if none is.
    pub(super) fn find(names: &[String], through: Option<&str>) -> Self {
        let is_named = |row: &&WatcherSpec| {
            // Everybody is compared with it.
            row.name == watcher::NOBODY
                || names.is_empty()
                || names.iter().any(|name| name == row.name)
        };
        Self {
            rows: WATCHERS.iter().filter(is_named).collect(),
            through: through.unwrap_or_default().split_whitespace().map(str::to_owned).collect(),
        }
    }

    /// As the record describes them.
    ///
    /// # Errors
    /// A tracer cannot be started.
    pub(super) fn described(&self) -> Result<Vec<Watcher>> {
        let described = self.rows.iter().map(|row| {
            let (program, line, witness) = match &row.tracer {
                None => (String::new(), String::new(), None),
                Some(tracer) => (
                    tracer.version(&self.through)?,
                    [&[tracer.program], tracer.words].concat().join(" "),
                    Some(tracer.unit.to_owned()),
                ),
            };
            Ok(Watcher { name: row.name.to_owned(), program, line, witness })
        });
        described.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_its_row() {
        let names: Vec<_> = WATCHERS.iter().map(|row| row.name).collect();
        assert_eq!(names, watcher::ALL);
        let found = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            let rows = Chosen::find(&names, None).rows;
            rows.iter().map(|row| row.name).collect::<Vec<_>>()
        };
        assert_eq!(found(&["strace"]), ["nobody", "strace"]);
        assert_eq!(found(&[]).len(), WATCHERS.len());
    }

    #[test]
    fn every_tracer_is_told_the_process() {
        for tracer in WATCHERS.iter().filter_map(|row| row.tracer.as_ref()) {
            let through = ["chroot".to_owned(), "/tools".to_owned()];
            let command = tracer.command(&through, "4711").expect("a command");
            let words = format!("{command:?}");
            assert!(words.contains("4711") && !words.contains("PID"), "{words}");
            assert_eq!(words.contains("/tools"), tracer.program != ZCPROF, "{words}");
        }
    }
}
