//! Files in and out: reports are written whole or not at all.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use zcprof_judge::record::{self, Record, RecordKind, Unreadable};
use zcprof_judge::watch::Watch;

use crate::bench::cost::record::CostRun;
use crate::bench::record::BenchRun;
use crate::matrix::Matrix;
use crate::privilege::{give, make_folders, unnamed};
use crate::report;
use crate::run::{Run, Timing};

/// Makes sure that reports can be written into a folder before hours are spent on them.
///
/// # Errors
/// Names the folder and what the kernel says.
pub fn check_writable(folder: &Path) -> Result<()> {
    let what = || format!("cannot write reports into {}", folder.display());
    make_folders(folder).with_context(what)?;
    tempfile::tempfile_in(folder).with_context(what)?;
    Ok(())
}

/// Writes every report of a run: first all of them under temporary names, then each under its
/// own, so that a full disk leaves no half of one. They belong to the user who called sudo.
///
/// # Errors
/// Names the file and what the kernel says.
pub fn write_reports(run: &Run, folder: &Path) -> Result<()> {
    let reports = report::render_all(run)?;
    let reports = reports.into_iter().map(|(format, bytes)| (format.file_name, bytes));
    write_files(reports.chain(report::of_stacks(run)?), folder)
}

/// Writes every report of a benchmark, as [`write_reports`] does.
///
/// # Errors
/// Names the file and what the kernel says.
pub fn write_bench(run: &BenchRun, folder: &Path) -> Result<()> {
    write_files(report::bench::render_all(run)?.into_iter(), folder)
}

/// Writes every report of what watching costs, as [`write_reports`] does.
///
/// # Errors
/// Names the file and what the kernel says.
pub fn write_cost(run: &CostRun, folder: &Path) -> Result<()> {
    write_files(report::cost::render_all(run)?.into_iter(), folder)
}

/// Writes every report of a matrix, as [`write_reports`] does.
///
/// # Errors
/// Names the file and what the kernel says.
pub fn write_matrix(matrix: &Matrix, folder: &Path) -> Result<()> {
    write_files(report::matrix::render_all(matrix)?.into_iter(), folder)
}

/// Writes every report of a watched window, as [`write_reports`] does.
///
/// # Errors
/// Names the file and what the kernel says.
pub fn write_watch(watch: &Watch, folder: &Path) -> Result<()> {
    write_files(report::watch::render_all(watch)?.into_iter(), folder)
}

/// Writes a comparison, as [`write_reports`] does.
///
/// # Errors
/// Names the file and what the kernel says.
pub fn write_diff(diff: &report::diff::Diff, folder: &Path) -> Result<()> {
    let files = [("diff.txt", &diff.table), ("diff.svg", &diff.picture)];
    write_files(files.into_iter().map(|(name, text)| (name, text.clone().into_bytes())), folder)
}

