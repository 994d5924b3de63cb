//! A watched program: the record of a window, what was sent in it, and whether what was claimed of
//! that holds.

mod apart;
pub mod charge;
pub mod direction;
pub mod judge;
mod missed;
mod pipes;
pub mod promise;
pub mod record;
pub mod series;
mod taken;
pub mod traffic;

pub use judge::{ClaimJudgement, exit, judge, so_far};
pub use promise::Promise;
pub use record::Watch;
