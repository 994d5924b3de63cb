//! The compiler of the eBPF programs, told to name source files without this machine's folders: where a
//! file is would otherwise be in BTF, and the programs would be others in every clone.
//!
//! Cargo calls this build script in place of the compiler (`RUSTC_WRAPPER`), because aya-build, which
//! calls cargo, sets the compiler's flags itself.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::{env, fs};

use anyhow::{Context as _, Result};

/// Has the cargo that aya-build starts call this program in place of the compiler.
#[expect(unsafe_code, reason = "a build script sets the variables of what it starts")]
pub(crate) fn wrap() -> Result<()> {
    let own = env::current_exe().context("the path of the build script")?;
    // SAFETY: this build script has one thread.
    unsafe { env::set_var("RUSTC_WRAPPER", own) };
    Ok(())
}

/// Whether this was called in place of the compiler: then that is called.
pub(crate) fn called() -> Option<ExitCode> {
    let mut words = env::args_os().skip(1);
    let compiler = words.next()?;
    let mut command = Command::new(compiler);
    let done = folders().and_then(|folders| {
        command.args(words).args(folders.into_iter().flat_map(cut));
        command.status().context("starting the compiler")
    });
    let code = match done {
        Ok(status) => u8::try_from(status.code().unwrap_or(1)).unwrap_or(1),
        Err(error) => {
            eprintln!("error: {error:#}");
            1
        }
    };
    Some(ExitCode::from(code))
}

fn cut(folder: PathBuf) -> [OsString; 2] {
    let mut replaced = folder.into_os_string();
    replaced.push("=.");
    ["--remap-path-prefix".into(), replaced]
}

/// Where source files are: here, in the registries' folders, and with the compilers.
fn folders() -> Result<Vec<PathBuf>> {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![own.parent().context("a workspace")?.to_owned()];
    let of_home = |variable: &str, folder: &str| {
        let named = env::var_os(variable).map(PathBuf::from);
        named.or_else(|| Some(env::home_dir()?.join(folder))).context("a home folder")
    };
    folders.push(of_home("RUSTUP_HOME", ".rustup")?);
    let registries = of_home("CARGO_HOME", ".cargo")?.join("registry/src");
    for registry in fs::read_dir(registries).context("cargo's registries")? {
        folders.push(registry?.path());
    }
    Ok(folders)
}
