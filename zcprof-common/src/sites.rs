//! THE TABLE: one row per site. The eBPF programs are stamped from it, the loader attaches by
//! it, and the ledger turns counts into hops by it. To add a site is to add a row.
//!
//! Sources are kernel files and functions as read in Linux 6.1, 6.12 and 7.3; `since` and
//! `until` bound the versions (major, minor) in which the row is a leaf of its instrument.

use crate::vocabulary::{Disposition, File, Hop, Instrument, Iter};

/// A kernel version, major and minor.
pub type Version = (u16, u16);

/// The oldest kernel whose leaves the table knows: before 6.0 `copy_page_to_iter()` copies by
/// itself, and before 5.14 an iterator's type is a bit mask (lib/iov_iter.c). On older ones the
/// rows of the system calls hold and no others.
pub const OLDEST: Version = (6, 0);

/// Where in the kernel payload bytes are copied, moved or filled.
#[derive(Debug)]
pub struct Site {
    /// Name in reports, and stem of the eBPF programs' names.
    pub name: &'static str,
    /// The function's or tracepoint's name in the kernel, newest first.
    pub symbols: &'static [&'static str],
    /// Kernel file that defines it.
    pub source: &'static str,
    /// First kernel in which this row holds.
    pub since: Version,
    /// First kernel in which it no longer holds.
    pub until: Option<Version>,
    /// Who watches it.
    pub instrument: Instrument,
    /// How the number of bytes is known.
    pub bytes: Bytes,
    /// Position of the `struct iov_iter *` argument.
    pub iter: Option<u8>,
    /// The module that holds it where it is not built in. Where that is not loaded nobody can be
    /// in it, so that its absence hides nothing.
    pub module: Option<&'static str>,
    /// The kind of file that it works on: what its thread is in while it runs, where no system
    /// call names a file (io_uring, and the kernel's workers for it).
    pub scope: Option<File>,
    /// Position of the `struct sock *` argument by which the current process sends: copies that
    /// the kernel makes of what is in that socket later are charged to it.
    pub sends: Option<u8>,
    /// What the bytes mean: the first case that matches applies.
    pub cases: &'static [Case],
}

/// How a site tells its bytes. Argument positions count from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bytes {
    /// The argument, at entry, but never more than the iterator holds.
    Requested(u8),
    /// A positive result.
    Returned,
    /// A positive result, less the argument (bytes that an earlier step had done).
    ReturnedLess(u8),
    /// The argument, if the result is zero.
    IfZero(u8),
    /// A positive result; the argument points at the `struct ubuf_info` that remembers who
    /// pinned the bytes.
    Pinned(u8),
    /// The length that the `struct aead_request` says, to which the argument points, if the
    /// result says that it was or will be done.
    Encrypted(u8),
    /// The paged bytes of the `struct sk_buff` that the argument points at, if the result is
    /// zero. Whoever pinned them is charged.
    Deferred(u8),
    /// The length argument, if the result is zero: bytes that are copied out of the pages of the
    /// `struct sk_buff` that the other argument points at. Whoever sends by its socket is charged,
    /// or by the socket of the skb that a [`Bytes::Lends`] around it works on.
    Linear {
        /// Position of the skb.
        skb: u8,
        /// Position of the length.
        length: u8,
    },
    /// None: what is copied inside it is copied for the socket of the `struct sk_buff` that the
    /// argument points at, whatever other skb it passes on.
    Lends(u8),
    /// None: what is copied inside it for an skb that names no socket is copied for the
    /// `struct sock` that the argument points at.
    Serves(u8),
    /// A page, if the frame behind it is another afterwards: the argument points at the
    /// `struct vm_fault`. The kind of file is that of the mapping, or none for the program's own.
    Replaced(u8),
    /// A folio's size; the argument points at it. The kind of file is then the folio's own.
    Folio(u8),
    /// The result of the system call, if positive.
    SyscallResult,
    /// None: only how often it is reached is counted.
    Calls,
}

/// What bytes mean under a condition on the iterator and on the system call's file.
#[derive(Debug)]
pub struct Case {
    /// Kinds of iterator, empty for any.
    pub iter: &'static [Iter],
    /// Kinds of file, empty for any.
    pub file: &'static [File],
    /// What each byte adds to the ledger.
    pub terms: &'static [Term],
}

