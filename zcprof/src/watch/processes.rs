//! Processes as /proc shows them (proc_pid_stat(5), proc_pid_comm(5), proc_pid_fd(5), proc_net_tcp(5)).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::status::Status;

/// A process that there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RunningProcess {
    /// Its number.
    pub(super) pid: u32,
    /// Its parent's.
    pub(super) parent: u32,
    /// Name of its first thread.
    pub(super) name: String,
}

/// Every process that there is; those that end meanwhile are left out.
pub(super) fn all() -> Vec<RunningProcess> {
    let Ok(folder) = fs::read_dir("/proc") else { return Vec::new() };
    let numbers = folder.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut all: Vec<_> = numbers.filter_map(one).collect();
    all.sort_by_key(|process| process.pid);
    all
}

/// One process, if there is such a one. The number of a thread is none of a process.
pub(super) fn one(pid: u32) -> Option<RunningProcess> {
    let status = Status::of(pid)?;
    let leader: u32 = status.field("Tgid:")?.parse().ok()?;
    // A name that was cut within a letter is no UTF-8.
    let name = fs::read(format!("/proc/{pid}/comm")).ok()?;
    let name = String::from_utf8_lossy(&name);
    let parent = status.field("PPid:")?.parse().ok()?;
    (leader == pid).then(|| RunningProcess {
        pid,
        parent,
        name: name.trim_end_matches('\n').to_owned(),
    })
}

/// Processes that run a file, by its inode: what they are called does not matter.
///
/// # Errors
/// There is no such file.
pub(super) fn running(file: &Path) -> anyhow::Result<Vec<u32>> {
    let wanted = fs::metadata(file).with_context(|| format!("finding {}", file.display()))?;
    let runs_it = |process: &RunningProcess| {
        let exe = fs::metadata(format!("/proc/{}/exe", process.pid));
        exe.is_ok_and(|exe| (exe.dev(), exe.ino()) == (wanted.dev(), wanted.ino()))
    };
    Ok(all().into_iter().filter(runs_it).map(|process| process.pid).collect())
}

/// These processes and all that descend from them, of those that there are.
pub(super) fn with_descendants(roots: &[u32], all: &[RunningProcess]) -> BTreeSet<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for process in all {
        children.entry(process.parent).or_default().push(process.pid);
    }
    let mut found = BTreeSet::new();
    let mut open: Vec<u32> = roots.to_vec();
    while let Some(pid) = open.pop() {
        if found.insert(pid) {
            open.extend(children.get(&pid).into_iter().flatten());
        }
    }
    found
}

/// Processes that have a socket which listens at a TCP port, in whatever network namespace.
pub(super) fn listening_at(port: u16) -> BTreeSet<u32> {
    holding(&listening_sockets(port))
}

/// Processes that have one of these sockets, by their inodes.
pub(super) fn holding(wanted: &BTreeSet<u64>) -> BTreeSet<u32> {
    let holds = |pid: &u32| sockets(*pid).iter().any(|inode| wanted.contains(inode));
    all().into_iter().map(|process| process.pid).filter(holds).collect()
}

/// Inodes of a process's sockets.
pub(super) fn sockets(pid: u32) -> Vec<u64> {
    let Ok(folder) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    let links = folder.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    links.filter_map(|link| socket(link.to_str()?)).collect()
}

