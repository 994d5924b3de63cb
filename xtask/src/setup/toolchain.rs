//! The two ways to have Rust for BPF, and the linker that suits each.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::found::{Found, at_least};
use crate::cache::{CacheFolder, Cached};
use crate::manifest::Manifest;
use crate::process;

/// The linker's version.
pub(super) const LINKER_VERSION: &str = "0.13.0";

/// Debian's compiler for BPF: `core` comes already compiled. The LLVM packages are for the linker.
pub(super) const DEBIAN_PACKAGES: &[&str] =
    &["rustc-web", "cargo-web", "libstd-rust-web-dev-bpf", "llvm-22-dev", "libpolly-22-dev"];

/// The rustup name that Debian's compiler gets.
pub(super) const DEBIAN: &str = "debian-bpf";

/// The ways, best first: rustup name, and what in its sysroot proves that it builds for BPF.
const WAYS: &[(&str, &str)] = &[
    (DEBIAN, "lib/rustlib/bpfel-unknown-none"),
    ("nightly", "lib/rustlib/src/rust/library/core/Cargo.toml"),
];

/// A toolchain that builds for BPF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bpf {
    /// Its rustup name.
    pub(super) toolchain: &'static str,
    /// The folder of rustup's that has it, if that is not the user's own.
    pub(super) home: Option<PathBuf>,
    release: String,
    /// The major version of its LLVM, which the linker must share.
    llvm: String,
    /// What the compiler says of its own version.
    said: String,
}

impl Bpf {
    /// The compiler, and the LLVM that the linker compiles with, as exactly as they say it: others may
    /// make other programs of the same sources.
    pub(super) fn exactly(&self) -> String {
        let field = |name| self.said.lines().find_map(|line| line.strip_prefix(name));
        let compiler = self.said.lines().next().unwrap_or_default();
        let own = field("LLVM version: ").unwrap_or("unknown");
        let config = format!("/usr/lib/llvm-{}/bin/llvm-config", self.llvm);
        let linkers = process::output(Command::new(config).arg("--version")).unwrap_or_default();
        let linkers =
            Some(linkers.trim()).filter(|version| !version.is_empty()).unwrap_or("unknown");
        format!("{compiler}, LLVM {own}; bpf-linker {LINKER_VERSION}, LLVM {linkers}")
    }
}

impl fmt::Display for Bpf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (toolchain {}, LLVM {})", self.release, self.toolchain, self.llvm)
    }
}

/// Where rustup finds its toolchains.
pub(super) const HOME: &str = "RUSTUP_HOME";

/// The folder in the cache that serves rustup as its own, so that the user's stays as it is.
pub(super) fn cached_home(cache: &CacheFolder) -> PathBuf {
    cache.path("tools/rustup")
}

/// The first way that is there: among the user's own toolchains, then in the cache.
pub(super) fn find(cache: &CacheFolder) -> Option<Bpf> {
    let cached = Some(cached_home(cache)).filter(|home| home.is_dir());
    find_in(None).or_else(|| find_in(Some(&cached?)))
}

fn find_in(home: Option<&Path>) -> Option<Bpf> {
    WAYS.iter().find_map(|&(toolchain, proof)| {
        let rustc = |arguments: &[&str]| {
            let mut command = process::command("rustup");
            command.envs(home.map(|home| (HOME, home)));
            process::output(command.args(["run", toolchain, "rustc"]).args(arguments)).ok()
        };
        let sysroot = rustc(&["--print", "sysroot"])?;
        if !Path::new(sysroot.trim()).join(proof).exists() {
            return None;
        }
        let said = rustc(&["-vV"])?;
        let (release, llvm) = parse_version(&said)?;
        Some(Bpf { toolchain, home: home.map(Path::to_owned), release, llvm, said })
    })
}

/// True if Debian's compiler is installed, whether or not rustup knows of it.
pub(super) fn debian_is_installed() -> bool {
    Path::new("/usr/bin/rustc").is_file() && Path::new("/usr").join(WAYS[0].1).exists()
}

/// A rustup that keeps its toolchains in the cache.
pub(super) fn rustup(cache: &CacheFolder) -> Command {
    let mut command = process::command("rustup");
    command.env(HOME, cached_home(cache)).env_remove("RUSTUP_TOOLCHAIN");
    command
}

/// Makes Debian's compiler known to the cache's rustup.
pub(super) fn link_debian(cache: &CacheFolder) -> Result<()> {
    let mut command = rustup(cache);
    process::output(command.args(["toolchain", "link", DEBIAN, "/usr"])).map(|_| ())
}

/// Release and major LLVM version in what `rustc -vV` says.
fn parse_version(said: &str) -> Option<(String, String)> {
    let field = |name| said.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let llvm = field("LLVM version:")?.split('.').next()?;
    Some((field("release:")?.to_owned(), llvm.to_owned()))
}

