//! Fetches one kernel from the Debian archive.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail, ensure};

use super::GuestKernel;
use super::archive::Archive;
use crate::cache::CacheFolder;
use crate::manifest::Manifest;
use crate::process;

/// Fills `folder` with `vmlinuz`, `config` and `lib/modules/<release>`.
pub(crate) fn fetch(kernel: &GuestKernel, cache: &CacheFolder, folder: &Path) -> Result<Manifest> {
    let work = cache.work_folder("apt")?;
    let log = cache.path(&format!("logs/kernel-{}.log", kernel.name));
    let archive = Archive::open(kernel.suite, work.path(), &log)?;
    let packages = archive.resolve(kernel.package)?;
    let version = newest(kernel, &packages)?;

    let debs = work.path().join("debs");
    let tree = work.path().join("tree");
    fs::create_dir(&debs).and_then(|()| fs::create_dir(&tree)).context("creating folders")?;
    let names: Vec<String> = packages.into_iter().map(|(name, _)| name).collect();
    archive.download(&names, &debs, &log)?;
    for deb in files(&debs)? {
        process::logged(process::command("dpkg-deb").arg("-x").arg(&deb).arg(&tree), &log)?;
    }

    let modules = ["usr/lib/modules", "lib/modules"]
        .map(|path| tree.join(path))
        .into_iter()
        .find(|path| path.is_dir())
        .context("the packages hold no modules")?;
    let release = match files(&modules)?.as_slice() {
        [one] => {
            one.file_name().and_then(|name| name.to_str()).context("a strange name")?.to_owned()
        }
        several => bail!("the packages hold modules of {} kernels", several.len()),
    };
    take(&modules, &folder.join("lib/modules"))?;
    let image = [tree.join("boot"), folder.join("lib/modules").join(&release)]
        .into_iter()
        .flat_map(|place| [place.join(format!("vmlinuz-{release}")), place.join("vmlinuz")])
        .find(|path| path.is_file())
        .context("the packages hold no vmlinuz")?;
    take(&image, &folder.join("vmlinuz"))?;
    let config = tree.join(format!("boot/config-{release}"));
    if config.is_file() {
        take(&config, &folder.join("config"))?;
    }
    process::output(process::command("depmod").arg("-b").arg(folder).arg(&release))?;
    drop_links(&folder.join("lib/modules").join(&release))?;

    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock")?.as_secs();
    let facts = [
        ("name", kernel.name),
        ("version", version.as_str()),
        ("release", release.as_str()),
        ("fetched", &now.to_string()),
    ];
    Manifest::describe(folder, &facts)
}

/// The version that was resolved, if it is of the kernel that the row promises.
fn newest(kernel: &GuestKernel, packages: &[(String, String)]) -> Result<String> {
    ensure!(packages.len() > 1, "{} depends on no kernel", kernel.package);
    // The packages that hold files have the version of the sources; the meta package may differ.
    let (name, version) = &packages[packages.len() - 1];
    ensure!(
        version.starts_with(kernel.version),
        "{} has {name} {version}, expected {}x",
        kernel.suite,
        kernel.version
    );
    Ok(version.clone())
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let list = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut files = list.map(|item| Ok(item?.path())).collect::<Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}

/// Moves within the cache's file system.
fn take(from: &Path, to: &Path) -> Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).with_context(|| format!("creating {}", parent.display()))?;
    }
    fs::rename(from, to).with_context(|| format!("moving {}", from.display()))
}

/// Removes `build` and `source`, which point outside.
fn drop_links(folder: &Path) -> Result<()> {
    for path in files(folder)? {
        if path.is_symlink() {
            fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
        }
    }
    Ok(())
}
