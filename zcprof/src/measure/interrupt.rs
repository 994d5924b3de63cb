//! Ctrl-C and SIGTERM: the workers are killed, the measurement stops at its next step, and
//! everything is undone on the way out.

use std::io;
use std::os::fd::OwnedFd;
use std::process::Child;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Mutex, OnceLock};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};

use crate::terminal;

/// The first signal that came; none has the number 0.
static SIGNAL: AtomicI32 = AtomicI32::new(0);
/// Whether the next signal only ends a window.
static ENDS_WINDOW: AtomicBool = AtomicBool::new(false);
static WINDOW_OVER: AtomicBool = AtomicBool::new(false);
/// The signals that were blocked when this process began.
static BEFORE: OnceLock<SigSet> = OnceLock::new();
static WORKERS: Mutex<Vec<WorkerHandle>> = Mutex::new(Vec::new());

/// A process and the kernel's name for just that one: once it is reaped, its number may be
/// another's, who must not be killed for it.
struct WorkerHandle {
    id: u32,
    process: OwnedFd,
}

/// Takes the signals over. Workers started later inherit the blocked signals and are killed by
/// this process instead.
///
/// # Errors
/// The kernel's own.
pub fn take_over() -> Result<()> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.add(Signal::SIGTERM);
    signals.add(Signal::SIGHUP);
    let before = signals.thread_swap_mask(SigmaskHow::SIG_BLOCK).context("blocking signals")?;
    BEFORE.get_or_init(|| before);
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        while let Ok(signal) = signals.wait() {
            if ENDS_WINDOW.swap(false, Ordering::SeqCst) {
                WINDOW_OVER.store(true, Ordering::SeqCst);
                continue;
            }
            let first =
                SIGNAL.compare_exchange(0, signal as i32, Ordering::SeqCst, Ordering::SeqCst);
            if first.is_ok() {
                terminal::clear();
                eprintln!("zcprof: {signal}; stopping");
            }
            kill_all();
        }
    })?;
    Ok(())
}

/// Kills the workers that are still there.
fn kill_all() {
    for worker in workers().iter() {
        let _ = pidfd_send_signal(&worker.process, rustix::process::Signal::KILL);
    }
}

/// Whether the next signal only ends the window that is open, and interrupts nothing.
pub(crate) fn end_window_first(first: bool) {
    ENDS_WINDOW.store(first, Ordering::SeqCst);
}

/// Whether a signal ended the window.
pub(crate) fn is_window_over() -> bool {
    WINDOW_OVER.load(Ordering::SeqCst) || interrupted()
}

/// The signals that were blocked before they were taken over: what a command is to have blocked.
pub(crate) fn mask_before() -> SigSet {
    BEFORE.get().copied().unwrap_or_else(SigSet::empty)
}

/// Whether a signal came.
#[must_use]
pub fn interrupted() -> bool {
    SIGNAL.load(Ordering::SeqCst) != 0
}

/// The exit code of a process that a signal ended, as a shell would say it: 130 for Ctrl-C.
#[must_use]
pub fn code() -> Option<u8> {
    u8::try_from(SIGNAL.load(Ordering::SeqCst)).ok().filter(|number| *number > 0).map(|n| 128 + n)
}

/// Fails if a signal came.
///
/// # Errors
/// Says that it was interrupted.
pub(crate) fn check() -> Result<()> {
    if interrupted() {
        bail!("interrupted; no report was written");
    }
    Ok(())
}

/// A worker to kill when a signal comes. Nobody may have waited for it yet: until then its number
/// is its own.
///
/// # Errors
/// The kernel's own.
pub(crate) fn kill_on_interrupt(child: &Child) -> Result<()> {
    let id = child.id();
    let pid = Pid::from_raw(i32::try_from(id)?).context("a child without a process id")?;
    let process = pidfd_open(pid, PidfdFlags::empty()).map_err(io::Error::from);
    let process = process.with_context(|| format!("opening process {id}"))?;
    workers().push(WorkerHandle { id, process });
    Ok(())
}

/// The worker is gone.
pub(crate) fn forget(child: &Child) {
    workers().retain(|known| known.id != child.id());
}

fn workers() -> std::sync::MutexGuard<'static, Vec<WorkerHandle>> {
    WORKERS.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::{Command, Stdio};

    use super::*;

    /// The last process id that was given away in this namespace; root may set it.
    const LAST: &str = "/proc/sys/kernel/ns_last_pid";

    fn sleeper() -> Child {
        Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().expect("sleep starts")
    }

    /// A process that has the number of one which was waited for.
    fn namesake(of: u32) -> Option<Child> {
        (0..100).find_map(|_| {
            fs::write(LAST, (of - 1).to_string()).ok()?;
            let mut child = sleeper();
            if child.id() == of {
                return Some(child);
            }
            child.kill().and_then(|()| child.wait()).expect("it ends");
            None
        })
    }

    #[test]
    fn who_has_the_number_of_a_worker_that_is_gone_is_not_killed() {
        let (mut gone, mut there) = (sleeper(), sleeper());
        for child in [&gone, &there] {
            kill_on_interrupt(child).expect("it runs");
        }
        gone.kill().and_then(|()| gone.wait()).expect("it ends");
        let namesake = namesake(gone.id());
        kill_all();
        there.wait().expect("a worker that is there is killed");
        for child in [&gone, &there] {
            forget(child);
        }
        let Some(mut namesake) = namesake else {
            println!("skipped: process ids cannot be chosen here");
            return;
        };
        std::thread::sleep(std::time::Duration::from_millis(100));
        assert!(namesake.try_wait().expect("a child").is_none(), "it was killed for another");
        namesake.kill().and_then(|()| namesake.wait()).expect("it ends");
    }
}
