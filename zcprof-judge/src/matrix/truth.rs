//! THE TABLE of what is known before it is measured: what each transfer costs per payload byte,
//! and where that depends on the file system or the network.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{HOLDS, Numbers, REFUTED};
use crate::storage::Storage;
use crate::verdict::explain;

/// What happens to each payload byte on the server, how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Known {
    /// Copied at once.
    pub copied: u64,
    /// Of these, from one file's page cache into another's.
    pub between_files: u64,
    /// Handed over from the page cache.
    pub moved: u64,
    /// Handed over from user memory.
    pub pinned: u64,
    /// Copied later, at least so often: what is sent again is copied again.
    pub deferred: u64,
    /// Encrypted into new pages.
    pub transformed: u64,
}

const NOTHING: Known =
    Known { copied: 0, between_files: 0, moved: 0, pinned: 0, deferred: 0, transformed: 0 };
const TWICE: Known = Known { copied: 2, ..NOTHING };
const ONCE: Known = Known { copied: 1, ..NOTHING };
const MOVED: Known = Known { moved: 1, ..NOTHING };
const PINNED: Known = Known { pinned: 1, ..NOTHING };
const DEFERRED: Known = Known { pinned: 1, deferred: 1, ..NOTHING };
const ENCRYPTED: Known = Known { moved: 1, transformed: 1, ..NOTHING };
const REPLICA: Known = Known { copied: 1, between_files: 1, moved: 1, ..NOTHING };

/// A row. The first whose names fit counts; no names fit all.
struct Expectation {
    transfers: &'static [&'static str],
    file_systems: &'static [&'static str],
    networks: &'static [&'static str],
    known: Option<Known>,
}

const fn row(transfers: &'static [&'static str], known: Known) -> Expectation {
    Expectation { transfers, file_systems: &[], networks: &[], known: Some(known) }
}

const ROWS: &[Expectation] = &[
    // The packets are brought together below the socket, some more often than others.
    Expectation {
        transfers: &[],
        file_systems: &[],
        networks: &["veth-no-sg", "veth-no-checksum", "veth-loss", "veth-tap", "veth-xdp"],
        known: None,
    },
    // A device that really transmits reads pinned pages by DMA; nobody on this host receives them.
    Expectation {
        transfers: &["msg_zerocopy", "uring_send_zc"],
        file_systems: &[],
        networks: &["virtio"],
        known: Some(PINNED),
    },
    // What lies on whole blocks is shared instead of copied (xfs_file_remap_range(),
    // fs/xfs/xfs_file.c; btrfs_remap_file_range(), fs/btrfs/reflink.c); where batches lie so is
    // chance.
    Expectation {
        transfers: &["copy_file_range"],
        file_systems: &["xfs", "btrfs"],
        networks: &[],
        known: None,
    },
    row(&["read_write", "pread_write", "uring_send", "tls"], TWICE),
    row(&["mmap_write", "writev"], ONCE),
    row(&["sendfile", "splice", "vmsplice", "uring_splice"], MOVED),
    row(&["msg_zerocopy", "uring_send_zc"], DEFERRED),
    row(&["ktls_sendfile"], ENCRYPTED),
    row(&["sendfile_to_file", "copy_file_range"], REPLICA),
];

/// What is known of a transfer in a setting.
#[must_use]
pub fn known(transfer: &str, file_system: &str, network: &str) -> Option<Known> {
    let fits = |names: &[&str], name: &str| names.is_empty() || names.contains(&name);
    let row = ROWS.iter().find(|row| {
        fits(row.transfers, transfer)
            && fits(row.file_systems, file_system)
            && fits(row.networks, network)
    });
    row?.known
}

/// Codes of what storage does.
pub(super) const BY_STORAGE: &[&str] =
    &[explain::STORAGE_COPIES.name, explain::STORAGE_TRANSFORMS.name];

/// What a claim's verdict must be. Every transfer claims what it does, so that only storage can refute:
/// a claim from storage on (`from_storage`), where the CPU fills the page cache.
pub(super) fn expected(from_storage: bool, fills: &Storage<'_>) -> &'static str {
    if from_storage && !fills.by_cpu.is_empty() { REFUTED } else { HOLDS }
}

/// What the instruments saw of a pass.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Observation {
    /// What the audit saw copied, in bytes; `None` if it could not look.
    pub(super) audit_copied: Option<u64>,
    /// Whether what is copied between files is in that.
    pub(super) audit_between_files: bool,
    /// What the callers saw; `None` if they could not look.
    pub(super) callers: Option<Numbers>,
}

impl Known {
    /// The largest difference, in bytes, between what is known and what was seen of so much
    /// payload; `None` if nobody looked.
    pub(super) fn off(&self, payload: u64, seen: Observation) -> Option<u64> {
        let off = |times: u64, seen: u64| seen.abs_diff(times.saturating_mul(payload));
        let unseen = if seen.audit_between_files { 0 } else { self.between_files };
        let audit = seen.audit_copied.map(|seen| off(self.copied - unseen, seen));
        let callers = seen.callers.map(|seen| {
            let deferred = seen.deferred.min(self.deferred.max(1).saturating_mul(payload));
            let all = [
                off(self.copied, seen.copied),
                off(self.between_files, seen.between_files),
                off(self.moved, seen.moved),
                off(self.pinned, seen.pinned),
                off(self.deferred, deferred),
                off(self.transformed, seen.transformed),
            ];
            all.into_iter().max().unwrap_or(0)
        });
        audit.max(callers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_depends_on_the_setting_is_told_apart() {
        let deferred = |network| known("msg_zerocopy", "xfs", network).map(|k| k.deferred);
        assert_eq!(deferred("veth"), Some(1));
        assert_eq!(deferred("virtio"), Some(0));
        assert_eq!(deferred("veth-no-sg"), None);
        assert_eq!(known("copy_file_range", "btrfs", "loopback"), None);
        assert_eq!(known("copy_file_range", "tmpfs", "loopback"), Some(REPLICA));
    }

    fn saw(audit_copied: Option<u64>, callers: Option<Numbers>) -> Observation {
        Observation { audit_copied, callers, ..Observation::default() }
    }

    #[test]
    fn the_largest_difference_counts() {
        let seen = Numbers { moved: 990, deferred: 7, ..Numbers::default() };
        assert_eq!(MOVED.off(1000, saw(Some(3), Some(seen))), Some(10));
        assert_eq!(MOVED.off(1000, saw(Some(30), Some(seen))), Some(30));
        assert_eq!(MOVED.off(1000, saw(None, None)), None);
        let again = Numbers { pinned: 1000, deferred: 1400, ..Numbers::default() };
        assert_eq!(DEFERRED.off(1000, saw(None, Some(again))), Some(0));
        let seen = Numbers { pinned: 1000, deferred: 500, ..Numbers::default() };
        assert_eq!(DEFERRED.off(1000, saw(None, Some(seen))), Some(500));
        assert_eq!(PINNED.off(1000, saw(None, Some(seen))), Some(500));
        let replica =
            Numbers { copied: 1000, between_files: 1000, moved: 1000, ..Numbers::default() };
        assert_eq!(REPLICA.off(1000, saw(Some(0), Some(replica))), Some(0));
        let both = Observation { audit_between_files: true, ..saw(Some(0), Some(replica)) };
        assert_eq!(REPLICA.off(1000, both), Some(1000));
    }
}
