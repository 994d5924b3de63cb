//! What a process has before it is watched, as /proc shows it (proc_pid_maps(5)).

use std::fs;

use zcprof_common::objects::FileId;

use super::processes;
use crate::probe::Held;

/// What a process has; nothing of one that has ended.
pub(super) fn of(pid: u32) -> Held {
    Held { sockets: processes::sockets(pid), mapped: mapped(pid) }
}

/// Files that it has mapped so that it can write into their page cache.
pub(super) fn mapped(pid: u32) -> Vec<FileId> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    maps.lines().filter_map(writable).collect()
}

/// The file of a mapping that is shared and can be written into.
fn writable(line: &str) -> Option<FileId> {
    let mut words = line.split_whitespace();
    let [_, may, _, device, inode] = std::array::from_fn(|_| words.next());
    let may = may?.as_bytes();
    let inode = inode?.parse().ok().filter(|inode| *inode != 0)?;
    let (major, minor) = device?.split_once(':')?;
    let number = |text| u32::from_str_radix(text, 16).ok();
    // As the kernel has it: MKDEV(), include/linux/kdev_t.h.
    let device = number(major)? << 20 | number(minor)?;
    (may.get(1) == Some(&b'w') && may.get(3) == Some(&b's')).then_some(FileId {
        inode,
        device,
        unused: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_counts_if_it_is_shared_and_writable() {
        let line =
            |may: &str| format!("7f1c00000000-7f1c00001000 {may} 00000000 08:01 1025   /a b");
        let file = FileId { inode: 1025, device: 8 << 20 | 1, unused: 0 };
        assert_eq!(writable(&line("rw-s")), Some(file));
        for may in ["r--s", "rw-p", "r-xp"] {
            assert_eq!(writable(&line(may)), None, "{may}");
        }
        assert_eq!(writable("7f1c00000000-7f1c00001000 rw-s 00000000 00:00 0"), None);
        assert_eq!(writable(""), None);
    }

    #[test]
    fn a_process_that_has_ended_has_nothing() {
        assert_eq!(of(u32::MAX), Held::default());
    }
}
