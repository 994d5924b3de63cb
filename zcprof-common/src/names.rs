//! The names that a command line knows: each is said here, and the tables of transfers, networks and
//! claims take theirs from here. xtask reads the names here before it builds zcprof.

/// Declares a module of names, and the slice of all in their order.
macro_rules! names {
    ($(#[$doc:meta])* $module:ident: $($constant:ident = $name:literal,)*) => {
        $(#[$doc])*
        pub mod $module {
            $(#[doc = concat!("`", $name, "`.")] pub const $constant: &str = $name;)*

            /// All of them.
            pub const ALL: &[&str] = &[$($constant,)*];
        }
    };
}

names! {
    /// Ways to move a segment to a socket.
    transfer:
    READ_WRITE = "read_write",
    MMAP_WRITE = "mmap_write",
    SENDFILE = "sendfile",
    SPLICE = "splice",
    PREAD_WRITE = "pread_write",
    WRITEV = "writev",
    VMSPLICE = "vmsplice",
    MSG_ZEROCOPY = "msg_zerocopy",
    URING_SEND = "uring_send",
    URING_SEND_ZC = "uring_send_zc",
    URING_SPLICE = "uring_splice",
    TLS = "tls",
    KTLS_SENDFILE = "ktls_sendfile",
    SENDFILE_TO_FILE = "sendfile_to_file",
    COPY_FILE_RANGE = "copy_file_range",
}

names! {
    /// Transfers that copy where their system calls look as if they did not.
    saboteur:
    SENDFILE_DIRECT = "sendfile_direct",
    WRITE_SPLICE = "write_splice",
    VMSPLICE_REUSED = "vmsplice_reused",
    VMSPLICE_COW = "vmsplice_cow",
    VMSPLICE_PRIVATE = "vmsplice_private",
    WRAPPED_SENDFILE = "wrapped_sendfile",
}

names! {
    /// Ways between server and consumer.
    network:
    LOOPBACK = "loopback",
    VETH = "veth",
    VETH_NO_TSO = "veth-no-tso",
    VETH_NO_CHECKSUM = "veth-no-checksum",
    VETH_NO_SG = "veth-no-sg",
    VETH_NOCACHE = "veth-nocache",
    VETH_NEITHER = "veth-neither",
    WIREGUARD = "wireguard",
    VXLAN = "vxlan",
    MACSEC = "macsec",
    VETH_LOSS = "veth-loss",
    VETH_TAP = "veth-tap",
    VETH_RING = "veth-ring",
    VETH_XDP = "veth-xdp",
    VIRTIO = "virtio",
    VIRTIO_TAP = "virtio-tap",
}

names! {
    /// What a transfer may promise.
    claim:
    ZERO_COPY = "zero-copy",
    ZERO_COPY_FROM_STORAGE = "zero-copy-from-storage",
    ONE_COPY = "one-copy",
    TWO_COPIES = "two-copies",
    DEFERRED = "deferred",
    TRANSFORMS = "transforms",
    REPLICA = "replica",
}

names! {
    /// Kinds of sockets.
    socket:
    TCP = "tcp",
    MPTCP = "mptcp",
    UNIX = "unix",
}

names! {
    /// Ways for the consumer to receive.
    mode:
    COPY = "copy",
    DISCARD = "discard",
    SPLICE = "splice",
    RECEIVE_ZEROCOPY = "receive_zerocopy",
    SLOW = "slow",
}

names! {
    /// Ways for the consumer to receive that copy where they promise not to.
    mode_saboteur:
    SPLICE_HALF = "splice_half",
    SPLICE_READ = "splice_read",
}

names! {
    /// What a way to receive may promise.
    receive_claim:
    COPIED = "receive-copied",
    DROPPED = "receive-dropped",
    PIPED = "receive-piped",
    MAPPED = "receive-mapped",
}

names! {
    /// States of the page cache when a pass begins.
    cache:
    WARM = "warm",
    COLD = "cold",
    BOTH = "both",
}
