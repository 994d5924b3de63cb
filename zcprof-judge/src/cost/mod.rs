//! What watching costs, as it is written down.

pub mod record;
pub mod watcher;
