//! Runs of programs that the kernel skipped, by its own count.

use std::os::fd::{AsFd as _, AsRawFd as _};
use std::{fs, io};

use anyhow::{Context as _, Result};
use aya::Ebpf;
use aya::programs::Program;
use zcprof_common::sites::{Bytes, Site};
use zcprof_common::vocabulary::{Hook, ProgramName};

use super::syscalls;

/// Runs of a program that the kernel says it skipped, because one was active; zero for a program that is
/// not loaded.
pub(super) fn runs(ebpf: &Ebpf, name: ProgramName<'_>) -> Result<u64> {
    let Some(Ok(fd)) = ebpf.program(&name.to_string()).map(Program::fd) else {
        return Ok(0);
    };
    let file = format!("/proc/self/fdinfo/{}", fd.as_fd().as_raw_fd());
    let said = fs::read_to_string(&file).and_then(|text| recursion_misses(&text));
    said.with_context(|| format!("reading the misses of {name} in {file}"))
}

/// The same of all programs of a site.
pub(super) fn of_site(ebpf: &Ebpf, site: &Site) -> Result<u64> {
    let entry = (site.bytes == Bytes::SyscallResult).then_some(syscalls::SYS_ENTER);
    let mut skipped = 0;
    for name in [Some(site.name), entry].into_iter().flatten() {
        // Breakpoints count their hits, and the difference is what was skipped.
        for hook in Hook::ALL.iter().filter(|hook| **hook != Hook::Break) {
            skipped += runs(ebpf, hook.of(name))?;
        }
    }
    Ok(skipped)
}

/// `recursion_misses` of a program's fdinfo (`bpf_prog_show_fdinfo()`, kernel/bpf/syscall.c); zero on
/// kernels that do not say (before 5.12).
fn recursion_misses(text: &str) -> io::Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("recursion_misses:"));
    line.map_or(Ok(0), |number| number.trim().parse().map_err(io::Error::other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misses_are_read_from_what_the_kernel_says_of_a_program() {
        let said = "pos:\t0\nprog_type:\t26\nrun_cnt:\t9\nrecursion_misses:\t41\n";
        assert_eq!(recursion_misses(said).expect("a number"), 41);
        assert_eq!(recursion_misses("prog_type:\t26\n").expect("an old kernel"), 0);
        assert!(recursion_misses("recursion_misses:\tmany\n").is_err(), "a riddle is not zero");
    }
}