/// One byte's contribution to the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// Added or taken away.
    pub sign: Sign,
    /// Which arrow of the path.
    pub hop: Hop,
    /// What happened.
    pub disposition: Disposition,
}

/// Whether a term adds to the ledger or takes away from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Adds.
    Plus,
    /// Takes away: the bytes are inside another site's result and were not copied.
    Minus,
}

const fn plus(hop: Hop, disposition: Disposition) -> Term {
    Term { sign: Sign::Plus, hop, disposition }
}

const fn minus(hop: Hop, disposition: Disposition) -> Term {
    Term { sign: Sign::Minus, hop, disposition }
}

const fn always(terms: &'static [Term]) -> Case {
    Case { iter: &[], file: &[], terms }
}

const fn iter(iter: &'static [Iter], terms: &'static [Term]) -> Case {
    Case { iter, file: &[], terms }
}

const fn on(file: &'static [File], terms: &'static [Term]) -> Case {
    Case { iter: &[], file, terms }
}

const fn user(file: &'static [File], terms: &'static [Term]) -> Case {
    Case { iter: &[Iter::User], file, terms }
}

use Disposition::{Bounced, Copied, Deferred, Filled, Moved, Pinned, Transformed};

/// A reader that fills whatever iterator it is given: user memory is a copy; a pipe iterator
/// (before 6.5) takes page references, which `generic_file_splice_read` around it cannot know;
/// kernel memory is a copy into a bounce page.
const READER: &[Case] = &[
    iter(&[Iter::User], &[plus(Hop::PageCacheToUser, Copied)]),
    iter(&[Iter::Pipe], &[minus(Hop::PageCacheToPipe, Bounced), plus(Hop::PageCacheToPipe, Moved)]),
    iter(&[Iter::Kernel], &[plus(Hop::PageCacheToPipe, Copied)]),
    iter(&[Iter::Discard], &[]),
];

/// What copies into a file's page cache.
const WRITER: &[Case] = &[
    iter(&[Iter::User], &[plus(Hop::UserToPageCache, Copied)]),
    iter(&[Iter::Kernel], &[plus(Hop::PageCacheToPageCache, Copied)]),
];

/// A reader of a file that has no pages to hand over, as in sysfs and procfs: a pipe iterator
/// takes fresh pages, and the bytes are copied there too.
const GENERATOR: &[Case] = &[
    iter(&[Iter::User], &[plus(Hop::PageCacheToUser, Copied)]),
    iter(&[Iter::Pipe, Iter::Kernel], &[plus(Hop::PageCacheToPipe, Copied)]),
    iter(&[Iter::Discard], &[]),
];

/// Where the tracepoints on page faults are defined; since 6.16 in include/trace/events/exceptions.h.
const FAULTS: &str = "arch/x86/include/asm/trace/exceptions.h";

