//! Ctrl-C and SIGTERM: a flag that every wait looks at, so that each cleans up after itself.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// The last signal that came; none has the number 0.
static SIGNAL: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);

/// Whether the next signal ends the process at once.
static ARMED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Signals, by number and name.
const SIGNALS: [(i32, &str); 3] = [(SIGINT, "SIGINT"), (SIGTERM, "SIGTERM"), (SIGHUP, "SIGHUP")];

/// How soon a signal is answered.
const SOON: Duration = Duration::from_millis(100);

/// Starts to listen.
pub(crate) fn install() -> Result<()> {
    for (signal, _) in SIGNALS {
        let number = usize::try_from(signal)?;
        // A second Ctrl-C, should the first be stuck behind something, ends the process at once.
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&ARMED))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&ARMED)))
            .and_then(|_| signal_hook::flag::register_usize(signal, Arc::clone(&SIGNAL), number))
            .context("listening for signals")?;
    }
    let answer = || {
        while !requested() {
            thread::sleep(SOON);
        }
        say();
    };
    thread::Builder::new().name("signals".to_owned()).spawn(answer).context("a thread")?;
    Ok(())
}

/// Says which signal came, if one did and nobody said it yet: what ends at once ends before the thread
/// looks again.
pub(crate) fn say() {
    static SAID: AtomicBool = AtomicBool::new(false);
    if requested() && !SAID.swap(true, Ordering::SeqCst) {
        let came = SIGNAL.load(Ordering::SeqCst);
        let named = SIGNALS.iter().find(|(signal, _)| usize::try_from(*signal) == Ok(came));
        eprintln!("\n{}: stopping", named.map_or("signal", |(_, name)| name));
    }
}

/// True once somebody asked this program to stop.
pub(crate) fn requested() -> bool {
    SIGNAL.load(Ordering::SeqCst) != 0
}

/// An error once somebody asked this program to stop.
pub(crate) fn check() -> Result<()> {
    if requested() {
        bail!("interrupted");
    }
    Ok(())
}

/// The exit code of a process that a signal ended, as a shell would say it.
pub(crate) fn code() -> Option<u8> {
    u8::try_from(SIGNAL.load(Ordering::SeqCst)).ok().filter(|number| *number > 0).map(|n| 128 + n)
}

/// Lets the next signal wait too: what is under way must not be left half done.
pub(crate) fn hold() {
    ARMED.store(false, Ordering::SeqCst);
}
