//! THE TABLE of sabotages: what is planted, what must be seen of it, and the twins that must hold.
//! To add one is to add a row.

use std::fmt;

use zcprof_common::sites::Version;
use zcprof_common::vocabulary::Disposition::{
    self, Bounced, Copied, Deferred, Moved, Pinned, Transformed,
};
use zcprof_common::vocabulary::Hop::{
    self, PageCacheToPipe, PageCacheToSocket, PageCacheToUser, SocketToSocket, SocketToWire,
    StorageToPageCache, UserToPipe, UserToSocket, UserToUser,
};
use zcprof_common::vocabulary::Instrument::{self, Audit, Callers};

/// A sabotage and its twins.
#[derive(Debug)]
pub(super) struct Sabotage {
    pub(super) name: &'static str,
    /// Measured against a claim that it breaks.
    pub(super) case: Trial,
    /// What must be seen of the server's bytes.
    pub(super) seen: &'static [RequiredBytes],
    /// The code that must be given as a reason.
    pub(super) reason: &'static str,
    /// What looks the same and keeps its claim.
    pub(super) twins: &'static [Trial],
}

impl Sabotage {
    /// The code that must be given as a reason on this kernel. In 5.10 veth_xdp_rcv_skb() is inlined into its
    /// caller, so that nothing tells XDP from other causes.
    pub(super) fn code_on(&self, version: Version) -> &'static str {
        match self.reason {
            "ZC121" if version < (6, 0) => "ZC106",
            reason => reason,
        }
    }
}

/// What is measured: a transfer in a setting, against a claim. A transfer has one claim in a
/// setting, for those of a setting are measured together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trial {
    pub(super) transfer: &'static str,
    pub(super) claim: &'static str,
    pub(super) setting: Surroundings,
}

/// What is the same for all transfers that are measured together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Surroundings {
    /// Where the bytes are.
    pub(super) place: Backing,
    pub(super) network: &'static str,
    pub(super) socket: &'static str,
    pub(super) consumer: &'static str,
    pub(super) cache: &'static str,
}

/// Where the bytes are that are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backing {
    /// A log on ext4.
    Disk,
    /// A binary attribute of sysfs: the kernel's own BTF.
    Sysfs,
    /// The same bytes on ext4.
    CopyOfSysfs,
    /// A file of procfs: the list of mounts.
    Procfs,
    /// A file that another process serves, and that stays in the page cache once it is there.
    Fuse,
    /// A file whose pages another process hands over.
    MovingFuse,
    /// A FUSE file in the lower layer of an overlay.
    OverlayOfFuse,
    /// A log on ext4 in a file on the disk.
    Loop {
        /// The loop device reads the file past the page cache.
        direct: bool,
    },
    /// A log on ext4 in a file on the disk, under whose name is another file by now.
    HiddenLoop,
    /// A log on ext4 on dm-crypt.
    Encrypted,
    /// A file in a squashfs.
    Compressed,
    /// A file that an NFS server on this host serves: a process, by version 3.
    Nfs,
    /// The same by the kernel's own server, by version 4.2.
    Nfs4,
    /// A file in an overlay of a squashfs, whose owner was changed.
    OtherOwner {
        /// The upper layer, on ext4, has the whole file; else only its owner.
        copied_up: bool,
    },
    /// A log in an overlay, of which the upper layer, on ext4, has the first segment alone; the others are
    /// on ext4 in a file on the disk.
    CopiedUp {
        /// The loop device reads the file past the page cache.
        direct: bool,
    },
    /// One of the others, while somebody reads a file of another.
    Beside {
        /// What is served.
        own: &'static Backing,
        /// What the stranger reads.
        strangers: &'static Backing,
    },
    /// A log on ext4, and IPsec encrypts what this host sends to itself.
    BehindIpsec,
    /// A file in the lower layer of an overlay.
    Overlay {
        /// The layers are on ext4; else on tmpfs.
        on_disk: bool,
    },
}

impl Surroundings {
    /// The first kernel on which they can be had.
    pub(super) fn since(self) -> Version {
        // Debian's 5.10 stops at a BUG when its NFS server ends (svc_destroy(), net/sunrpc/svc.c), and has
        // no MPTCP.
        if self.place == Backing::Nfs4 || self.socket == "mptcp" { (6, 0) } else { (5, 10) }
    }
}