/// Every site.
pub const SITES: &[Site] = &[
    // ---- audit: the leaves. lib/Makefile strips their ftrace hooks, so only an execution
    // breakpoint (or a kernel with KPROBE_EVENTS_ON_NOTRACE) can see them.
    Site {
        name: "_copy_to_iter",
        symbols: &["_copy_to_iter"],
        source: "lib/iov_iter.c",
        // Before 6.0 copy_page_to_iter() copies by itself and is a leaf beside this one.
        since: (6, 0),
        until: None,
        instrument: Instrument::Audit,
        bytes: Bytes::Requested(1),
        iter: Some(2),
        module: None,
        scope: None,
        sends: None,
        cases: &[
            iter(&[Iter::Discard], &[]),
            user(&[File::Regular], &[plus(Hop::PageCacheToUser, Copied)]),
            user(&[File::Socket], &[plus(Hop::SocketToUser, Copied)]),
            user(&[File::Pipe], &[plus(Hop::PipeToUser, Copied)]),
            user(&[], &[plus(Hop::Arguments, Copied)]),
            iter(&[Iter::Kernel, Iter::Pipe], &[plus(Hop::PageCacheToPipe, Copied)]),
        ],
    },
    Site {
        name: "_copy_from_iter",
        symbols: &["_copy_from_iter"],
        source: "lib/iov_iter.c",
        since: (6, 0),
        until: None,
        instrument: Instrument::Audit,
        bytes: Bytes::Requested(1),
        iter: Some(2),
        module: None,
        scope: None,
        sends: None,
        cases: &[
            user(&[File::Socket], &[plus(Hop::UserToSocket, Copied)]),
            user(&[File::Regular], &[plus(Hop::UserToPageCache, Copied)]),
            user(&[File::Pipe], &[plus(Hop::UserToPipe, Copied)]),
            user(&[], &[plus(Hop::Arguments, Copied)]),
            iter(&[Iter::Kernel], &[plus(Hop::PageCacheToSocket, Copied)]),
        ],
    },
    Site {
        name: "_copy_to_user",
        symbols: &["_copy_to_user"],
        source: "lib/usercopy.c",
        since: (5, 10),
        until: None,
        instrument: Instrument::Audit,
        bytes: Bytes::Requested(2),
        iter: None,
        module: None,
        scope: None,
        sends: None,
        cases: &[always(&[plus(Hop::Arguments, Copied)])],
    },
    Site {
        name: "_copy_from_user",
        symbols: &["_copy_from_user"],
        source: "lib/usercopy.c",
        since: (5, 10),
        until: None,
        instrument: Instrument::Audit,
        bytes: Bytes::Requested(2),
        iter: None,
        module: None,
        scope: None,
        sends: None,
        cases: &[always(&[plus(Hop::Arguments, Copied)])],
    },
    // ---- callers: page cache -> out
    Site {
        name: "filemap_read",
        symbols: &["filemap_read"],
        source: "mm/filemap.c",
        since: (5, 12), // generic_file_buffered_read() before
        until: None,
        instrument: Instrument::Callers,
        // The result includes what the caller had read before (`already_read`).
        bytes: Bytes::ReturnedLess(2),
        iter: Some(1),
        module: None,
        scope: Some(File::Regular),
        sends: None,
        cases: READER,
    },
    Site {
        name: "shmem_file_read_iter",
        symbols: &["shmem_file_read_iter"],
        source: "mm/shmem.c",
        since: (5, 10),
        until: None,
        instrument: Instrument::Callers,
        bytes: Bytes::Returned,
        iter: Some(1),
        module: None,
        scope: Some(File::Regular),
        sends: None,
        cases: READER,
    },
    Site {
        name: "kernfs_fop_read_iter",
        symbols: &["kernfs_fop_read_iter"],
        source: "fs/kernfs/file.c", // sysfs, cgroup
        since: (5, 10),
        until: None,
        instrument: Instrument::Callers,
        bytes: Bytes::Returned,
        iter: Some(1),
        module: None,
        scope: Some(File::Regular),
        sends: None,
        // Of an attribute in text (a page at most) it calls seq_read_iter(), and both count it: the
        // instruments then disagree. Binary attributes, which may be large, are counted once.
        cases: GENERATOR,
    },
    Site {
        name: "seq_read_iter",
        symbols: &["seq_read_iter"],
        source: "fs/seq_file.c", // procfs
        since: (5, 10),
        until: None,
        instrument: Instrument::Callers,
        bytes: Bytes::Returned,
        iter: Some(1),
        module: None,
        scope: Some(File::Regular),
        sends: None,
        cases: GENERATOR,
    },
    Site {
        name: "generic_file_splice_read",
        symbols: &["generic_file_splice_read"],
        source: "fs/splice.c",
        since: (5, 10),
        until: Some((6, 5)),
        instrument: Instrument::Callers,
        // Every reader fills its pipe iterator. What the page cache's readers say they handed
        // over they take away from this; the rest is in fresh pages, whoever fills them.
        bytes: Bytes::Returned,
        iter: None,
        module: None,
        scope: None,
        sends: None,
        cases: &[always(&[plus(Hop::PageCacheToPipe, Bounced)])],
    },
    Site {
        name: "filemap_splice_read",
        symbols: &["filemap_splice_read"],
        source: "mm/filemap.c",
        since: (6, 5), // before, splice reads through filemap_read() with a pipe iterator
        until: None,
        instrument: Instrument::Callers,
        bytes: Bytes::Returned,
        iter: None,
        module: None,
        scope: None,
        sends: None,
        cases: &[always(&[plus(Hop::PageCacheToPipe, Moved)])],
    },
    Site {
        name: "shmem_file_splice_read",
        symbols: &["shmem_file_splice_read"],
        source: "mm/shmem.c",
        since: (6, 5),
        until: None,
        instrument: Instrument::Callers,
        bytes: Bytes::Returned,
        iter: None,
        module: None,
        scope: None,
        sends: None,
        cases: &[always(&[plus(Hop::PageCacheToPipe, Moved)])],
    },
    Site {
        name: "copy_splice_read",
        symbols: &["copy_splice_read"],
        source: "fs/splice.c",
        since: (6, 5),
        until: None,
        instrument: Instrument::Callers,
        // Fresh pages are filled; whether the CPU fills them (sysfs) or a device does
        // (O_DIRECT) is for the reader inside it to say.
        bytes: Bytes::Returned,
        iter: None,
        module: None,
        scope: None,
        sends: None,
        cases: &[always(&[plus(Hop::PageCacheToPipe, Bounced)])],
    },
    // ---- callers: into the socket
    Site {
        name: "tcp_sendmsg_locked",
        symbols: &["tcp_sendmsg_locked"],
        source: "net/ipv4/tcp.c",
        since: (5, 10),
        until: None,
        instrument: Instrument::Callers,
        // Copies what skb_splice_from_iter() and skb_zerocopy_iter_stream() inside it do not.
        bytes: Bytes::Returned,
        iter: None,
        module: None,
        scope: Some(File::Socket),
        sends: Some(0),
        cases: &[always(&[plus(Hop::UserToSocket, Copied)])],
    },
    Site {
        name: "skb_splice_from_iter",
        symbols: &["skb_splice_from_iter"],
        source: "net/core/skbuff.c",
        since: (6, 5), // MSG_SPLICE_PAGES
        until: None,
        instrument: Instrument::Callers,
        bytes: Bytes::Returned,
        iter: None,
        module: None,
        scope: None,
        sends: None,
        cases: &[always(&[minus(Hop::UserToSocket, Copied), plus(Hop::PageCacheToSocket, Moved)])],
    },
    Site {
        name: "do_tcp_sendpages",
        symbols: &["do_tcp_sendpages"],
        source: "net/ipv4/tcp.c",
        since: (5, 10),
        until: Some((6, 5)),
        instrument: Instrument::Callers,
        bytes: Bytes::Returned,
        iter: None,
        module: None,
        scope: None,
        sends: Some(0),
        cases: &[always(&[plus(Hop::PageCacheToSocket, Moved)])],
    },
    Site {
        name: "skb_zerocopy_iter_stream",
        symbols: &["skb_zerocopy_iter_stream"],
        source: "net/core/skbuff.c",
        since: (5, 10),
        until: None,
        instrument: Instrument::Callers,
        // The fifth argument is the `struct ubuf_info *` by which a later copy is known.
        bytes: Bytes::Pinned(4),
        iter: None,
        module: None,
        scope: None,
        sends: None,
        cases: &[always(&[minus(Hop::UserToSocket, Copied), plus(Hop::UserToSocket, Pinned)])],
    },
    Site {
        name: "skb_copy_ubufs",
        symbols: &["skb_copy_ubufs"],
        source: "net/core/skbuff.c",
        since: (5, 10),
        until: None,
        instrument: Instrument::Callers,
        // Pinned pages that cannot stay pinned (delivered on this host, or to a packet socket)
        // are copied, mostly in softirq and so on anybody's time: its owner is charged.
        bytes: Bytes::Deferred(0),
        iter: None,
        module: None,
        scope: None,
        sends: None,
        cases: &[always(&[plus(Hop::SocketToSocket, Deferred)])],
    },
    Site {
        name: "skb_segment",
        symbols: &["skb_segment"],
        source: "net/core/skbuff.c",
        since: (5, 10),
        until: None,
        instrument: Instrument::Callers,
        // Software segmentation, where a device lacks TSO, scatter-gather or checksums: what
        // skb_copy_bits() does inside it is done for the socket of the skb that is cut up.
        bytes: Bytes::Lends(0),
        iter: None,
        module: None,
        scope: None,
        sends: None,
        cases: &[always(&[])],
    },
    Site {
        name: "skb_try_coalesce",
        symbols: &["skb_try_coalesce"],
        source: "net/core/skbuff.c",
        since: (5, 10),
        until: None,
        instrument: Instrument::Callers,
        // A receive queue copies a short skb behind the one before it, whose socket it is.
        bytes: Bytes::Lends(0),
        iter: None,
        module: None,
        scope: None,
        sends: None,
        cases: &[always(&[])],
    },
    Site {
        name: "tcp_add_backlog",
        symbols: &["tcp_add_backlog"],
        source: "net/ipv4/tcp_ipv4.c",
        since: (5, 10),
        until: None,
        instrument: Instrument::Callers,
        // While its owner reads, a socket's packets wait in a backlog, put together in the same
        // way; there they do not name the socket yet.
        bytes: Bytes::Serves(0),
        iter: None,
        module: None,
        scope: None,
        sends: None,
        cases: &[always(&[])],
    },
    Site {
        name: "skb_copy_bits",
        symbols: &["skb_copy_bits"],
        source: "net/core/skbuff.c",
        since: (5, 10),
        until: None,
        instrument: Instrument::Callers,
        // The leaf of every copy out of an skb's pages that is not for a user: __pskb_pull_tail()
        // (skb_linearize(), skb_checksum_help()), skb_segment(), skb_copy(), tcp_collapse(),
        // skb_try_coalesce(). Of an skb with a list of fragments it calls itself, and these
        // bytes are counted twice; TCP sends none.
        bytes: Bytes::Linear { skb: 0, length: 3 },
        iter: None,
        module: None,
        scope: None,
        sends: None,
        cases: &[always(&[plus(Hop::SocketToSocket, Deferred)])],
    },
    Site {
        name: "crypto_aead_encrypt",
        symbols: &["crypto_aead_encrypt"],
        source: "crypto/aead.c",
        since: (5, 10),
        until: None,
        instrument: Instrument::Callers,
        // TLS in the kernel: net/tls/tls_sw.c, tls_do_encryption(). The new pages go through
        // the same sites as any that are handed over.
        bytes: Bytes::Encrypted(0),
        iter: None,
        module: Some("aead"),
        scope: None,
        sends: None,
        cases: &[always(&[plus(Hop::PageCacheToSocket, Transformed)])],
    },
    // ---- callers: out of the socket
    Site {
        name: "skb_copy_datagram_iter",
        symbols: &["skb_copy_datagram_iter"],
        source: "net/core/datagram.c",
        since: (5, 10),
        until: None,
        instrument: Instrument::Callers,
        bytes: Bytes::IfZero(3),
        iter: Some(2),
        module: None,
        scope: Some(File::Socket),
        sends: None,
        cases: &[
            iter(&[Iter::User], &[plus(Hop::SocketToUser, Copied)]),
            iter(&[Iter::Discard], &[]),
        ],
    },
    // ---- callers: pipes
    Site {
        name: "pipe_read",
        symbols: &["anon_pipe_read", "pipe_read"],
        source: "fs/pipe.c",
        since: (5, 10),
        until: None,
        instrument: Instrument::Callers,
        bytes: Bytes::Returned,
        iter: Some(1),
        module: None,
        scope: None,
        sends: None,
        cases: &[iter(&[Iter::User], &[plus(Hop::PipeToUser, Copied)])],
    },
    Site {
        name: "pipe_write",
        symbols: &["anon_pipe_write", "pipe_write"],
        source: "fs/pipe.c",
        since: (5, 10),
        until: None,
        instrument: Instrument::Callers,
        bytes: Bytes::Returned,
        iter: Some(1),
        module: None,
        scope: None,
        sends: None,
        cases: &[iter(&[Iter::User], &[plus(Hop::UserToPipe, Copied)])],
    },
    // ---- callers: files that another process serves
    Site {
        name: "fuse_dev_do_write",
        symbols: &["fuse_dev_do_write"],
        source: "fs/fuse/dev.c",
        since: (5, 10),
        until: None,
        instrument: Instrument::Callers,
        // A FUSE daemon's answer: fuse_copy_do() copies it into the pages that wait for it, and
        // memcpy() is no site. With the answer's header, 16 bytes of up to 128 KiB and more. It
        // runs in the daemon; whoever knows that the log is on FUSE knows for whom.
        bytes: Bytes::Returned,
        iter: None,
        module: Some("fuse"),
        scope: None,
        sends: None,
        cases: &[always(&[plus(Hop::StorageToPageCache, Copied)])],
    },
    // ---- callers: page faults
    Site {
        name: "do_wp_page",
        symbols: &["do_wp_page"],
        source: "mm/memory.c",
        since: (5, 10),
        until: None,
        instrument: Instrument::Callers,
        // wp_page_copy() inside it, which newer kernels inline: a page that is in a pipe or a
        // socket is copied when its private mapping is written to. No leaf: a whole page is
        // copied by copy_page() or copy_mc_to_kernel().
        bytes: Bytes::Replaced(0),
        iter: None,
        module: None,
        scope: None,
        sends: None,
        cases: &[
            on(&[File::Regular], &[plus(Hop::UserToUser, Copied)]),
            // The program's own variables, written for the first time.
            on(&[], &[]),
        ],
    },
    // ---- callers: into files
    Site {
        name: "generic_perform_write",
        symbols: &["generic_perform_write"],
        source: "mm/filemap.c",
        since: (5, 10),
        until: None,
        instrument: Instrument::Callers,
        // It copies by copy_page_from_iter_atomic() or copy_folio_from_iter_atomic(), a fifth
        // leaf (lib/iov_iter.c), for which x86 has no fifth slot: the audit does not see it.
        bytes: Bytes::Returned,
        iter: Some(1),
        module: None,
        scope: None,
        sends: None,
        cases: WRITER,
    },
    Site {
        name: "iomap_file_buffered_write",
        symbols: &["iomap_file_buffered_write"],
        source: "fs/iomap/buffered-io.c",
        since: (5, 10),
        until: None,
        instrument: Instrument::Callers,
        // xfs, and whoever else writes by iomap; the same leaf.
        bytes: Bytes::Returned,
        iter: Some(1),
        module: None,
        scope: None,
        sends: None,
        cases: WRITER,
    },
    Site {
        name: "btrfs_buffered_write",
        symbols: &["btrfs_buffered_write"],
        source: "fs/btrfs/file.c",
        since: (5, 10),
        until: None,
        instrument: Instrument::Callers,
        bytes: Bytes::Returned,
        iter: Some(1),
        module: Some("btrfs"),
        scope: None,
        sends: None,
        cases: WRITER,
    },
    // ---- syscalls: tracepoints. What a system call means is in `syscalls::SYSCALLS`.
    Site {
        name: "sys_exit",
        symbols: &["sys_exit"],
        source: "include/trace/events/syscalls.h",
        since: (5, 10),
        until: None,
        instrument: Instrument::Syscalls,
        bytes: Bytes::SyscallResult,
        iter: None,
        module: None,
        scope: None,
        sends: None,
        cases: &[],
    },
    Site {
        name: "mm_filemap_add_to_page_cache",
        symbols: &["mm_filemap_add_to_page_cache"],
        source: "include/trace/events/filemap.h",
        since: (5, 10),
        until: None,
        instrument: Instrument::Syscalls,
        bytes: Bytes::Folio(0),
        iter: None,
        module: None,
        scope: None,
        sends: None,
        cases: &[
            on(&[File::Regular], &[plus(Hop::StorageToPageCache, Filled)]),
            // A file system's metadata, in the page cache of its block device.
            on(&[], &[]),
        ],
    },
    // Page faults are counted as such: they map pages and copy none. What a fault does copy, a page
    // of a private mapping, do_wp_page() says; what it reads from storage, the page cache does.
    Site {
        name: "page_fault_user",
        symbols: &["page_fault_user"],
        source: FAULTS,
        since: (5, 10),
        until: None,
        instrument: Instrument::Syscalls,
        bytes: Bytes::Calls,
        iter: None,
        module: None,
        scope: None,
        sends: None,
        cases: &[always(&[])],
    },
    Site {
        name: "page_fault_kernel",
        symbols: &["page_fault_kernel"],
        source: FAULTS,
        since: (5, 10),
        until: None,
        instrument: Instrument::Syscalls,
        // A mapped segment that is written into a socket faults here: the kernel reads it.
        bytes: Bytes::Calls,
        iter: None,
        module: None,
        scope: None,
        sends: None,
        cases: &[always(&[])],
    },
    Site {
        name: "skb_copy_datagram_iovec",
        symbols: &["skb_copy_datagram_iovec"],
        source: "include/trace/events/skb.h",
        since: (5, 10),
        until: None,
        instrument: Instrument::Syscalls,
        bytes: Bytes::Requested(1),
        iter: None,
        module: None,
        scope: None,
        sends: None,
        cases: &[always(&[plus(Hop::SocketToUser, Copied)])],
    },
];

