//! What system calls moved by file and by peer, as the record has it.

use std::collections::BTreeMap;
use std::net::{Ipv6Addr, SocketAddr};

use zcprof_common::layout::{CallSum, NO_PORT, StrangerKey};
use zcprof_common::objects::{FileId, FileKey, Peer, PeerKey};
use zcprof_common::sites::SYSCALL_RESULTS;
use zcprof_common::vocabulary::File;
use zcprof_judge::record::visible;
use zcprof_judge::syscall::InSyscall;
use zcprof_judge::watch::objects::{FileCalls, PeerCalls, StrangerCalls, WatchedFile};
use zcprof_judge::watch::record::{Charged, WatchedCount};

use crate::probe::{Objects, text};

/// Calls on files of those who are watched, sorted. What the counts have beyond these is of files that are
/// not told apart.
pub(super) fn files(
    objects: &Objects,
    paths: &BTreeMap<FileId, String>,
    counts: &[WatchedCount],
    charged: impl Fn(u32) -> Charged,
) -> Vec<FileCalls> {
    let file = |(key, sum): (&FileKey, &CallSum)| FileCalls {
        charged: charged(key.subject),
        file: Some(file(&key.file, paths)),
        syscall: InSyscall::from_number(key.syscall),
        calls: sum.calls,
        bytes: sum.bytes,
    };
    let mut files: Vec<_> = objects.files.iter().map(file).collect();
    files.retain(|calls| calls.charged != Charged::Elsewhere);
    files.extend(rest(counts, &files));
    files.sort();
    files
}

/// Calls on sockets of those who are watched, sorted.
pub(super) fn peers(objects: &Objects, charged: impl Fn(u32) -> Charged) -> Vec<PeerCalls> {
    let peer = |(key, sum): (&PeerKey, &CallSum)| PeerCalls {
        charged: charged(key.subject),
        family: family(&key.peer).to_owned(),
        port: (key.port != NO_PORT).then_some(key.port),
        peer: peer(&key.peer),
        syscall: InSyscall::from_number(key.syscall),
        calls: sum.calls,
        bytes: sum.bytes,
    };
    let mut peers: Vec<_> = objects.peers.iter().map(peer).collect();
    peers.retain(|calls| calls.charged != Charged::Elsewhere);
    peers.sort();
    peers
}

/// Strangers who sent by sockets of those who are watched, sorted.
pub(super) fn strangers(objects: &Objects, charged: impl Fn(u32) -> Charged) -> Vec<StrangerCalls> {
    let stranger = |(key, sum): (&StrangerKey, &CallSum)| StrangerCalls {
        charged: charged(key.subject),
        pid: key.process,
        name: visible(&text(&key.name)),
        calls: sum.calls,
        bytes: sum.bytes,
    };
    let mut strangers: Vec<_> = objects.strangers.iter().map(stranger).collect();
    strangers.retain(|calls| calls.charged != Charged::Elsewhere && calls.bytes > 0);
    strangers.sort();
    strangers
}

/// What the results of system calls on files have beyond what is told of each.
fn rest(counts: &[WatchedCount], told: &[FileCalls]) -> Vec<FileCalls> {
    let mut rest: BTreeMap<(&Charged, InSyscall), CallSum> = BTreeMap::new();
    let of_files = |count: &&WatchedCount| {
        let is_watched = matches!(count.charged, Charged::Program(_));
        is_watched && count.site == SYSCALL_RESULTS && count.file == File::Regular
    };
    for count in counts.iter().filter(of_files) {
        // Calls that moved nothing are in the counts too.
        let idle = count.sizes.first().copied().unwrap_or(0);
        let moved = CallSum { calls: count.calls.saturating_sub(idle), bytes: count.bytes };
        let sum = rest.entry((&count.charged, count.syscall)).or_default();
        *sum = sum.plus(moved);
    }
    for calls in told {
        if let Some(sum) = rest.get_mut(&(&calls.charged, calls.syscall)) {
            *sum = sum.since(CallSum { calls: calls.calls, bytes: calls.bytes });
        }
    }
    let beyond = rest.into_iter().filter(|(_, sum)| sum.bytes > 0);
    let all_others = |((charged, syscall), sum): ((&Charged, InSyscall), CallSum)| FileCalls {
        charged: charged.clone(),
        file: None,
        syscall,
        calls: sum.calls,
        bytes: sum.bytes,
    };
    beyond.map(all_others).collect()
}

