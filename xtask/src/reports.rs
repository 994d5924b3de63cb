//! `cargo xtask reports`: makes the committed reports again from their records, or takes what was
//! measured in their place. Nothing else changes them.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use crate::cache::CacheFolder;
use crate::compile::{self, Optimised};
use crate::exit::Exit;
use crate::run::MEASURED;
use crate::setup::{self, Wants};
use crate::{process, tree};

/// A record that reports are made from.
struct RecordFile {
    file_name: &'static str,
    /// zcprof's words before the record's path.
    words: &'static [&'static str],
}

/// Every kind of record.
const RECORDS: &[RecordFile] = &[
    RecordFile { file_name: "run.json", words: &["report", "--exit-zero"] },
    RecordFile { file_name: "watch.json", words: &["report", "--exit-zero"] },
    RecordFile { file_name: "bench.json", words: &["bench", "report"] },
    RecordFile { file_name: "cost.json", words: &["bench", "report"] },
    RecordFile { file_name: "matrix.json", words: &["matrix", "--exit-zero"] },
];

/// Options of `reports`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Write nothing; exit 1 if a file differs from what its record gives.
    #[arg(long)]
    check: bool,
    /// First replace committed reports by what `run`, `bench` and `matrix` measured under the same
    /// names.
    #[arg(long, conflicts_with = "check")]
    publish: bool,
    /// Folder of these measurements.
    #[arg(long, value_name = "DIR", default_value = MEASURED, requires = "publish")]
    from: PathBuf,
}

/// Does `cargo xtask reports`.
pub(crate) fn command(options: &Options) -> Result<Exit> {
    let reports = tree::root().join("reports");
    if options.publish {
        for name in publish(&tree::root().join(&options.from), &reports)? {
            println!("{} taken over", reports.join(name).display());
        }
    }
    let cache = CacheFolder::open()?;
    let runs = runs(&reports)?;
    let ready = setup::ensure(&cache, &Wants { build: true, ..Wants::default() })?;
    let program = compile::zcprof(&ready, Optimised::Quickly)?;
    let mut exit = Exit::Holds;
    for (words, run) in runs {
        let fresh = cache.work_folder("reports")?;
        let mut command = Command::new(&program);
        process::output(command.args(words).arg(&run).arg("--out").arg(fresh.path()))
            .with_context(|| format!("rendering {}", run.display()))?;
        let place = run.parent().context("a record without a folder")?;
        for name in differing(fresh.path(), place)? {
            if options.check {
                println!("{} differs from what its record gives", place.join(&name).display());
                exit = Exit::Refuted;
            } else {
                fs::copy(fresh.path().join(&name), place.join(&name))
                    .with_context(|| format!("writing {}", place.join(&name).display()))?;
                println!("{} written", place.join(&name).display());
            }
        }
    }
    Ok(exit)
}

/// What is rendered from a record and not kept beside it: it repeats the other reports in one file.
const PAGE: &str = "report.html";

/// Takes the files of every folder in `measured` that has a record and a namesake in `reports`.
fn publish(measured: &Path, reports: &Path) -> Result<Vec<OsString>> {
    let list = fs::read_dir(measured)
        .with_context(|| format!("nothing was measured in {}", measured.display()))?;
    let mut names = Vec::new();
    for item in list {
        let item = item?;
        let (from, name) = (item.path(), item.file_name());
        let to = reports.join(&name);
        let has_record = RECORDS.iter().any(|record| from.join(record.file_name).is_file());
        if !has_record || !to.is_dir() {
            continue;
        }
        for file in fs::read_dir(&from)? {
            let file = file?;
            if file.file_name() == PAGE {
                continue;
            }
            fs::copy(file.path(), to.join(file.file_name()))
                .with_context(|| format!("copying {}", file.path().display()))?;
        }
        names.push(name);
    }
    names.sort();
    ensure!(
        !names.is_empty(),
        "{} holds no record whose name is in {}",
        measured.display(),
        reports.display()
    );
    Ok(names)
}

/// Every record in a folder of `reports`, and zcprof's words to render it.
fn runs(reports: &Path) -> Result<Vec<(&'static [&'static str], PathBuf)>> {
    let list = fs::read_dir(reports).with_context(|| format!("reading {}", reports.display()))?;
    let mut runs = Vec::new();
    for item in list {
        let folder = item?.path();
        let here = RECORDS.iter().map(|record| (record.words, folder.join(record.file_name)));
        runs.extend(here.filter(|(_, file)| file.is_file()));
    }
    runs.sort_by(|one, other| one.1.cmp(&other.1));
    ensure!(!runs.is_empty(), "{} holds no record", reports.display());
    Ok(runs)
}

/// Names of the files in `fresh` that `place` has not, or has with other bytes.
fn differing(fresh: &Path, place: &Path) -> Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    for item in fs::read_dir(fresh).context("reading the fresh reports")? {
        let item = item?;
        if item.file_name() == PAGE {
            continue;
        }
        let bytes = fs::read(item.path()).context("reading a fresh report")?;
        if fs::read(place.join(item.file_name())).ok().as_ref() != Some(&bytes) {
            names.push(PathBuf::from(item.file_name()));
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_and_changed_files_differ_and_others_do_not() {
        let [fresh, place] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
        for name in ["same", "changed", "new"] {
            fs::write(fresh.path().join(name), name).expect("written");
        }
        fs::write(place.path().join("same"), "same").expect("written");
        fs::write(place.path().join("changed"), "old").expect("written");
        let names = differing(fresh.path(), place.path()).expect("compared");
        assert_eq!(names, ["changed", "new"].map(PathBuf::from));
    }

    #[test]
    fn what_was_measured_is_published_under_its_name_alone() {
        let [measured, reports] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
        publish(&measured.path().join("nowhere"), reports.path()).unwrap_err();
        for name in ["trixie", "native", "drawings"] {
            fs::create_dir(measured.path().join(name)).expect("made");
            fs::write(measured.path().join(name).join("run.json"), name).expect("written");
        }
        publish(measured.path(), reports.path()).unwrap_err();
        fs::rename(
            measured.path().join("drawings/run.json"),
            measured.path().join("drawings/a.svg"),
        )
        .expect("renamed");
        for name in ["trixie", "drawings"] {
            fs::create_dir(reports.path().join(name)).expect("made");
        }
        assert_eq!(publish(measured.path(), reports.path()).expect("published"), ["trixie"]);
        let there = fs::read_to_string(reports.path().join("trixie/run.json")).expect("there");
        assert_eq!(there, "trixie");
        assert!(!reports.path().join("native").exists());
        assert!(!reports.path().join("drawings/a.svg").exists());
    }

    #[test]
    fn a_folder_without_runs_is_an_error() {
        let reports = tempfile::tempdir().expect("a folder");
        runs(reports.path()).unwrap_err();
        fs::create_dir(reports.path().join("trixie")).expect("made");
        fs::write(reports.path().join("trixie/run.json"), "{}").expect("written");
        assert_eq!(runs(reports.path()).expect("found").len(), 1);
        fs::create_dir(reports.path().join("bench")).expect("made");
        fs::write(reports.path().join("bench/bench.json"), "{}").expect("written");
        let found = runs(reports.path()).expect("found");
        assert!(found.len() == 2 && found[0].0 == ["bench", "report"], "{found:?}");
    }
}
