//! What zcprof's measurements are written to, what judges them and what shows them: functions over
//! records, which open no file, read no clock, ask no kernel and start no process.
//!
//! ```text
//! zcprof-common ◀── run, bench::record, doctor::record   the records
//!                      ▲            ledger               one pass as an account
//!                      │            verdict, receive     a claim against it
//!                      ├─────────── matrix, report       many of them, and how they look
//!                      └─────────── record               a text into one of them
//! ```
//!
//! The compiler keeps it so: nothing that this crate depends on reaches the system, unsafe code is
//! forbidden, and `clippy.toml` beside its manifest forbids what the standard library has for that.

#![forbid(unsafe_code)]

pub mod bench;
pub mod charged;
pub mod claim;
pub mod cost;
pub mod devices;
pub mod doctor;
pub mod interval;
pub mod ledger;
pub mod matrix;
pub mod receive;
pub mod record;
pub mod report;
pub mod results;
pub mod run;
pub mod stacks;
pub mod storage;
pub mod syscall;
pub mod unexplained;
pub mod verdict;
pub mod watch;
