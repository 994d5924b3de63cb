//! The compiler and the linker of the eBPF programs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context as _, Result, bail};

const CHOICE: &str = "ZCPROF_BPF_TOOLCHAIN";

/// The folder of rustup's that has that toolchain, if it is not the user's own.
const HOME: &str = "ZCPROF_RUSTUP_HOME";

/// The toolchain that the caller chose, or one that is here, and rustup's folder that has it.
pub(crate) fn choose(chosen: Option<String>) -> Result<(String, Option<PathBuf>)> {
    match chosen {
        Some(name) => Ok((name, env::var_os(HOME).map(PathBuf::from))),
        None => detect(),
    }
}

/// The toolchain that the caller chose.
pub(crate) fn chosen() -> Option<String> {
    for variable in [CHOICE, HOME] {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    env::var(CHOICE).ok()
}

/// The rustup name of a toolchain that has `core` for BPF, compiled or as source, and the folder of
/// rustup's that has it: the user's own, or the one that `cargo xtask setup` made.
fn detect() -> Result<(String, Option<PathBuf>)> {
    let cached = cache().map(|cache| cache.join("tools/rustup")).filter(|home| home.is_dir());
    let found = detect_in(None).map(|name| (name, None));
    let found = found.or_else(|| Some((detect_in(cached.as_deref())?, cached)));
    found.context("no Rust toolchain here can build for BPF; run `cargo xtask setup` to get one")
}

fn detect_in(home: Option<&Path>) -> Option<String> {
    for (name, proof) in [
        ("debian-bpf", "lib/rustlib/bpfel-unknown-none"),
        ("nightly", "lib/rustlib/src/rust/library/core/Cargo.toml"),
    ] {
        let sysroot = Command::new("rustup")
            .args(["run", name, "rustc", "--print", "sysroot"])
            .envs(home.map(|home| ("RUSTUP_HOME", home)))
            .output()
            .ok()
            .filter(|output| output.status.success())
            .and_then(|output| String::from_utf8(output.stdout).ok());
        if sysroot.is_some_and(|path| Path::new(path.trim()).join(proof).exists()) {
            return Some(name.to_owned());
        }
    }
    None
}

/// Puts the cached bpf-linker into PATH, where rustc looks for it, unless one is there already.
pub(crate) fn add_cached_linker_to_path() -> Result<()> {
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
    fs::read_dir(cache()?.join("tools"))
        .ok()?
        .filter_map(Result::ok)
        .map(|entry| entry.path().join("bin"))
        .find(|bin| bin.join("bpf-linker").is_file())
}

/// The folder of what `cargo xtask setup` gets.
fn cache() -> Option<PathBuf> {
    env::var_os("ZCPROF_CACHE").map(PathBuf::from).or_else(|| {
        let caches = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let caches = caches.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")));
        Some(caches?.join("zcprof"))
    })
}