/// The folder of the linker for `bpf` and its version: the cached one, else one in PATH.
pub(super) fn find_linker(cache: &CacheFolder, bpf: &Bpf) -> Result<(PathBuf, String), Found> {
    let name = linker_name(bpf);
    let folder = cache.path(&name).join("bin");
    let says = |program: &Path| process::output(Command::new(program).arg("--version"));
    match cache.look(&name, |_| true) {
        Cached::Whole(_) => match says(&folder.join("bpf-linker")) {
            Ok(said) => Ok((folder, said.trim().replace("bpf-linker ", ""))),
            Err(error) => Err(Found::Unfit(format!("{error:#}"))),
        },
        Cached::Damaged(error) => Err(Found::Unfit(format!("{error:#}"))),
        Cached::Absent => {
            // One in PATH was built for rustup's compilers, not for Debian's.
            let program = process::find("bpf-linker").filter(|_| bpf.toolchain != DEBIAN);
            let program = program.ok_or(Found::Missing)?;
            let said = says(&program).map_err(|error| Found::Unfit(format!("{error:#}")))?;
            match at_least(&said, (0, 13)) {
                Found::Ready(version) => {
                    Ok((program.with_file_name(""), format!("{version}, in PATH")))
                }
                other => Err(other),
            }
        }
    }
}

/// Builds the linker for `bpf` into the cache.
pub(super) fn build_linker(cache: &CacheFolder, bpf: &Bpf) -> Result<()> {
    let log = cache.path("logs/bpf-linker.log");
    let llvm = PathBuf::from(format!("/usr/lib/llvm-{}", bpf.llvm));
    ensure!(
        llvm.join("lib/libLLVM.so").exists() && llvm.join("include/llvm-c").exists(),
        "LLVM {} is not in {}; {}",
        bpf.llvm,
        llvm.display(),
        linker_remedy()
    );
    cache.put(&linker_name(bpf), |folder| {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        command.args(["install", "bpf-linker", "--version", LINKER_VERSION, "--locked"]);
        command.args(["--no-default-features", "--features", &format!("llvm-{}", bpf.llvm)]);
        command.arg("--root").arg(folder).env("LLVM_PREFIX", &llvm);
        // The workspace that this is called from must not steer another program's build.
        command.current_dir(folder).env_remove("RUSTFLAGS").env_remove("RUSTC_BOOTSTRAP");
        process::logged(&mut command, &log)?;
        let linker = folder.join("bin/bpf-linker");
        process::output(Command::new(&linker).arg("--version")).context("the new bpf-linker")?;
        Manifest::describe(folder, &[("version", LINKER_VERSION), ("llvm", &bpf.llvm)])
    })
}

fn linker_name(bpf: &Bpf) -> String {
    format!("tools/bpf-linker-{LINKER_VERSION}-llvm{}", bpf.llvm)
}

/// What a person can type to get Rust for BPF.
pub(super) fn remedy() -> String {
    format!(
        "rustup (rustup.rs), then on Debian: sudo apt-get install -y {} && \
         rustup toolchain link {DEBIAN} /usr; elsewhere: \
         rustup toolchain install nightly --component rust-src",
        DEBIAN_PACKAGES.join(" ")
    )
}

/// What a person can type to get the linker.
pub(super) fn linker_remedy() -> String {
    format!(
        "cargo binstall bpf-linker@{LINKER_VERSION}, or with the LLVM of `rustup run nightly rustc \
         -vV` installed (llvm-N-dev, libpolly-N-dev): LLVM_PREFIX=/usr/lib/llvm-N cargo install \
         bpf-linker --version {LINKER_VERSION} --no-default-features --features llvm-N"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn release_and_llvm_are_read() {
        let said = "rustc 1.96.0 (ac68faa20 2026-05-25)\nbinary: rustc\nrelease: 1.96.0\n\
            LLVM version: 22.1.8\n";
        assert_eq!(parse_version(said), Some(("1.96.0".to_owned(), "22".to_owned())));
        assert_eq!(parse_version("rustc 1.96.0\n"), None);
    }

    #[test]
    fn a_linker_is_kept_by_version_and_llvm() {
        let (release, llvm) = ("1.96.0".to_owned(), "22".to_owned());
        let said = "rustc 1.96.0 (ac68faa20 2026-05-25)\nLLVM version: 22.1.8\n".to_owned();
        let bpf = Bpf { toolchain: DEBIAN, home: None, release, llvm, said };
        let exactly = bpf.exactly();
        assert!(
            exactly.starts_with("rustc 1.96.0 (ac68faa20 2026-05-25), LLVM 22.1.8; "),
            "{exactly}"
        );
        assert_eq!(linker_name(&bpf), format!("tools/bpf-linker-{LINKER_VERSION}-llvm22"));
        assert!(bpf.to_string().contains("debian-bpf"));
    }
}
