//! What happened to a guest.
//!
//! ```text
//!            "guest: running"        "guest: finished N", then power off
//! Booting ───────────────────▶ Running ───────────────────▶ Finished(N)
//!    │                            │
//!    ├── "Kernel panic" ──────────┼──▶ Panicked
//!    ├── no progress in time ─────┼──▶ Hung
//!    ├── QEMU ends too early ─────┼──▶ QemuFailed
//!    ├── disk full, here or there ┼──▶ OutOfSpace
//!    └── Ctrl-C ──────────────────┴──▶ Interrupted
//! ```

use std::fmt;
use std::time::Duration;

/// Where there is no space: on this host.
pub(crate) const HOST: &str =
    "for the guest's disk images; free some, or set ZCPROF_CACHE to a folder on a bigger disk";
/// Where there is no space: on the disk that brings the results back.
pub(crate) const GUEST: &str = "for what the job left in /out";

/// Where a guest that has not ended is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GuestPhase {
    /// From the start of QEMU to the job's start.
    Booting,
    /// The job runs.
    Running,
    /// The job has ended; its results are written, and power goes off.
    Ending,
}

/// A guest that showed no progress for too long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hang {
    /// How far the guest had come.
    pub(crate) phase: GuestPhase,
    /// How long: since its last sign of life, or since its start if no job began.
    pub(crate) since: Duration,
    /// Its console's last lines.
    pub(crate) lines: Vec<String>,
}

impl fmt::Display for Hang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (when, what) = match self.phase {
            GuestPhase::Booting => ("while booting", "no job after"),
            GuestPhase::Running => ("while its job ran", "no progress for"),
            GuestPhase::Ending => ("while powering off", "no progress for"),
        };
        write!(f, "the guest hung {when}: {what} {} s; its last lines:", self.since.as_secs())?;
        indented(f, &self.lines)
    }
}

/// Lines of a console.
fn indented(f: &mut fmt::Formatter<'_>, lines: &[String]) -> fmt::Result {
    lines.iter().try_for_each(|line| write!(f, "\n    {line}"))
}

/// How a guest ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GuestOutcome {
    /// The job ended with this exit code.
    Finished(i32),
    /// The guest's kernel panicked: its last lines, the panic last.
    Panicked(Vec<String>),
    /// The guest's kernel panicked on a breakpoint of its own, which it puts where it patches
    /// its text: the emulator ran a stale translation of it (seen with QEMU 7.2's TCG under
    /// load). Either no one takes the breakpoint ("Oops: int3"), or the kprobe at that place
    /// does, which stands on ftrace and has no copy of the instruction to go on with: it jumps
    /// to address 0 (`setup_singlestep()`, arch/x86/kernel/kprobes/core.c, 6.12). The last
    /// lines, as above.
    TornText(Vec<String>),
    /// Nothing came from the guest, or from the job, or no job began, for too long.
    Hung(Hang),
    /// There is no QEMU.
    QemuMissing,
    /// QEMU ended before the job did: what it said.
    QemuFailed(String),
    /// The disk with the guest's images, or a file system in the guest, is full.
    OutOfSpace(&'static str),
    /// This program was asked to stop.
    Interrupted,
}

impl fmt::Display for GuestOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finished(code) => write!(f, "the guest's job ended with exit code {code}"),
            Self::Panicked(lines) | Self::TornText(lines) => {
                write!(f, "the guest's kernel panicked:")?;
                indented(f, lines)
            }
            Self::Hung(hang) => hang.fmt(f),
            Self::QemuMissing => write!(
                f,
                "qemu-system-x86_64 is missing; install it (Debian: apt-get install qemu-system-x86)"
            ),
            Self::QemuFailed(said) if said.is_empty() => {
                write!(f, "QEMU ended before the guest's job did")
            }
            Self::QemuFailed(said) => write!(f, "QEMU failed: {said}"),
            Self::OutOfSpace(place) => write!(f, "no space left {place}"),
            Self::Interrupted => write!(f, "interrupted"),
        }
    }
}
