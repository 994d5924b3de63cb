//! `report.html`: everything that is known of a record in one file that asks for nothing else. A
//! file for each kind of record makes a [`page::Page`] of it, and the page is written the same way
//! for all.

mod arrows;
mod bench;
mod codes;
mod coverage;
mod grid;
mod matrix;
mod page;
mod pictures;
mod ratio;
mod reasons;
mod run;
mod said;
mod settings;
mod title;
mod verdict_line;
mod watch;

pub(super) use bench::bench;
pub(super) use matrix::matrix;
pub(super) use run::run;
pub(super) use watch::watch;

/// Name of the file.
pub(super) const FILE: &str = "report.html";

/// Files of a record that are rendered already.
type Files<'a> = &'a [(&'static str, Vec<u8>)];
