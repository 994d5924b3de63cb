//! The folder of a log that is made for one measurement. It is removed after it; if zcprof is killed
//! before, the next measurement removes it.

use std::fs::{self, File};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use nix::fcntl::{Flock, FlockArg, OFlag};
use tempfile::TempDir;

use crate::privilege::User;

/// Where such folders are: what is in /tmp may be in memory, and so never cold.
pub(super) const PARENT: &str = "/var/tmp";

/// How their names begin.
const PREFIX: &str = "zcprof-log-";

/// Times that a folder is made anew before there must be something wrong.
const ATTEMPTS: usize = 5;

/// A folder that is gone when dropped.
pub(crate) struct Temporary {
    folder: TempDir,
    /// As long as this process is there, however it ends: flock(2).
    _held: Flock<File>,
}

impl Temporary {
    /// Makes one, and removes those whose owner is gone.
    ///
    /// # Errors
    /// There is no such place, or no space.
    pub(crate) fn new() -> Result<Self> {
        Self::new_in(Path::new(PARENT))
            .with_context(|| format!("making a folder for the log in {PARENT} (see --log-dir)"))
    }

    fn new_in(parent: &Path) -> Result<Self> {
        for abandoned in abandoned(parent)? {
            log::info!("removing {}, which a killed zcprof left behind", abandoned.display());
            if let Err(error) = fs::remove_dir_all(&abandoned) {
                log::warn!("cannot remove {}: {error}", abandoned.display());
            }
        }
        for _ in 0..ATTEMPTS {
            let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
            // Before it is held, another zcprof may take it for abandoned.
            let held = hold(folder.path());
            if let Some(held) = held.filter(|_| folder.path().exists()) {
                return Ok(Self { folder, _held: held });
            }
        }
        bail!("each was removed at once by somebody else")
    }

    /// Lets the process that serves the log into the folder.
    pub(super) fn let_in(&self, user: User) -> Result<()> {
        user.own_all_in(self.folder.path())
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Folders that nobody holds.
fn abandoned(parent: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let named = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        let path = entry.path();
        if named && entry.file_type()?.is_dir() && hold(&path).is_some() {
            found.push(path);
        }
    }
    Ok(found)
}

/// Holds a folder, unless somebody does already, or has put a link in its place: others may write
/// where it is.
fn hold(folder: &Path) -> Option<Flock<File>> {
    let flags = (OFlag::O_NOFOLLOW | OFlag::O_DIRECTORY).bits();
    let file = File::options().read(true).custom_flags(flags).open(folder).ok()?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_holds_is_removed_and_nothing_else() {
        let parent = tempfile::tempdir().expect("a folder");
        let mine = Temporary::new_in(parent.path()).expect("made");
        for name in ["zcprof-log-left", "zcprof-logs", "other"] {
            fs::create_dir(parent.path().join(name)).expect("made");
        }
        let another = Temporary::new_in(parent.path()).expect("made");
        let there = |name: &str| parent.path().join(name).exists();
        assert!(!there("zcprof-log-left") && there("zcprof-logs") && there("other"));
        assert!(mine.path().exists() && another.path().exists());
        let path = mine.path().to_owned();
        drop(mine);
        assert!(!path.exists());
    }

    #[test]
    fn a_link_in_the_place_of_a_folder_is_not_followed() {
        let (parent, elsewhere) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir());
        let elsewhere = elsewhere.expect("a folder");
        fs::write(elsewhere.path().join("segment"), "somebody's").expect("written");
        let link = parent.path().join("zcprof-log-link");
        std::os::unix::fs::symlink(elsewhere.path(), &link).expect("a link");
        assert!(hold(&link).is_none(), "it was followed");
        assert!(hold(elsewhere.path()).is_some(), "a folder that is no link");
        drop(Temporary::new_in(parent.path()).expect("made"));
        assert!(link.is_symlink() && elsewhere.path().join("segment").exists());
    }
}
