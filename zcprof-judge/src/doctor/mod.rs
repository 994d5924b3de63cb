//! A diagnosis, as it is written down.

pub mod record;