/// Answers of two FUSE daemons, whose mounts no site tells apart.
const BESIDE_FUSE: Backing = Backing::Beside { own: &Backing::Fuse, strangers: &Backing::Fuse };
const MOVING_BESIDE_FUSE: Backing =
    Backing::Beside { own: &Backing::MovingFuse, strangers: &Backing::Fuse };

/// Workers of two loop devices, of which one reads past the page cache.
const BESIDE_LOOP: Backing = Backing::Beside {
    own: &Backing::Loop { direct: true },
    strangers: &Backing::Loop { direct: false },
};

/// Bytes per payload byte that an instrument must see.
#[derive(Debug)]
pub(super) struct RequiredBytes {
    pub(super) instrument: Instrument,
    pub(super) hop: Hop,
    pub(super) disposition: Disposition,
    pub(super) least: f64,
    pub(super) most: f64,
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.transfer, self.setting)
    }
}

/// What is not usual is said.
impl fmt::Display for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, network, socket, consumer, cache } = self;
        write!(f, "{place}, {network}")?;
        if *socket != DISK.socket {
            write!(f, ", {socket}")?;
        }
        if *consumer != DISK.consumer {
            write!(f, ", {consumer} consumer")?;
        }
        if *cache != DISK.cache {
            write!(f, ", {cache}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Backing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disk => "a log on ext4",
            Self::Sysfs => "a sysfs file",
            Self::CopyOfSysfs => "its copy on ext4",
            Self::Procfs => "a procfs file",
            Self::Fuse => "a FUSE file",
            Self::MovingFuse => "a FUSE file whose pages are moved",
            Self::OverlayOfFuse => "a FUSE file in an overlay",
            Self::Loop { direct: false } => "a log in a loop device",
            Self::Loop { direct: true } => "a log in a loop device with direct I/O",
            Self::HiddenLoop => "a log in a loop device, over whose file another is mounted",
            Self::Encrypted => "a log on dm-crypt",
            Self::OtherOwner { copied_up: false } => "a metacopy in an overlay of squashfs",
            Self::OtherOwner { copied_up: true } => "a file copied up in an overlay of squashfs",
            Self::CopiedUp { direct: false } => {
                "a log copied up in part, the rest in a loop device"
            }
            Self::CopiedUp { direct: true } => {
                "a log copied up in part, the rest in a loop device with direct I/O"
            }
            Self::Beside { own, strangers } => return write!(f, "{own} beside {strangers}"),
            Self::Compressed => "a file in a squashfs",
            Self::Nfs => "a file on NFS",
            Self::Nfs4 => "a file on NFSv4",
            Self::BehindIpsec => "a log on ext4 behind IPsec",
            Self::Overlay { on_disk: true } => "a file in an overlay of ext4",
            Self::Overlay { on_disk: false } => "a file in an overlay of tmpfs",
        })
    }
}

pub(super) const fn at(place: Backing) -> Surroundings {
    Surroundings { place, network: "loopback", socket: "tcp", consumer: "copy", cache: "warm" }
}

const fn over(network: &'static str) -> Surroundings {
    Surroundings { network, ..DISK }
}

const fn by(socket: &'static str) -> Surroundings {
    Surroundings { socket, ..DISK }
}

const fn of(transfer: &'static str, setting: Surroundings) -> Trial {
    Trial { transfer, claim: "zero-copy", setting }
}

/// sendfile with nothing in the page cache, against the claim that begins at storage.
const fn from_storage(place: Backing) -> Trial {
    let setting = Surroundings { cache: "cold", ..at(place) };
    Trial { transfer: "sendfile", claim: "zero-copy-from-storage", setting }
}

const fn exactly(
    instrument: Instrument,
    hop: Hop,
    disposition: Disposition,
    times: f64,
) -> RequiredBytes {
    RequiredBytes { instrument, hop, disposition, least: times, most: times }
}

const fn between(hop: Hop, disposition: Disposition, least: f64, most: f64) -> RequiredBytes {
    RequiredBytes { instrument: Callers, hop, disposition, least, most }
}

const DISK: Surroundings = at(Backing::Disk);
const SLOW: Surroundings = Surroundings { consumer: "slow", ..DISK };
const SENDFILE: Trial = of("sendfile", DISK);
const MOVED: RequiredBytes = exactly(Callers, PageCacheToSocket, Moved, 1.0);
const PINNED: RequiredBytes = exactly(Callers, UserToSocket, Pinned, 1.0);

