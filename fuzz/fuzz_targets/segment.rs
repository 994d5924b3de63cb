//! Fuzzes the log opener with the bytes of a segment and of its indexes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zcprof_fuzz::{seeds, segment};

fuzz_target!(init: seeds::write(segment::seeds), |bytes: &[u8]| segment::fuzz(bytes));
