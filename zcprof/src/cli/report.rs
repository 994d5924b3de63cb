//! What was typed after the commands that read records: `report`, `matrix` and `diff`.

use std::path::PathBuf;

use clap::Args;

/// Options of `report` and `bench report`, whose records exit with 0.
#[derive(Clone, Debug, Args)]
pub struct ReportArgs {
    /// The record, a folder that holds it, or - for standard input; zcprof prints a record from
    /// standard input.
    pub run: PathBuf,
    /// Folder for the reports (default: the run's own).
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print the table and write nothing.
    #[arg(long, conflicts_with = "out")]
    pub print: bool,
    /// How much to print.
    #[command(flatten)]
    pub shown: Shown,
    /// Exit with 0 whatever the verdict is, to draw only.
    #[arg(long)]
    pub exit_zero: bool,
}

/// How much to print of a run.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct Shown {
    /// Print every column.
    #[arg(long)]
    pub wide: bool,
    /// Print table.txt: every number, and its evidence. -v does so too.
    #[arg(long, conflicts_with = "wide")]
    pub full: bool,
}

/// Options of `matrix`.
#[derive(Clone, Debug, Args)]
pub struct MatrixArgs {
    /// Runs (run.json), or one matrix (matrix.json) to render again; or folders that hold them.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Exit with 0 whatever the matrix says, to draw only.
    #[arg(long)]
    pub exit_zero: bool,
    /// Folder for matrix.json, matrix.txt and matrix.svg; without it zcprof only prints the table.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Options of `diff`.
#[derive(Clone, Debug, Args)]
pub struct DiffArgs {
    /// The older record, or a folder that holds it.
    pub before: PathBuf,
    /// The newer record of the same kind, or a folder that holds it.
    pub after: PathBuf,
    /// Folder for diff.svg and diff.txt; without it zcprof only prints the table.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}
