//! zcprof measures how often the kernel copies each payload byte on its way from a file to a
//! socket, compares that with a claim, and says so as a table, a picture and an exit code.

pub mod bench;
pub mod claim;
pub mod cli;
pub mod doctor;
pub mod fetch;
pub mod ledger;
pub mod matrix;
pub mod measure;
pub mod output;
pub mod privilege;
pub mod probe;
pub mod report;
pub mod run;
pub mod transfer;
pub mod verdict;
