//! The part of the tests that needs a kernel of its own.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;
use zcprof_common::names::transfer;

use super::Stage;
use super::parts::{Longer, PARTS};
use super::tally::Tally;
use crate::cache::Cache;
use crate::exit::Exit;
use crate::guest::{self, Guest};
use crate::kernels::{self, Kernel};
use crate::libraries::with_libraries;
use crate::matrix::{self, Bench, Passes};
use crate::setup::Ready;
use crate::{compile, interrupt};

/// What is to be tested in guests.
pub(super) struct Wanted<'a> {
    pub(super) kernels: &'a [&'static Kernel],
    /// Payload of each measured pass.
    pub(super) bytes: &'a str,
    /// Whether every part runs on every kernel.
    pub(super) everywhere: bool,
    /// The one test that is wanted, and how long.
    pub(super) longer: Option<(&'static Longer, u32)>,
}

impl Wanted<'_> {
    /// What the test program is run for on a kernel: name and words of each guest's job.
    fn parts(&self, kernel: &Kernel) -> Vec<(&'static str, Vec<String>)> {
        const PROGRAM: [&str; 2] = ["/bin/guest-tests", "--test-threads=1"];
        let words = |before: &[&str], after: &[&str]| {
            let all = [before, &PROGRAM, after].concat();
            all.into_iter().map(str::to_owned).collect()
        };
        if let Some((longer, times)) = &self.longer {
            let variable = format!("{}={times}", longer.variable);
            let before = ["/bin/busybox", "env", &variable];
            return vec![(longer.name, words(&before, &["--nocapture", longer.test]))];
        }
        PARTS
            .iter()
            .filter(|part| part.runs_on(kernel, self.kernels, self.everywhere))
            .map(|part| (part.name, words(&[], part.words)))
            .collect()
    }
}

/// Builds the programs once, then tests on each kernel. A kernel that fails does not keep the
/// next one from being tested.
pub(super) fn run(
    cache: &Cache,
    ready: &Ready,
    wanted: &Wanted<'_>,
    stages: &mut Vec<Stage>,
    total: &mut Tally,
) -> Result<()> {
    println!("== building for the guests");
    let started = Instant::now();
    let built =
        compile::zcprof(ready).and_then(|zcprof| Ok((zcprof, compile::guest_tests(ready)?)));
    interrupt::check()?;
    let note = match &built {
        Ok((_, Some(_))) => String::new(),
        Ok((_, None)) => "this tree has no guest tests".to_owned(),
        Err(error) => format!("{error:#}"),
    };
    let name = "build for guests".to_owned();
    stages.push(Stage { name, passed: built.is_ok(), note, took: started.elapsed() });
    let Ok((zcprof, tests)) = built else { return Ok(()) };

    for kernel in wanted.kernels {
        let guest = Guest::choose(cache, kernel)?;
        if let Some(tests) = &tests {
            let files = vec![bring(tests, "/bin/guest-tests"), bring(&zcprof, "/bin/zcprof")];
            for (name, words) in wanted.parts(kernel) {
                stages.push(stage(cache, &guest, name, files.clone(), words, total)?);
            }
        }
        if wanted.longer.is_some() {
            continue;
        }
        let words = ["/bin/zcprof", "measure", "--untimed", "--log-dir", "/data/log", "--out"];
        let words = words.into_iter().chain(["/out", "--bytes", wanted.bytes]).map(str::to_owned);
        let mut files = vec![bring(&zcprof, "/bin/zcprof")];
        stages.push(stage(cache, &guest, "claims", files.clone(), words.clone().collect(), total)?);
        if let Some(kcat) = &ready.kcat {
            let more = ["--transfer", "sendfile", "--cache", "warm", "--kcat"].map(str::to_owned);
            let words = words.chain(more).chain([kcat.display().to_string()]).collect();
            files.extend(with_libraries(kcat)?);
            stages.push(stage(cache, &guest, "kcat", files, words, total)?);
        }
    }
    if wanted.longer.is_some() {
        return Ok(());
    }
    matrix(cache, &zcprof, wanted.kernels, stages, total)
}

/// Payload of a pass in the daily cells.
const CELL_BYTES: &str = "8MiB";

