//! The command that is watched. It is started when everybody is armed: its process exists before, so
//! that it can be named to the probes, and waits at a pipe until it may become the command.
#![expect(unsafe_code, reason = "what happens between fork and exec")]

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use nix::sys::signal::{SigmaskHow, sigprocmask};
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use rustix::process::Signal;
use zcprof_judge::watch::record;

use super::caller::{Caller, OF_SUDO};
use super::family::Family;
use super::processes;
use crate::measure::interrupt;
use crate::measure::workers::state;
use crate::probe::Probes;

/// How long a command is given to end once the window is over.
const GRACE: Duration = Duration::from_secs(10);

/// How often it is asked whether it has ended.
const PAUSE: Duration = Duration::from_millis(50);

/// A command that waits, runs, or has ended.
pub(super) struct Started {
    line: Vec<String>,
    pid: u32,
    family: Family,
    go: Option<io::PipeWriter>,
    spawning: Option<JoinHandle<io::Result<Child>>>,
    child: Option<Child>,
    status: Option<ExitStatus>,
    ended_by_us: bool,
    /// Nothing of it is left.
    done: bool,
}

impl Started {
    /// Makes the command's process, which waits; none if there is no command. It writes into a file and
    /// reads nothing, if there is such a file: else it has what zcprof has.
    ///
    /// # Errors
    /// The program cannot be found, or no process can be made.
    pub(super) fn prepare(
        line: &[String],
        user: Option<&str>,
        output: Option<&File>,
    ) -> Result<Option<Self>> {
        let Some((program, arguments)) = line.split_first() else { return Ok(None) };
        let mut command = std::process::Command::new(program);
        command.args(arguments);
        write_into(&mut command, output)?;
        for variable in OF_SUDO {
            command.env_remove(variable);
        }
        let caller = Caller::find(user)?;
        if let Some(caller) = &caller {
            command.envs(caller.environment.iter().map(|(name, value)| (name, value)));
        }
        let (mut pids, mut say) = io::pipe().context("making a pipe")?;
        let (mut wait, go) = io::pipe().context("making a pipe")?;
        let mask = interrupt::mask_before();
        let mut family = Family::expect()?;
        let own_end = go.as_raw_fd();
        let before_exec = move || {
            // The child has this end too, and would wait for itself where zcprof is gone.
            // SAFETY: in the child nothing else uses it.
            drop(unsafe { OwnedFd::from_raw_fd(own_end) });
            say.write_all(&std::process::id().to_ne_bytes())?;
            let mut word = [0];
            if wait.read(&mut word)? == 0 {
                // zcprof is gone, or gave up; there is nobody to tell.
                // SAFETY: it ends this process, and runs nothing before.
                unsafe { nix::libc::_exit(1) };
            }
            if let Some(caller) = &caller {
                become_it(caller)?;
            }
            sigprocmask(SigmaskHow::SIG_SETMASK, Some(&mask), None)?;
            Ok(())
        };
        // SAFETY: between fork and exec only system calls are made, and nothing is allocated.
        unsafe { command.pre_exec(before_exec) };
        // spawn() returns when the command runs or could not be started.
        let spawning = std::thread::Builder::new()
            .name("command".to_owned())
            .spawn(move || command.spawn())
            .context("starting a thread")?;
        let mut pid = [0; 4];
        if pids.read_exact(&mut pid).is_err() {
            let failed = spawning.join().map_err(|_| anyhow!("the thread panicked"))?;
            return Err(failed.err().unwrap_or_else(|| io::Error::other("it ended at once")))
                .with_context(|| format!("starting {program}"));
        }
        let pid = u32::from_ne_bytes(pid);
        family.begin(pid);
        Ok(Some(Self {
            line: line.to_vec(),
            pid,
            family,
            go: Some(go),
            spawning: Some(spawning),
            child: None,
            status: None,
            ended_by_us: false,
            done: false,
        }))
    }

    /// Number of its process.
    pub(super) const fn pid(&self) -> u32 {
        self.pid
    }

    /// These processes of zcprof's are not of the command.
    pub(super) fn except(&mut self, others: impl IntoIterator<Item = u32>) {
        self.family.except(others);
    }

    /// Lets it run.
    ///
    /// # Errors
    /// It cannot be run: no such file, no permission.
    pub(super) fn release(&mut self) -> Result<()> {
        let mut go = self.go.take().context("the command runs already")?;
        go.write_all(&[1]).context("letting the command run")?;
        let spawning = self.spawning.take().context("the command runs already")?;
        let started = spawning.join().map_err(|_| anyhow!("the command's thread panicked"))?;
        let line = &self.line[0];
        self.child = Some(started.with_context(|| format!("cannot run {line:?}"))?);
        Ok(())
    }

    /// Whether it has ended.
    ///
    /// # Errors
    /// The kernel's own.
    pub(super) fn has_ended(&mut self) -> Result<bool> {
        if self.status.is_none()
            && let Some(child) = &mut self.child
        {
            self.status = child.try_wait().context("waiting for the command")?;
            if self.status.is_some() {
                self.family.waited_for();
            }
        }
        self.family.bury();
        Ok(self.status.is_some())
    }

    /// How it has ended, if it was seen to.
    pub(super) const fn status(&self) -> Option<ExitStatus> {
        self.status
    }

