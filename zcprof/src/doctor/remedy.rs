//! Pure: what to do about a hole. A table of what the kernel may say; then what this process lacks;
//! then what the settings say.

use zcprof_common::vocabulary::Instrument;

use super::record::{Fact, Obstacle, Privilege};

/// What to do where the kernel said these words of a site.
struct Remedy {
    said: &'static str,
    remedy: &'static str,
}

/// The first row that fits applies; where none does, what a fact says; then the instrument's own.
const REMEDIES: &[Remedy] = &[
    Remedy {
        said: "breakpoint slots are taken",
        remedy: "end what holds them: another zcprof, a debugger of the kernel, `perf record -e mem:`",
    },
    Remedy {
        said: "has no breakpoints",
        remedy: "let the hypervisor give this guest debug registers, or measure in another guest: \
                 cargo xtask run",
    },
    Remedy {
        said: "need CAP_SYS_ADMIN",
        remedy: "run the same command as root, outside a user namespace",
    },
    Remedy {
        said: "in /proc/kallsyms",
        remedy: "zcprof's table lacks what this kernel calls it: measure on a kernel whose names \
                 it has (cargo xtask run), and report the kernel's release",
    },
    Remedy {
        said: NOT_COUNTED,
        remedy: "measure on Linux 6.7 or later, or on one that refuses kprobes at the leaves",
    },
];

/// What is said of a leaf whose skipped runs nobody counts.
pub(super) const NOT_COUNTED: &str = "does not count the runs that it missed";

/// What to do for an instrument if no row above says anything better.
fn otherwise(instrument: Instrument) -> &'static str {
    match instrument {
        Instrument::Audit => {
            "measure on a kernel that takes breakpoints in itself, such as a guest's: cargo xtask run"
        }
        Instrument::Callers => {
            "measure on a kernel that lets programs trace functions (fexit), or has \
             CONFIG_KPROBE_EVENTS (kretprobe), such as a guest's: cargo xtask run"
        }
        Instrument::Syscalls => {
            "measure on a kernel with CONFIG_BPF_EVENTS and CONFIG_FTRACE_SYSCALLS, such as a \
             guest's: cargo xtask run"
        }
    }
}

/// What was read of the kernel and of this process.
#[derive(Clone, Copy)]
pub(super) struct KnownFacts<'a> {
    pub(super) facts: &'a [Fact],
    pub(super) capabilities: &'a [Privilege],
}

impl KnownFacts<'_> {
    /// What to do about a refusal.
    pub(super) fn remedy(self, instrument: Instrument, reason: &str) -> String {
        let row = REMEDIES.iter().find(|row| reason.contains(row.said));
        row.map(|row| row.remedy.to_owned())
            .or_else(|| self.lacking(Some(instrument)))
            .or_else(|| {
                let Obstacle { reason, remedy } = self.facts(instrument).next()?;
                Some(format!("{reason}: {remedy}"))
            })
            .unwrap_or_else(|| otherwise(instrument).to_owned())
    }

    /// What to do where this process lacks capabilities, for one instrument or for any.
    pub(super) fn lacking(self, instrument: Option<Instrument>) -> Option<String> {
        let lacks = |row: &&Privilege| {
            !row.held && instrument.is_none_or(|instrument| row.instruments.contains(&instrument))
        };
        let names: Vec<_> =
            self.capabilities.iter().filter(lacks).map(|row| row.name.as_str()).collect();
        (!names.is_empty()).then(|| {
            format!("run the same command as root, or with what it lacks: {}", names.join(", "))
        })
    }

    /// What the facts say is in the way of an instrument, or would be if it were tried.
    pub(super) fn facts(self, instrument: Instrument) -> impl Iterator<Item = Obstacle> {
        self.facts
            .iter()
            .filter(move |fact| fact.instruments.contains(&instrument))
            .filter_map(|fact| fact.obstacle.clone())
    }
}
