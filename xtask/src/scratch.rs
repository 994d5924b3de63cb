//! Temporary folders whose owner may be killed.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

/// A folder in `parent` that is gone when dropped. What killed processes left there goes first:
/// the names begin with `.` and hold the kind and the owner's process id.
pub(crate) fn folder(parent: &Path, kind: &str) -> Result<TempDir> {
    let naming = || format!("creating a folder in {}", parent.display());
    for item in fs::read_dir(parent).with_context(naming)? {
        let item = item.with_context(naming)?;
        if item.file_name().to_str().and_then(owner).is_some_and(is_gone) {
            fs::remove_dir_all(item.path()).ok();
        }
    }
    tempfile::Builder::new()
        .prefix(&format!(".{kind}-{}-", std::process::id()))
        .tempdir_in(parent)
        .with_context(naming)
}

/// The process id in a folder's name.
fn owner(name: &str) -> Option<u32> {
    let (_, rest) = name.strip_prefix('.')?.split_once('-')?;
    rest.split_once('-')?.0.parse().ok()
}

fn is_gone(process: u32) -> bool {
    fs::exists(Path::new("/proc").join(process.to_string())).is_ok_and(|there| !there)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_killed_processes_are_removed_and_others_stay() {
        let parent = tempfile::tempdir().expect("a folder");
        for name in [".vm-999999999-abc", ".vm-1-abc", "trixie", "a-999999999-b", ".git"] {
            fs::create_dir(parent.path().join(name)).expect("made");
        }
        let mine = folder(parent.path(), "vm").expect("made");
        let there = |name: &str| parent.path().join(name).exists();
        assert!(!there(".vm-999999999-abc") && mine.path().exists());
        assert!(there(".vm-1-abc") && there("trixie") && there("a-999999999-b") && there(".git"));
    }
}
