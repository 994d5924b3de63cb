//! What a process has before it is watched, as /proc shows it (proc_pid_fd(5), proc_pid_maps(5)).

use std::fs;

use zcprof_common::objects::FileId;

use crate::probe::Held;

/// What a process has; nothing of one that has ended.
pub(super) fn of(pid: u32) -> Held {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    Held { sockets: sockets(pid), mapped: maps.lines().filter_map(mapped).collect() }
}

/// Inodes of its sockets.
fn sockets(pid: u32) -> Vec<u64> {
    let Ok(folder) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    let links = folder.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    links.filter_map(|link| socket(link.to_str()?)).collect()
}

/// The inode of a socket, by what a link to it says.
fn socket(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// The file of a mapping that is shared and can be written into.
fn mapped(line: &str) -> Option<FileId> {
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
    use std::net::TcpListener;
    use std::os::fd::AsRawFd as _;

    use super::*;

    #[test]
    fn a_mapping_counts_if_it_is_shared_and_writable() {
        let line =
            |may: &str| format!("7f1c00000000-7f1c00001000 {may} 00000000 08:01 1025   /a b");
        let file = FileId { inode: 1025, device: 8 << 20 | 1, unused: 0 };
        assert_eq!(mapped(&line("rw-s")), Some(file));
        for may in ["r--s", "rw-p", "r-xp"] {
            assert_eq!(mapped(&line(may)), None, "{may}");
        }
        assert_eq!(mapped("7f1c00000000-7f1c00001000 rw-s 00000000 00:00 0"), None);
        assert_eq!(mapped(""), None);
    }

    #[test]
    fn a_socket_of_this_process_is_found() {
        let socket = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let link = fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).expect("a link");
        let inode = super::socket(link.to_str().expect("text")).expect("a socket");
        assert!(of(std::process::id()).sockets.contains(&inode));
        assert_eq!(super::socket("pipe:[7]"), None);
        assert_eq!(of(u32::MAX), Held::default());
    }
}
