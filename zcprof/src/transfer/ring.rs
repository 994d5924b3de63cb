//! An io_uring that does one operation at a time.
#![expect(unsafe_code, reason = "the kernel is told addresses that it uses until it answers")]

use std::io;

use io_uring::squeue::Entry;
use io_uring::{IoUring, Probe, cqueue};

use super::Notices;
use crate::privilege::User;

/// Entries of the submission queue: one operation at a time needs no more.
const ENTRIES: u32 = 8;

/// include/uapi/linux/io_uring.h, since 6.2: a notice that says so was copied after all.
const IORING_NOTIF_USAGE_ZC_COPIED: u32 = 1 << 31;

/// A ring, and the notices that came on it.
pub(super) struct Ring {
    ring: IoUring,
    pub(super) notices: Notices,
}

/// Whether a server may use an operation of io_uring; if not, what keeps it from it. It is asked as
/// the user that a server becomes: with `kernel.io_uring_disabled` 1 only root and a group may
/// (io_uring_allowed(), io_uring/io_uring.c, since 6.6).
pub(super) fn has(name: &str, code: u8) -> Result<(), String> {
    let has = || has_here(name, code);
    User::ordinary().map_or_else(has, |user| user.try_as(has))
}

fn has_here(name: &str, code: u8) -> Result<(), String> {
    let ring = IoUring::new(ENTRIES).map_err(|error| match error.raw_os_error() {
        Some(libc::EPERM) => "nobody but root may use io_uring here (kernel.io_uring_disabled); \
            try: sysctl kernel.io_uring_disabled=0"
            .to_owned(),
        _ => format!("no io_uring here: {error}"),
    })?;
    let mut probe = Probe::new();
    let known = ring.submitter().register_probe(&mut probe);
    known.map_err(|error| format!("io_uring does not say what it can do: {error}"))?;
    let has = probe.is_supported(code);
    if has { Ok(()) } else { Err(format!("this kernel's io_uring has no {name}")) }
}

impl Ring {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { ring: IoUring::new(ENTRIES)?, notices: Notices::default() })
    }

    /// Has the kernel do one operation, and returns its result.
    ///
    /// # Safety
    /// What the entry points at is valid until this returns; or, if the operation gives a
    /// notice, is memory that may be unmapped under it.
    pub(super) unsafe fn run(&mut self, entry: &Entry) -> io::Result<usize> {
        // Both queues are empty but for notices, so there is room.
        // SAFETY: the caller's promise.
        let pushed = unsafe { self.ring.submission().push(entry) };
        pushed.map_err(io::Error::other)?;
        self.ring.submit()?;
        loop {
            if let Some(result) = self.reap() {
                return match usize::try_from(result) {
                    Ok(done) => Ok(done),
                    Err(_) => Err(io::Error::from_raw_os_error(-result)),
                };
            }
            match self.ring.submit_and_wait(1) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => drop(other?),
            }
        }
    }

    /// Takes every answer that is there; the current operation's result is returned.
    pub(super) fn reap(&mut self) -> Option<i32> {
        let mut result = None;
        for answer in self.ring.completion() {
            if cqueue::notif(answer.flags()) {
                self.notices.completed += 1;
                if answer.result().cast_unsigned() & IORING_NOTIF_USAGE_ZC_COPIED != 0 {
                    self.notices.copied += 1;
                }
            } else {
                if cqueue::more(answer.flags()) {
                    self.notices.asked += 1;
                }
                result = Some(answer.result());
            }
        }
        result
    }
}
