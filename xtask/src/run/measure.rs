//! One measurement, on the running kernel or in a guest.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use super::Options;
use super::publish::Draft;
use crate::cache::CacheFolder;
use crate::exit::Exit;
use crate::guest::{self, Guest};
use crate::kernels::GuestKernel;
use crate::phases::Phases;
use crate::{process, tree, vm, zcprof};

/// Name of the report folder of the running kernel.
const NATIVE: &str = "native";

/// Whether zcprof can do what it is told here; it says itself what it cannot, before anything slow
/// begins.
pub(super) fn understands(options: &Options, program: &Path) -> Result<bool> {
    let mut command = Command::new(program);
    command.args(["measure", "--check-only"]).args(options.measurement());
    Ok(process::run(&mut command)?.success())
}

/// Measures on the running kernel.
pub(super) fn native(options: &Options, program: &Path, phases: &mut Phases) -> Result<Exit> {
    let draft = Draft::begin(&folder(options), NATIVE)?;
    let mut command = Command::new(program);
    command.args(["measure", "--quiet"]).args(options.measurement()).arg("--out").arg(draft.path());
    let status = phases.time("measure", || process::run(&mut command))?;
    let place = phases.time("collect", || draft.publish())?;
    tell(options, program, place.as_deref(), phases)?;
    Ok(Exit::of_code(status.code()))
}

/// Says what was found, as wide as the terminal here is: the guest has none.
fn tell(options: &Options, program: &Path, place: Option<&Path>, phases: &Phases) -> Result<()> {
    let Some(place) = place else {
        eprintln!("no reports: the measurement gave no run.json");
        return Ok(());
    };
    if options.verbose > 0 {
        println!("{}\n", phases.line());
    }
    let mut command = zcprof::called(program);
    command.args(["report", "--print", "--exit-zero"]).arg(from_here(place));
    if options.verbose > 0 {
        command.arg("--full");
    } else if options.wide {
        command.arg("--wide");
    }
    process::run(&mut command).map(|_| ())
}

/// A path as its reader would type it.
fn from_here(path: &Path) -> &Path {
    let here = std::env::current_dir().ok();
    here.and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path)
}

/// Measures in a guest, with timings taken on this host's kernel before.
pub(super) fn in_guest(
    options: &Options,
    cache: &CacheFolder,
    kernel: &'static GuestKernel,
    program: &Path,
    phases: &mut Phases,
) -> Result<Exit> {
    let draft = Draft::begin(&folder(options), kernel.name)?;
    let scratch = cache.work_folder("timings")?;
    let timings = scratch.path().join("timings.json");
    phases.time("host timing", || time_on_host(options, program, &timings))?;
    let guest = phases.time("accelerator", || Guest::choose(cache, kernel))?;

    let words = ["/bin/zcprof", "measure", "--quiet", "--log-dir", "/data/log", "--out", "/out"];
    let mut words = words.map(str::to_owned).to_vec();
    words.extend(["--timings", "/timings.json"].map(str::to_owned));
    words.extend(options.measurement());
    if options.rounds.is_none() {
        // Each further round attaches the probes anew, which takes longest under emulation.
        words.extend(["--rounds", "1"].map(str::to_owned));
    }
    let files =
        vec![(program.to_owned(), "/bin/zcprof".to_owned()), (timings, "/timings.json".to_owned())];
    let mut spec = guest.spec(files, words);
    spec.wire = options.needs_wire();
    let (exit, boot, job) =
        guest::run_one(cache, &spec, options.keep, &mut guest::mention, |report, work| {
            let exit = Exit::of_code(Some(guest::code(&report.outcome)?));
            vm::collect(work, draft.path())?;
            Ok((exit, report.boot, report.job))
        })?;
    phases.add("boot", boot);
    phases.add("measure", job);
    fs::remove_file(draft.path().join("exit-code")).ok();
    let place = phases.time("collect", || draft.publish())?;
    tell(options, program, place.as_deref(), phases)?;
    Ok(exit)
}

/// Passes with no probe, on this kernel: an emulated processor's times would say nothing.
fn time_on_host(options: &Options, program: &Path, to: &Path) -> Result<()> {
    eprintln!("timing the transfers on this host's kernel, with no probe attached");
    let mut command = Command::new(program);
    command.arg("time").args(options.workload()).arg("--out").arg(to);
    let status = process::run(&mut command)?;
    ensure!(status.success(), "zcprof time failed ({status})");
    Ok(())
}

/// The folder of all reports. A relative one is below the workspace's root.
pub(super) fn folder(options: &Options) -> PathBuf {
    tree::root().join(&options.out)
}
