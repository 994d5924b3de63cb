//! Facts about the running kernel: its version, symbols, CPUs, and what bars the way. Version
//! checks live here and in the table, nowhere else.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use zcprof_common::sites::{OLDEST, Version};

use crate::privilege;
use crate::run::Kernel;

/// Where the kernel shows its types.
pub(super) const BTF: &str = "/sys/kernel/btf/vmlinux";

/// The running kernel.
///
/// # Errors
/// `uname` or /sys cannot be read.
pub fn running() -> Result<Kernel> {
    let name = nix::sys::utsname::uname().context("uname")?;
    let text = |part: &std::ffi::OsStr| part.to_string_lossy().into_owned();
    Ok(Kernel {
        release: text(name.release()),
        version: text(name.version()),
        machine: text(name.machine()),
        cpus: u32::try_from(online_cpus()?.len())?,
        hypervisor: hypervisor(),
    })
}

/// Major and minor version of the running kernel.
///
/// # Errors
/// `uname` does not begin with a version.
pub fn version() -> Result<Version> {
    let current = aya::util::KernelVersion::current().context("the kernel's version")?;
    Ok(version_of(current.code()))
}

/// Of a number like `LINUX_VERSION_CODE`.
fn version_of(code: u32) -> Version {
    let [_, major, minor, _] = code.to_be_bytes();
    (u16::from(major), u16::from(minor))
}

/// CPUs that are online now.
///
/// # Errors
/// /sys cannot be read.
pub fn online_cpus() -> Result<Vec<u32>> {
    aya::util::online_cpus()
        .map_err(|(file, error)| anyhow::Error::new(error).context(format!("cannot read {file}")))
}

/// Addresses of kernel functions, by name. A function that the kernel lacks is not among them.
///
/// # Errors
/// /proc/kallsyms cannot be read, or hides the addresses.
pub fn symbols(wanted: &[&str]) -> Result<BTreeMap<String, u64>> {
    let found = functions(wanted)?;
    if hides_addresses(&found) {
        bail!("/proc/kallsyms hides the addresses (kernel.kptr_restrict, or no CAP_SYSLOG)");
    }
    Ok(found)
}

/// Whether this process may see names only (`kallsyms_show_value()`, kernel/ksyms_common.c).
#[must_use]
pub fn hides_addresses(functions: &BTreeMap<String, u64>) -> bool {
    !functions.is_empty() && functions.values().all(|address| *address == 0)
}

/// Stands for the address of a function whose name others have too: which of them is meant nobody can
/// tell.
pub(super) const AMBIGUOUS: u64 = u64::MAX;

/// Kernel functions by name, which anybody may see, with their addresses; these are zero where
/// this process may not see them.
///
/// # Errors
/// /proc/kallsyms cannot be read.
pub fn functions(wanted: &[&str]) -> Result<BTreeMap<String, u64>> {
    let mut found = BTreeMap::new();
    each_function(|name, address| {
        if wanted.contains(&name) {
            let known = found.entry(name.to_owned()).or_insert(address);
            if *known != address {
                *known = AMBIGUOUS;
            }
        }
    })?;
    if ROUTINES.iter().any(|(_, name)| found.contains_key(*name)) {
        const CPUS: &str = "/proc/cpuinfo";
        let cpus = fs::read_to_string(CPUS).with_context(|| format!("cannot read {CPUS}"))?;
        let used = routine_in_use(&cpus);
        found.retain(|name, _| {
            *name == used || !ROUTINES.iter().any(|(_, routine)| name == routine)
        });
    }
    Ok(found)
}

/// The routines that copy to and from user memory, by the CPU's flag for which the kernel takes each:
/// the first whose flag there is (`copy_user_generic()`, arch/x86/include/asm/uaccess_64.h, 5.10 to
/// 6.3). The others are there too, and nobody calls them.
const ROUTINES: [(Option<&str>, &str); 3] = [
    (Some("erms"), "copy_user_enhanced_fast_string"),
    (Some("rep_good"), "copy_user_generic_string"),
    (None, "copy_user_generic_unrolled"),
];

fn routine_in_use(cpus: &str) -> &'static str {
    let flags = cpus.lines().find_map(|line| line.strip_prefix("flags")).unwrap_or_default();
    let has = |flag: &str| flags.split_whitespace().any(|known| known == flag);
    let found = ROUTINES.iter().find(|(flag, _)| flag.is_none_or(has));
    found.map_or("", |(_, name)| name)
}

/// First and one past the last address of functions of the kernel's own text; zeros where addresses
/// are hidden.
///
/// # Errors
/// /proc/kallsyms cannot be read, or has no such function.
pub(super) fn extents<const N: usize>(names: [&str; N]) -> Result<[[u64; 2]; N]> {
    let mut all = Vec::new();
    let mut begins = [None; N];
    each_function(|name, address| {
        all.push(address);
        if let Some(at) = names.iter().position(|wanted| *wanted == name) {
            begins[at] = Some(address);
        }
    })?;
    let mut extents = [[0; 2]; N];
    for (at, extent) in extents.iter_mut().enumerate() {
        let first = begins[at].with_context(|| format!("no {} in /proc/kallsyms", names[at]))?;
        let end = all.iter().filter(|address| **address > first).min();
        *extent = [first, end.copied().unwrap_or(first)];
    }
    Ok(extents)
}

