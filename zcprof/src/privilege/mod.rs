//! What zcprof needs to be allowed, capability by capability; and how the workload's processes give
//! all of it up.

mod given;
#[cfg(test)]
mod swapped;
mod user;

use anyhow::{Context as _, Result};
use caps::{CapSet, Capability, CapsHashSet};
use nix::sys::prctl::set_no_new_privs;
use zcprof_common::vocabulary::Instrument;

pub(crate) use given::{give, make_folders, unnamed};
pub(crate) use user::User;

/// A capability that zcprof uses (`capabilities(7)`).
#[derive(Debug)]
pub struct CapabilityUse {
    /// Which.
    pub capability: Capability,
    /// Instruments that are blind without it. Where there is none, something else than seeing
    /// takes it.
    pub instruments: &'static [Instrument],
    /// What it lets zcprof do, and the kernel file that asks for it.
    pub adds: &'static str,
}

/// Every capability that zcprof uses, and no other. CAP_SYS_ADMIN has CAP_BPF and CAP_PERFMON in it
/// (include/linux/capability.h).
pub const CAPABILITIES: &[CapabilityUse] = &[
    CapabilityUse {
        capability: Capability::CAP_BPF,
        instruments: Instrument::ALL,
        adds: "load eBPF programs and their maps (kernel/bpf/syscall.c)",
    },
    CapabilityUse {
        capability: Capability::CAP_PERFMON,
        instruments: Instrument::ALL,
        adds: "read kernel memory in them, and trace (kernel/bpf/syscall.c, kernel/bpf/verifier.c)",
    },
    CapabilityUse {
        capability: Capability::CAP_SYS_ADMIN,
        instruments: &[Instrument::Audit],
        adds: "set breakpoints in the kernel (arch/x86/kernel/hw_breakpoint.c); make network \
               namespaces (kernel/nsproxy.c)",
    },
    CapabilityUse {
        capability: Capability::CAP_SYSLOG,
        instruments: &[Instrument::Audit, Instrument::Callers],
        adds: "see the addresses in /proc/kallsyms (kernel/ksyms_common.c)",
    },
    CapabilityUse {
        capability: Capability::CAP_DAC_READ_SEARCH,
        instruments: &[],
        adds: "where the user is not root: read the numbers of tracepoints, and somebody else's log \
               (fs/namei.c)",
    },
    CapabilityUse {
        capability: Capability::CAP_FOWNER,
        instruments: &[],
        adds: "see which pages of somebody else's log are in the page cache (mm/mincore.c)",
    },
    CapabilityUse {
        capability: Capability::CAP_NET_ADMIN,
        instruments: &[],
        adds: "set up the devices of every --network but loopback (net/core/rtnetlink.c)",
    },
    CapabilityUse {
        capability: Capability::CAP_NET_RAW,
        instruments: &[],
        adds: "listen on the way, for --network veth-tap, veth-ring and virtio-tap \
               (net/packet/af_packet.c)",
    },
    CapabilityUse {
        capability: Capability::CAP_SYS_RESOURCE,
        instruments: &[],
        adds: "let the server pin as much memory and open as many files as it needs \
               (kernel/sys.c)",
    },
    CapabilityUse {
        capability: Capability::CAP_IPC_LOCK,
        instruments: &[],
        adds: "let the server pin that memory where CAP_SYS_RESOURCE is lacking; it keeps this one \
               then (net/core/skbuff.c, io_uring/rsrc.c)",
    },
    CapabilityUse {
        capability: Capability::CAP_CHOWN,
        instruments: &[],
        adds: "give a log that zcprof made to the user that serves it, and reports to the user who \
               called sudo (fs/attr.c)",
    },
    CapabilityUse {
        capability: Capability::CAP_SETUID,
        instruments: &[],
        adds: "let server and consumer become that user (kernel/sys.c)",
    },
    CapabilityUse {
        capability: Capability::CAP_SETGID,
        instruments: &[],
        adds: "and give up root's groups (kernel/groups.c)",
    },
    CapabilityUse {
        capability: Capability::CAP_SETPCAP,
        instruments: &[],
        adds: "and bar them from ever having a capability (security/commoncap.c)",
    },
    CapabilityUse {
        capability: Capability::CAP_KILL,
        instruments: &[],
        adds: "end them at once, also when zcprof is killed (kernel/signal.c)",
    },
];

impl CapabilityUse {
    /// Whether this thread has it, by itself or in another.
    #[must_use]
    pub fn is_held(&self) -> bool {
        // Where the kernel does not say, there is none.
        let held = caps::read(None, CapSet::Effective).unwrap_or_default();
        let in_admin = matches!(self.capability, Capability::CAP_BPF | Capability::CAP_PERFMON);
        held.contains(&self.capability) || in_admin && held.contains(&Capability::CAP_SYS_ADMIN)
    }
}

/// Names of the capabilities that this process lacks and without which no instrument sees anything.
#[must_use]
pub fn lacking() -> Vec<String> {
    let blind =
        |row: &&CapabilityUse| row.instruments.len() == Instrument::ALL.len() && !row.is_held();
    CAPABILITIES.iter().filter(blind).map(|row| row.capability.to_string()).collect()
}

/// Gives up every privilege of this process for good: it becomes `user` if there is one, has no
/// capability but those to `keep` that it has, and gets none by running another program. To be
/// called before it has other threads.
///
/// # Errors
/// The kernel lets it keep what it wants to give up.
pub(crate) fn give_up(user: Option<User>, keep: &[Capability]) -> Result<()> {
    let held = caps::read(None, CapSet::Permitted)?;
    let keep = keep.iter().copied().filter(|one| held.contains(one)).collect();
    // The bounding set first: that takes a capability itself.
    if caps::has_cap(None, CapSet::Effective, Capability::CAP_SETPCAP)? {
        caps::clear(None, CapSet::Bounding).context("emptying the bounding set")?;
    }
    if let Some(user) = user {
        // Another user has none otherwise; what is not kept goes below.
        caps::securebits::set_keepcaps(true)?;
        user.become_it().with_context(|| format!("becoming {user}"))?;
    }
    give_up_all_but(&keep)
}

/// Has this thread, and whatever it starts, without any capability.
///
/// # Errors
/// As [`give_up`]'s.
pub(crate) fn give_up_capabilities() -> Result<()> {
    give_up_all_but(&CapsHashSet::new())
}

fn give_up_all_but(keep: &CapsHashSet) -> Result<()> {
    // No program gives its user or its file's capabilities to this one or a child any more.
    set_no_new_privs().context("giving up new privileges")?;
    caps::clear(None, CapSet::Inheritable).context("emptying the inheritable set")?;
    // What is effective must be permitted: that one last.
    for set in [CapSet::Effective, CapSet::Permitted] {
        caps::set(None, set, keep).with_context(|| format!("emptying the {set:?} set"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_after_giving_up() {
        // Capabilities are a thread's: nobody else loses them.
        let given_up = std::thread::spawn(|| {
            give_up_capabilities().expect("anybody may");
            let held = |set| caps::read(None, set).expect("the kernel says").len();
            [CapSet::Effective, CapSet::Permitted, CapSet::Inheritable, CapSet::Ambient].map(held)
        });
        assert_eq!(given_up.join().expect("no panic"), [0; 4]);
    }

    #[test]
    fn each_capability_has_one_row() {
        for (at, row) in CAPABILITIES.iter().enumerate() {
            let first = CAPABILITIES.iter().position(|other| other.capability == row.capability);
            assert_eq!(first, Some(at), "{}", row.capability);
        }
    }
}
