//! The part of the tests that needs a kernel of its own.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;

use super::Stage;
use super::tally::Tally;
use crate::cache::Cache;
use crate::exit::Exit;
use crate::guest::{self, Guest};
use crate::kernels::Kernel;
use crate::libraries::with_libraries;
use crate::setup::Ready;
use crate::{compile, interrupt};

/// Builds the programs once, then tests on each kernel. A kernel that fails does not keep the
/// next one from being tested.
pub(super) fn run(
    cache: &Cache,
    ready: &Ready,
    kernels: &[&'static Kernel],
    bytes: &str,
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

    for kernel in kernels {
        let guest = Guest::choose(cache, kernel)?;
        if let Some(tests) = &tests {
            let files = vec![bring(tests, "/bin/guest-tests"), bring(&zcprof, "/bin/zcprof")];
            let words = ["/bin/guest-tests", "--test-threads=1"].map(str::to_owned).to_vec();
            stages.push(stage(cache, &guest, "tests", files, words, total)?);
        }
        let words = ["/bin/zcprof", "measure", "--log-dir", "/data/log", "--bytes", bytes];
        let words = words.into_iter().chain(["--out", "/out"]).map(str::to_owned);
        let mut files = vec![bring(&zcprof, "/bin/zcprof")];
        stages.push(stage(cache, &guest, "claims", files.clone(), words.clone().collect(), total)?);
        if let Some(kcat) = &ready.kcat {
            let more = ["--transfer", "sendfile", "--cache", "warm", "--kcat"].map(str::to_owned);
            let words = words.chain(more).chain([kcat.display().to_string()]).collect();
            files.extend(with_libraries(kcat)?);
            stages.push(stage(cache, &guest, "kcat", files, words, total)?);
        }
    }
    Ok(())
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
    let mut show = |line: &str| {
        tally.feed(line);
        guest::show(line);
    };
    let spec = guest.spec(files, words);
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
