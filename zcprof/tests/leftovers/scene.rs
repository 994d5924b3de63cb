//! Everything that zcprof attaches, makes or starts, as it is now.

use std::collections::BTreeSet;
use std::fs;
use std::thread::sleep;
use std::time::Duration;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};

use crate::{all_breakpoint_slots_are_free, loaded_programs, still_there, wait_until, workers};

/// How many network namespaces a user may make: kernel/ucount.c.
const MOST_NAMESPACES: &str = "/proc/sys/user/max_net_namespaces";

/// Between two looks at a scene that must be alike.
const APART: Duration = Duration::from_millis(500);

/// What a measurement could leave behind, and must not.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Scene {
    programs: Vec<u32>,
    maps: BTreeSet<u32>,
    mounts: String,
    /// Network devices, and whether each is up.
    devices: BTreeSet<(String, String)>,
}

impl Scene {
    /// As it is when whatever ended before is taken apart, which the kernel does in its own time.
    pub(crate) fn settled() -> Self {
        wait_until("a worker outlived zcprof", || workers().is_empty());
        let mut before = Self::now();
        wait_until("programs, maps, mounts or devices come and go", || {
            sleep(APART);
            let now = Self::now();
            let same = now == before;
            before = now;
            same
        });
        before
    }

    fn now() -> Self {
        let maps = aya::maps::loaded_maps().filter_map(still_there).map(|map| map.id());
        let devices = fs::read_dir("/sys/class/net").expect("sysfs").map(|item| {
            let item = item.expect("a device");
            let flags = fs::read_to_string(item.path().join("flags")).unwrap_or_default();
            (item.file_name().to_string_lossy().into_owned(), flags)
        });
        Self {
            programs: loaded_programs(),
            maps: maps.collect(),
            mounts: fs::read_to_string("/proc/self/mounts").expect("procfs"),
            devices: devices.collect(),
        }
    }

    /// Waits until everything is as it was here.
    pub(crate) fn is_back(&self) {
        wait_until("a worker outlived zcprof", || workers().is_empty());
        wait_until("a program, map, mount or device outlived zcprof", || Self::now() == *self);
        wait_until("a network namespace outlived zcprof", there_is_no_namespace);
        all_breakpoint_slots_are_free();
    }
}

/// Whether nobody has a network namespace but the first: one may be made where one is the limit.
fn there_is_no_namespace() -> bool {
    let before = fs::read_to_string(MOST_NAMESPACES).expect("procfs");
    fs::write(MOST_NAMESPACES, "1").expect("root may");
    let made = std::thread::spawn(|| unshare(CloneFlags::CLONE_NEWNET)).join().expect("no panic");
    fs::write(MOST_NAMESPACES, before.trim()).expect("root may");
    if let Err(errno) = made {
        assert_eq!(errno, Errno::ENOSPC, "that is no limit");
    }
    made.is_ok()
}
