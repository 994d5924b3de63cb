//! The commands that read records: `report`, `judge`, `matrix` and `diff`.

use std::path::Path;

use anyhow::{Result, bail};

use super::measure::{exit, print_run};
use super::watch::{print_watch, watch_exit};
use crate::verdict::Exit;
use crate::{cli, output, report, terminal};

/// The report that has every number.
const TABLE: &str = "table.txt";

pub(super) fn report(options: &cli::ReportArgs, verbose: bool) -> Result<Exit> {
    let path = output::locate(&options.run, &["run.json", "watch.json"])?;
    let run = match output::read_any(&path)? {
        output::Any::Run(run) => run,
        output::Any::Watch(watch) => return report_watch(options, &path, &watch, verbose),
        matrix @ output::Any::Matrix(_) => {
            bail!("{} is {}: {}", path.display(), matrix.kind(), matrix.kind().remedy())
        }
    };
    let written = place(options, &path);
    if let Some(folder) = written {
        output::check_writable(folder)?;
        output::write_reports(&run, folder)?;
    }
    let there = written.or_else(|| reports_beside(&path));
    print_run(&run, options.shown, verbose, there)?;
    if options.exit_zero { Ok(Exit::Holds) } else { exit(&run) }
}

fn report_watch(
    options: &cli::ReportArgs,
    path: &Path,
    watch: &zcprof_judge::watch::Watch,
    verbose: bool,
) -> Result<Exit> {
    let written = place(options, path);
    if let Some(folder) = written {
        output::check_writable(folder)?;
        output::write_watch(watch, folder)?;
    }
    print_watch(watch, None, written.or_else(|| reports_beside(path)), verbose)?;
    if options.exit_zero { Ok(Exit::Holds) } else { watch_exit(watch) }
}

pub(super) fn judge(path: &Path) -> Result<Exit> {
    let path = output::locate(path, &["run.json", "matrix.json", "watch.json"])?;
    match output::read_any(&path)? {
        output::Any::Watch(watch) => {
            print_watch(&watch, None, reports_beside(&path), false)?;
            watch_exit(&watch)
        }
        output::Any::Run(run) => {
            let there = reports_beside(&path);
            let text = terminal::shown(there, |to| report::terminal::last_lines(&run, to))?;
            output::print(text.as_bytes())?;
            exit(&run)
        }
        output::Any::Matrix(matrix) => {
            output::print(report::matrix::table(&matrix).as_bytes())?;
            Ok(matrix.exit())
        }
    }
}

pub(super) fn matrix(options: &cli::MatrixArgs) -> Result<Exit> {
    let matrix = output::read_matrix(&options.files)?;
    if let Some(folder) = &options.out {
        output::check_writable(folder)?;
        output::write_matrix(&matrix, folder)?;
    }
    let table = report::matrix::table(&matrix);
    output::print(table.as_bytes())?;
    Ok(if options.exit_zero { Exit::Holds } else { matrix.exit() })
}

/// Compares two records, and says nothing about claims.
pub(super) fn diff(options: &cli::DiffArgs) -> Result<Exit> {
    let names = ["run.json", "watch.json"];
    let paths = [&options.before, &options.after];
    let [before, after] = paths.map(|path| output::locate(path, &names));
    let (before, after) = (before?, after?);
    let [from, to] = [&before, &after].map(|path| path.display().to_string());
    let made = match (output::read_any(&before)?, output::read_any(&after)?) {
        (output::Any::Watch(old), output::Any::Watch(new)) => report::diff::watches(
            &report::diff::Side { name: &from, record: &*old },
            &report::diff::Side { name: &to, record: &*new },
        ),
        (output::Any::Run(old), output::Any::Run(new)) => report::diff::runs(
            &report::diff::Side { name: &from, record: &*old },
            &report::diff::Side { name: &to, record: &*new },
        )?,
        (old, new) => bail!(
            "{from} is {} and {to} is {}: two watched windows or two runs can be compared",
            old.kind(),
            new.kind()
        ),
    };
    if let Some(folder) = &options.out {
        output::check_writable(folder)?;
        output::write_diff(&made, folder)?;
    }
    output::print(made.table.as_bytes())?;
    Ok(Exit::Holds)
}

/// The folder of a record, if its reports stand there too.
fn reports_beside(record: &Path) -> Option<&Path> {
    record.parent().filter(|folder| folder.join(TABLE).is_file())
}

/// Where the reports of a record go: beside it, unless there is no such place.
pub(super) fn place<'a>(options: &'a cli::ReportArgs, record: &'a Path) -> Option<&'a Path> {
    if options.print {
        return None;
    }
    let beside = || (!output::is_piped(record)).then(|| record.parent()).flatten();
    options.out.as_deref().or_else(beside)
}
