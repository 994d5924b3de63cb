//! Programs that zcprof did not write, on a disk's image in the cache: Debian's packages, and what
//! is built here of the sources beside the tests. `cargo xtask test --programs` watches them in
//! guests.

mod built;
mod kafka_log;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::cache::CacheFolder;
use crate::manifest::{self, Manifest};
use crate::process;
use crate::progress::step;
use crate::setup::Ready;

/// The release whose packages they are: it has the kernel that guests have by default.
const RELEASE: &str = "trixie";

/// The packages, beside the essential ones. To add a program is to add its package here and a row in
/// zcprof/tests/programs/table/.
const PACKAGES: &[&str] = &[
    "nginx",
    "openssl",
    "python3",
    "python3-aiohttp",
    "iperf3",
    "curl",
    "caddy",
    "kcat",
    "openjdk-21-jre-headless",
    "nodejs",
];

/// Tracers that the benchmark of watching compares zcprof with: zcprof/src/bench/cost/watchers.rs names
/// them.
const TRACERS: &[&str] = &["bpftrace", "linux-perf", "strace"];

/// What is left out of every package.
const WITHOUT: &[&str] = &["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*"];

/// Makes the folder of manual pages that Java's package puts links into, though there are none.
const HOOK: &str = r#"mkdir -p "$1/usr/share/man/man1""#;

/// What makes the image, each with its package.
const TOOLS: &[(&str, &str)] = &[("mmdebstrap", "mmdebstrap"), ("mksquashfs", "squashfs-tools")];

/// A disk's image of programs.
#[derive(Clone, Debug)]
pub(crate) struct DiskImage {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// What could not be built here: its name in the table of rows, and why.
    pub(crate) left_out: Vec<(&'static str, String)>,
}

/// The image, which is made if it is not there or has other programs. It is compared with what it was
/// when it was made.
///
/// # Errors
/// A tool is missing that makes images, packages cannot be fetched, or a source does not compile.
pub(crate) fn image(cache: &CacheFolder, ready: &Ready) -> Result<DiskImage> {
    let base = debian(cache, "programs", PACKAGES)?;
    let work = cache.work_folder("programs")?;
    let folder = work.path().join("built");
    fs::create_dir_all(&folder)?;
    let left_out = step("building programs to watch", || built::all(cache, ready, &folder))?;
    let base_name = base.file_name().unwrap_or_default().to_string_lossy();
    Manifest::describe(&folder, &[("base", &base_name)])?.write(&folder)?;
    let path = cache.path("tools").join(format!("programs-{RELEASE}.squashfs"));
    let known = path.with_extension("manifest");
    let parts = fs::read(folder.join(manifest::FILE))?;
    if fs::read(&known).is_ok_and(|known| known == parts) && is_whole(cache, &path)? {
        return Ok(DiskImage { path, left_out });
    }
    step("packing programs to watch", || {
        let new = path.with_extension("new");
        fs::copy(&base, &new)?;
        let mut pack = Command::new("mksquashfs");
        pack.arg(&folder).arg(&new).args(["-keep-as-directory", "-no-recovery", "-quiet"]);
        process::logged(pack.args(COMPRESSION), &cache.path("logs/programs-built.log"))?;
        keep(cache, &new, &path)?;
        Ok(fs::write(&known, &parts)?)
    })?;
    Ok(DiskImage { path, left_out })
}

/// How images are compressed: they are made more often than they are read as a whole.
const COMPRESSION: [&str; 4] = ["-comp", "zstd", "-Xcompression-level", "3"];

/// An image of other tracers.
///
/// # Errors
/// A tool is missing that makes images, or packages cannot be fetched.
pub(crate) fn tracers(cache: &CacheFolder) -> Result<PathBuf> {
    debian(cache, "tracers", TRACERS)
}

/// An image of packages alone.
fn debian(cache: &CacheFolder, what: &str, packages: &[&str]) -> Result<PathBuf> {
    for (tool, package) in TOOLS {
        process::find(tool).with_context(|| {
            format!("{tool} is missing, which makes the image of {what}: apt install {package}")
        })?;
    }
    let name = format!("{what}-{RELEASE}-{}.squashfs", packages.join("-"));
    let image = cache.path("tools").join(&name);
    if is_whole(cache, &image)? {
        return Ok(image);
    }
    step(&format!("fetching {what} ({})", packages.join(", ")), || {
        let (archive, whole) = (image.with_extension("tar"), image.with_extension("new"));
        let mut fetch = Command::new("mmdebstrap");
        fetch.args(["--mode=root", "--variant=essential"]);
        fetch.args(["--aptopt=APT::Install-Recommends false", "--setup-hook", HOOK]);
        fetch.args(WITHOUT.iter().map(|path| format!("--dpkgopt=path-exclude={path}")));
        fetch.arg(format!("--include={}", packages.join(","))).arg(RELEASE).arg(&archive);
        process::logged(&mut fetch, &cache.path(&format!("logs/{what}.log")))?;
        let mut pack = Command::new("sh");
        let line = r#"archive=$1 image=$2; shift 2
            mksquashfs - "$image" -tar -noappend -quiet "$@" < "$archive""#;
        pack.args(["-c", line, "sh"]).arg(&archive).arg(&whole).args(COMPRESSION);
        process::logged(&mut pack, &cache.path(&format!("logs/{what}-image.log")))?;
        fs::remove_file(&archive)?;
        keep(cache, &whole, &image)
    })?;
    Ok(image)
}

/// Whether an image is there and as it was when it was made.
fn is_whole(cache: &CacheFolder, image: &Path) -> Result<bool> {
    let Ok(known) = fs::read_to_string(image.with_extension("sha256")) else { return Ok(false) };
    Ok(image.is_file() && known == digest(cache, image)?)
}

/// Puts a new image in its place.
fn keep(cache: &CacheFolder, new: &Path, image: &Path) -> Result<()> {
    fs::rename(new, image)?;
    Ok(fs::write(image.with_extension("sha256"), digest(cache, image)?)?)
}

fn digest(cache: &CacheFolder, image: &Path) -> Result<String> {
    let name = image.file_name().context("an image without a name")?.to_string_lossy();
    Ok(manifest::hashes(&cache.path("tools"), &[name.as_ref()])?.concat())
}
