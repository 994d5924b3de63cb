//! Fuzzes the judge and the reports with a matrix.json.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zcprof_fuzz::{record, seeds};

fuzz_target!(init: seeds::write(record::matrix_seeds), |bytes: &[u8]| record::matrix(bytes));