/// Every function in /proc/kallsyms with its address.
fn each_function(mut take: impl FnMut(&str, u64)) -> Result<()> {
    let text = fs::read_to_string("/proc/kallsyms").context("cannot read /proc/kallsyms")?;
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let (Some(address), Some(kind), Some(name)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        if matches!(kind, "t" | "T" | "w" | "W") {
            let address = u64::from_str_radix(address, 16)
                .with_context(|| format!("/proc/kallsyms holds {line:?}"))?;
            take(name, address);
        }
    }
    Ok(())
}

/// What keeps every instrument from this kernel, with the remedy; `None` if nothing is known to.
#[must_use]
pub fn barred() -> Option<(String, String)> {
    if !cfg!(target_arch = "x86_64") {
        return Some((
            format!("zcprof reads x86-64 registers, and this is {}", std::env::consts::ARCH),
            "measure on an x86-64 machine".to_owned(),
        ));
    }
    let lacking = privilege::lacking();
    if !lacking.is_empty() {
        return Some((
            format!("this process lacks {}", lacking.join(" and ")),
            "run the same command with sudo, or with the capabilities that `zcprof doctor` lists"
                .to_owned(),
        ));
    }
    if !Path::new(BTF).exists() {
        return Some((
            format!("this kernel shows no types in {BTF}"),
            "boot a kernel with CONFIG_DEBUG_INFO_BTF, as distributions build them".to_owned(),
        ));
    }
    if lockdown().as_deref() == Some("confidentiality") {
        return Some((
            "kernel lockdown is `confidentiality`: programs may not read kernel memory".to_owned(),
            "boot with lockdown=integrity or lockdown=none".to_owned(),
        ));
    }
    None
}

/// What keeps all instruments from a kernel, with the remedy: that the table does not know its leaves.
#[must_use]
pub fn too_old(version: Version) -> Option<(String, String)> {
    let (major, minor) = version;
    (version < OLDEST).then(|| {
        (
            format!("on Linux {major}.{minor} other functions are the leaves than the table knows"),
            format!("measure on Linux {}.{} or later", OLDEST.0, OLDEST.1),
        )
    })
}

/// The kernel's lockdown mode, if it has one.
#[must_use]
pub fn lockdown() -> Option<String> {
    let text = fs::read_to_string("/sys/kernel/security/lockdown").ok()?;
    let (_, rest) = text.split_once('[')?;
    Some(rest.split_once(']')?.0.to_owned())
}

/// Whether the kernel counts the programs on kprobes and on perf's tracepoints that it skipped:
/// kernel/trace/bpf_trace.c `trace_call_bpf()` does since 6.7.
#[must_use]
pub const fn counts_skipped_perf_programs(version: Version) -> bool {
    version.0 > 6 || version.0 == 6 && version.1 >= 7
}

/// What CPUID leaf 0x4000_0000 says of a hypervisor.
#[cfg(target_arch = "x86_64")]
fn hypervisor() -> Option<String> {
    use std::arch::x86_64::__cpuid;
    let has_hypervisor = __cpuid(1).ecx >> 31 == 1;
    if !has_hypervisor {
        return None;
    }
    let leaf = __cpuid(0x4000_0000);
    let words = [leaf.ebx, leaf.ecx, leaf.edx];
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let name = String::from_utf8_lossy(&bytes);
    let name = name.trim_end_matches('\0');
    Some(match name {
        "TCGTCGTCGTCG" => "TCG".to_owned(),
        "KVMKVMKVM" => "KVM".to_owned(),
        other => other.to_owned(),
    })
}

#[cfg(not(target_arch = "x86_64"))]
fn hypervisor() -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_the_two_first_numbers_of_a_code() {
        assert_eq!(version_of(0x0006_0c5f), (6, 12));
        assert_eq!(version_of(0x0007_0300), (7, 3));
        assert_eq!(version_of(0x0005_0aff), (5, 10));
    }

    #[test]
    fn this_kernel_has_the_version_that_its_release_begins_with() {
        let (major, minor) = version().expect("a version");
        let release = running().expect("uname").release;
        assert!(release.starts_with(&format!("{major}.{minor}")), "{major}.{minor}: {release}");
    }

    #[test]
    fn only_kernels_before_the_table_are_too_old() {
        let (reason, remedy) = too_old((5, 4)).expect("older than the table");
        assert!(reason.contains("5.4") && remedy.contains("5.10"), "{reason}; {remedy}");
        assert_eq!(too_old(OLDEST), None);
    }

    #[test]
    fn the_routine_is_that_of_the_first_flag_that_the_cpu_has() {
        for (flags, routine) in [
            ("flags\t\t: fpu rep_good erms nopl", "copy_user_enhanced_fast_string"),
            ("flags\t\t: fpu rep_good nopl", "copy_user_generic_string"),
            ("flags\t\t: fpu", "copy_user_generic_unrolled"),
        ] {
            let cpus = format!("processor\t: 0\n{flags}\nbugs\t\t: erms\n");
            assert_eq!(routine_in_use(&cpus), routine, "{flags}");
        }
    }
}
