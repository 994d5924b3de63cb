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
    list.is_some_and(|list| lists(&list, module))
}

/// Whether a list of modules' files has a module. In a module's name `-` and `_` are the same; its file
/// may be named with either (scripts/Makefile.lib, `name-fix-token`).
fn lists(list: &str, module: &str) -> bool {
    let plain = |name: &str| name.replace('-', "_");
    let file = |line: &str| {
        let name = line.rsplit('/').next().unwrap_or_default();
        name.strip_suffix(".ko").map(plain)
    };
    list.lines().filter_map(file).any(|name| name == plain(module))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_built_in_module_is_found_by_its_whole_name() {
        let list = "kernel/fs/fuse/fuse.ko\nkernel/drivers/md/dm-mod.ko\nkernel/net/veth.ko\n";
        assert!(lists(list, "fuse"));
        assert!(lists(list, "veth"));
        assert!(!lists(list, "cuse"), "not built in");
        assert!(!lists(list, "use"), "the end of a name is no name");
        assert!(!lists(list, "kernel/fs/fuse/fuse"), "a path is no name");
        assert!(!lists("", "fuse"));
    }

    #[test]
    fn the_two_dashes_of_a_name_are_one() {
        let list = "kernel/drivers/md/dm-mod.ko\nkernel/net/packet/af_packet.ko\n";
        assert!(lists(list, "dm_mod") && lists(list, "dm-mod"));
        assert!(lists(list, "af_packet") && lists(list, "af-packet"));
    }

    #[test]
    fn a_module_that_no_kernel_has_is_not_there() {
        assert!(!is_there("zcprof_has_no_module"));
    }
}
