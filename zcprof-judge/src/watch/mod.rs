//! A watched program: the record of a window, what was sent in it, and whether what was claimed of
//! that holds.

mod against;
mod apart;
mod as_pass;
mod below;
pub mod charge;
pub(crate) mod chosen;
pub mod direction;
pub mod judge;
mod missed;
pub mod objects;
mod pipes;
mod ports;
pub mod promise;
pub mod queued;
pub mod record;
mod rules;
pub mod series;
mod span;
mod spans;
mod taken;
pub mod traffic;
mod unnamed;

pub use judge::{ClaimJudgement, exit, judge, so_far};
pub use ports::claims_of_ports;
pub use promise::Promise;
pub use record::Watch;
