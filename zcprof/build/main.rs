//! Gets the eBPF programs: the prebuilt ones if they are those of the sources here, else compiled with
//! whichever BPF-capable compiler is there.
//!
//! Two compilers are known: Debian's, which ships `core` for the BPF target already compiled, and rustup's
//! nightly with the component rust-src. `ZCPROF_BPF_TOOLCHAIN` chooses one by its rustup name, and has
//! the programs compiled in any case.
#![allow(unsafe_code, reason = "a build script sets its own PATH, see `toolchain`")]

mod prebuilt;
mod strip;
mod toolchain;
mod wrapper;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use anyhow::{Context as _, Result};
use aya_build::{Package, Toolchain};

fn main() -> ExitCode {
    if let Some(code) = wrapper::called() {
        return code;
    }
    // One line, without a backtrace: what is missing is no bug of this script.
    let built = build().map_err(|error| eprintln!("error: {error:#}"));
    if built.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn build() -> Result<()> {
    let root = Path::new("..");
    let inputs = prebuilt::SOURCES.iter().chain(&[prebuilt::OBJECT, prebuilt::LABEL, "Cargo.lock"]);
    for input in inputs {
        println!("cargo:rerun-if-changed=../{input}");
    }
    let out = env::var_os("OUT_DIR").context("cargo sets OUT_DIR")?;
    let object = PathBuf::from(out).join("zcprof");
    let by = match toolchain::chosen() {
        Some(chosen) => compile(&object, Some(chosen))?,
        None => match prebuilt::in_step(root) {
            Ok((prebuilt, label)) => {
                fs::copy(prebuilt, &object).context("copying the prebuilt eBPF programs")?;
                format!("prebuilt, by {}", label.compiler)
            }
            Err(why) => compile(&object, None)
                .with_context(|| format!("the prebuilt eBPF programs do not serve: {why}"))?,
        },
    };
    println!("cargo:rustc-env=ZCPROF_BPF_BUILT_BY={by}");
    Ok(())
}

/// Compiles the programs with the chosen toolchain or one that is here; returns with which.
fn compile(object: &Path, chosen: Option<String>) -> Result<String> {
    let (toolchain, home) = toolchain::choose(chosen)?;
    if let Some(home) = home {
        // SAFETY: this build script has one thread.
        unsafe { env::set_var("RUSTUP_HOME", home) };
    }
    toolchain::add_cached_linker_to_path()?;
    wrapper::wrap()?;
    let package = Package { name: "zcprof-ebpf", root_dir: "../zcprof-ebpf", ..Package::default() };
    aya_build::build_ebpf([package], Toolchain::Custom(&toolchain))
        .with_context(|| format!("building the eBPF programs with toolchain {toolchain}"))?;
    strip::strip(object).context("stripping the eBPF programs")?;
    Ok(format!("compiled for this build, by toolchain {toolchain}"))
}
