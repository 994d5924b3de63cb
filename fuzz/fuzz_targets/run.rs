//! Fuzzes the judge and the reports with a run.json.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zcprof_fuzz::{record, seeds};

fuzz_target!(init: seeds::write(record::run_seeds), |bytes: &[u8]| record::run(bytes));