/// What a file without pages of its own comes to.
const MADE_UP: &[RequiredBytes] = &[
    exactly(Audit, PageCacheToPipe, Copied, 1.0),
    exactly(Callers, PageCacheToPipe, Copied, 1.0),
    exactly(Callers, PageCacheToPipe, Bounced, 1.0),
    MOVED,
];

/// Below the sockets; what is sent again is copied again.
const COPIED_BELOW: &[RequiredBytes] = &[
    exactly(Audit, PageCacheToUser, Copied, 0.0),
    exactly(Audit, UserToSocket, Copied, 0.0),
    between(SocketToSocket, Deferred, 1.0, 1.5),
    MOVED,
];

/// Pinned, and copied for a receiver on this host.
const COPIED_FOR_RECEIVER: &[RequiredBytes] = &[
    exactly(Audit, UserToSocket, Copied, 0.0),
    between(SocketToSocket, Deferred, 1.0, 1.5),
    PINNED,
];

/// What is seen of a file on NFS: what the client asks the server meanwhile is not what is sent, nor is what
/// a server in the kernel hands over to its own socket.
const OVER_NFS: &[RequiredBytes] = &[
    exactly(Audit, PageCacheToSocket, Copied, 0.0),
    exactly(Audit, UserToSocket, Copied, 0.0),
    exactly(Callers, UserToSocket, Copied, 0.0),
    MOVED,
];

