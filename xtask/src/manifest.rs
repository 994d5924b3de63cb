//! The list of files beside a cached thing: what each must be before it is used.
//!
//! Text, one fact or file a line: `key value`, then `sha256 size path`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::process;

/// Name of a manifest in the folder that it describes.
pub(crate) const FILE: &str = "MANIFEST";

/// What a cached folder holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Manifest {
    facts: Vec<(String, String)>,
    files: Vec<FileEntry>,
}

#[derive(Debug, PartialEq, Eq)]
struct FileEntry {
    sha256: String,
    size: u64,
    path: String,
}

impl Manifest {
    /// Describes every file below `folder`.
    pub(crate) fn describe(folder: &Path, facts: &[(&str, &str)]) -> Result<Self> {
        let mut files = Vec::new();
        walk(folder, folder, &mut files)?;
        files.sort();
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        let hashes = hashes(folder, &names)?;
        let files = files
            .into_iter()
            .zip(hashes)
            .map(|((path, size), sha256)| FileEntry { sha256, size, path })
            .collect();
        let own = |&(key, value): &(&str, &str)| (key.to_owned(), value.to_owned());
        Ok(Self { facts: facts.iter().map(own).collect(), files })
    }

    /// Writes the manifest into `folder`.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        fs::write(&path, self.text()).with_context(|| format!("writing {}", path.display()))
    }

    /// Reads the manifest of `folder`.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let text = fs::read_to_string(&path);
        let text = text.with_context(|| format!("reading {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("{} is damaged", path.display()))
    }

    /// A fact by its key.
    pub(crate) fn fact(&self, key: &str) -> Option<&str> {
        self.facts.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// Checks that every file is there with its size, and the bytes of those that `wanted` names.
    pub(crate) fn verify(&self, folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<()> {
        for entry in &self.files {
            let path = folder.join(&entry.path);
            let size = fs::metadata(&path).map(|meta| meta.len());
            let size = size.with_context(|| format!("{} is missing", path.display()))?;
            ensure!(
                size == entry.size,
                "{} has {size} bytes instead of {}",
                path.display(),
                entry.size
            );
        }
        let wanted: Vec<&FileEntry> =
            self.files.iter().filter(|entry| wanted(&entry.path)).collect();
        let names: Vec<&str> = wanted.iter().map(|entry| entry.path.as_str()).collect();
        for (entry, hash) in wanted.iter().zip(hashes(folder, &names)?) {
            ensure!(
                entry.sha256 == hash,
                "{} has other bytes than its manifest says",
                folder.join(&entry.path).display()
            );
        }
        Ok(())
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (key, value) in &self.facts {
            let _ = writeln!(text, "{key} {value}");
        }
        for entry in &self.files {
            let _ = writeln!(text, "{} {} {}", entry.sha256, entry.size, entry.path);
        }
        text
    }

    fn parse(text: &str) -> Result<Self> {
        let mut manifest = Self::default();
        for line in text.lines() {
            let (first, rest) = line.split_once(' ').with_context(|| format!("line {line:?}"))?;
            if first.len() < 64 {
                manifest.facts.push((first.to_owned(), rest.to_owned()));
                continue;
            }
            let (size, path) = rest.split_once(' ').with_context(|| format!("line {line:?}"))?;
            let size = size.parse().with_context(|| format!("line {line:?}"))?;
            manifest.files.push(FileEntry {
                sha256: first.to_owned(),
                size,
                path: path.to_owned(),
            });
        }
        ensure!(!manifest.files.is_empty(), "no file is listed");
        Ok(manifest)
    }
}

/// Adds name and size of every file below `folder`.
fn walk(root: &Path, folder: &Path, files: &mut Vec<(String, u64)>) -> Result<()> {
    let list = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    for item in list {
        let path = item?.path();
        if path.is_dir() {
            walk(root, &path, files)?;
            continue;
        }
        let name = path.strip_prefix(root)?.to_str().context("a file name is not UTF-8")?;
        if name != FILE {
            files.push((name.to_owned(), fs::metadata(&path)?.len()));
        }
    }
    Ok(())
}

/// SHA-256 of files in `folder`. The program is some ten times faster than unoptimised Rust is,
/// and this must not take the seconds that setup may.
pub(crate) fn hashes(folder: &Path, names: &[&str]) -> Result<Vec<String>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let mut command = process::command("sha256sum");
    let said = process::output(command.current_dir(folder).arg("--").args(names))?;
    let hashes: Vec<String> =
        said.lines().filter_map(|line| Some(line.split_once(' ')?.0.to_owned())).collect();
    ensure!(hashes.len() == names.len(), "sha256sum skipped a file");
    Ok(hashes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("sub")).expect("a folder");
        fs::write(folder.path().join("a b"), "one").expect("a file");
        fs::write(folder.path().join("sub/c"), "two").expect("a file");
        Manifest::describe(folder.path(), &[("release", "6.1.0 x")])
            .and_then(|manifest| manifest.write(folder.path()))
            .expect("a manifest");
        folder
    }

    #[test]
    fn what_was_written_is_read_and_verified() {
        let folder = folder();
        let manifest = Manifest::read(folder.path()).expect("readable");
        assert_eq!(manifest.fact("release"), Some("6.1.0 x"));
        manifest.verify(folder.path(), |_| true).expect("whole");
        let known = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed";
        assert!(manifest.text().contains(known), "sha256 of \"one\"");
    }

    #[test]
    fn other_bytes_of_the_same_size_are_named() {
        let folder = folder();
        fs::write(folder.path().join("sub/c"), "owt").expect("a file");
        let manifest = Manifest::read(folder.path()).expect("readable");
        manifest.verify(folder.path(), |path| path == "a b").expect("not looked at");
        let error = manifest.verify(folder.path(), |_| true).unwrap_err();
        assert!(error.to_string().contains("sub/c has other bytes"), "{error}");
    }

    #[test]
    fn a_shorter_or_missing_file_is_named_even_when_its_bytes_are_not_wanted() {
        let folder = folder();
        let manifest = Manifest::read(folder.path()).expect("readable");
        fs::write(folder.path().join("a b"), "on").expect("a file");
        let error = manifest.verify(folder.path(), |_| false).unwrap_err();
        assert!(error.to_string().ends_with("a b has 2 bytes instead of 3"), "{error}");
        fs::remove_file(folder.path().join("a b")).expect("removable");
        let error = manifest.verify(folder.path(), |_| false).unwrap_err();
        assert!(error.to_string().ends_with("a b is missing"), "{error}");
    }

    #[test]
    fn a_cut_manifest_is_damaged() {
        let folder = folder();
        fs::write(folder.path().join(FILE), "").expect("a file");
        assert!(format!("{:#}", Manifest::read(folder.path()).unwrap_err()).contains("damaged"));
        fs::write(folder.path().join(FILE), "a".repeat(64)).expect("a file");
        Manifest::read(folder.path()).unwrap_err();
    }
}
