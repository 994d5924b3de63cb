//! Which of the processes that were asked for have ended, and how.
#![expect(unsafe_code, reason = "a request to the kernel that no crate makes")]

use std::fs;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::processes;

/// Processes that are followed to their end; of more than these it is not told.
const MOST: usize = 256;

/// Processes, each with what the kernel names just that one by.
pub(super) struct Ends {
    open: Vec<Open>,
}

struct Open {
    pid: u32,
    name: String,
    process: OwnedFd,
    /// Looks since it has ended, at which nobody could say how.
    looks: u32,
}

/// Looks at which a process that has ended is asked again how: until its parent has waited for it, the
/// kernel does not say.
const LOOKS: u32 = 3;

impl Ends {
    /// Of these processes. One that has ended by now is left out.
    pub(super) fn of(pids: &[u32]) -> Self {
        let open = |pid: &u32| {
            let process =
                pidfd_open(Pid::from_raw(i32::try_from(*pid).ok()?)?, PidfdFlags::empty());
            let name = processes::one(*pid)?.name;
            Some(Open { pid: *pid, name, process: process.ok()?, looks: 0 })
        };
        Self { open: pids.iter().take(MOST).filter_map(open).collect() }
    }

    /// Says of each process that has ended since the last look that it has, and how. The last look is
    /// `last`: nothing waits for another then.
    pub(super) fn look(&mut self, last: bool) -> Vec<String> {
        let mut said = Vec::new();
        self.open.retain_mut(|open| {
            if !has_ended(&open.process) {
                return true;
            }
            let how = how(open);
            open.looks += 1;
            if how.is_none() && open.looks < LOOKS && !last {
                return true;
            }
            let how = how.map_or_else(|| "has ended".to_owned(), in_words);
            said.push(format!("{} (pid {}) {how}", open.name, open.pid));
            false
        });
        said
    }
}

/// How something ended, in words.
pub(super) fn in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with {code}"),
        (None, Some(number)) => {
            let name = Signal::try_from(number).map_or("a signal", Signal::as_str);
            format!("was killed by {name} ({number})")
        }
        (None, None) => "has ended".to_owned(),
    }
}

/// Whether a process has ended (pidfd_open(2)).
fn has_ended(process: &OwnedFd) -> bool {
    let mut asked = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
    poll(&mut asked, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}

/// How a process ended, if the kernel says: from 6.15 on, once its parent has waited for it; before
/// that for as long as the parent has not.
fn how(open: &Open) -> Option<ExitStatus> {
    let code = exit_code(&open.process).or_else(|| of_zombie(open.pid))?;
    Some(ExitStatus::from_raw(code))
}

/// `struct pidfd_info` as Linux 6.13 has it (include/uapi/linux/pidfd.h).
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroup: u64,
    /// pid, tgid, ppid, and eight numbers of users and groups.
    ids: [u32; 11],
    exit_code: i32,
}

/// PIDFD_INFO_EXIT (Linux 6.15).
const EXIT: u64 = 1 << 3;

nix::ioctl_readwrite!(get_info, 0xff, 11, PidfdInfo);

fn exit_code(process: &OwnedFd) -> Option<i32> {
    let mut info = PidfdInfo { mask: EXIT, ..PidfdInfo::default() };
    // SAFETY: the kernel writes no more than the size that is part of the request.
    unsafe { get_info(process.as_raw_fd(), &raw mut info) }.ok()?;
    (info.mask & EXIT != 0).then_some(info.exit_code)
}

/// The same of a process that nobody has waited for: the last field of its line (proc_pid_stat(5)).
fn of_zombie(pid: u32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.starts_with('Z').then(|| fields.split_whitespace().last()?.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    fn sleeping() -> Child {
        let child = Command::new("sleep").arg("60").spawn().expect("sleep starts");
        // It has its name only some time after it has begun.
        while processes::one(child.id()).is_none_or(|process| process.name != "sleep") {
            std::thread::yield_now();
        }
        child
    }

    #[test]
    fn a_process_that_is_killed_is_told_of_once() {
        let mut child = sleeping();
        let mut ends = Ends::of(&[child.id()]);
        assert_eq!(ends.look(true), [""; 0]);
        child.kill().expect("it runs");
        // It is a zombie until somebody waits for it.
        let patience = std::time::Instant::now();
        let mut said = ends.look(false);
        while said.is_empty() {
            assert!(patience.elapsed().as_secs() < 60, "nobody says that it has ended");
            std::thread::sleep(std::time::Duration::from_millis(10));
            said = ends.look(false);
        }
        assert_eq!(said, [format!("sleep (pid {}) was killed by SIGKILL (9)", child.id())]);
        assert_eq!(ends.look(true), [""; 0]);
        child.wait().expect("waited for");
    }

    /// Its parent has waited for it by then: from 6.15 on the kernel says it all the same.
    #[test]
    fn a_process_that_was_killed_and_waited_for_is_told_of_as_well_as_the_kernel_does() {
        let mut child = sleeping();
        let mut ends = Ends::of(&[child.id()]);
        child.kill().and_then(|()| child.wait()).expect("it ran");
        let tells = crate::probe::kernel::version().expect("a version") >= (6, 15);
        let how = if tells { "was killed by SIGKILL (9)" } else { "has ended" };
        assert_eq!(ends.look(true), [format!("sleep (pid {}) {how}", child.id())]);
    }

    #[test]
    fn how_a_command_ended_is_said_in_words() {
        assert_eq!(in_words(ExitStatus::from_raw(0)), "ended with 0");
        assert_eq!(in_words(ExitStatus::from_raw(7 << 8)), "ended with 7");
        assert_eq!(in_words(ExitStatus::from_raw(15)), "was killed by SIGTERM (15)");
    }
}