pub(super) const SABOTAGES: &[Sabotage] = &[
    // ---- files without pages to hand over
    Sabotage {
        name: "a sysfs file",
        reason: "ZC103",
        case: of("sendfile", at(Backing::Sysfs)),
        seen: MADE_UP,
        twins: &[of("sendfile", at(Backing::CopyOfSysfs))],
    },
    Sabotage {
        name: "a sysfs file, spliced",
        reason: "ZC103",
        case: of("splice", at(Backing::Sysfs)),
        seen: MADE_UP,
        twins: &[of("splice", at(Backing::CopyOfSysfs))],
    },
    Sabotage {
        name: "a procfs file",
        reason: "ZC103",
        case: of("sendfile", at(Backing::Procfs)),
        seen: MADE_UP,
        twins: &[SENDFILE],
    },
    Sabotage {
        name: "O_DIRECT",
        reason: "ZC104",
        case: of("sendfile_direct", DISK),
        // The device fills fresh pages: the CPU copies nothing, and the page cache is not used.
        seen: &[
            exactly(Audit, PageCacheToPipe, Copied, 0.0),
            exactly(Callers, PageCacheToPipe, Bounced, 1.0),
            MOVED,
        ],
        twins: &[SENDFILE],
    },
    Sabotage {
        name: "a FUSE file that is not in the page cache",
        reason: "ZC118",
        case: from_storage(Backing::Fuse),
        seen: &[exactly(Callers, StorageToPageCache, Copied, 1.0), MOVED],
        // A claim that begins at the page cache does not ask how that was filled.
        twins: &[
            of("sendfile", at(Backing::Fuse)),
            of("splice", Surroundings { cache: "cold", ..at(Backing::Fuse) }),
            from_storage(Backing::MovingFuse),
        ],
    },
    Sabotage {
        name: "a FUSE file, and a stranger who reads another mount",
        reason: "ZC118",
        case: from_storage(BESIDE_FUSE),
        // With the stranger's.
        seen: &[between(StorageToPageCache, Copied, 1.0, 1000.0), MOVED],
        twins: &[of("sendfile", at(BESIDE_FUSE))],
    },
    Sabotage {
        // Nobody can tell whose the copied answers are.
        name: "a FUSE file whose pages are moved, and a stranger who reads another mount",
        reason: "ZC215",
        case: from_storage(MOVING_BESIDE_FUSE),
        seen: &[exactly(Callers, StorageToPageCache, Moved, 1.0), MOVED],
        twins: &[from_storage(Backing::MovingFuse)],
    },
    Sabotage {
        name: "a FUSE file below an overlay, not in the page cache",
        reason: "ZC118",
        case: from_storage(Backing::OverlayOfFuse),
        seen: &[exactly(Callers, StorageToPageCache, Copied, 1.0), MOVED],
        twins: &[
            of("sendfile", at(Backing::OverlayOfFuse)),
            from_storage(Backing::Overlay { on_disk: true }),
        ],
    },
    Sabotage {
        name: "a loop device that reads through the page cache",
        reason: "ZC119",
        case: from_storage(Backing::Loop { direct: false }),
        seen: &[MOVED],
        twins: &[
            from_storage(Backing::Loop { direct: true }),
            from_storage(Backing::Disk),
            of("sendfile", at(Backing::Loop { direct: false })),
        ],
    },
    Sabotage {
        // It is refuted no more than it holds: the worker may be either's.
        name: "a loop device with direct I/O, and a stranger who reads another's file",
        reason: "ZC215",
        case: from_storage(BESIDE_LOOP),
        seen: &[MOVED],
        twins: &[of("sendfile", at(BESIDE_LOOP))],
    },
    Sabotage {
        name: "a loop device over whose file another is mounted",
        reason: "ZC215",
        case: from_storage(Backing::HiddenLoop),
        seen: &[MOVED],
        twins: &[
            from_storage(Backing::Loop { direct: true }),
            of("sendfile", at(Backing::HiddenLoop)),
        ],
    },
    Sabotage {
        name: "a log of which the first segment alone is on the disk",
        reason: "ZC119",
        case: from_storage(Backing::CopiedUp { direct: false }),
        seen: &[MOVED],
        twins: &[from_storage(Backing::CopiedUp { direct: true })],
    },
    Sabotage {
        name: "an overlay's file whose owner alone is on the disk",
        reason: "ZC120",
        case: from_storage(Backing::OtherOwner { copied_up: false }),
        seen: &[MOVED],
        twins: &[
            from_storage(Backing::OtherOwner { copied_up: true }),
            of("sendfile", at(Backing::OtherOwner { copied_up: false })),
        ],
    },
    Sabotage {
        name: "dm-crypt",
        reason: "ZC120",
        case: from_storage(Backing::Encrypted),
        seen: &[MOVED],
        twins: &[
            of("sendfile", at(Backing::Encrypted)),
            from_storage(Backing::Loop { direct: true }),
        ],
    },
    Sabotage {
        name: "squashfs",
        reason: "ZC120",
        case: from_storage(Backing::Compressed),
        seen: &[MOVED],
        twins: &[of("sendfile", at(Backing::Compressed)), from_storage(Backing::Disk)],
    },
    Sabotage {
        name: "NFS",
        reason: "ZC119",
        case: from_storage(Backing::Nfs),
        seen: OVER_NFS,
        twins: &[
            of("sendfile", at(Backing::Nfs)),
            of("splice", Surroundings { cache: "cold", ..at(Backing::Nfs) }),
            from_storage(Backing::Disk),
        ],
    },
    Sabotage {
        name: "NFSv4, and the kernel is the server too",
        reason: "ZC119",
        case: from_storage(Backing::Nfs4),
        seen: OVER_NFS,
        twins: &[
            of("sendfile", at(Backing::Nfs4)),
            of("splice", Surroundings { cache: "cold", ..at(Backing::Nfs4) }),
            from_storage(Backing::Disk),
        ],
    },
    Sabotage {
        name: "O_DIRECT from FUSE",
        reason: "ZC104",
        case: of("sendfile_direct", at(Backing::Fuse)),
        seen: &[
            exactly(Callers, StorageToPageCache, Copied, 1.0),
            exactly(Callers, PageCacheToPipe, Bounced, 1.0),
            MOVED,
        ],
        twins: &[of("sendfile", at(Backing::Fuse))],
    },
    Sabotage {
        name: "O_DIRECT from an overlay",
        reason: "ZC104",
        case: of("sendfile_direct", at(Backing::Overlay { on_disk: true })),
        seen: &[exactly(Callers, PageCacheToPipe, Bounced, 1.0), MOVED],
        twins: &[
            of("sendfile", at(Backing::Overlay { on_disk: true })),
            of("sendfile", at(Backing::Overlay { on_disk: false })),
        ],
    },
    // ---- pipes and private memory
    Sabotage {
        name: "a write into the pipe before the splice",
        reason: "ZC108",
        case: of("write_splice", DISK),
        seen: &[
            exactly(Audit, UserToPipe, Copied, 1.0),
            exactly(Callers, UserToPipe, Copied, 1.0),
            MOVED,
        ],
        twins: &[of("splice", DISK)],
    },
    Sabotage {
        name: "a private page that is written to after vmsplice",
        reason: "ZC112",
        case: of("vmsplice_cow", DISK),
        // Whole pages: those at both ends of a fetch are copied for each fetch that they are in.
        seen: &[between(UserToUser, Copied, 1.0, 1.02), MOVED],
        twins: &[of("vmsplice", DISK)],
    },
    Sabotage {
        name: "a private page that is written to before vmsplice",
        reason: "ZC112",
        case: of("vmsplice_private", DISK),
        seen: &[between(UserToUser, Copied, 1.0, 1.02), MOVED],
        twins: &[of("vmsplice", DISK)],
    },
    Sabotage {
        name: "a buffer that is used again after vmsplice",
        reason: "ZC202",
        case: of("vmsplice_reused", DISK),
        seen: &[
            exactly(Audit, PageCacheToUser, Copied, 1.0),
            exactly(Callers, PageCacheToUser, Copied, 1.0),
            MOVED,
        ],
        twins: &[of("vmsplice", DISK)],
    },
    // ---- user space
    Sabotage {
        name: "a wrapper that reads and writes",
        reason: "ZC101",
        case: of("wrapped_sendfile", DISK),
        seen: &[
            exactly(Audit, PageCacheToUser, Copied, 1.0),
            exactly(Audit, UserToSocket, Copied, 1.0),
            exactly(Callers, PageCacheToUser, Copied, 1.0),
            exactly(Callers, UserToSocket, Copied, 1.0),
        ],
        twins: &[SENDFILE],
    },
    Sabotage {
        name: "TLS in user space",
        reason: "ZC102",
        case: of("tls", DISK),
        seen: &[
            exactly(Audit, PageCacheToUser, Copied, 1.0),
            exactly(Audit, UserToSocket, Copied, 1.0),
        ],
        twins: &[Trial { transfer: "ktls_sendfile", claim: "transforms", setting: DISK }],
    },
    // ---- below the sockets
    Sabotage {
        name: "a device without scatter-gather",
        reason: "ZC106",
        case: of("sendfile", over("veth-no-sg")),
        seen: COPIED_BELOW,
        twins: &[of("sendfile", over("veth")), of("sendfile", over("veth-no-tso"))],
    },
    Sabotage {
        name: "a device without scatter-gather, spliced",
        reason: "ZC106",
        case: of("splice", over("veth-no-sg")),
        seen: COPIED_BELOW,
        twins: &[of("splice", over("veth")), of("splice", over("veth-no-tso"))],
    },
    Sabotage {
        name: "a device without checksums",
        reason: "ZC106",
        case: of("sendfile", over("veth-no-checksum")),
        seen: COPIED_BELOW,
        twins: &[of("sendfile", over("veth"))],
    },
    // ---- into the socket, past the CPU's cache
    Sabotage {
        name: "a device with tx-nocache-copy",
        reason: "ZC102",
        case: of("mmap_write", over("veth-nocache")),
        // By a leaf that is watched in a repetition of its own.
        seen: &[
            exactly(Audit, UserToSocket, Copied, 1.0),
            exactly(Callers, UserToSocket, Copied, 1.0),
        ],
        twins: &[
            of("sendfile", over("veth-nocache")),
            Trial { claim: "two-copies", ..of("read_write", over("veth-nocache")) },
            Trial { claim: "one-copy", ..of("mmap_write", over("veth")) },
        ],
    },
    Sabotage {
        name: "a device with neither checksums nor scatter-gather",
        reason: "ZC106",
        case: of("sendfile", over("veth-neither")),
        seen: COPIED_BELOW,
        twins: &[of("sendfile", over("veth")), of("sendfile", over("veth-no-tso"))],
    },
    Sabotage {
        name: "a device with neither, and a mapping that is written",
        reason: "ZC106",
        case: Trial { claim: "one-copy", ..of("mmap_write", over("veth-neither")) },
        seen: &[
            exactly(Audit, UserToSocket, Copied, 1.0),
            between(SocketToSocket, Deferred, 1.0, 1.5),
        ],
        twins: &[Trial { claim: "one-copy", ..of("mmap_write", over("veth")) }],
    },
    Sabotage {
        name: "WireGuard",
        reason: "ZC106",
        case: of("sendfile", over("wireguard")),
        seen: COPIED_BELOW,
        twins: &[of("sendfile", over("vxlan"))],
    },
    Sabotage {
        name: "WireGuard, which encrypts too",
        reason: "ZC123",
        case: of("splice", over("wireguard")),
        seen: COPIED_BELOW,
        twins: &[of("splice", over("vxlan"))],
    },
    Sabotage {
        name: "IPsec",
        reason: "ZC123",
        case: of("sendfile", at(Backing::BehindIpsec)),
        seen: &[between(SocketToWire, Transformed, 1.0, 1.5), MOVED],
        twins: &[SENDFILE],
    },
    Sabotage {
        name: "MACsec",
        reason: "ZC106",
        case: of("sendfile", over("macsec")),
        seen: COPIED_BELOW,
        twins: &[of("sendfile", over("vxlan"))],
    },
    Sabotage {
        name: "MACsec, which encrypts too",
        reason: "ZC123",
        case: of("splice", over("macsec")),
        seen: COPIED_BELOW,
        twins: &[of("splice", over("vxlan"))],
    },
    Sabotage {
        name: "WireGuard, and a mapping that is written",
        reason: "ZC106",
        case: Trial { claim: "one-copy", ..of("mmap_write", over("wireguard")) },
        seen: &[
            exactly(Audit, UserToSocket, Copied, 1.0),
            between(SocketToSocket, Deferred, 1.0, 1.5),
        ],
        twins: &[Trial { claim: "one-copy", ..of("mmap_write", over("vxlan")) }],
    },
    Sabotage {
        name: "an XDP program at the receiver's veth",
        reason: "ZC121",
        case: of("sendfile", over("veth-xdp")),
        seen: COPIED_BELOW,
        // A capture copies beside the way, and more than the payload's tolerance.
        twins: &[of("sendfile", over("veth")), of("sendfile", over("veth-ring"))],
    },
    Sabotage {
        name: "a socket that takes no pages",
        reason: "ZC114",
        case: of("sendfile", by("mptcp")),
        seen: &[
            exactly(Audit, PageCacheToSocket, Copied, 1.0),
            exactly(Callers, PageCacheToSocket, Copied, 1.0),
        ],
        twins: &[of("sendfile", by("unix")), of("splice", by("unix"))],
    },
    Sabotage {
        name: "MSG_ZEROCOPY to a receiver on this host",
        reason: "ZC105",
        case: of("msg_zerocopy", DISK),
        seen: COPIED_FOR_RECEIVER,
        twins: &[of("msg_zerocopy", over("virtio"))],
    },
    Sabotage {
        name: "MSG_ZEROCOPY over veth",
        reason: "ZC105",
        case: of("msg_zerocopy", over("veth")),
        seen: COPIED_FOR_RECEIVER,
        twins: &[of("sendfile", over("veth")), of("msg_zerocopy", over("virtio"))],
    },
    Sabotage {
        name: "MSG_ZEROCOPY over a device that transmits, with a packet tap",
        reason: "ZC105",
        case: of("msg_zerocopy", over("virtio-tap")),
        seen: &[between(SocketToSocket, Deferred, 1.0, 1.5), PINNED],
        twins: &[
            of("msg_zerocopy", over("virtio")),
            of("uring_send_zc", over("virtio")),
            of("sendfile", over("virtio")),
            of("splice", over("virtio")),
        ],
    },
    Sabotage {
        name: "SEND_ZC to a receiver on this host",
        reason: "ZC105",
        case: of("uring_send_zc", DISK),
        seen: COPIED_FOR_RECEIVER,
        twins: &[of("uring_splice", DISK), of("uring_send_zc", over("virtio"))],
    },
    Sabotage {
        name: "SEND_ZC over veth",
        reason: "ZC105",
        case: of("uring_send_zc", over("veth")),
        seen: COPIED_FOR_RECEIVER,
        twins: &[of("uring_splice", over("veth"))],
    },
    // ---- trouble on the way
    Sabotage {
        name: "MSG_ZEROCOPY with a packet tap",
        reason: "ZC105",
        case: of("msg_zerocopy", over("veth-tap")),
        // Once for the tap and once for the receiver.
        seen: &[between(SocketToSocket, Deferred, 2.0, 2.5), PINNED],
        twins: &[of("sendfile", over("veth-tap")), of("splice", over("veth-tap"))],
    },
    Sabotage {
        name: "MSG_ZEROCOPY, and packets that are lost",
        reason: "ZC105",
        case: of("msg_zerocopy", over("veth-loss")),
        seen: &[between(SocketToSocket, Deferred, 1.0, 2.5), PINNED],
        twins: &[of("sendfile", over("veth-loss")), of("splice", over("veth-loss"))],
    },
    Sabotage {
        name: "MSG_ZEROCOPY to a slow receiver",
        reason: "ZC105",
        case: of("msg_zerocopy", SLOW),
        seen: &[between(SocketToSocket, Deferred, 1.0, 2.5), PINNED],
        twins: &[of("sendfile", SLOW)],
    },
];
