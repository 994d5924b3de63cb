//! `cargo xtask fuzz`: feeds the broker, the log opener and the judge with what a coverage-guided
//! fuzzer finds. The targets are in `fuzz/`; what they find and learn is kept in the cache.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::cache::CacheFolder;
use crate::exit::Exit;
use crate::setup::{self, Wants};
use crate::{compile, process};

/// Programs in `fuzz/fuzz_targets`.
const TARGETS: [&str; 4] = ["request", "segment", "run", "matrix"];

/// Most memory of a target in MiB, all that it has learned included. The targets bound what the
/// single input may take.
const MEMORY: &str = "-rss_limit_mb=1024";

/// Seconds that the worst input may take.
const TIME: &str = "-timeout=10";

/// Inputs, unless another number is asked for.
const RUNS: u64 = 1_000_000;

/// Options of `fuzz`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Number of inputs for each target.
    #[arg(long, value_name = "N", default_value_t = RUNS)]
    runs: u64,
    /// Only this target.
    #[arg(long, value_name = "NAME", value_parser = TARGETS)]
    target: Option<String>,
}

impl Options {
    /// Every target, as without any option.
    pub(crate) fn usual() -> Self {
        Self { runs: RUNS, target: None }
    }
}

/// What libFuzzer says of a run.
#[derive(Debug, Default, PartialEq, Eq)]
struct FuzzStatus {
    /// Inputs executed.
    executed: Option<u64>,
    /// Edges of the code that some input has taken.
    edges: Option<u64>,
    /// The input that was the last one.
    crash: Option<PathBuf>,
}

/// Does `cargo xtask fuzz`.
pub(crate) fn command(options: &Options) -> Result<Exit> {
    let cache = CacheFolder::open()?;
    let wants = Wants { build: true, ..Wants::default() };
    let ready = setup::ensure(&cache, &wants)?;
    let mut worst = Exit::Holds;
    for target in TARGETS {
        if options.target.as_deref().is_none_or(|only| only == target) {
            let program = compile::fuzz_target(&ready, target)?;
            let folder = cache.path("fuzz").join(target);
            worst = worst.max(fuzz(target, &program, &folder, options.runs)?);
        }
    }
    Ok(worst)
}

fn fuzz(target: &str, program: &Path, folder: &Path, runs: u64) -> Result<Exit> {
    let [seeds, corpus, artifacts] = ["seeds", "corpus", "artifacts"].map(|sub| folder.join(sub));
    for folder in [&seeds, &corpus, &artifacts] {
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    }
    let log = folder.join("log");
    println!("{target}: {runs} inputs, log in {}", log.display());
    let started = Instant::now();
    let mut command = Command::new(program);
    command
        .arg(format!("-runs={runs}"))
        .args([MEMORY, TIME, "-print_final_stats=1"])
        // It is a prefix of names, and not a folder.
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        // What crashed it once is tried again.
        .args([&corpus, &seeds, &artifacts])
        .env("ZCPROF_FUZZ_SEEDS", &seeds);
    let status = logged(&mut command, &log)?;
    // It quotes bytes of its inputs.
    let text = fs::read(&log).with_context(|| format!("reading {}", log.display()))?;
    let text = String::from_utf8_lossy(&text);
    let said = FuzzStatus::read(&text);
    let number = |number: Option<u64>| number.map_or_else(|| "?".to_owned(), |n| n.to_string());
    let crashes = u32::from(!status.success());
    println!(
        "{target}: {} inputs in {:.0} s, {} edges covered, {crashes} crashes",
        number(said.executed),
        started.elapsed().as_secs_f64(),
        number(said.edges),
    );
    if status.success() {
        return Ok(Exit::Holds);
    }
    match said.crash {
        Some(crash) => println!(
            "{target}: this input is the cause: {}\n  again: {} {}",
            crash.display(),
            program.display(),
            crash.display()
        ),
        None => println!("{target}: {status}; {}", process::last_lines(&text, 5)),
    }
    Ok(Exit::Refuted)
}

/// Runs to the end, with what it says in a file.
fn logged(command: &mut Command, log: &Path) -> Result<ExitStatus> {
    let file = File::create(log).with_context(|| format!("creating {}", log.display()))?;
    let errors = file.try_clone().context("sharing the log file")?;
    process::run(command.stdout(file).stderr(errors))
}

impl FuzzStatus {
    fn read(text: &str) -> Self {
        let mut said = Self::default();
        for line in text.lines() {
            if let Some(number) = line.strip_prefix("stat::number_of_executed_units:") {
                said.executed = number.trim().parse().ok();
            } else if let Some((_, path)) = line.split_once("Test unit written to ") {
                said.crash = Some(path.trim().into());
            } else if line.starts_with('#')
                && let Some((_, rest)) = line.split_once(" cov: ")
            {
                said.edges = rest.split(' ').next().and_then(|number| number.parse().ok());
            }
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::FuzzStatus;

    #[test]
    fn what_libfuzzer_says_is_understood() {
        let text = "INFO: seed corpus: files: 95\n\
            #96\tINITED cov: 2100 ft: 3000 corp: 90/9Kb exec/s: 0 rss: 30Mb\n\
            #512\tNEW    cov: 2101 ft: 3001 corp: 91/9Kb lim: 432 exec/s: 0 rss: 30Mb\n\
            ==7== ERROR: libFuzzer: deadly signal\n\
            artifact_prefix='/c/'; Test unit written to /c/crash-1f\n\
            stat::number_of_executed_units: 513\n";
        let said = FuzzStatus {
            executed: Some(513),
            edges: Some(2101),
            crash: Some("/c/crash-1f".into()),
        };
        assert_eq!(FuzzStatus::read(text), said);
        assert_eq!(FuzzStatus::read("error while loading shared libraries"), FuzzStatus::default());
    }
}
