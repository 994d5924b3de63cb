//! A private apt state: asks for one suite without touching the system's own sources.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::source;
use crate::process;

/// One suite of the Debian archive.
pub(crate) struct Archive {
    folder: PathBuf,
    list: PathBuf,
}

impl Archive {
    /// Reads the package lists of `suite` into `folder`.
    pub(crate) fn open(suite: &str, folder: &Path, log: &Path) -> Result<Self> {
        for sub in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(folder.join(sub)).context("creating apt's folders")?;
        }
        let source = source::for_suite(suite)?;
        let list = folder.join(format!("suite.{}", source.ending));
        fs::write(&list, &source.text).context("writing apt's source file")?;
        fs::write(folder.join("status"), "").context("writing apt's status file")?;
        let archive = Self { folder: folder.to_owned(), list };
        // Without this option apt takes an archive that it cannot reach for a warning.
        let mut update = archive.command("apt-get");
        update.args(["-o", "APT::Update::Error-Mode=any", "update"]);
        process::logged(&mut update, log)
            .with_context(|| format!("reading the package lists of {suite}"))?;
        Ok(archive)
    }

    /// Name and version of the kernel packages that `meta` stands for. A kernel may be one
    /// package or split in image and modules; both are found by following what is depended on.
    pub(crate) fn resolve(&self, meta: &str) -> Result<Vec<(String, String)>> {
        let mut queue = vec![meta.to_owned()];
        let mut seen: HashSet<String> = queue.iter().cloned().collect();
        let mut found = Vec::new();
        while let Some(name) = queue.pop() {
            let record = process::output(self.command("apt-cache").args([
                "show",
                "--no-all-versions",
                &name,
            ]))?;
            for need in kernel_packages(&record) {
                if seen.insert(need.clone()) {
                    queue.push(need);
                }
            }
            let version = field(&record, "Version").context("a package without a version")?;
            found.push((name, version.to_owned()));
        }
        Ok(found)
    }

    /// Downloads packages into `folder`; apt checks their hashes.
    pub(crate) fn download(&self, names: &[String], folder: &Path, log: &Path) -> Result<()> {
        let mut command = self.command("apt-get");
        // apt's own download user may not enter a private folder; the hashes guard the content.
        command.args(["-o", "APT::Sandbox::User=root", "download"]).args(names);
        process::logged(command.current_dir(folder), log)?;
        let count = fs::read_dir(folder).context("reading the download folder")?.count();
        ensure!(count == names.len(), "{count} packages came instead of {}", names.len());
        Ok(())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = process::command(program);
        for (key, value) in [
            ("Dir::Etc::sourcelist", self.list.clone()),
            ("Dir::Etc::sourceparts", PathBuf::from("-")),
            ("Dir::State::Lists", self.folder.join("lists")),
            ("Dir::State::status", self.folder.join("status")),
            ("Dir::Cache", self.folder.join("cache")),
        ] {
            command.arg("-o").arg(format!("{key}={}", value.display()));
        }
        command.args(["-o", "APT::Architecture=amd64", "-o", "Acquire::Languages=none"]);
        command.args(["-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=3"]);
        // Catalogues for graphical package managers, where the machine has one.
        command.args(["-o", "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false"]);
        command
    }
}

/// The packages in `Depends:` that hold a kernel or its modules.
fn kernel_packages(record: &str) -> Vec<String> {
    let Some(depends) = field(record, "Depends") else { return Vec::new() };
    depends
        .split([',', '|'])
        .filter_map(|word| word.split_whitespace().next())
        .filter(|name| {
            ["linux-image-", "linux-binary-", "linux-modules-"].iter().any(|p| name.starts_with(p))
        })
        .map(str::to_owned)
        .collect()
}

fn field<'a>(record: &'a str, name: &str) -> Option<&'a str> {
    record.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::{field, kernel_packages};

    #[test]
    fn only_kernel_packages_are_followed() {
        let record = "Package: linux-image-7.3.0-cloud-amd64\nVersion: 7.3.1-1~bpo13+1\n\
            Depends: kmod, linux-base (>= 4.12), linux-binary-7.3.0-cloud-amd64 (= 7.3.1-1), \
            linux-modules-7.3.0-cloud-amd64 | linux-modules-x\n";
        assert_eq!(
            kernel_packages(record),
            [
                "linux-binary-7.3.0-cloud-amd64",
                "linux-modules-7.3.0-cloud-amd64",
                "linux-modules-x"
            ]
        );
        assert_eq!(field(record, "Version"), Some("7.3.1-1~bpo13+1"));
        assert_eq!(kernel_packages("Package: a\n"), Vec::<String>::new());
    }
}
