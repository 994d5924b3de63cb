//! Ctrl-C and SIGTERM: the workers are killed, the measurement stops at its next step, and
//! everything is undone on the way out.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI32, Ordering};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;

use crate::terminal;

/// The first signal that came; none has the number 0.
static SIGNAL: AtomicI32 = AtomicI32::new(0);
static WORKERS: Mutex<Vec<u32>> = Mutex::new(Vec::new());

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
    signals.thread_block().context("blocking signals")?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        while let Ok(signal) = signals.wait() {
            let first =
                SIGNAL.compare_exchange(0, signal as i32, Ordering::SeqCst, Ordering::SeqCst);
            if first.is_ok() {
                terminal::clear();
                eprintln!("zcprof: {signal}; stopping");
            }
            for pid in workers().iter() {
                if let Ok(pid) = i32::try_from(*pid) {
                    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
                }
            }
        }
    })?;
    Ok(())
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

/// A worker to kill when a signal comes.
pub(crate) fn kill_on_interrupt(pid: u32) {
    workers().push(pid);
}

/// The worker is gone.
pub(crate) fn forget(pid: u32) {
    workers().retain(|known| *known != pid);
}

fn workers() -> std::sync::MutexGuard<'static, Vec<u32>> {
    WORKERS.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
