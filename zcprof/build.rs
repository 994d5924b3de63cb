//! Builds the eBPF programs, with whichever BPF-capable compiler is there.
//!
//! Two are known: Debian's, which ships `core` for the BPF target already compiled, and rustup's
//! nightly with the component rust-src. `ZCPROF_BPF_TOOLCHAIN` chooses one by its rustup name.
#![allow(unsafe_code, reason = "a build script sets its own PATH, see below")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

use anyhow::{Context as _, Result, bail};
use aya_build::{Package, Toolchain};
use object::build::elf::{Builder, SectionData};
use object::elf::SHT_STRTAB;

const CHOICE: &str = "ZCPROF_BPF_TOOLCHAIN";

/// The folder of rustup's that has that toolchain, if it is not the user's own.
const HOME: &str = "ZCPROF_RUSTUP_HOME";

fn main() -> ExitCode {
    // One line, without a backtrace: what is missing is no bug of this script.
    let built = build().map_err(|error| eprintln!("error: {error:#}"));
    if built.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn build() -> Result<()> {
    println!("cargo:rerun-if-env-changed={CHOICE}");
    println!("cargo:rerun-if-env-changed={HOME}");
    println!("cargo:rerun-if-changed=../zcprof-common/src");
    println!("cargo:rerun-if-changed=build.rs");
    let (toolchain, home) = match env::var(CHOICE) {
        Ok(name) => (name, env::var_os(HOME).map(PathBuf::from)),
        Err(_) => detect()?,
    };
    if let Some(home) = home {
        // SAFETY: this build script has one thread.
        unsafe { env::set_var("RUSTUP_HOME", home) };
    }
    add_cached_linker_to_path()?;
    println!("cargo:rustc-env=ZCPROF_BPF_BUILT_BY={toolchain}");
    let package = Package { name: "zcprof-ebpf", root_dir: "../zcprof-ebpf", ..Package::default() };
    aya_build::build_ebpf([package], Toolchain::Custom(&toolchain))
        .with_context(|| format!("building the eBPF programs with toolchain {toolchain}"))?;
    let out = env::var_os("OUT_DIR").context("cargo sets OUT_DIR")?;
    strip(&PathBuf::from(out).join("zcprof")).context("stripping the eBPF programs")
}

/// Takes away what is for debuggers, which is nine tenths of the object: the loader would read it all at
/// every start, and its relocations. The kernel's own kind of it, BTF, stays.
fn strip(object: &Path) -> Result<()> {
    let whole = fs::read(object)?;
    let mut kept = Builder::read(whole.as_slice())?;
    for section in &mut kept.sections {
        let name = section.name.as_slice();
        section.delete = name.starts_with(b".debug") || name.starts_with(b".rel.debug");
    }
    kept.delete_orphans();
    // LLVM keeps the sections' names with the symbols'; this writer wants them apart.
    let names = kept.sections.add();
    names.name = b".shstrtab"[..].into();
    names.sh_type = SHT_STRTAB;
    names.sh_addralign = 1;
    names.data = SectionData::SectionString;
    let mut stripped = Vec::new();
    kept.write(&mut stripped)?;
    fs::write(object, stripped)?;
    Ok(())
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
