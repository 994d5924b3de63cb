//! What the fuzz targets share. Each target is given bytes as a stranger could send or store
//! them, and nothing that comes of them may panic or take memory beyond what the bytes justify.

pub mod memory;
pub mod record;
pub mod request;
pub mod seeds;
pub mod segment;
