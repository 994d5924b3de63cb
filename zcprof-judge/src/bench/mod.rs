//! A benchmark, as it is written down.

pub mod record;
