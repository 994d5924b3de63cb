//! One measurement, on the running kernel or in a guest.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;

use super::Options;
use super::publish::Draft;
use crate::cache::Cache;
use crate::exit::Exit;
use crate::guest::{self, Guest};
use crate::kernels::Kernel;
use crate::phases::Phases;
use crate::{compile, process, vm};

/// Name of the report folder of the running kernel.
const NATIVE: &str = "native";

/// Whether zcprof understands the options that are passed on to it; it says itself what it does
/// not, before anything slow begins.
pub(super) fn understands(options: &Options, program: &Path) -> Result<bool> {
    let mut command = Command::new(program);
    command.args(["measure", "--check-only"]).args(options.measurement());
    Ok(process::run(&mut command)?.success())
}

/// Measures on the running kernel.
pub(super) fn native(options: &Options, program: &Path, phases: &mut Phases) -> Result<Exit> {
    let draft = Draft::begin(&folder(options), NATIVE)?;
    let mut command = Command::new(program);
    command.arg("measure").args(options.measurement()).arg("--out").arg(draft.path());
    let status = phases.time("measure", || process::run(&mut command))?;
    phases.time("collect", || publish(draft))?;
    Ok(Exit::of_code(status.code()))
}

/// Measures in a guest, with timings taken on this host's kernel before.
pub(super) fn in_guest(
    options: &Options,
    cache: &Cache,
    kernel: &'static Kernel,
    program: &Path,
    phases: &mut Phases,
) -> Result<Exit> {
    let draft = Draft::begin(&folder(options), kernel.name)?;
    let scratch = cache.work_folder("timings")?;
    let timings = scratch.path().join("timings.json");
    phases.time("host timing", || time_on_host(options, program, &timings))?;
    let guest = phases.time("accelerator", || Guest::choose(cache, kernel))?;

    let mut words = ["/bin/zcprof", "measure", "--log-dir", "/data/log", "--out", "/out"]
        .map(str::to_owned)
        .to_vec();
    words.extend(["--timings", "/timings.json"].map(str::to_owned));
    words.extend(options.measurement());
    let files =
        vec![(program.to_owned(), "/bin/zcprof".to_owned()), (timings, "/timings.json".to_owned())];
    let mut spec = guest.spec(files, words);
    spec.wire = options.needs_wire();
    let (exit, boot, job) =
        guest::run_one(cache, &spec, options.keep, &mut guest::show, |report, work| {
            let exit = Exit::of_code(Some(guest::code(&report.outcome)?));
            vm::collect(work, draft.path())?;
            Ok((exit, report.boot, report.job))
        })?;
    phases.add("boot", boot);
    phases.add("measure", job);
    for (name, took) in own_phases(draft.path()) {
        phases.add(&format!("of it {name}"), took);
    }
    fs::remove_file(draft.path().join("exit-code")).ok();
    phases.time("collect", || publish(draft))?;
    Ok(exit)
}

/// Passes with no probe, on this kernel: an emulated processor's times would say nothing.
fn time_on_host(options: &Options, program: &Path, to: &Path) -> Result<()> {
    println!("timing the transfers on this host's kernel, with no probe attached");
    let mut command = Command::new(program);
    command.arg("time").args(options.workload()).arg("--out").arg(to);
    let status = process::run(&mut command)?;
    ensure!(status.success(), "zcprof time failed ({status})");
    Ok(())
}

fn publish(draft: Draft) -> Result<()> {
    match draft.publish()? {
        Some(place) => println!("reports in {}", place.display()),
        None => println!("no reports: the measurement gave no run.json"),
    }
    Ok(())
}

/// The folder of all reports. A relative one is below the workspace's root.
pub(super) fn folder(options: &Options) -> PathBuf {
    compile::root().join(&options.out)
}

/// The phases that the run itself lists in seconds.
fn own_phases(folder: &Path) -> Vec<(String, Duration)> {
    let text = fs::read_to_string(folder.join("run.json")).unwrap_or_default();
    parse_phases(&text).unwrap_or_default()
}

fn parse_phases(text: &str) -> Option<Vec<(String, Duration)>> {
    let run: Value = serde_json::from_str(text).ok()?;
    let phase = |phase: &Value| {
        let seconds = phase["seconds"].as_f64()?;
        let took = Duration::try_from_secs_f64(seconds).ok()?;
        Some((phase["name"].as_str()?.to_owned(), took))
    };
    Some(run["phases"].as_array()?.iter().filter_map(phase).collect())
}
