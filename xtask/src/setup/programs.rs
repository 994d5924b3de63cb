//! Programs that zcprof did not write, as Debian packages them, on a disk's image in the cache:
//! `cargo xtask test --programs` watches them in guests.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::cache::Cache;
use crate::progress::step;
use crate::{manifest, process};

/// The release whose packages they are: it has the kernel that guests have by default.
const RELEASE: &str = "trixie";

/// The packages, beside the essential ones. To add a program is to add its package here and a row in
/// zcprof/tests/programs/table.rs.
const PACKAGES: &[&str] = &["nginx", "openssl", "python3", "iperf3", "curl"];

/// What is left out of every package.
const WITHOUT: &[&str] = &["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*"];

/// What makes the image, each with its package.
const TOOLS: &[(&str, &str)] = &[("mmdebstrap", "mmdebstrap"), ("mksquashfs", "squashfs-tools")];

/// The image, which is made if it is not there. It is compared with what it was when it was made.
///
/// # Errors
/// A tool is missing, or the packages cannot be fetched.
pub(crate) fn image(cache: &Cache) -> Result<PathBuf> {
    let name = format!("programs-{RELEASE}-{}.squashfs", PACKAGES.join("-"));
    let image = cache.path("tools").join(&name);
    let sha256 =
        || Ok::<_, anyhow::Error>(manifest::hashes(&cache.path("tools"), &[&name])?.concat());
    let digest = image.with_extension("sha256");
    if let (Ok(known), Ok(found)) = (fs::read_to_string(&digest), sha256())
        && known == found
    {
        return Ok(image);
    }
    for (tool, package) in TOOLS {
        process::find(tool).with_context(|| {
            format!("{tool} is missing, which makes the image of programs: apt install {package}")
        })?;
    }
    fs::create_dir_all(cache.path("tools"))?;
    step(&format!("fetching programs to watch ({})", PACKAGES.join(", ")), || {
        let (archive, whole) = (image.with_extension("tar"), image.with_extension("new"));
        let mut fetch = Command::new("mmdebstrap");
        fetch.args([
            "--mode=root",
            "--variant=essential",
            "--aptopt=APT::Install-Recommends false",
        ]);
        fetch.args(WITHOUT.iter().map(|path| format!("--dpkgopt=path-exclude={path}")));
        fetch.arg(format!("--include={}", PACKAGES.join(","))).arg(RELEASE).arg(&archive);
        process::logged(&mut fetch, &cache.path("logs/programs.log"))?;
        let mut pack = Command::new("sh");
        pack.args(["-c", "mksquashfs - \"$1\" -tar -noappend -comp zstd -quiet < \"$2\"", "sh"]);
        pack.arg(&whole).arg(&archive);
        process::logged(&mut pack, &cache.path("logs/programs-image.log"))?;
        fs::remove_file(&archive)?;
        fs::rename(&whole, &image)?;
        Ok(fs::write(&digest, sha256()?)?)
    })?;
    Ok(image)
}
