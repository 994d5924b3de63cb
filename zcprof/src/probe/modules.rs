//! Which modules the kernel has, loaded or built in.

use std::fs;
use std::path::Path;

use super::kernel;

/// Whether a module is loaded, or built in: /sys/module has the first, and of the others those with
/// parameters (kernel/params.c, 6.12); the list of the built-in ones has all, where it is there.
pub(super) fn is_there(module: &str) -> bool {
    is_loaded(module) || is_built_in(module)
}

/// Whether /sys/module has it.
pub(super) fn is_loaded(module: &str) -> bool {
    Path::new("/sys/module").join(module.replace('-', "_")).exists()
}

fn is_built_in(module: &str) -> bool {
    let list = kernel::running().ok().and_then(|kernel| {
        fs::read_to_string(format!("/lib/modules/{}/modules.builtin", kernel.release)).ok()
    });
    let file = format!("/{module}.ko");
    list.is_some_and(|list| list.lines().any(|line| line.ends_with(&file)))
}
