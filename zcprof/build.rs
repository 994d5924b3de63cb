//! Builds the eBPF programs, with whichever BPF-capable compiler is there.
//!
//! Two are known: Debian's, which ships `core` for the BPF target already compiled, and rustup's
//! nightly with the component rust-src. `ZCPROF_BPF_TOOLCHAIN` chooses one by its rustup name.
#![allow(unsafe_code, reason = "a build script sets its own PATH, see below")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context as _, Result, bail};
use aya_build::{Package, Toolchain};

const CHOICE: &str = "ZCPROF_BPF_TOOLCHAIN";

fn main() -> Result<()> {
    println!("cargo:rerun-if-env-changed={CHOICE}");
    println!("cargo:rerun-if-changed=../zcprof-common/src");
    println!("cargo:rerun-if-changed=build.rs");
    let toolchain = match env::var(CHOICE) {
        Ok(name) => name,
        Err(_) => detect()?,
    };
    add_cached_linker_to_path()?;
    println!("cargo:rustc-env=ZCPROF_BPF_BUILT_BY={toolchain}");
    let package = Package { name: "zcprof-ebpf", root_dir: "../zcprof-ebpf", ..Package::default() };
    aya_build::build_ebpf([package], Toolchain::Custom(&toolchain))
        .with_context(|| format!("building the eBPF programs with toolchain {toolchain}"))
}

/// The rustup name of a toolchain that has `core` for BPF, compiled or as source.
fn detect() -> Result<String> {
    for (name, proof) in [
        ("debian-bpf", "lib/rustlib/bpfel-unknown-none"),
        ("nightly", "lib/rustlib/src/rust/library/core/Cargo.toml"),
    ] {
        let sysroot = Command::new("rustup")
            .args(["run", name, "rustc", "--print", "sysroot"])
            .output()
            .ok()
            .filter(|output| output.status.success())
            .and_then(|output| String::from_utf8(output.stdout).ok());
        if sysroot.is_some_and(|path| Path::new(path.trim()).join(proof).exists()) {
            return Ok(name.to_owned());
        }
    }
    bail!("no Rust toolchain here can build for BPF; run `cargo xtask setup` to get one")
}

/// Puts the cached bpf-linker into PATH, where rustc looks for it, unless one is there already.
fn add_cached_linker_to_path() -> Result<()> {
    let path = env::var_os("PATH").unwrap_or_default();
    if env::split_paths(&path).any(|folder| folder.join("bpf-linker").is_file()) {
        return Ok(());
    }
    let Some(folder) = cached_linker() else {
        bail!("bpf-linker is not in PATH and not in the cache; run `cargo xtask setup`")
    };
    let path = env::join_paths([folder].into_iter().chain(env::split_paths(&path)))?;
    // SAFETY: this build script has one thread.
    unsafe { env::set_var("PATH", path) };
    Ok(())
}

/// The folder of a bpf-linker that `cargo xtask setup` built.
fn cached_linker() -> Option<PathBuf> {
    let cache = env::var_os("ZCPROF_CACHE").map(PathBuf::from).or_else(|| {
        let caches = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let caches = caches.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")));
        Some(caches?.join("zcprof"))
    })?;
    fs::read_dir(cache.join("tools"))
        .ok()?
        .filter_map(Result::ok)
        .map(|entry| entry.path().join("bin"))
        .find(|bin| bin.join("bpf-linker").is_file())
}
