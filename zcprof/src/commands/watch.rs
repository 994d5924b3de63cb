//! `zcprof watch` and `zcprof top`.

use std::process::ExitCode;

use anyhow::Result;

use super::{begin, is_barred};
use crate::verdict::Exit;
use crate::{cli, output, report};

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
        output::print(report::watch::table(&watch)?.as_bytes())?;
    }
    if watch.claims.is_empty() {
        let status = watch.command.and_then(|command| command.status).unwrap_or(0);
        return Ok(ExitCode::from(u8::try_from(status).unwrap_or(u8::MAX)));
    }
    Ok(watch_exit(&watch)?.into())
}

pub(super) fn watch_exit(watch: &zcprof_judge::watch::Watch) -> Result<Exit> {
    let judgements = zcprof_judge::watch::judge(watch).map_err(anyhow::Error::msg)?;
    Ok(zcprof_judge::watch::exit(&judgements))
}