impl Site {
    /// Whether a program has to run at its entry too.
    #[must_use]
    pub const fn has_entry(&self) -> bool {
        self.scope.is_some()
            || self.sends.is_some()
            || matches!(self.bytes, Bytes::Deferred(_) | Bytes::Lends(_) | Bytes::Serves(_))
    }

    /// The row called `name`, and its index.
    #[must_use]
    pub fn find(name: &str) -> Option<(usize, &'static Self)> {
        SITES.iter().enumerate().find(|(_, site)| site.name == name)
    }

    /// Whether this row holds on a kernel of that version.
    #[must_use]
    pub fn holds_on(&self, version: Version) -> bool {
        let since = match self.instrument {
            Instrument::Syscalls => self.since,
            Instrument::Audit | Instrument::Callers => self.since.max(OLDEST),
        };
        since <= version && self.until.is_none_or(|until| version < until)
    }

    /// What a byte counted here under this iterator and file adds to the ledger; `None` if the
    /// table does not say, which is a hole in the evidence and not a zero.
    #[must_use]
    pub fn terms(&self, iter: Iter, file: File) -> Option<&'static [Term]> {
        self.cases
            .iter()
            .find(|case| {
                (case.iter.is_empty() || case.iter.contains(&iter))
                    && (case.file.is_empty() || case.file.contains(&file))
            })
            .map(|case| case.terms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        for (index, site) in SITES.iter().enumerate() {
            assert_eq!(Site::find(site.name).map(|found| found.0), Some(index), "{}", site.name);
        }
    }

