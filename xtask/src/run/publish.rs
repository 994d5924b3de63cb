//! Puts finished reports in their place, all or none.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::{interrupt, scratch};

/// Fails if nothing can be written in the folder `out`, so that this is known before long work.
pub(crate) fn check(out: &Path) -> Result<()> {
    fs::create_dir_all(out)
        .and_then(|()| tempfile::tempfile_in(out).map(|_| ()))
        .with_context(|| format!("the report folder {} cannot be written", out.display()))
}

/// A report folder that is being prepared beside its place.
#[derive(Debug)]
pub(crate) struct Draft {
    place: PathBuf,
    folder: TempDir,
}

impl Draft {
    /// Begins the reports `name` in the folder `out`; fails if they could not be written there.
    pub(crate) fn begin(out: &Path, name: &str) -> Result<Self> {
        let place = out.join(name);
        let naming = || format!("the report folder {} cannot be written", place.display());
        fs::create_dir_all(out).with_context(naming)?;
        if place.exists() {
            tempfile::tempfile_in(&place).with_context(naming)?;
        }
        let folder = scratch::folder(out, "draft").with_context(naming)?;
        Ok(Self { place, folder })
    }

    /// Where to write.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Moves the files to their place, if they are complete: `run.json` is there. Other files in
    /// that place stay. Returns the place.
    pub(crate) fn publish(self) -> Result<Option<PathBuf>> {
        interrupt::check()?;
        if !self.path().join("run.json").is_file() {
            return Ok(None);
        }
        let naming = || format!("moving the reports to {}", self.place.display());
        fs::create_dir_all(&self.place).with_context(naming)?;
        for item in fs::read_dir(self.path()).with_context(naming)? {
            let item = item.with_context(naming)?;
            let to = self.place.join(item.file_name());
            fs::rename(item.path(), to).with_context(naming)?;
        }
        Ok(Some(self.place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complete_reports_arrive_and_leave_no_draft() {
        let out = tempfile::tempdir().expect("a folder");
        let draft = Draft::begin(out.path(), "trixie").expect("begun");
        fs::write(draft.path().join("run.json"), "{}").expect("written");
        fs::write(draft.path().join("a.svg"), "<svg/>").expect("written");
        let place = draft.publish().expect("published").expect("complete");
        assert!(place.join("run.json").is_file() && place.join("a.svg").is_file());
        assert_eq!(fs::read_dir(out.path()).expect("readable").count(), 1);
    }

    #[test]
    fn half_a_report_leaves_what_was_there() {
        let out = tempfile::tempdir().expect("a folder");
        fs::create_dir(out.path().join("x")).expect("made");
        fs::write(out.path().join("x/run.json"), "old").expect("written");
        let draft = Draft::begin(out.path(), "x").expect("begun");
        fs::write(draft.path().join("a.svg"), "<svg/>").expect("written");
        assert!(draft.publish().expect("looked at").is_none());
        assert_eq!(fs::read_to_string(out.path().join("x/run.json")).expect("there"), "old");
        assert_eq!(fs::read_dir(out.path()).expect("readable").count(), 1);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named_at_once() {
        let out = tempfile::tempdir().expect("a folder");
        check(out.path()).expect("can be written");
        fs::write(out.path().join("file"), "").expect("written");
        check(&out.path().join("file")).unwrap_err();
        let error = Draft::begin(&out.path().join("file"), "x").unwrap_err();
        assert!(error.to_string().contains("file/x cannot be written"), "{error}");
    }
}
