//! The processes of the watched command: itself, all that descend from it, and those of them that lost
//! their parents. A daemon's parent has ended, and the kernel gives such a process to the next
//! *subreaper* above it (prctl(2), PR_SET_CHILD_SUBREAPER): that is zcprof while a command runs, so that
//! a daemon stays the command's.
#![expect(unsafe_code, reason = "waitid() says whose end it is only in C")]

use std::collections::BTreeSet;
use std::io;
use std::mem::MaybeUninit;

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::libc;
use nix::sys::prctl::set_child_subreaper;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::processes::{self, RunningProcess};

/// Who belongs to a command.
pub(super) struct Family {
    /// The command's own process, until somebody has waited for it: its number may be another's then.
    first: Option<u32>,
    /// Children of zcprof that are not of the command: those from before, its workers, and the load.
    others: BTreeSet<u32>,
}

impl Family {
    /// That of a command which is about to be started: from now on zcprof inherits whoever loses a
    /// parent.
    ///
    /// # Errors
    /// The kernel's own.
    pub(super) fn expect() -> Result<Self> {
        let own = std::process::id();
        let all = processes::all().into_iter().filter(|process| process.parent == own);
        let others = all.map(|process| process.pid).collect();
        set_child_subreaper(true).context("becoming a subreaper")?;
        Ok(Self { first: None, others })
    }

    /// The command's process is there.
    pub(super) const fn begin(&mut self, first: u32) {
        self.first = Some(first);
    }

    /// Somebody has waited for the command's process.
    pub(super) const fn waited_for(&mut self) {
        self.first = None;
    }

    /// These children of zcprof are not of the command.
    pub(super) fn except(&mut self, others: impl IntoIterator<Item = u32>) {
        self.others.extend(others);
    }

    /// Who of all processes belongs to it.
    pub(super) fn members(&self, all: &[RunningProcess]) -> BTreeSet<u32> {
        let inherited = all.iter().filter(|process| self.is_inherited(process));
        let roots: Vec<u32> = self.first.into_iter().chain(inherited.map(|one| one.pid)).collect();
        processes::with_descendants(&roots, all)
    }

    fn is_inherited(&self, process: &RunningProcess) -> bool {
        process.parent == std::process::id() && !self.others.contains(&process.pid)
    }

    /// Whether a process belongs to it now.
    fn has(&self, pid: u32) -> bool {
        // Whoever ends meanwhile ends the way up, too.
        let mut way = std::iter::successors(processes::one(pid), |one| processes::one(one.parent));
        way.any(|one| self.first == Some(one.pid) || self.is_inherited(&one))
    }

    /// Sends a signal to a process, if it belongs to the command. By the time that a number is used it may
    /// be another's; the descriptor stays the name of one process, and who that is is looked up after it
    /// was opened.
    pub(super) fn signal(&self, pid: u32, signal: Signal) {
        let Some(number) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return };
        if let Ok(process) = pidfd_open(number, PidfdFlags::empty())
            && self.has(pid)
        {
            let _ = pidfd_send_signal(&process, signal);
        }
    }

    /// Waits for those inherited processes that have ended: nobody else does, and they would keep their
    /// numbers. Whom zcprof has started itself is waited for elsewhere.
    pub(super) fn bury(&self) {
        while let Some(pid) = ended(libc::P_ALL, 0, libc::WNOWAIT).ok().flatten() {
            if self.first == Some(pid) || self.others.contains(&pid) {
                break;
            }
            if ended(libc::P_PID, pid, 0).is_err() {
                break;
            }
        }
    }
}

/// Nobody who loses a parent from now on is zcprof's.
impl Drop for Family {
    fn drop(&mut self) {
        let _ = set_child_subreaper(false);
    }
}

/// A child that has ended, if there is one.
fn ended(kind: libc::idtype_t, id: u32, more: libc::c_int) -> io::Result<Option<u32>> {
    let mut told = MaybeUninit::<libc::siginfo_t>::zeroed();
    let flags = libc::WEXITED | libc::WNOHANG | more;
    // SAFETY: the kernel writes a whole `siginfo_t`, or leaves the zeros.
    Errno::result(unsafe { libc::waitid(kind, id, told.as_mut_ptr(), flags) })?;
    // SAFETY: all zeros are one too, and then the number is zero.
    let pid = unsafe { told.assume_init().si_pid() };
    Ok(u32::try_from(pid).ok().filter(|pid| *pid > 0))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn process(pid: u32, parent: u32) -> RunningProcess {
        RunningProcess { pid, parent, name: String::new() }
    }

    #[test]
    fn a_daemon_is_of_the_command_and_a_worker_is_not() {
        let own = std::process::id();
        let far = |number: u32| 5_000_000 + number;
        let (command, worker) = (far(1), far(2));
        let all = [
            process(command, own),
            process(far(3), command),
            process(worker, own),
            process(far(4), worker),
            // Their parents have ended.
            process(far(5), own),
            process(far(6), far(5)),
            process(far(7), 1),
        ];
        let mut family = Family { first: Some(command), others: BTreeSet::from([worker]) };
        let of_it = [command, far(3), far(5), far(6)];
        assert_eq!(family.members(&all), BTreeSet::from(of_it));
        // Once it was waited for, its number may be a stranger's.
        family.waited_for();
        let all = [process(command, 1), process(far(3), command), process(far(5), own)];
        assert_eq!(family.members(&all), BTreeSet::from([far(5)]));
    }

    #[test]
    fn a_stranger_gets_no_signal() {
        let mut sleepers =
            [(); 2].map(|()| Command::new("sleep").arg("60").spawn().expect("sleep"));
        let [ours, theirs] = [sleepers[0].id(), sleepers[1].id()];
        let family = Family { first: Some(ours), others: BTreeSet::from([theirs]) };
        family.signal(theirs, Signal::KILL);
        family.signal(ours, Signal::KILL);
        sleepers[0].wait().expect("it is killed");
        std::thread::sleep(std::time::Duration::from_millis(100));
        assert!(sleepers[1].try_wait().expect("a child").is_none(), "a stranger was killed");
        sleepers[1].kill().and_then(|()| sleepers[1].wait().map(drop)).expect("it ends");
    }
}