    /// Ends it and what descends from it, if it has not ended: SIGTERM, and SIGKILL after 10 s. A signal
    /// to zcprof ends the waiting.
    ///
    /// # Errors
    /// The probes cannot say who is left; or a signal came.
    pub(super) fn end(&mut self, probes: &mut Probes, own: &[u32]) -> Result<()> {
        for (signal, patience) in [(Signal::TERM, GRACE), (Signal::KILL, GRACE)] {
            let end = Instant::now() + patience;
            let left = self.left(probes, own)?;
            if left.is_empty() {
                self.done = true;
                return Ok(());
            }
            self.ended_by_us |= !self.has_ended()?;
            for pid in left {
                self.family.signal(pid, signal);
            }
            while Instant::now() < end && !self.left(probes, own)?.is_empty() {
                if interrupt::interrupted() {
                    // Taking the probes down first would take seconds.
                    self.kill();
                }
                interrupt::check()?;
                std::thread::sleep(PAUSE);
            }
        }
        let left = self.left(probes, own)?;
        self.done = left.is_empty();
        ensure!(self.done, "the command's processes do not end: {left:?}");
        Ok(())
    }

    /// Kills it, and what descends from it.
    fn kill(&self) {
        for pid in self.family.members(&processes::all()) {
            self.family.signal(pid, Signal::KILL);
        }
    }

    /// Processes of the command that are left: itself and those whose ancestor it was.
    fn left(&mut self, probes: &mut Probes, own: &[u32]) -> Result<BTreeSet<u32>> {
        self.has_ended()?;
        let of_it = self.status.is_none().then_some(self.pid);
        let members = self.family.members(&processes::all());
        let watched = probes.watched()?.into_iter().map(|(pid, _)| pid);
        let watched = watched.filter(|pid| !own.contains(pid) && members.contains(pid));
        let is_zombie = |pid: u32| state(pid).is_ok_and(|state| state == 'Z');
        Ok(of_it.into_iter().chain(watched).filter(|pid| !is_zombie(*pid)).collect())
    }

    /// How it ended: its exit code, or 128 and its signal.
    pub(super) fn into_record(mut self) -> record::StartedCommand {
        let status = self.status.take();
        let code = status.map(|status| {
            status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
        });
        record::StartedCommand {
            line: std::mem::take(&mut self.line),
            status: code,
            ended_by_us: self.ended_by_us || is_by_key(status, interrupt::is_window_over()),
        }
    }
}

/// Whether a command ended by the key that ended the window: a terminal sends SIGINT to both.
fn is_by_key(status: Option<ExitStatus>, is_window_over: bool) -> bool {
    let signal = status.and_then(|status| status.signal());
    is_window_over && signal == Some(Signal::INT.as_raw())
}

/// A command that was never let run ends when the pipe closes; one that runs is killed with all that it
/// has started if zcprof ends with an error.
impl Drop for Started {
    fn drop(&mut self) {
        self.go = None;
        if let Some(spawning) = self.spawning.take()
            && let Ok(Ok(mut ended)) = spawning.join()
        {
            let _ = ended.wait();
        }
        if self.child.is_none() || self.done {
            return;
        }
        // What it has started would outlive it, and hold its terminal and pipes.
        self.kill();
        if let Some(child) = &mut self.child {
            let _ = child.wait();
        }
    }
}

/// Has a command write into a file, and read nothing, if there is such a file.
///
/// # Errors
/// The kernel's own.
pub(super) fn write_into(command: &mut std::process::Command, output: Option<&File>) -> Result<()> {
    if let Some(file) = output {
        let copy = || file.try_clone().context("the command's file");
        command.stdin(Stdio::null()).stdout(copy()?).stderr(copy()?);
    }
    Ok(())
}

/// Gives a command back the signals that zcprof has blocked.
pub(crate) fn with_signals(command: &mut std::process::Command) {
    let mask = interrupt::mask_before();
    let unblock = move || Ok(sigprocmask(SigmaskHow::SIG_SETMASK, Some(&mask), None)?);
    // SAFETY: one system call between fork and exec.
    unsafe { command.pre_exec(unblock) };
}

fn become_it(caller: &Caller) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(caller.ids.0), Gid::from_raw(caller.ids.1));
    // `Gid` is a number, so that the slice is one of numbers; nothing is allocated here.
    let groups: &[u32] = &caller.groups;
    // SAFETY: `Gid` is `repr(transparent)` over `gid_t`.
    let groups = unsafe { std::slice::from_raw_parts(groups.as_ptr().cast::<Gid>(), groups.len()) };
    setgroups(groups)?;
    setresgid(gid, gid, gid)?;
    setresuid(uid, uid, uid)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_ends_by_the_key_that_ends_the_window_and_by_no_other() {
        let by = |signal| Some(ExitStatus::from_raw(signal));
        let interrupt = Signal::INT.as_raw();
        assert!(is_by_key(by(interrupt), true));
        assert!(!is_by_key(by(interrupt), false), "somebody else has sent it");
        assert!(!is_by_key(by(Signal::SEGV.as_raw()), true));
        assert!(!is_by_key(by(interrupt << 8), true), "that is an exit code");
        assert!(!is_by_key(None, true));
    }
}
