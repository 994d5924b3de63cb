//! The test kernels: Debian's own, one row each.

mod archive;
mod fetch;
pub(crate) mod modules;
mod source;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};

pub(crate) use self::source::VARIABLE;
use crate::cache::{CacheFolder, Cached};
use crate::manifest::Manifest;

/// A kernel that a guest can boot.
#[derive(Debug)]
pub(crate) struct GuestKernel {
    /// What it is called here and in `reports/`.
    pub(crate) name: &'static str,
    /// The Debian suite that has it.
    pub(crate) suite: &'static str,
    /// The package that depends on the newest build. Builds are never pinned: superseded ones
    /// leave the archive.
    pub(crate) package: &'static str,
    /// How its version must begin.
    pub(crate) version: &'static str,
    /// Whether `all` and the tests include it.
    pub(crate) tested: bool,
    /// Why it is in the table.
    pub(crate) why: &'static str,
}

const CLOUD: &str = "linux-image-cloud-amd64";

/// The table.
pub(crate) static KERNELS: &[GuestKernel] = &[
    GuestKernel {
        name: "bullseye",
        suite: "bullseye",
        package: CLOUD,
        version: "5.10.",
        tested: false,
        why: "one routine for all copies to and from user memory, no filemap_read",
    },
    GuestKernel {
        name: "bookworm",
        suite: "bookworm",
        package: CLOUD,
        version: "6.1.",
        tested: true,
        why: "before MSG_SPLICE_PAGES (6.5)",
    },
    GuestKernel {
        name: "trixie",
        suite: "trixie",
        package: CLOUD,
        version: "6.12.",
        tested: true,
        why: "after MSG_SPLICE_PAGES",
    },
    GuestKernel {
        name: "trixie-rt",
        suite: "trixie",
        package: "linux-image-rt-amd64",
        version: "6.12.",
        tested: false,
        why: "real-time: what others do in softirq, threads do here, and they are preempted",
    },
    GuestKernel {
        name: "trixie-backports",
        suite: "trixie-backports",
        package: CLOUD,
        version: "7.",
        tested: true,
        why: "the newest",
    },
];

/// The kernel of `cargo xtask run` and `vm`, unless another is named.
pub(crate) const DEFAULT: &str = "trixie";

/// Modules that a guest loads before its job; those built into a kernel are skipped.
pub(crate) const BOOT_MODULES: &[&str] =
    &["virtio_pci", "virtio_blk", "crc32c_generic", "crc32c_intel", "ext4"];

/// A cached kernel is called old after this; only `setup --refresh` replaces it.
const OLD: Duration = Duration::from_hours(30 * 24);

impl GuestKernel {
    /// The row called `name`.
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        KERNELS.iter().find(|kernel| kernel.name == name)
    }

    /// Looks in the cache; compares the bytes of all files, or at least of the image and of the
    /// modules that every guest loads.
    pub(crate) fn look(&self, cache: &CacheFolder, all: bool) -> Cached {
        let folder = cache.path(&self.place());
        let boot = Installed::at(&folder)
            .and_then(|kernel| kernel.modules(BOOT_MODULES))
            .unwrap_or_default();
        cache.look(&self.place(), |path| {
            all || !path.starts_with("lib/") // the image
                || path.contains("/modules.")
                || boot.iter().any(|file| file.ends_with(path))
        })
    }

    /// Fetches the newest build into the cache.
    pub(crate) fn fetch(&self, cache: &CacheFolder) -> Result<()> {
        cache.put(&self.place(), |folder| fetch::fetch(self, cache, folder))
    }

    /// The cached kernel.
    pub(crate) fn installed(&self, cache: &CacheFolder) -> Result<Installed> {
        Installed::at(&cache.path(&self.place()))
    }

    fn place(&self) -> String {
        format!("kernels/{}", self.name)
    }
}

/// A kernel in the cache.
#[derive(Debug)]
pub(crate) struct Installed {
    folder: PathBuf,
    manifest: Manifest,
}

impl Installed {
    fn at(folder: &Path) -> Result<Self> {
        let manifest = Manifest::read(folder)?;
        Ok(Self { folder: folder.to_owned(), manifest })
    }

    /// Version of the package, such as `6.1.192-2`.
    pub(crate) fn version(&self) -> &str {
        self.manifest.fact("version").unwrap_or("?")
    }

    /// The compressed image.
    pub(crate) fn image(&self) -> PathBuf {
        self.folder.join("vmlinuz")
    }

    /// Files of the modules called `names` and of all they need, in the order to load them.
    /// Those that the kernel has built in, or does not have, are not in the list.
    pub(crate) fn modules(&self, names: &[&str]) -> Result<Vec<PathBuf>> {
        let release = self.manifest.fact("release").context("no release in the manifest")?;
        let folder = self.folder.join("lib/modules").join(release);
        let path = folder.join("modules.dep");
        let table = fs::read_to_string(&path);
        let table = table.with_context(|| format!("reading {}", path.display()))?;
        let files = modules::load_order(&table, names)?;
        Ok(files.into_iter().map(|file| folder.join(file)).collect())
    }

    /// Compares the bytes of `files` with the manifest.
    pub(crate) fn verify(&self, files: &[PathBuf]) -> Result<()> {
        let wanted = |path: &str| files.iter().any(|file| file.ends_with(path));
        self.manifest.verify(&self.folder, wanted)
    }
}

/// Version of a cached kernel and, if it is old, a word about that.
pub(crate) fn describe(manifest: &Manifest) -> String {
    let version = manifest.fact("version").unwrap_or("?");
    let fetched = manifest.fact("fetched").and_then(|seconds| seconds.parse().ok());
    let age = fetched.and_then(|seconds| {
        SystemTime::now().duration_since(UNIX_EPOCH + Duration::from_secs(seconds)).ok()
    });
    match age {
        Some(age) if age > OLD => {
            let days = age.as_secs() / 86_400;
            format!("{version}, {days} days old: `setup --refresh` fetches a newer one")
        }
        _ => version.to_owned(),
    }
}

/// The rows that a `--kernel` option names: a name, or `all` for those that the tests use.
pub(crate) fn choose(names: &[String]) -> Result<Vec<&'static GuestKernel>> {
    let mut chosen: Vec<&'static GuestKernel> = Vec::new();
    for name in names {
        if name == "all" {
            chosen.extend(KERNELS.iter().filter(|kernel| kernel.tested));
        } else if let Some(kernel) = GuestKernel::find(name) {
            chosen.push(kernel);
        } else {
            let known: Vec<String> =
                KERNELS.iter().map(|k| format!("{} ({}x, {})", k.name, k.version, k.why)).collect();
            bail!("no kernel is called {name}; there are {}, and all", known.join(", "));
        }
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_no_build_is_pinned() {
        let names: HashSet<_> = KERNELS.iter().map(|kernel| kernel.name).collect();
        assert_eq!(names.len(), KERNELS.len());
        for kernel in KERNELS {
            assert_ne!(kernel.name, "all");
            assert!(!kernel.package.contains(|c: char| c.is_ascii_digit() && c != '6' && c != '4'));
            assert!(kernel.version.ends_with('.') && !kernel.why.is_empty());
        }
    }

    #[test]
    fn the_default_is_tested_and_all_means_the_tested_ones() {
        assert!(GuestKernel::find(DEFAULT).is_some_and(|kernel| kernel.tested));
        let all = choose(&["all".to_owned()]).expect("known");
        assert_eq!(all.len(), 3);
        let error = choose(&["jessie".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("jessie") && error.contains("bookworm"), "{error}");
    }
}
