//! What can be read of the kernel and its settings without privileges: a table.

use std::fs;
use std::path::Path;

use zcprof_common::vocabulary::Instrument;

use super::config::KernelConfig;
use super::record::{Fact, Obstacle};
use crate::probe::kernel;

/// Something to read.
struct FactSource {
    name: &'static str,
    meaning: &'static str,
    instruments: &'static [Instrument],
    read: fn() -> Option<String>,
    /// Whether it bars the way, and if so how and what to do.
    bars: fn(Option<&str>) -> Option<(&'static str, &'static str)>,
}

const AUDIT: &[Instrument] = &[Instrument::Audit];
const BOTH: &[Instrument] = &[Instrument::Audit, Instrument::Callers];
const ALL: &[Instrument] = Instrument::ALL;

const FACTS: &[FactSource] = &[
    FactSource {
        name: "/sys/kernel/btf/vmlinux",
        meaning: "the kernel's types, by which the programs find what they read",
        instruments: ALL,
        read: || Path::new("/sys/kernel/btf/vmlinux").exists().then(|| "there".to_owned()),
        bars: |value| {
            let remedy = "boot a kernel with CONFIG_DEBUG_INFO_BTF, as distributions build them";
            value.is_none().then_some(("this kernel shows no types", remedy))
        },
    },
    FactSource {
        name: "kernel.kptr_restrict",
        meaning: "who sees addresses in /proc/kallsyms: up to 1 CAP_SYSLOG does, at 2 nobody",
        instruments: BOTH,
        read: || read("/proc/sys/kernel/kptr_restrict"),
        bars: |value| {
            let remedy = "as root: sysctl kernel.kptr_restrict=1";
            (value == Some("2")).then_some(("nobody sees where the functions are", remedy))
        },
    },
    FactSource {
        name: "kernel.perf_event_paranoid",
        meaning: "above 1, events in the kernel take CAP_PERFMON; who has it is not asked",
        instruments: BOTH,
        read: || read("/proc/sys/kernel/perf_event_paranoid"),
        bars: |_| None,
    },
    FactSource {
        name: "kernel.unprivileged_bpf_disabled",
        meaning: "above 0, any program takes CAP_BPF; programs that trace always do",
        instruments: ALL,
        read: || read("/proc/sys/kernel/unprivileged_bpf_disabled"),
        bars: |_| None,
    },
    FactSource {
        name: "lockdown",
        meaning: "at `confidentiality` programs may not read kernel memory",
        instruments: ALL,
        read: kernel::lockdown,
        bars: |value| {
            let remedy = "boot with lockdown=integrity or lockdown=none";
            let reason = "lockdown keeps kernel memory from programs";
            (value == Some("confidentiality")).then_some((reason, remedy))
        },
    },
];

/// An option of the kernel's configuration.
struct Switch {
    name: &'static str,
    meaning: &'static str,
    instruments: &'static [Instrument],
    /// Whether something else does where it is not set.
    optional: bool,
}

const SWITCHES: &[Switch] = &[
    Switch {
        name: "CONFIG_BPF_SYSCALL",
        meaning: "eBPF at all",
        instruments: ALL,
        optional: false,
    },
    Switch {
        name: "CONFIG_BPF_EVENTS",
        meaning: "eBPF programs on tracepoints, kprobes and breakpoints",
        instruments: ALL,
        optional: false,
    },
    Switch {
        name: "CONFIG_DEBUG_INFO_BTF",
        meaning: "the kernel's types",
        instruments: ALL,
        optional: false,
    },
    Switch {
        name: "CONFIG_HAVE_HW_BREAKPOINT",
        meaning: "execution breakpoints",
        instruments: AUDIT,
        optional: false,
    },
    Switch {
        name: "CONFIG_KPROBES",
        // within_kprobe_blacklist() then says that everything is on the list.
        meaning: "without it x86 takes no breakpoint in the kernel (arch_build_bp_info(), \
                  arch/x86/kernel/hw_breakpoint.c)",
        instruments: AUDIT,
        optional: false,
    },
    Switch {
        name: "CONFIG_KPROBE_EVENTS",
        meaning: "callers by kretprobe, where fexit cannot be",
        instruments: &[Instrument::Callers],
        optional: true,
    },
    Switch {
        name: "CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS",
        meaning: "callers by fexit; else by kretprobe",
        instruments: &[Instrument::Callers],
        optional: true,
    },
];

/// Everything that can be read of the kernel called `release`.
pub(super) fn read_all(release: &str) -> Vec<Fact> {
    let facts = FACTS.iter().map(|row| {
        let value = (row.read)();
        let obstacle = (row.bars)(value.as_deref());
        fact(row.name, row.meaning, row.instruments, value, obstacle.map(obstruct))
    });
    let config = KernelConfig::of(release);
    let switches = SWITCHES.iter().map(|switch| {
        let value = config.as_ref().map(|config| config.value(switch.name));
        let lacking = value.as_deref() == Some("n") && !switch.optional;
        let obstacle = lacking.then(|| Obstacle {
            reason: format!("this kernel is built without {}", switch.name),
            remedy: format!("boot a kernel with {}, as distributions build them", switch.name),
        });
        fact(switch.name, switch.meaning, switch.instruments, value, obstacle)
    });
    facts.chain(switches).collect()
}

fn fact(
    name: &str,
    meaning: &str,
    instruments: &[Instrument],
    value: Option<String>,
    obstacle: Option<Obstacle>,
) -> Fact {
    let instruments = instruments.to_vec();
    Fact { name: name.to_owned(), value, meaning: meaning.to_owned(), instruments, obstacle }
}

fn obstruct((reason, remedy): (&str, &str)) -> Obstacle {
    Obstacle { reason: reason.to_owned(), remedy: remedy.to_owned() }
}

fn read(path: &str) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}
