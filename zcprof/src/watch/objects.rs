//! What system calls moved by file and by peer, as the record has it.

use std::collections::BTreeMap;
use std::net::{Ipv6Addr, SocketAddr};

use zcprof_common::layout::NO_PORT;
use zcprof_common::objects::{FileId, FileKey, Moved, PeerKey};
use zcprof_common::vocabulary::File;
use zcprof_judge::record::visible;
use zcprof_judge::syscall::InSyscall;
use zcprof_judge::watch::objects::{FileCalls, PeerCalls, WatchedFile};
use zcprof_judge::watch::record::{Charged, WatchedCount};

use crate::probe::Objects;

/// Calls of those who are watched, sorted. What the counts have beyond these is of objects that are not
/// told apart.
pub(super) fn told_apart(
    objects: &Objects,
    counts: &[WatchedCount],
    charged: impl Fn(u32) -> Charged,
) -> (Vec<FileCalls>, Vec<PeerCalls>) {
    let is_watched = |charged: &Charged| *charged != Charged::Elsewhere;
    let file = |(key, moved): (&FileKey, &Moved)| FileCalls {
        charged: charged(key.subject),
        file: Some(file(&key.file, &objects.paths)),
        syscall: InSyscall::from_number(key.syscall),
        calls: moved.calls,
        bytes: moved.bytes,
    };
    let mut files: Vec<_> = objects.files.iter().map(file).collect();
    files.retain(|calls| is_watched(&calls.charged));
    let told = files.iter().map(|calls| (&calls.charged, calls.syscall, calls.calls, calls.bytes));
    let rest = rest(counts, File::Regular, told);
    files.extend(rest.into_iter().map(|((charged, syscall), Moved { calls, bytes })| FileCalls {
        charged,
        file: None,
        syscall,
        calls,
        bytes,
    }));
    files.sort();
    let peer = |(key, moved): (&PeerKey, &Moved)| PeerCalls {
        charged: charged(key.subject),
        family: family(key).to_owned(),
        port: (key.port != NO_PORT).then_some(key.port),
        peer: peer(key),
        syscall: InSyscall::from_number(key.syscall),
        calls: moved.calls,
        bytes: moved.bytes,
    };
    let mut peers: Vec<_> = objects.peers.iter().map(peer).collect();
    peers.retain(|calls| is_watched(&calls.charged));
    peers.sort();
    (files, peers)
}

/// What the results of system calls on a kind of file have beyond what is told of it.
fn rest<'a>(
    counts: &'a [WatchedCount],
    kind: File,
    told: impl Iterator<Item = (&'a Charged, InSyscall, u64, u64)>,
) -> BTreeMap<(Charged, InSyscall), Moved> {
    let mut rest: BTreeMap<(Charged, InSyscall), Moved> = BTreeMap::new();
    let is_result =
        |count: &&WatchedCount| count.site == "sys_exit" && count.file == kind && count.bytes > 0;
    for count in counts.iter().filter(is_result) {
        if let Charged::Program(_) = count.charged {
            let sum = rest.entry((count.charged.clone(), count.syscall)).or_default();
            // Calls that moved nothing are in the counts too.
            let idle = count.sizes.first().copied().unwrap_or(0);
            let calls = count.calls.saturating_sub(idle);
            *sum = sum.plus(Moved { calls, bytes: count.bytes });
        }
    }
    for (charged, syscall, calls, bytes) in told {
        if let Some(sum) = rest.get_mut(&(charged.clone(), syscall)) {
            sum.calls = sum.calls.saturating_sub(calls);
            sum.bytes = sum.bytes.saturating_sub(bytes);
        }
    }
    rest.retain(|_, sum| sum.bytes > 0);
    rest
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
const fn family(key: &PeerKey) -> &'static str {
    match (key.family, key.protocol) {
        (1, _) => "unix",
        (40, _) => "vsock",
        (2 | 10, 6) => "tcp",
        (2 | 10, 17) => "udp",
        (2 | 10, 262) => "mptcp",
        _ => "other",
    }
}

fn peer(key: &PeerKey) -> Option<String> {
    if ![2, 10].contains(&key.family) || key.to == [0; 4] {
        return None;
    }
    let mut bytes = [0; 16];
    for (at, word) in key.to.iter().enumerate() {
        bytes[at * 4..][..4].copy_from_slice(&word.to_ne_bytes());
    }
    let address = Ipv6Addr::from(bytes).to_canonical();
    Some(match key.to_port {
        NO_PORT => address.to_string(),
        port => SocketAddr::new(address, port).to_string(),
    })
}

#[cfg(test)]
mod tests {
    use zcprof_common::syscalls::Syscall;
    use zcprof_common::vocabulary::Iter;

    use super::*;

    fn key(to: [u8; 16], to_port: u16) -> PeerKey {
        let word = |at: usize| u32::from_ne_bytes([to[at], to[at + 1], to[at + 2], to[at + 3]]);
        let to = [0, 4, 8, 12].map(word);
        PeerKey { subject: 7, syscall: 40, to, port: 8080, to_port, family: 10, protocol: 6 }
    }

    #[test]
    fn peers_are_written_as_people_write_them() {
        let mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 2];
        assert_eq!(peer(&key(mapped, 0)).as_deref(), Some("10.0.0.2"));
        assert_eq!(peer(&key(mapped, 443)).as_deref(), Some("10.0.0.2:443"));
        let mut own = [0; 16];
        own[15] = 1;
        assert_eq!(peer(&key(own, 443)).as_deref(), Some("[::1]:443"));
        let unix = PeerKey { family: 1, protocol: 0, ..key(own, 0) };
        assert_eq!((family(&unix), peer(&unix)), ("unix", None));
    }

    #[test]
    fn what_is_not_told_apart_is_one_row_and_the_sum_is_that_of_the_counts() {
        let program = Charged::Program("nginx".to_owned());
        let count = WatchedCount {
            site: "sys_exit".to_owned(),
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
            files: [(key, Moved { calls: 3, bytes: 700 })].into(),
            paths: [(id, "/srv/a\u{1b}[2J".to_owned())].into(),
            ..Objects::default()
        };
        let (files, peers) = told_apart(&objects, &[count], |_| program.clone());
        assert_eq!(peers, []);
        let [others, told] = &files[..] else { panic!("{files:?}") };
        assert_eq!((others.file.as_ref(), others.calls, others.bytes), (None, 2, 300));
        let file = told.file.as_ref().expect("told apart");
        assert_eq!((file.device.as_str(), file.inode), ("8:1", 12));
        assert_eq!(file.path, "/srv/a\u{fffd}[2J");
    }
}
