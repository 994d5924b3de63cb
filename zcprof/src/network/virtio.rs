//! Finds virtio-net devices that nobody uses.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// Where the kernel lists the devices of a network namespace.
const CLASS: &str = "/sys/class/net";

/// IFF_UP of /sys/class/net/DEVICE/flags: include/uapi/linux/if.h.
const UP: u32 = 1;

/// Names of two virtio-net devices that are down, which may take so long to return from namespaces that
/// ended: a worker of the kernel takes these down (cleanup_net(), net/core/net_namespace.c).
///
/// # Errors
/// There are fewer. One that is up is somebody's, and is never taken.
pub fn unused_pair(patience: Duration) -> Result<[String; 2]> {
    let begun = Instant::now();
    loop {
        let mut unused = unused(Path::new(CLASS))?;
        unused.sort_unstable();
        if let [first, second, ..] = unused.as_slice() {
            return Ok([first.clone(), second.clone()]);
        }
        if begun.elapsed() > patience {
            bail!(
                "the network virtio needs two virtio-net devices that are down and joined by a \
                 wire (`cargo xtask vm --wire` makes a guest that has them); there are {}",
                unused.len()
            );
        }
        sleep(Duration::from_millis(100));
    }
}

fn unused(class: &Path) -> Result<Vec<String>> {
    let list = fs::read_dir(class).with_context(|| format!("reading {}", class.display()))?;
    let mut names = Vec::new();
    for item in list {
        let item = item?;
        let Ok(driver) = fs::read_link(item.path().join("device/driver")) else { continue };
        let flags = fs::read_to_string(item.path().join("flags")).unwrap_or_default();
        let flags =
            flags.trim().strip_prefix("0x").and_then(|hex| u32::from_str_radix(hex, 16).ok());
        if driver.ends_with("virtio_net")
            && flags.is_some_and(|flags| flags & UP == 0)
            && let Ok(name) = item.file_name().into_string()
        {
            names.push(name);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn devices_that_are_up_or_of_another_kind_are_left_alone() {
        let class = tempfile::tempdir().expect("a folder");
        for (name, driver, flags) in [
            ("eth0", "virtio_net", "0x1002"),
            ("eth1", "virtio_net", "0x1003"),
            ("eth2", "e1000", "0x1002"),
            ("eth3", "virtio_net", "0x1002"),
        ] {
            let device = class.path().join(name).join("device");
            fs::create_dir_all(&device).expect("made");
            symlink(format!("../../drivers/{driver}"), device.join("driver")).expect("linked");
            fs::write(class.path().join(name).join("flags"), format!("{flags}\n"))
                .expect("written");
        }
        fs::create_dir(class.path().join("lo")).expect("made");
        let mut found = unused(class.path()).expect("readable");
        found.sort_unstable();
        assert_eq!(found, ["eth0", "eth3"]);
    }
}