    #[test]
    fn every_row_is_complete() {
        for site in SITES {
            assert!(!site.symbols.is_empty(), "{}", site.name);
            assert!(site.source.contains('/'), "{} names no kernel file", site.name);
            assert!(site.until.is_none_or(|until| site.since < until), "{}", site.name);
            assert!(site.iter.is_none_or(|at| at < 6), "{}: not a register argument", site.name);
        }
    }

    #[test]
    fn audit_fits_the_four_breakpoint_slots_of_x86() {
        for version in [(6, 1), (6, 12), (7, 3)] {
            let leaves = SITES
                .iter()
                .filter(|site| site.instrument == Instrument::Audit && site.holds_on(version));
            assert!(leaves.count() <= 4, "{version:?}");
        }
    }

    #[test]
    fn sendfile_hands_over_to_the_socket_exactly_once_on_every_kernel() {
        for version in [OLDEST, (6, 1), (6, 4), (6, 5), (6, 12), (7, 3)] {
            let moved = SITES
                .iter()
                .filter(|site| site.holds_on(version))
                .flat_map(|site| site.cases)
                .flat_map(|case| case.terms)
                .filter(|t| t.hop == Hop::PageCacheToSocket && t.disposition == Moved);
            assert_eq!(moved.count(), 1, "{version:?}");
        }
    }

    #[test]
    fn before_the_oldest_kernel_only_system_calls_are_sites() {
        let of = |version| SITES.iter().filter(move |site| site.holds_on(version));
        assert!(of((5, 10)).all(|site| site.instrument == Instrument::Syscalls));
        assert!(of((5, 10)).any(|site| site.name == "sys_exit"));
        assert!(of(OLDEST).any(|site| site.instrument == Instrument::Audit));
        assert!(of(OLDEST).any(|site| site.instrument == Instrument::Callers));
    }

    #[test]
    fn a_pipe_iterator_is_a_hand_over_and_not_a_copy() {
        let (_, filemap) = Site::find("filemap_read").expect("in the table");
        let terms = filemap.terms(Iter::Pipe, File::Regular).expect("known");
        let (fresh, moved) =
            (minus(Hop::PageCacheToPipe, Bounced), plus(Hop::PageCacheToPipe, Moved));
        assert_eq!(terms, &[fresh, moved]);
        assert!(filemap.terms(Iter::Unknown, File::Regular).is_none());
    }
}
