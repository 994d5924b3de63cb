//! What the kernel says of a process in `/proc/PID/status` (proc_pid_status(5)).

use std::fs;

/// The status of a process at one moment.
pub(crate) struct Status(String);

impl Status {
    /// That of a process or thread; none if it has ended.
    pub(crate) fn of(number: u32) -> Option<Self> {
        // The name in it may have been cut within a letter.
        let status = fs::read(format!("/proc/{number}/status")).ok()?;
        Some(Self(String::from_utf8_lossy(&status).into_owned()))
    }

    /// What stands behind a name, such as `Tgid:`.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.0.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
    }

    /// Its number in its own pid namespace.
    pub(crate) fn own_number(&self) -> Option<u32> {
        self.field("NSpid:")?.split_whitespace().next_back()?.parse().ok()
    }

    /// An effective number, of `Uid:` or `Gid:`: the second of four.
    pub(crate) fn effective(&self, name: &str) -> Option<u32> {
        self.field(name)?.split_whitespace().nth(1)?.parse().ok()
    }
}
