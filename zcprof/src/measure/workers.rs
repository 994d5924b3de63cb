//! The workload's processes: a server and a consumer, each a process of its own, that die with
//! this one.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use serde::de::DeserializeOwned;

use super::interrupt;
use crate::fetch::consumer;
use crate::fetch::socket::SocketKind;
use crate::patience::{Patience, Patient};
use crate::server::{Account, Greeting, Listening, Told};
use crate::transfer::TransferSpec;

/// The longest that a worker that closed its sockets is given to end. Only who has an error to
/// tell waits for it.
pub(super) const ENDING: Duration = Duration::from_secs(1);

/// Between two looks whether it has ended.
pub(super) const PAUSE: Duration = Duration::from_millis(50);

/// A worker process that is talked to in lines of JSON.
pub(crate) struct Worker {
    name: &'static str,
    child: Child,
    stdin: Patient<'static, ChildStdin>,
    stdout: BufReader<Patient<'static, ChildStdout>>,
    /// Bytes of what was told last, and of its answer.
    pub(super) said: (u64, u64),
}

impl Worker {
    fn start(name: &'static str, arguments: &[String], patience: Patience) -> Result<Self> {
        let program = std::env::current_exe().context("finding this program's own file")?;
        let mut child = Command::new(program)
            .arg(name)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting the {name}"))?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("the {name} has no pipes");
        };
        interrupt::kill_on_interrupt(&child)?;
        let pid = child.id();
        // Who works uses its CPU, however long it takes to say something.
        let stdin = Patient::new(stdin, patience, move || cpu_seconds(pid))?;
        let stdout = BufReader::new(Patient::new(stdout, patience, move || cpu_seconds(pid))?);
        Ok(Self { name, child, stdin, stdout, said: (0, 0) })
    }

    /// Process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Says one line to the worker.
    fn tell(&mut self, line: &str) -> Result<()> {
        self.said = (line.len() as u64 + 1, 0);
        let told = self.stdin.write_all(format!("{line}\n").as_bytes());
        told.with_context(|| format!("telling the {} what to do", self.name))
    }

    /// One line from the worker.
    fn answer<T: DeserializeOwned>(&mut self) -> Result<T> {
        let mut line = String::new();
        let read = self.stdout.read_line(&mut line);
        read.with_context(|| format!("waiting for the {}", self.name))?;
        self.said.1 = line.len() as u64;
        if line.is_empty() {
            // It has closed its output, and is about to end.
            let end = Instant::now() + ENDING;
            while self.child.try_wait()?.is_none() && Instant::now() < end {
                thread::sleep(PAUSE);
            }
            self.check()?;
        }
        serde_json::from_str(&line)
            .with_context(|| format!("the {} said {:?}", self.name, line.trim_end()))
    }

    /// Fails if the worker is gone, or somebody has stopped it.
    ///
    /// # Errors
    /// Says that it is, and what ended it; or that a signal came, which ends it too.
    pub(crate) fn check(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            interrupt::check()?;
            bail!("the {} ended before its work was done ({status})", self.name);
        }
        if state(self.pid()).is_ok_and(|state| state == 'T') {
            bail!("the {} was stopped by a signal, and nothing happens any more", self.name);
        }
        Ok(())
    }

    /// Descriptors that it has open.
    pub(crate) fn descriptors(&self) -> Result<usize> {
        let folder = format!("/proc/{}/fd", self.pid());
        Ok(fs::read_dir(&folder).with_context(|| format!("reading {folder}"))?.count())
    }

    /// Segments that TCP has sent again in the worker's network namespace.
    pub(crate) fn segments_sent_again(&self) -> Result<u64> {
        let path = format!("/proc/{}/net/snmp", self.pid());
        let text = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
        let mut lines = text.lines().filter_map(|line| line.strip_prefix("Tcp: "));
        let found = lines.next().zip(lines.next()).and_then(|(names, values)| {
            let at = names.split(' ').position(|name| name == "RetransSegs")?;
            values.split(' ').nth(at)?.parse().ok()
        });
        found.with_context(|| format!("{path} has no RetransSegs"))
    }

    /// CPU time that the worker has used, in seconds.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        cpu_seconds(self.pid())
    }
}

