//! `report.html`: everything that is known of a record in one file that asks for nothing else. A
//! function for each kind of record makes a [`page::Page`] of it, and the page is written the same way
//! for all.

mod arrows;
mod coverage;
mod grid;
mod kinds;
mod page;
mod said;

pub(super) use kinds::{bench, matrix, run, watch};

/// Name of the file.
pub(super) const FILE: &str = "report.html";
