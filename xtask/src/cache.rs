//! The per-user folder of tools and kernels, shared by all clones.
//!
//! A thing in it appears whole or not at all: it is made under a temporary name beside its place,
//! described by a [`Manifest`], and renamed. One lock file keeps two clones from doing it twice.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::manifest::Manifest;
use crate::{interrupt, scratch};

/// The cache folder.
#[derive(Clone, Debug)]
pub(crate) struct CacheFolder {
    root: PathBuf,
}

/// What is in the cache under a name.
#[derive(Debug)]
pub(crate) enum Cached {
    /// Nothing.
    Absent,
    /// Verified against its manifest.
    Whole(Manifest),
    /// Something else than its manifest says.
    Damaged(anyhow::Error),
}

impl CacheFolder {
    /// `$ZCPROF_CACHE`, else `$XDG_CACHE_HOME/zcprof`, else `~/.cache/zcprof`; made if absent.
    pub(crate) fn open() -> Result<Self> {
        let folder = |name: &str| env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let root = folder("ZCPROF_CACHE")
            .or_else(|| Some(folder("XDG_CACHE_HOME")?.join("zcprof")))
            .or_else(|| Some(folder("HOME")?.join(".cache/zcprof")))
            .context("no cache folder: set ZCPROF_CACHE, XDG_CACHE_HOME or HOME")?;
        for sub in ["tools", "kernels", "logs", "work"] {
            let path = root.join(sub);
            fs::create_dir_all(&path).with_context(|| format!("creating {}", path.display()))?;
        }
        let root = root.canonicalize().context("the cache folder")?;
        Ok(Self { root })
    }

    /// Where it is, for a message.
    pub(crate) fn name(&self) -> String {
        self.root.display().to_string()
    }

    /// A path below the cache.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }

    /// Looks at `name` and compares the bytes of the files that `wanted` names.
    pub(crate) fn look(&self, name: &str, wanted: impl Fn(&str) -> bool) -> Cached {
        let folder = self.path(name);
        if !folder.exists() {
            return Cached::Absent;
        }
        let checked = Manifest::read(&folder)
            .and_then(|manifest| manifest.verify(&folder, wanted).map(|()| manifest));
        match checked {
            Ok(manifest) => Cached::Whole(manifest),
            Err(error) => Cached::Damaged(error),
        }
    }

    /// Puts the folder that `fill` fills in the place `name`, instead of what was there.
    pub(crate) fn put(
        &self,
        name: &str,
        fill: impl FnOnce(&Path) -> Result<Manifest>,
    ) -> Result<()> {
        let place = self.path(name);
        let made = self.work_folder("new")?;
        fill(made.path())?.write(made.path())?;
        interrupt::check()?;
        if place.exists() {
            let old = self.work_folder("old")?;
            fs::rename(&place, old.path().join("old")).context("moving the old one away")?;
        }
        let made = made.keep();
        fs::rename(&made, &place).with_context(|| format!("renaming to {}", place.display()))
    }

    /// Waits until no other clone changes the cache. Holds as long as the returned file is open.
    pub(crate) fn lock(&self) -> Result<File> {
        let path = self.path("lock");
        let file = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
        if file.try_lock().is_err() {
            eprintln!("another clone is setting up; waiting for it");
            file.lock().with_context(|| format!("locking {}", path.display()))?;
        }
        Ok(file)
    }

    /// A folder in the cache that is gone when dropped.
    pub(crate) fn work_folder(&self, kind: &str) -> Result<TempDir> {
        scratch::folder(&self.path("work"), kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(root: &Path) -> CacheFolder {
        for sub in ["tools", "work"] {
            fs::create_dir(root.join(sub)).expect("a folder");
        }
        CacheFolder { root: root.to_owned() }
    }

    fn fill(folder: &Path) -> Result<Manifest> {
        fs::write(folder.join("tool"), "bytes")?;
        Manifest::describe(folder, &[])
    }

    #[test]
    fn a_thing_is_absent_then_whole_then_damaged_then_replaced() {
        let root = tempfile::tempdir().expect("a folder");
        let cache = cache(root.path());
        assert!(matches!(cache.look("tools/x", |_| true), Cached::Absent));
        cache.put("tools/x", fill).expect("put");
        assert!(matches!(cache.look("tools/x", |_| true), Cached::Whole(_)));
        fs::write(cache.path("tools/x/tool"), "bytez").expect("a file");
        assert!(matches!(cache.look("tools/x", |_| true), Cached::Damaged(_)));
        cache.put("tools/x", fill).expect("put");
        assert!(matches!(cache.look("tools/x", |_| true), Cached::Whole(_)));
        assert_eq!(fs::read_dir(cache.path("work")).expect("readable").count(), 0);
    }

    #[test]
    fn a_thing_that_cannot_be_made_leaves_nothing() {
        let root = tempfile::tempdir().expect("a folder");
        let cache = cache(root.path());
        cache.put("tools/x", |_| anyhow::bail!("no")).unwrap_err();
        assert!(matches!(cache.look("tools/x", |_| true), Cached::Absent));
        assert_eq!(fs::read_dir(cache.path("work")).expect("readable").count(), 0);
    }
}