/// CPU time that a process has used, in seconds, its threads that have ended included: those of
/// an io_uring come and go. Of a process that runs just now the kernel tells what it knew at the
/// last tick (`thread_group_cputime()`, kernel/sched/cputime.c, brings only the caller up to date),
/// so that it is given a moment to leave its CPU.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    const MOMENTS: usize = 100;
    const MOMENT: Duration = Duration::from_micros(200);
    for _ in 0..MOMENTS {
        if state(pid)? != 'R' {
            break;
        }
        thread::sleep(MOMENT);
    }
    let id = Pid::from_raw(i32::try_from(pid)?);
    let clock = clock_getcpuclockid(id).and_then(clock_gettime);
    let time = clock.with_context(|| format!("reading the CPU time of process {pid}"))?;
    Ok(Duration::from(time).as_secs_f64())
}

/// A process's state, a letter as in proc_pid_stat(5).
pub(crate) fn state(pid: u32) -> Result<char> {
    let what = || format!("reading the state of process {pid}");
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).with_context(what)?;
    // It follows the name, which may hold anything.
    let state = stat.rsplit(')').next().and_then(|rest| rest.trim_start().chars().next());
    state.with_context(what)
}

impl Drop for Worker {
    fn drop(&mut self) {
        interrupt::forget(&self.child);
        // Killed and reaped here; a worker whose parent dies is killed by the kernel.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server, and the address of each transfer's listener.
pub(crate) struct Server {
    pub(crate) worker: Worker,
    listeners: Vec<Listening>,
    /// Its accounts when it was asked last, by transfer.
    booked: BTreeMap<String, Account>,
}

impl Server {
    /// Starts the server with one listener per transfer.
    ///
    /// # Errors
    /// What keeps it from serving: a busy port, a corrupt segment.
    pub(crate) fn start(
        log_dir: &Path,
        socket: &SocketKind,
        listen: SocketAddr,
        rows: &[&TransferSpec],
        patience: Patience,
    ) -> Result<Self> {
        let mut arguments = vec!["--log-dir".to_owned(), log_dir.display().to_string()];
        let mut address = listen;
        for row in rows {
            let listener = format!("{}={}", row.name, socket.address(address, row.name));
            arguments.extend(["--listen".to_owned(), listener]);
            if address.port() != 0 {
                let next = address.port().checked_add(1);
                address.set_port(next.context("there are no more ports after the first")?);
            }
        }
        let mut worker = Worker::start("server", &arguments, patience)?;
        match worker.answer::<Greeting>()? {
            Greeting::Ready(listeners) => Ok(Self { worker, listeners, booked: BTreeMap::new() }),
            Greeting::Error(error) => bail!("{error}"),
        }
    }

    /// Where and how a transfer is served.
    pub(crate) fn listening(&self, transfer: &str) -> Result<&Listening> {
        let found = self.listeners.iter().find(|listening| listening.transfer == transfer);
        found.with_context(|| format!("{transfer} is not served"))
    }

    /// The outcome of a transfer's connections since it was asked last.
    ///
    /// # Errors
    /// The server does not answer.
    pub(crate) fn account(&mut self, transfer: &str) -> Result<Account> {
        let Told { accounts: all, .. } = self.ask()?;
        let now = all.get(transfer).copied().unwrap_or_default();
        let before = self.booked.get(transfer).copied().unwrap_or_default();
        self.booked = all;
        Ok(now.since(before))
    }

    /// Why a transfer cannot be made at all, if its socket or its file refused the first attempt.
    ///
    /// # Errors
    /// The server does not answer.
    pub(crate) fn refusal(&mut self, transfer: &str) -> Result<Option<String>> {
        Ok(self.ask()?.refusals.remove(transfer))
    }

    fn ask(&mut self) -> Result<Told> {
        self.worker.tell("accounts")?;
        self.worker.answer()
    }
}

/// The consumer.
pub(crate) struct Consumer {
    pub(crate) worker: Worker,
}

impl Consumer {
    /// Starts it.
    ///
    /// # Errors
    /// The process cannot be started.
    pub(crate) fn start(patience: Patience) -> Result<Self> {
        Ok(Self { worker: Worker::start("consumer", &[], patience)? })
    }

    /// Has it fetch, and waits until everything is received and the server is quiet.
    ///
    /// # Errors
    /// What kept it from fetching everything.
    pub(crate) fn fetch(&mut self, command: &consumer::FetchCommand) -> Result<consumer::Outcome> {
        self.worker.tell(&serde_json::to_string(command)?)?;
        let outcome: consumer::Outcome = self.worker.answer()?;
        if let Some(error) = &outcome.error {
            bail!("the consumer: {error}");
        }
        Ok(outcome)
    }
}
