//! Gets what is missing: by apt where that can be, then by rustup, cargo and the archive.

use std::path::Path;

use anyhow::{Result, anyhow};

use super::clients;
use super::found::Found;
use super::needs::{Need, World};
use super::plan::{self, SetupStep};
use super::toolchain::{self, DEBIAN_PACKAGES};
use crate::cache::CacheFolder;
use crate::exit::Unmet;
use crate::kernels::{GuestKernel, VARIABLE};
use crate::process;
use crate::progress::step;

/// Tries to meet `missing`. What it cannot meet it leaves for the caller to name.
pub(super) fn install(cache: &CacheFolder, missing: &[(Need, Found)]) -> Result<()> {
    packages(cache, missing)?;
    let tool = |name: &str| missing.iter().any(|(need, _)| need.name() == name);
    if tool("Rust for BPF") {
        rust_for_bpf(cache)?;
    }
    if tool("bpf-linker")
        && let World { bpf: Some(bpf), .. } = World::look(cache, false)
    {
        let what = format!("setup: building bpf-linker {}", toolchain::LINKER_VERSION);
        step(&what, || toolchain::build_linker(cache, &bpf))
            .map_err(|error| Unmet(format!("{error:#}")))?;
    }
    if tool(super::CLIENTS) {
        step("setup: installing Kafka's clients for Python", || clients::install(cache))
            .map_err(|error| Unmet(format!("{error:#}")))?;
    }
    for (need, _) in missing {
        if let Need::Kernel(kernel) = need {
            fetch_kernel(cache, kernel)?;
        }
    }
    Ok(())
}

/// Fetches one kernel. An archive that cannot be reached makes it an unmet need.
pub(super) fn fetch_kernel(cache: &CacheFolder, kernel: &GuestKernel) -> Result<()> {
    step(&format!("setup: fetching kernel {}", kernel.name), || kernel.fetch(cache)).map_err(
        |error| {
            if crate::interrupt::requested() {
                return error;
            }
            if process::is_out_of_space(&error) {
                return error.context("the cache's disk is full (ZCPROF_CACHE names another)");
            }
            Unmet(format!(
                "kernel {} cannot be fetched: {error:#} ({VARIABLE} names another Debian source)",
                kernel.name
            ))
            .into()
        },
    )
}

/// What [`install`] will do.
pub(super) fn plan(missing: &[(Need, Found)]) -> Vec<SetupStep> {
    plan::of(missing, wanted_packages(missing), toolchain::debian_is_installed())
}

/// Debian's packages for what is missing, where they can be installed; elsewhere the caller prints the
/// commands.
fn wanted_packages(missing: &[(Need, Found)]) -> Vec<&'static str> {
    if !nix::unistd::geteuid().is_root() || process::find("apt-get").is_none() {
        return Vec::new();
    }
    let mut names: Vec<&str> = Vec::new();
    for (need, _) in missing {
        if let Need::Tool(tool) = need {
            names.extend(tool.packages);
        }
    }
    if toolchain::debian_is_installed() && Path::new("/usr/lib/llvm-22/include").exists() {
        names.retain(|name| !DEBIAN_PACKAGES.contains(name));
    }
    names
}

/// Installs Debian's packages for what is missing.
fn packages(cache: &CacheFolder, missing: &[(Need, Found)]) -> Result<()> {
    let mut names = wanted_packages(missing);
    if names.is_empty() {
        return Ok(());
    }
    let log = cache.path("logs/apt.log");
    let apt = || {
        let mut command = process::command("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").args(["-o", "DPkg::Lock::Timeout=300"]);
        command
    };
    let unmet = |error: anyhow::Error| anyhow!(Unmet(format!("{error:#}")));
    step("setup: reading package lists", || process::logged(apt().arg("update"), &log))
        .map_err(unmet)?;
    // Only some releases have Rust for BPF; elsewhere it comes by rustup.
    names.retain(|name| !DEBIAN_PACKAGES.contains(name) || has_candidate(name));
    if names.is_empty() {
        return Ok(());
    }
    step(&format!("setup: installing {}", names.join(" ")), || {
        let mut command = apt();
        command.args(["install", "-y", "--no-install-recommends"]).args(&names);
        process::logged_to_its_end(&mut command, &log)
    })
    .map_err(unmet)
}

fn has_candidate(package: &str) -> bool {
    process::output(process::command("apt-cache").args(["policy", package]))
        .is_ok_and(|said| said.contains("Candidate:") && !said.contains("Candidate: (none)"))
}

/// Links Debian's compiler if it is there, else asks rustup for nightly with the sources of core,
/// into the cache.
fn rust_for_bpf(cache: &CacheFolder) -> Result<()> {
    if process::find("rustup").is_none() {
        return Ok(());
    }
    if toolchain::debian_is_installed() {
        return toolchain::link_debian(cache);
    }
    let log = cache.path("logs/rustup.log");
    let mut command = toolchain::rustup(cache);
    command.args(["toolchain", "install", "nightly", "--profile", "minimal"]);
    command.args(["--component", "rust-src"]);
    step("setup: rustup installs nightly with rust-src", || process::logged(&mut command, &log))
        .map_err(|error| Unmet(format!("{error:#}; {}", toolchain::remedy())).into())
}
