//! Two records of one kind, the older named first: what grew and what went, per byte that was sent. The
//! order is that of the arguments, in every table and picture; nothing looks at a date.

mod changes;
mod picture;
mod table;

use super::ReportError;
use crate::run::Run;
use crate::watch::Watch;
use changes::{Change, is_of_all, of_run, of_run_stacks, of_stacks, of_window};

/// A record as it is named in a comparison.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a, T> {
    /// Where it came from.
    pub name: &'a str,
    /// The record.
    pub record: &'a T,
}

/// What a comparison writes.
#[derive(Debug)]
pub struct Diff {
    /// The table, for a terminal.
    pub table: String,
    /// `diff.svg`.
    pub picture: String,
}

/// Compares two watched windows. The picture is of their stacks where both have some, and else of all that
/// was sent: programs and ports are parts of it twice, and no byte is drawn twice.
#[must_use]
pub fn watches(before: &Side<'_, Watch>, after: &Side<'_, Watch>) -> Diff {
    let rows = of_window(before.record, after.record);
    let direction = before.record.direction;
    let drawn = of_stacks(before.record, after.record)
        .unwrap_or_else(|| rows.iter().filter(|row| is_of_all(row, direction)).cloned().collect());
    diff([before.name, after.name], &format!("{} byte", direction.done()), &rows, &drawn)
}

/// Compares two runs. The picture is of their stacks where both have some.
///
/// # Errors
/// A claim that this version does not know.
pub fn runs(before: &Side<'_, Run>, after: &Side<'_, Run>) -> Result<Diff, ReportError> {
    let rows = of_run(before.record, after.record)?;
    let stacks = of_run_stacks(before.record, after.record);
    let drawn = stacks.as_deref().unwrap_or(&rows);
    Ok(diff([before.name, after.name], "payload byte", &rows, drawn))
}

fn diff(names: [&str; 2], per: &str, rows: &[Change], drawn: &[Change]) -> Diff {
    Diff {
        table: table::render(names, per, rows),
        picture: picture::render(names, per, rows, drawn),
    }
}
