//! `zcprof watch` and `zcprof top`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use zcprof_judge::watch::Watch;
use zcprof_judge::watch::record::StartedCommand;

use super::{begin, is_barred};
use crate::verdict::Exit;
use crate::{cli, output, report, terminal};

/// Watches, and ends as the verdict says; without a claim as the command did.
pub(super) fn watch(options: &cli::WatchArgs, verbose: bool) -> Result<ExitCode> {
    if is_barred("watched") {
        return Ok(Exit::CannotMeasure.into());
    }
    begin(options.out.as_deref())?;
    let watch = crate::watch::watch(options, verbose)?;
    if let Some(folder) = &options.out {
        output::write_watch(&watch, folder)?;
    }
    if options.json {
        output::print(&report::watch::json(&watch)?)?;
    } else {
        let code = watch.command.as_ref().map_or(0, code_of);
        print_watch(&watch, Some(code), options.out.as_deref(), verbose)?;
    }
    if watch.claims.is_empty() {
        return Ok(ExitCode::from(watch.command.as_ref().map_or(0, code_of)));
    }
    Ok(watch_exit(&watch)?.into())
}

/// The code of a command that nothing was claimed of: its own, but none for what zcprof did to it when
/// the window was over.
fn code_of(command: &StartedCommand) -> u8 {
    let status = command.status.filter(|_| !command.ended_by_us).unwrap_or(0);
    u8::try_from(status).unwrap_or(u8::MAX)
}

/// The table and the last lines; `code` is the exit code of a watch where nothing is claimed.
pub(super) fn print_watch(
    watch: &Watch,
    code: Option<u8>,
    place: Option<&Path>,
    verbose: bool,
) -> Result<()> {
    let table = if verbose { report::watch::full_table } else { report::watch::table };
    let table = table(watch)?;
    let last = terminal::shown(place, |to| report::watch::last_lines(watch, code, to))?;
    output::print(format!("{table}\n{last}").as_bytes())
}

pub(super) fn watch_exit(watch: &Watch) -> Result<Exit> {
    let judgements = zcprof_judge::watch::judge(watch).map_err(anyhow::Error::msg)?;
    Ok(zcprof_judge::watch::exit(&judgements))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_ended_with_the_window_is_no_failure() {
        let ended = |status, ended_by_us| {
            code_of(&StartedCommand { line: Vec::new(), status, ended_by_us })
        };
        assert_eq!(ended(Some(143), true), 0);
        assert_eq!(ended(Some(143), false), 143);
        assert_eq!(ended(Some(7), false), 7);
        assert_eq!(ended(None, false), 0);
    }
}
