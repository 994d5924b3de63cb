//! Walks `modules.dep`, the table that depmod writes.

use std::collections::{HashMap, HashSet};

use anyhow::{Context as _, Result};

/// The files of the modules `names` and of everything they depend on, each once, in an order in
/// which they can be loaded. Names that the table does not have are built in or absent; skipped.
pub(crate) fn load_order(table: &str, names: &[&str]) -> Result<Vec<String>> {
    let mut needs: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut files: HashMap<String, &str> = HashMap::new();
    for line in table.lines().filter(|line| !line.is_empty()) {
        let (file, rest) =
            line.split_once(':').with_context(|| format!("modules.dep: {line:?}"))?;
        needs.insert(file, rest.split_whitespace().collect());
        files.insert(module_name(file), file);
    }
    let mut order = Vec::new();
    let mut seen = HashSet::new();
    for name in names {
        if let Some(file) = files.get(&name.replace('-', "_")) {
            visit(file, &needs, &mut seen, &mut order);
        }
    }
    Ok(order)
}

/// The kernel's name of the module in `file`: no folder, no ending, `_` for `-`.
pub(crate) fn module_name(file: &str) -> String {
    let base = file.rsplit('/').next().unwrap_or(file);
    base.split(".ko").next().unwrap_or(base).replace('-', "_")
}

fn visit<'a>(
    file: &'a str,
    needs: &HashMap<&'a str, Vec<&'a str>>,
    seen: &mut HashSet<&'a str>,
    order: &mut Vec<String>,
) {
    if !seen.insert(file) {
        return;
    }
    for need in needs.get(file).into_iter().flatten() {
        visit(need, needs, seen, order);
    }
    order.push(file.to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
kernel/fs/ext4/ext4.ko.xz: kernel/fs/jbd2/jbd2.ko.xz kernel/lib/crc16.ko.xz kernel/fs/mbcache.ko.xz
kernel/fs/jbd2/jbd2.ko.xz: kernel/lib/crc16.ko.xz
kernel/fs/mbcache.ko.xz:
kernel/lib/crc16.ko.xz:
kernel/drivers/net/net-failover.ko: kernel/net/core/failover.ko
kernel/net/core/failover.ko:
";

    #[test]
    fn what_a_module_needs_comes_before_it_and_once() {
        let order = load_order(TABLE, &["virtio_pci", "ext4", "jbd2"]).expect("readable");
        let names: Vec<_> = order.iter().map(|file| module_name(file)).collect();
        assert_eq!(names, ["crc16", "jbd2", "mbcache", "ext4"]);
    }

    #[test]
    fn dashes_and_underscores_are_the_same() {
        for name in ["net_failover", "net-failover"] {
            assert_eq!(load_order(TABLE, &[name]).expect("readable").len(), 2);
        }
    }

    #[test]
    fn a_circle_ends() {
        let order = load_order("a.ko: b.ko\nb.ko: a.ko\n", &["a"]).expect("readable");
        assert_eq!(order, ["b.ko", "a.ko"]);
    }

    #[test]
    fn a_damaged_table_is_an_error() {
        load_order("no colon here\n", &["a"]).unwrap_err();
    }
}
