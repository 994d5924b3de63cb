//! Pure: a [`Run`] in, bytes out, the same bytes every time. One file per format; no format
//! opens a file, reads a clock or knows how the run was measured. To add one is to add a file,
//! a line in [`FORMATS`] and its golden.

mod advances;
mod advice;
mod arrow;
mod bars;
pub mod bench;
mod calls;
mod canvas;
mod closing;
mod columns;
mod copies;
pub mod cost;
mod course;
mod details;
pub mod diff;
pub mod doctor;
mod finding;
mod html;
mod ink;
mod json;
mod leaders;
mod legend;
mod lettering;
pub mod matrix;
mod numbers;
mod objects;
mod path;
mod pen;
mod reading;
mod received;
mod rounds;
mod screen;
mod spot;
mod stacks;
mod stripes;
mod table;
pub mod terminal;
mod time;
mod timing;
mod verdicts;
pub mod watch;
mod watch_closing;
mod watch_line;
mod watched;
mod watched_path;
mod watched_row;
mod xml;

use crate::run::Run;
use crate::verdict::Unknown;

/// A way to show a run.
#[derive(Debug)]
pub struct RunFormat {
    /// Name on the command line.
    pub name: &'static str,
    /// Name of the file that holds it, beside the others of the same run.
    pub file_name: &'static str,
    /// What it shows, in one line for `--help`.
    pub summary: &'static str,
    /// Turns a run into the file's bytes.
    pub render: fn(&Run) -> Result<Vec<u8>, ReportError>,
}

/// Every format.
pub const FORMATS: &[RunFormat] =
    &[table::FORMAT, json::FORMAT, copies::FORMAT, path::FORMAT, time::FORMAT, PAGE];

/// Everything in one file.
const PAGE: RunFormat = RunFormat {
    name: "html",
    file_name: html::FILE,
    summary: "One page to open: verdicts, pictures, every number, coverage and codes",
    render: |run| {
        let shown = |format: &RunFormat| Ok((format.file_name, (format.render)(run)?));
        let files = [table::FORMAT, copies::FORMAT, path::FORMAT, time::FORMAT];
        let files: Result<Vec<_>, ReportError> = files.iter().map(shown).collect();
        let mut files = files?;
        files.extend(of_stacks(run)?);
        html::run(run, &files)
    },
};

/// Why a run cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The run claims nothing that this version can judge.
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// A watched window's claim that this version does not know.
    #[error("{0}")]
    Claim(String),
    /// What others read cannot be packed.
    #[error("cannot write: {0}")]
    Write(String),
    /// The record cannot be written as JSON.
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl RunFormat {
    /// The format called `name`.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        FORMATS.iter().find(|format| format.name == name)
    }
}

/// Renders a run in every format, in the order of [`FORMATS`].
pub fn render_all(run: &Run) -> Result<Vec<(&'static RunFormat, Vec<u8>)>, ReportError> {
    FORMATS.iter().map(|format| Ok((format, (format.render)(run)?))).collect()
}

/// Files of a run's stacks, beside its reports; nothing where none were kept.
///
/// # Errors
/// They cannot be packed.
pub fn of_stacks(run: &Run) -> Result<Vec<(&'static str, Vec<u8>)>, ReportError> {
    let Some(known) = &run.stacks else { return Ok(Vec::new()) };
    let about = table::whereabouts(&run.zcprof, &run.kernel);
    stacks::render_all(known, &about)
}

/// The JSON schema of [`Run`], as text.
#[must_use]
pub fn schema() -> String {
    json::schema()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_files_are_unique() {
        for format in FORMATS {
            let same = |other: &&RunFormat| {
                other.name == format.name || other.file_name == format.file_name
            };
            assert_eq!(FORMATS.iter().filter(same).count(), 1, "{}", format.name);
        }
    }
}
