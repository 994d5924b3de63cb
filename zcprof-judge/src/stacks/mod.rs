//! Who copied: the stacks of what the probes counted, weighted by bytes. They explain, and no verdict
//! rests on them; what is missing from them has a name and a number of bytes.

mod carriers;
pub mod record;
pub mod runtimes;
pub mod top;
pub mod tree;

pub use record::Stacks;