/// The inode of a socket, by what a link to it says.
fn socket(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// Whether somebody listens at a TCP port, in whatever network namespace: a container has its own.
pub(super) fn is_listened_at(port: u16) -> bool {
    !listening_sockets(port).is_empty()
}

/// Inodes of the sockets that listen at a TCP port, in every network namespace that a process is in.
pub(super) fn listening_sockets(port: u16) -> BTreeSet<u64> {
    let mut one_of_each = BTreeMap::new();
    for process in all() {
        if let Ok(namespace) = fs::read_link(format!("/proc/{}/ns/net", process.pid)) {
            one_of_each.entry(namespace).or_insert(process.pid);
        }
    }
    let tables = one_of_each.values().flat_map(|pid| {
        ["tcp", "tcp6"].map(|table| fs::read_to_string(format!("/proc/{pid}/net/{table}")))
    });
    tables.flatten().flat_map(|table| listeners(&table, port)).collect()
}

/// Inodes of the sockets that listen (state 0A) at a port, from /proc/net/tcp.
fn listeners(table: &str, port: u16) -> Vec<u64> {
    const LISTEN: &str = "0A"; // TCP_LISTEN, include/net/tcp_states.h
    let wanted = format!(":{port:04X}");
    let lines = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines
        .filter(|words| words.len() > 9 && words[3] == LISTEN && words[1].ends_with(&wanted))
        .filter_map(|words| words[9].parse().ok())
        .collect()
}

/// Folder of the control group (version 2) that this process is in.
pub(super) fn own_control_group() -> Option<PathBuf> {
    let group = crate::probe::kernel::control_group().ok()?;
    Some(Path::new(crate::probe::CGROUPS).join(group.strip_prefix('/')?))
}

/// Processes of a control group and of the groups below it.
pub(super) fn in_control_group(folder: &Path) -> BTreeSet<u32> {
    let listed = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    let mut found: BTreeSet<u32> = listed.lines().filter_map(|line| line.parse().ok()).collect();
    let below = fs::read_dir(folder).into_iter().flatten().flatten();
    let groups = below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    found.extend(groups.flat_map(|group| in_control_group(&group.path())));
    found
}

/// Folder of a systemd unit's control group, as systemd says.
pub(super) fn control_group_of(unit: &str) -> Result<String, String> {
    let asked = std::process::Command::new("systemctl")
        .args(["show", "--property=ControlGroup", "--value", "--", unit])
        .output()
        .map_err(|error| format!("asking systemctl for {unit}: {error}"))?;
    let folder = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
    if folder.is_empty() || !Path::new(crate::probe::CGROUPS).join(&folder[1..]).exists() {
        return Err(format!("the unit {unit} has no control group; is it running?"));
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::AsRawFd as _;

    use super::*;

    #[test]
    fn this_process_is_found_and_a_thread_is_none() {
        let own = one(std::process::id()).expect("this process");
        assert!(own.parent > 0 && !own.name.is_empty());
        assert!(all().contains(&own));
        let thread = std::thread::spawn(nix::unistd::gettid).join().expect("ended");
        assert_eq!(one(u32::try_from(thread.as_raw()).expect("above zero")), None);
    }

    #[test]
    fn a_socket_of_this_process_is_found() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let link = fs::read_link(format!("/proc/self/fd/{}", listener.as_raw_fd()));
        let inode = socket(link.expect("a link").to_str().expect("text")).expect("a socket");
        assert!(sockets(std::process::id()).contains(&inode));
        assert_eq!(socket("pipe:[7]"), None);
        assert!(sockets(u32::MAX).is_empty());
    }

    #[test]
    fn descendants_are_found_at_any_depth() {
        let process = |pid, parent| RunningProcess { pid, parent, name: String::new() };
        let all = [process(1, 0), process(2, 1), process(3, 2), process(4, 1), process(5, 4)];
        assert_eq!(with_descendants(&[2], &all), BTreeSet::from([2, 3]));
        assert_eq!(with_descendants(&[1], &all).len(), 5);
        assert_eq!(with_descendants(&[9], &all), BTreeSet::from([9]));
    }

    #[test]
    fn a_listening_socket_is_found_by_its_port() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1 0 100 0 0 10 0\n\
             1: 0100007F:1F90 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4243 1 0 20 4 30 10 -1\n";
        assert_eq!(listeners(table, 8080), [4242]);
        assert!(listeners(table, 80).is_empty());
    }
}