fn write_files(files: impl Iterator<Item = (&'static str, Vec<u8>)>, folder: &Path) -> Result<()> {
    make_folders(folder).with_context(|| format!("making {}", folder.display()))?;
    let mut written = Vec::new();
    for (name, bytes) in files {
        let what = || format!("writing {} into {}", name, folder.display());
        let mut file = unnamed(folder).with_context(what)?;
        give(file.as_file());
        file.write_all(&bytes).with_context(what)?;
        file.as_file().sync_all().with_context(what)?;
        written.push((file, folder.join(name)));
    }
    for (file, path) in written {
        file.persist(&path).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// Writes to standard output. A reader that has seen enough (`| head`) closes the pipe, which says
/// nothing of what was measured: the exit code stays what it is.
///
/// # Errors
/// What else the kernel says, a full disk say.
pub fn print(bytes: &[u8]) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("printing"),
    }
}

/// Reads a record that this version of zcprof understands.
///
/// # Errors
/// Names the file, and what is wrong with it.
pub fn read<T: Record>(path: &Path) -> Result<T> {
    parsed(path, record::read)
}

/// The record that a path names: a file, standard input (`-`), or the first of `names` that a folder
/// holds.
///
/// # Errors
/// The folder holds none.
pub fn locate(path: &Path, names: &[&str]) -> Result<PathBuf> {
    if path == Path::new("-") {
        return Ok(STDIN.into());
    }
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let mut files = names.iter().map(|name| path.join(name));
    files.find(|file| file.is_file()).with_context(|| {
        format!("the folder {} holds no {}", path.display(), names.join(" and no "))
    })
}

/// Whether a record comes from somewhere that is no place for reports.
#[must_use]
pub fn is_piped(record: &Path) -> bool {
    fs::metadata(record).is_ok_and(|data| !data.is_file()) || record.starts_with("/dev")
}

/// Reads the timings that `zcprof time` printed.
///
/// # Errors
/// Names the file, and what is wrong with it.
pub fn read_timings(path: &Path) -> Result<Vec<Timing>> {
    parsed(path, record::read_timings)
}

/// Reads a matrix: one that was written, or runs to make one of.
///
/// # Errors
/// Names the file, and what is wrong with it.
pub fn read_matrix(files: &[PathBuf]) -> Result<Matrix> {
    if let [file] = files {
        return match read_any(&locate(file, &["matrix.json", "run.json"])?)? {
            Any::Matrix(matrix) => Ok(matrix),
            Any::Run(run) => Ok(Matrix::of(&[*run])?),
            Any::Watch(_) => bail!(
                "{} is the record of a watched window, which is no cell of a matrix",
                file.display()
            ),
        };
    }
    let files = files.iter().map(|file| locate(file, &["run.json"])).collect::<Result<Vec<_>>>()?;
    let runs = files.iter().map(|file| read(file)).collect::<Result<Vec<Run>>>()?;
    Ok(Matrix::of(&runs)?)
}

/// A record that can be judged.
#[derive(Debug)]
pub enum Any {
    /// One measurement.
    Run(Box<Run>),
    /// Several, beside each other.
    Matrix(Matrix),
    /// A window in which programs were watched.
    Watch(Box<Watch>),
}

impl Any {
    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> RecordKind {
        match self {
            Self::Run(_) => RecordKind::Run,
            Self::Matrix(_) => RecordKind::Matrix,
            Self::Watch(_) => RecordKind::Watch,
        }
    }
}

/// Reads whichever a file holds.
///
/// # Errors
/// Names the file, and what is wrong with it.
pub fn read_any(path: &Path) -> Result<Any> {
    let bytes = bytes(path)?;
    let what = || format!("cannot read {}", path.display());
    Ok(match record::kind(&bytes).with_context(what)? {
        RecordKind::Run => Any::Run(Box::new(record::read(&bytes).with_context(what)?)),
        RecordKind::Matrix => Any::Matrix(record::read(&bytes).with_context(what)?),
        RecordKind::Watch => Any::Watch(Box::new(record::read(&bytes).with_context(what)?)),
        found @ (RecordKind::Bench | RecordKind::Cost | RecordKind::Diagnosis) => {
            bail!("{} is {found}, which has no verdict: {}", path.display(), found.remedy())
        }
    })
}

/// A record of times, which has no verdict.
#[derive(Debug)]
pub enum Benchmark {
    /// How fast transfers are.
    Speed(Box<BenchRun>),
    /// What watching costs.
    Cost(Box<CostRun>),
}

/// Reads whichever a file holds.
///
/// # Errors
/// Names the file, and what is wrong with it.
pub fn read_bench(path: &Path) -> Result<Benchmark> {
    let bytes = bytes(path)?;
    let what = || format!("cannot read {}", path.display());
    Ok(match record::kind(&bytes).with_context(what)? {
        RecordKind::Cost => Benchmark::Cost(Box::new(record::read(&bytes).with_context(what)?)),
        _ => Benchmark::Speed(Box::new(record::read(&bytes).with_context(what)?)),
    })
}

/// Standard input as a file.
const STDIN: &str = "/dev/stdin";

fn parsed<T>(path: &Path, parse: impl FnOnce(&[u8]) -> Result<T, Unreadable>) -> Result<T> {
    let what = || format!("cannot read {}", path.display());
    parse(&bytes(path)?).with_context(what)
}

fn bytes(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