fn file(id: &FileId, paths: &BTreeMap<FileId, String>) -> WatchedFile {
    WatchedFile {
        path: paths.get(id).map_or_else(|| "…".to_owned(), |path| visible(path)),
        device: format!("{}:{}", id.device >> 20, id.device & 0xf_ffff),
        inode: id.inode,
    }
}

/// `AF_UNIX`, `AF_INET`, `AF_INET6` and `AF_VSOCK` (include/linux/socket.h), with the protocols of IP
/// (include/uapi/linux/in.h).
const fn family(peer: &Peer) -> &'static str {
    match (peer.family, peer.protocol) {
        (1, _) => "unix",
        (40, _) => "vsock",
        (2 | 10, 6) => "tcp",
        (2 | 10, 17) => "udp",
        (2 | 10, 262) => "mptcp",
        _ => "other",
    }
}

fn peer(peer: &Peer) -> Option<String> {
    if ![2, 10].contains(&peer.family) || peer.address == [0; 4] {
        return None;
    }
    let mut bytes = [0; 16];
    for (at, word) in peer.address.iter().enumerate() {
        bytes[at * 4..][..4].copy_from_slice(&word.to_ne_bytes());
    }
    let address = Ipv6Addr::from(bytes).to_canonical();
    Some(match peer.port {
        NO_PORT => address.to_string(),
        port => SocketAddr::new(address, port).to_string(),
    })
}

#[cfg(test)]
mod tests {
    use zcprof_common::syscalls::Syscall;
    use zcprof_common::vocabulary::Iter;

    use super::*;

    fn at(to: [u8; 16], port: u16) -> Peer {
        let word = |at: usize| u32::from_ne_bytes([to[at], to[at + 1], to[at + 2], to[at + 3]]);
        Peer { address: [0, 4, 8, 12].map(word), port, family: 10, protocol: 6, unused: 0 }
    }

    #[test]
    fn peers_are_written_as_people_write_them() {
        let mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 2];
        assert_eq!(peer(&at(mapped, 0)).as_deref(), Some("10.0.0.2"));
        assert_eq!(peer(&at(mapped, 443)).as_deref(), Some("10.0.0.2:443"));
        let mut own = [0; 16];
        own[15] = 1;
        assert_eq!(peer(&at(own, 443)).as_deref(), Some("[::1]:443"));
        let unix = Peer { family: 1, protocol: 0, ..at(own, 0) };
        assert_eq!((family(&unix), peer(&unix)), ("unix", None));
    }

    #[test]
    fn what_is_not_told_apart_is_one_row_and_the_sum_is_that_of_the_counts() {
        let program = Charged::Program("nginx".to_owned());
        let count = WatchedCount {
            site: SYSCALL_RESULTS.to_owned(),
            charged: program.clone(),
            port: Some(8080),
            syscall: Syscall::Sendfile.into(),
            iter: Iter::None,
            file: File::Regular,
            calls: 6,
            bytes: 1000,
            small_calls: 0,
            small_bytes: 0,
            largest: 300,
            sizes: vec![1, 0, 0, 0, 0, 0, 0, 0, 5],
        };
        let id = FileId { inode: 12, device: 8 << 20 | 1, unused: 0 };
        let key = FileKey { file: id, subject: 7, syscall: Syscall::Sendfile.number() };
        let objects = Objects {
            files: [(key, CallSum { calls: 3, bytes: 700 })].into(),
            ..Objects::default()
        };
        let paths = [(id, "/srv/a\u{1b}[2J".to_owned())].into();
        let files = files(&objects, &paths, &[count], |_| program.clone());
        let [others, told] = &files[..] else { panic!("{files:?}") };
        assert_eq!((others.file.as_ref(), others.calls, others.bytes), (None, 2, 300));
        let file = told.file.as_ref().expect("told apart");
        assert_eq!((file.device.as_str(), file.inode), ("8:1", 12));
        assert_eq!(file.path, "/srv/a\u{fffd}[2J");
    }
}
