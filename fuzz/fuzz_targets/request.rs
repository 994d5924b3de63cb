//! Fuzzes the broker with the bytes of a connection.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zcprof_fuzz::{request, seeds};

fuzz_target!(init: seeds::write(request::seeds), |bytes: &[u8]| request::fuzz(bytes));
