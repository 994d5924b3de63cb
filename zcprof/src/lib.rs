//! zcprof measures how often the kernel copies each payload byte on its way from a file to a
//! socket, compares that with a claim, and says so as a table, a picture and an exit code.

pub mod bench;
pub mod cli;
pub mod commands;
pub mod doctor;
pub mod fetch;
pub mod measure;
pub mod network;
pub mod output;
mod patience;
pub mod placement;
pub mod privilege;
pub mod probe;
pub mod server;
pub mod stacks;
mod status;
pub mod terminal;
pub mod transfer;
pub mod watch;

// The records, the rules that judge them and the reports are a crate of their own.
pub use zcprof_judge::{claim, ledger, matrix, report, run, syscall, verdict};
