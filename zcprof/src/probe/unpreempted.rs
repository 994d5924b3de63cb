//! Reading maps without being preempted.

use libc::{SCHED_FIFO, c_int, sched_param};

/// While this is, only an interrupt keeps the thread from its CPU. While somebody reads or writes a
/// map's value, his CPU runs no program of a kprobe, breakpoint or tracepoint, and counts it as missed
/// (`bpf_disable_instrumentation()` in include/linux/bpf.h, which forbids migration and not preemption;
/// 5.10 to 7.3): a watched thread that took the CPU just then would not be seen. Where that is not
/// permitted the kernel goes on counting what was missed.
pub(super) struct Unpreempted(Option<(c_int, sched_param)>);

impl Unpreempted {
    /// From now on.
    #[expect(unsafe_code, reason = "neither nix nor rustix has this system call")]
    pub(super) fn begin() -> Self {
        let mut before = sched_param { sched_priority: 0 };
        // SAFETY: 0 is this thread, and the structure is the call's own.
        let policy = unsafe { libc::sched_getscheduler(0) };
        // SAFETY: as above.
        let known = unsafe { libc::sched_getparam(0, &raw mut before) } == 0 && policy >= 0;
        Self(
            (known && set(SCHED_FIFO, sched_param { sched_priority: 1 }))
                .then_some((policy, before)),
        )
    }
}

impl Drop for Unpreempted {
    fn drop(&mut self) {
        if let Some((policy, parameters)) = self.0 {
            set(policy, parameters);
        }
    }
}

#[expect(unsafe_code, reason = "neither nix nor rustix has this system call")]
fn set(policy: c_int, parameters: sched_param) -> bool {
    // SAFETY: 0 is this thread, and the structure is read only.
    unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) == 0 }
}

#[cfg(test)]
mod tests {
    use super::Unpreempted;

    #[expect(unsafe_code, reason = "asks the kernel")]
    fn policy() -> i32 {
        // SAFETY: 0 is this thread.
        unsafe { libc::sched_getscheduler(0) }
    }

    #[test]
    fn the_policy_is_what_it_was_afterwards() {
        let before = policy();
        let held = Unpreempted::begin();
        let is_root = nix::unistd::geteuid().is_root();
        assert!(!is_root || policy() != before, "root may");
        drop(held);
        assert_eq!(policy(), before);
    }
}
