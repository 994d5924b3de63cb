//! Inputs to begin with, made by the targets themselves.

use std::path::PathBuf;
use std::{env, fs};

/// The folder that they are written to when a target starts, if this is set.
const FOLDER: &str = "ZCPROF_FUZZ_SEEDS";

/// Writes a target's seeds, if it was told where.
///
/// # Panics
/// They cannot be made or written.
pub fn write(seeds: impl FnOnce() -> Vec<(String, Vec<u8>)>) {
    let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else { return };
    fs::create_dir_all(&folder).expect("a folder for seeds");
    for (name, bytes) in seeds() {
        fs::write(folder.join(name), bytes).expect("a seed");
    }
}