/// Transfers of the daily cells: the classics, what pins pages, and what writes files.
const CELL_TRANSFERS: [&str; 7] = [
    transfer::READ_WRITE,
    transfer::MMAP_WRITE,
    transfer::SENDFILE,
    transfer::SPLICE,
    transfer::MSG_ZEROCOPY,
    transfer::URING_SEND_ZC,
    transfer::SENDFILE_TO_FILE,
];

/// The daily cells of the matrix that are on these kernels, and every number against what is
/// known.
fn matrix(
    cache: &Cache,
    zcprof: &Path,
    kernels: &[&'static Kernel],
    stages: &mut Vec<Stage>,
    total: &mut Tally,
) -> Result<()> {
    let measured = Passes {
        transfer: CELL_TRANSFERS.map(str::to_owned).to_vec(),
        bytes: CELL_BYTES.to_owned(),
        cache: "both".to_owned(),
    };
    let bench =
        Bench { cache, program: zcprof, passes: &measured, fresh: true, shelf: "matrix-daily" };
    let mut runs = Vec::new();
    for cell in daily_cells(kernels)? {
        let name = format!("matrix {}", cell.name());
        println!("== {name}");
        let started = Instant::now();
        let done = bench.measure(&cell);
        interrupt::check()?;
        let (passed, note) = match done {
            Ok(run) => {
                runs.push(run);
                (true, String::new())
            }
            Err(error) => (false, format!("{error:#}")),
        };
        *total += Tally { passed: u64::from(passed), failed: u64::from(!passed) };
        stages.push(Stage { name, passed, note, took: started.elapsed() });
    }
    let started = Instant::now();
    let out = cache.work_folder("matrix")?;
    let exit = matrix::beside(zcprof, &runs, out.path())?;
    let passed = exit == Exit::Holds;
    *total += Tally { passed: u64::from(passed), failed: u64::from(!passed) };
    let (name, note) = ("matrix".to_owned(), exit.word().to_owned());
    stages.push(Stage { name, passed, note, took: started.elapsed() });
    Ok(())
}

/// The daily cells that are on these kernels; with all kernels that are tested, also those on kernels
/// for which there is nothing but cells.
pub(super) fn daily_cells(kernels: &[&'static Kernel]) -> Result<Vec<matrix::Cell>> {
    let is_among = |kernel: &Kernel| kernels.iter().any(|known| known.name == kernel.name);
    let all = kernels::choose(&["all".to_owned()])?.into_iter().all(is_among);
    let chosen = |cell: &matrix::Cell| is_among(cell.kernel) || all && !cell.kernel.tested;
    Ok(matrix::daily()?.into_iter().filter(chosen).collect())
}

fn bring(here: &Path, there: &str) -> (PathBuf, String) {
    (here.to_owned(), there.to_owned())
}

/// Runs one job in a guest.
fn stage(
    cache: &Cache,
    guest: &Guest,
    what: &str,
    files: Vec<(PathBuf, String)>,
    words: Vec<String>,
    total: &mut Tally,
) -> Result<Stage> {
    let name = format!("{what} on {}", guest.kernel.name);
    println!("== {name} ({})", guest.installed.version());
    let started = Instant::now();
    let mut tally = Tally::default();
    let mut spec = guest.spec(files, words);
    spec.wire = true;
    let mut show = |line: &str| {
        tally.feed(line);
        guest::show(line);
    };
    let done = guest::run_one(cache, &spec, false, &mut show, |report, _| {
        Ok(Exit::of_code(Some(guest::code(&report.outcome)?)))
    });
    interrupt::check()?;
    let (passed, mut note) = match done {
        Ok(exit) => (exit == Exit::Holds, exit.word().to_owned()),
        Err(error) => (false, format!("{error:#}")),
    };
    if tally == Tally::default() {
        // A measurement is one test: its claims hold, or not.
        tally = Tally { passed: u64::from(passed), failed: u64::from(!passed) };
    } else {
        note = format!("{} passed, {} failed", tally.passed, tally.failed);
    }
    *total += tally;
    Ok(Stage { name, passed, note, took: started.elapsed() })
}
