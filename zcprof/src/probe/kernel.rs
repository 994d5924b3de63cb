//! Facts about the running kernel: its version, CPUs, and what bars the way. Version checks live here
//! and in the table, nowhere else.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
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

/// The control group of this process, as a path below the root of version 2; empty if there is none
/// (cgroups(7), /proc/PID/cgroup).
///
/// # Errors
/// /proc cannot be read.
pub fn control_group() -> Result<String> {
    const FILE: &str = "/proc/self/cgroup";
    let text = std::fs::read_to_string(FILE).with_context(|| format!("cannot read {FILE}"))?;
    let group = text.lines().find_map(|line| line.strip_prefix("0::"));
    Ok(group.unwrap_or_default().to_owned())
}

/// CPUs that are online now.
///
/// # Errors
/// /sys cannot be read.
pub fn online_cpus() -> Result<Vec<u32>> {
    aya::util::online_cpus()
        .map_err(|(file, error)| anyhow::Error::new(error).context(format!("cannot read {file}")))
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
}
