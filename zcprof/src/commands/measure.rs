//! `zcprof measure` and `zcprof time`.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::{begin, is_barred};
use crate::report::terminal::Detail;
use crate::verdict::{self, Exit};
use crate::{cli, measure, output, report, run, terminal};

pub(super) fn measure(options: &cli::MeasureArgs, verbose: bool) -> Result<Exit> {
    options.check()?;
    measure::feasible::check(&options.workload)?;
    if options.check_only {
        return Ok(Exit::Holds);
    }
    if is_barred("measured") {
        return Ok(Exit::CannotMeasure);
    }
    begin(options.out.as_deref())?;
    let timings = match &options.timings {
        Some(path) => output::read_timings(path)?,
        None => Vec::new(),
    };
    let run = measure::measure(options, verbose, timings)?;
    if let Some(folder) = &options.out {
        output::write_reports(&run, folder)?;
    }
    if !options.quiet {
        print_run(&run, options.shown, verbose, options.out.as_deref())?;
    }
    exit(&run)
}

pub(super) fn time(options: &cli::TimeArgs) -> Result<Exit> {
    options.workload.check()?;
    measure::feasible::check(&options.workload)?;
    measure::interrupt::take_over()?;
    let timings = measure::time(options)?;
    let json = serde_json::to_vec_pretty(&timings)?;
    match &options.out {
        Some(path) => {
            std::fs::write(path, json).with_context(|| format!("writing {}", path.display()))?;
        }
        None => output::print(&json)?,
    }
    Ok(Exit::Holds)
}

/// What the run's verdicts come to.
pub(super) fn exit(run: &run::Run) -> Result<Exit> {
    Ok(zcprof_judge::receive::exit_with(run, &verdict::judge(run)?)?)
}

/// What the terminal's user sees of a run.
pub(super) fn print_run(
    run: &run::Run,
    wanted: cli::Shown,
    verbose: bool,
    place: Option<&Path>,
) -> Result<()> {
    let detail = match wanted {
        cli::Shown { wide: true, .. } => Detail::Wide,
        cli::Shown { full, .. } if full || verbose => Detail::Full,
        cli::Shown { .. } => Detail::Brief,
    };
    let text = terminal::shown(place, |to| report::terminal::show(run, detail, to))?;
    output::print(text.as_bytes())
}
