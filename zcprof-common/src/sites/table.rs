//! The rows: one per site, grouped by instrument and hop. A row says only what differs from
//! [`Site::LEAF`], [`Site::CALLER`] or [`Site::TRACEPOINT`].

use super::{Bytes, Case, Sign, Site, Term};
use crate::vocabulary::{Disposition, Family, File, Hop, Iter, Need};

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

const fn to_user(file: &'static [File], terms: &'static [Term]) -> Case {
    Case { iter: &[Iter::ToUser], file, terms }
}

const fn from_user(file: &'static [File], terms: &'static [Term]) -> Case {
    Case { iter: &[Iter::FromUser], file, terms }
}

use Disposition::{Aside, Bounced, Copied, Deferred, Filled, Moved, Pinned, Transformed};

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

/// What copies into a socket and cannot take pages: from user memory, or, for sendfile and splice,
/// from pages of the page cache.
const SENDER: &[Case] = &[
    iter(&[Iter::User], &[plus(Hop::UserToSocket, Copied)]),
    iter(&[Iter::Kernel], &[plus(Hop::PageCacheToSocket, Copied)]),
];

/// A reader of a file that has no pages to hand over, as in sysfs and procfs: a pipe iterator
/// takes fresh pages, and the bytes are copied there too.
const GENERATOR: &[Case] = &[
    iter(&[Iter::User], &[plus(Hop::PageCacheToUser, Copied)]),
    iter(&[Iter::Pipe, Iter::Kernel], &[plus(Hop::PageCacheToPipe, Copied)]),
    iter(&[Iter::Discard], &[]),
];

/// Pages of a file. What a program has put there through a mapping was never written by a system call: as
/// far as anybody can tell all of it.
const PAGES: &[Case] = &[
    on(&[File::Mapped], &[plus(Hop::PageCacheToPipe, Moved), plus(Hop::UserToPageCache, Moved)]),
    always(&[plus(Hop::PageCacheToPipe, Moved)]),
];

/// The same in fresh pages, or in such as the readers inside say.
const FRESH: &[Case] = &[
    on(&[File::Mapped], &[plus(Hop::PageCacheToPipe, Bounced), plus(Hop::UserToPageCache, Moved)]),
    always(&[plus(Hop::PageCacheToPipe, Bounced)]),
];

/// Out of a packet, in a receive queue or on its way out.
const PACKET: &[Case] = &[
    on(&[File::Socket], &[plus(Hop::SocketToSocket, Aside)]), // what the socket was sent
    on(&[], &[plus(Hop::SocketToSocket, Deferred)]),
];

/// An assembler routine that copies to and from user memory.
const CROSSING: &[Case] = &[
    iter(&[Iter::None], &[plus(Hop::Arguments, Copied)]),
    to_user(&[File::Regular], &[plus(Hop::PageCacheToUser, Copied)]),
    to_user(&[File::Socket], &[plus(Hop::SocketToUser, Copied)]),
    to_user(&[File::Pipe], &[plus(Hop::PipeToUser, Copied)]),
    to_user(&[], &[plus(Hop::Arguments, Copied)]),
    from_user(&[File::Socket], &[plus(Hop::UserToSocket, Copied)]),
    from_user(&[File::Regular], &[plus(Hop::UserToPageCache, Copied)]),
    from_user(&[File::Pipe], &[plus(Hop::UserToPipe, Copied)]),
    from_user(&[], &[plus(Hop::Arguments, Copied)]),
];

/// What copies out of an iterator.
const FROM_ITER: &[Case] = &[
    user(&[File::Socket], &[plus(Hop::UserToSocket, Copied)]),
    user(&[File::Regular], &[plus(Hop::UserToPageCache, Copied)]),
    user(&[File::Pipe], &[plus(Hop::UserToPipe, Copied)]),
    user(&[], &[plus(Hop::Arguments, Copied)]),
    iter(&[Iter::Kernel], &[plus(Hop::PageCacheToSocket, Copied)]),
];

/// What copies into a file's page cache, where another leaf inside it copies from user memory.
const WRITER_FROM_KERNEL: &[Case] =
    &[iter(&[Iter::User], &[]), iter(&[Iter::Kernel], &[plus(Hop::PageCacheToPageCache, Copied)])];

/// What copies out of an iterator, where another leaf inside it copies from user memory.
const FROM_KERNEL: &[Case] =
    &[iter(&[Iter::User], &[]), iter(&[Iter::Kernel], &[plus(Hop::PageCacheToSocket, Copied)])];

/// Where the tracepoints on page faults are defined; since 6.16 in include/trace/events/exceptions.h.
const FAULTS: &str = "arch/x86/include/asm/trace/exceptions.h";

/// The site at which the CPU copies for devices.
pub const BOUNCE_BUFFERS: &str = "swiotlb_bounced";

/// The site at which the results of system calls are counted.
pub const SYSCALL_RESULTS: &str = "sys_exit";

/// Every site.
pub const SITES: &[Site] = &[
    // ---- audit: the leaves. lib/Makefile strips their ftrace hooks, so only an execution
    // breakpoint (or a kernel with KPROBE_EVENTS_ON_NOTRACE) can see them.
    //
    // Before 6.0 copy_page_to_iter() and others copy by themselves, and on x86 they, the iterators'
    // functions and _copy_to_user() all end in one assembler routine, which the kernel chooses at
    // boot by the CPU's flags (copy_user_generic(), arch/x86/include/asm/uaccess_64.h, 5.10; until
    // 6.3). Kernel memory and pipes are filled by memcpy(), so that these have leaves of their own.
    Site {
        name: "copy_user",
        symbols: &[
            "copy_user_enhanced_fast_string",
            "copy_user_generic_string",
            "copy_user_generic_unrolled",
        ],
        source: "arch/x86/lib/copy_user_64.S",
        until: Some((6, 0)),
        bytes: Bytes::Crossing(2),
        cases: CROSSING,
        ..Site::LEAF
    },
    Site {
        name: "_copy_to_iter_kernel",
        symbols: &["_copy_to_iter"],
        source: "lib/iov_iter.c",
        until: Some((6, 0)),
        bytes: Bytes::Requested(1),
        iter: Some(2),
        cases: &[
            iter(&[Iter::User, Iter::Discard], &[]), // by copy_user
            iter(&[Iter::Kernel, Iter::Pipe], &[plus(Hop::PageCacheToPipe, Copied)]),
        ],
        ..Site::LEAF
    },
    Site {
        name: "_copy_from_iter_kernel",
        symbols: &["_copy_from_iter"],
        source: "lib/iov_iter.c",
        until: Some((6, 0)),
        bytes: Bytes::Requested(1),
        iter: Some(2),
        cases: FROM_KERNEL,
        ..Site::LEAF
    },
    Site {
        name: "_copy_from_iter_full",
        source: "lib/iov_iter.c",
        until: Some((5, 14)), // from then on it calls _copy_from_iter()
        bytes: Bytes::Requested(1),
        iter: Some(2),
        cases: FROM_KERNEL,
        ..Site::LEAF
    },
    Site {
        name: "_copy_to_iter",
        source: "lib/iov_iter.c",
        since: (6, 0),
        bytes: Bytes::Requested(1),
        iter: Some(2),
        cases: &[
            iter(&[Iter::Discard], &[]),
            user(&[File::Regular], &[plus(Hop::PageCacheToUser, Copied)]),
            user(&[File::Socket], &[plus(Hop::SocketToUser, Copied)]),
            user(&[File::Pipe], &[plus(Hop::PipeToUser, Copied)]),
            user(&[], &[plus(Hop::Arguments, Copied)]),
            iter(&[Iter::Kernel, Iter::Pipe], &[plus(Hop::PageCacheToPipe, Copied)]),
        ],
        ..Site::LEAF
    },
    Site {
        name: "_copy_from_iter",
        source: "lib/iov_iter.c",
        since: (6, 0),
        bytes: Bytes::Requested(1),
        iter: Some(2),
        cases: FROM_ITER,
        ..Site::LEAF
    },
    Site {
        name: "_copy_to_user",
        source: "lib/usercopy.c",
        since: (6, 0),
        bytes: Bytes::Requested(2),
        cases: &[always(&[plus(Hop::Arguments, Copied)])],
        ..Site::LEAF
    },
    Site {
        name: "_copy_from_user",
        source: "lib/usercopy.c",
        since: (6, 0),
        bytes: Bytes::Requested(2),
        cases: &[always(&[plus(Hop::Arguments, Copied)])],
        ..Site::LEAF
    },
    // ---- audit: leaves that not everybody reaches
    //
    // copy_page_to_iter() and copy_page_from_iter() are none from 6.0 on: they call _copy_to_iter()
    // and _copy_from_iter().
    Site {
        name: "copy_folio_from_iter_atomic",
        symbols: &["copy_folio_from_iter_atomic", "copy_page_from_iter_atomic"], // 6.12 and before
        source: "lib/iov_iter.c",
        // What generic_perform_write() and its like copy by. Where a page of the user's is not
        // there it copies less than it was asked for and is called again.
        since: (6, 0),
        bytes: Bytes::Requested(2),
        iter: Some(3),
        need: Need::Writes,
        cases: WRITER,
        ..Site::LEAF
    },
    Site {
        name: "copy_page_from_iter_atomic_kernel",
        symbols: &["copy_page_from_iter_atomic"],
        source: "lib/iov_iter.c",
        since: (5, 14),
        until: Some((6, 0)),
        bytes: Bytes::Requested(2),
        iter: Some(3),
        need: Need::Writes,
        cases: WRITER_FROM_KERNEL,
        ..Site::LEAF
    },
    Site {
        name: "iov_iter_copy_from_user_atomic",
        source: "lib/iov_iter.c",
        until: Some((5, 14)),
        bytes: Bytes::Requested(3),
        iter: Some(1),
        need: Need::Writes,
        cases: WRITER_FROM_KERNEL,
        ..Site::LEAF
    },
    Site {
        name: "_copy_from_iter_nocache",
        source: "lib/iov_iter.c",
        // skb_do_copy_data_nocache() (include/net/sock.h), sk_msg_memcopy_from_iter()
        // (net/core/skmsg.c), mptcp_sendmsg(): if the route's device has NETIF_F_NOCACHE_COPY.
        // tls_push_data() (net/tls/tls_device.c) without that.
        since: (6, 0),
        bytes: Bytes::Requested(1),
        iter: Some(2),
        need: Need::NocacheDevice,
        cases: FROM_ITER,
        ..Site::LEAF
    },
    Site {
        name: "copy_user_nocache",
        symbols: &["__copy_user_nocache"],
        source: "arch/x86/lib/copy_user_64.S",
        // Beside the routine that copies to and from user memory otherwise.
        until: Some((6, 0)),
        bytes: Bytes::Crossing(2),
        need: Need::NocacheDevice,
        cases: CROSSING,
        ..Site::LEAF
    },
    Site {
        name: "_copy_from_iter_nocache_kernel",
        symbols: &["_copy_from_iter_nocache"],
        source: "lib/iov_iter.c",
        until: Some((6, 0)),
        bytes: Bytes::Requested(1),
        iter: Some(2),
        need: Need::NocacheDevice,
        cases: FROM_KERNEL,
        ..Site::LEAF
    },
    Site {
        name: "_copy_from_iter_full_nocache",
        source: "lib/iov_iter.c",
        until: Some((5, 14)),
        bytes: Bytes::Requested(1),
        iter: Some(2),
        need: Need::NocacheDevice,
        cases: FROM_KERNEL,
        ..Site::LEAF
    },
    Site {
        name: "_copy_mc_to_iter",
        source: "lib/iov_iter.c",
        // dax_copy_to_iter() (drivers/dax/super.c). Before 6.0 it calls copy_user, or not, by the
        // CPU (copy_mc_to_user(), arch/x86/lib/copy_mc.c): its user bytes have no row there.
        since: (6, 0),
        bytes: Bytes::Requested(1),
        iter: Some(2),
        need: Need::Dax,
        cases: READER,
        ..Site::LEAF
    },
    Site {
        name: "_copy_mc_to_iter_kernel",
        symbols: &["_copy_mc_to_iter"],
        source: "lib/iov_iter.c",
        until: Some((6, 0)),
        bytes: Bytes::Requested(1),
        iter: Some(2),
        need: Need::Dax,
        cases: &[iter(&[Iter::Kernel, Iter::Pipe], &[plus(Hop::PageCacheToPipe, Copied)])],
        ..Site::LEAF
    },
    Site {
        name: "_copy_from_iter_flushcache",
        source: "lib/iov_iter.c",
        // dax_copy_from_iter() (drivers/dax/super.c); by assembler of its own (5.10:
        // __copy_user_flushcache(), arch/x86/lib/usercopy_64.c).
        bytes: Bytes::Requested(1),
        iter: Some(2),
        need: Need::Dax,
        cases: WRITER,
        ..Site::LEAF
    },
    Site {
        name: "csum_and_copy_to_iter",
        source: "lib/iov_iter.c",
        // skb_copy_and_csum_datagram_msg(). From 6.7 on in net/core/datagram.c, around
        // _copy_to_iter()'s own steps, and inlined.
        until: Some((6, 7)),
        bytes: Bytes::Requested(1),
        iter: Some(3),
        need: Need::Checksums,
        cases: &[
            iter(&[Iter::User], &[plus(Hop::SocketToUser, Copied)]),
            iter(&[Iter::Discard], &[]),
        ],
        ..Site::LEAF
    },
    Site {
        name: "csum_and_copy_from_iter",
        source: "lib/iov_iter.c",
        until: Some((6, 7)), // csum_and_copy_from_iter_full() in net/core/skbuff.c
        bytes: Bytes::Requested(1),
        iter: Some(3),
        need: Need::Checksums,
        cases: SENDER,
        ..Site::LEAF
    },
    // ip_generic_getfrag() copies what is sent by UDP: by _copy_from_iter() if the device is to add it up,
    // else by csum_and_copy_from_iter_full(), which copies by itself. So do datagrams that are larger than
    // the device's packets, or corked (MSG_MORE), or leave by a device without checksums
    // (__ip_append_data(), net/ipv4/ip_output.c; __ip6_append_data(), net/ipv6/ip6_output.c; 5.10 to 7.3).
    Site {
        name: "ip_generic_getfrag",
        source: "net/ipv4/ip_output.c",
        // What it calls lies in lib/iov_iter.c, without hooks; raw sockets call it too.
        until: Some((6, 7)),
        bytes: Bytes::Checked { message: 0, length: 3, skb: 5 },
        has_hooks: true,
        need: Need::Datagrams,
        cases: FROM_ITER,
        ..Site::LEAF
    },
    Site {
        name: "csum_and_copy_from_iter_full",
        source: "net/core/skbuff.c",
        // From 6.14 on ip_generic_getfrag() may be inlined (INDIRECT_CALL_1).
        since: (6, 7),
        bytes: Bytes::Requested(1),
        iter: Some(3),
        has_hooks: true,
        need: Need::Datagrams,
        cases: FROM_ITER,
        ..Site::LEAF
    },
    Site {
        name: "copy_page_to_iter_nofault",
        source: "lib/iov_iter.c",
        since: (6, 4), // vread_iter() (mm/vmalloc.c)
        bytes: Bytes::Requested(2),
        iter: Some(3),
        need: Need::KernelMemory,
        cases: GENERATOR,
        ..Site::LEAF
    },
    // ---- callers: page cache -> out
    Site {
        name: "filemap_read",
        symbols: &["filemap_read", "generic_file_buffered_read"], // 5.12
        source: "mm/filemap.c",
        // The result includes what the caller had read before (`already_read`).
        bytes: Bytes::ReturnedLess(2),
        iter: Some(1),
        scope: Some(File::Regular),
        cases: READER,
        ..Site::CALLER
    },
    Site {
        name: "shmem_file_read_iter",
        source: "mm/shmem.c",
        iter: Some(1),
        scope: Some(File::Regular),
        cases: READER,
        ..Site::CALLER
    },
    Site {
        name: "kernfs_fop_read_iter",
        source: "fs/kernfs/file.c", // sysfs, cgroup
        iter: Some(1),
        scope: Some(File::Regular),
        cases: GENERATOR,
        ..Site::CALLER
    },
    Site {
        name: "seq_read_iter",
        source: "fs/seq_file.c", // procfs
        bytes: Bytes::ReturnedBesideKernfs(0),
        iter: Some(1),
        scope: Some(File::Regular),
        cases: GENERATOR,
        ..Site::CALLER
    },
    Site {
        name: "generic_file_splice_read",
        source: "fs/splice.c",
        until: Some((6, 5)),
        // Every reader fills its pipe iterator. The page cache's readers subtract what they say
        // that they handed over; the rest is in fresh pages, no matter who fills them.
        bytes: Bytes::ReturnedOfFile(0),
        cases: FRESH,
        ..Site::CALLER
    },
    Site {
        name: "filemap_splice_read",
        source: "mm/filemap.c",
        since: (6, 5), // before, splice reads through filemap_read() with a pipe iterator
        bytes: Bytes::ReturnedOfFile(0),
        cases: PAGES,
        ..Site::CALLER
    },
    Site {
        name: "shmem_file_splice_read",
        source: "mm/shmem.c",
        since: (6, 5),
        bytes: Bytes::ReturnedOfFile(0),
        cases: PAGES,
        ..Site::CALLER
    },
    Site {
        name: "copy_splice_read",
        source: "fs/splice.c",
        since: (6, 5),
        // Fresh pages are filled; whether the CPU fills them (sysfs) or a device does
        // (O_DIRECT) is for the reader inside it to say.
        bytes: Bytes::ReturnedOfFile(0),
        cases: FRESH,
        ..Site::CALLER
    },
    // ---- callers: into the socket
    Site {
        name: "tcp_sendmsg_locked",
        source: "net/ipv4/tcp.c",
        // Copies what skb_splice_from_iter() and skb_zerocopy_iter_stream() inside it do not.
        scope: Some(File::Socket),
        sends: Some(0),
        sent: Some(Family::Tcp),
        cases: &[always(&[plus(Hop::UserToSocket, Copied)])],
        ..Site::CALLER
    },
    Site {
        name: "skb_splice_from_iter",
        source: "net/core/skbuff.c",
        since: (6, 5), // MSG_SPLICE_PAGES
        cases: &[always(&[minus(Hop::UserToSocket, Copied), plus(Hop::PageCacheToSocket, Moved)])],
        ..Site::CALLER
    },
    Site {
        name: "do_tcp_sendpages",
        source: "net/ipv4/tcp.c",
        until: Some((6, 5)),
        // As tcp_sendmsg_locked(): a stranger who was passed the socket is in no call that is followed, and
        // what he sends has the socket's port all the same.
        scope: Some(File::Socket),
        sends: Some(0),
        sent: Some(Family::Tcp),
        cases: &[always(&[plus(Hop::PageCacheToSocket, Moved)])],
        ..Site::CALLER
    },
    Site {
        name: "skb_zerocopy_iter_stream",
        source: "net/core/skbuff.c",
        // The fifth argument is the `struct ubuf_info *` by which a later copy is known.
        bytes: Bytes::Pinned(4),
        cases: &[always(&[minus(Hop::UserToSocket, Copied), plus(Hop::UserToSocket, Pinned)])],
        ..Site::CALLER
    },
    Site {
        name: "skb_copy_ubufs",
        source: "net/core/skbuff.c",
        // Pinned pages that cannot stay pinned (delivered on this host, or to a packet socket)
        // are copied, mostly in softirq and so on anybody's time: its owner is charged.
        bytes: Bytes::Deferred(0),
        cases: &[always(&[plus(Hop::SocketToSocket, Deferred)])],
        ..Site::CALLER
    },
    Site {
        name: "skb_segment",
        source: "net/core/skbuff.c",
        // Software segmentation, where a device lacks TSO, scatter-gather or checksums: what
        // skb_copy_bits() does inside it is done for the socket of the skb that is cut up.
        bytes: Bytes::Lends(0),
        cases: &[always(&[])],
        ..Site::CALLER
    },
    Site {
        name: "skb_try_coalesce",
        source: "net/core/skbuff.c",
        // A receive queue copies a short skb behind the one before it, whose socket it is: what
        // that socket was sent, and not what is sent by it. Softirqs are on where the receiver
        // empties its backlog (__release_sock(), net/core/sock.c, 5.10 to 7.3).
        bytes: Bytes::Queues { to: 0, from: 1 },
        cases: &[always(&[plus(Hop::SocketToSocket, Aside)])],
        ..Site::CALLER
    },
    Site {
        name: "tcp_add_backlog",
        source: "net/ipv4/tcp_ipv4.c",
        // While its owner reads, a socket's packets wait in a backlog, put together in the same
        // way; there they do not name the socket yet.
        bytes: Bytes::Serves { socket: 0, from: 1 },
        cases: &[always(&[plus(Hop::SocketToSocket, Aside)])],
        ..Site::CALLER
    },
    Site {
        name: "veth_xdp_rcv_skb",
        source: "drivers/net/veth.c",
        // An XDP program on a veth wants packets in pages of the device's own: what is not in one
        // piece is copied, by skb_pp_cow_data() (net/core/skbuff.c; 6.1: skb_copy_bits() in
        // veth_convert_skb_to_xdp_buff(), which is inlined).
        bytes: Bytes::Causes,
        module: Some("veth"),
        cases: &[always(&[plus(Hop::SocketToSocket, Deferred)])],
        ..Site::CALLER
    },
    Site {
        name: "do_xdp_generic",
        source: "net/core/dev.c",
        // The same for a device whose driver knows no XDP.
        bytes: Bytes::Causes,
        cases: &[always(&[plus(Hop::SocketToSocket, Deferred)])],
        ..Site::CALLER
    },
    Site {
        name: "nfqnl_enqueue_packet",
        source: "net/netfilter/nfnetlink_queue.c",
        // A process decides about each packet (NFQUEUE). One that does not take whole ones
        // (NFQA_CFG_F_GSO) has them cut without any feature of the device's.
        bytes: Bytes::Causes,
        module: Some("nfnetlink_queue"),
        cases: &[always(&[plus(Hop::SocketToSocket, Deferred)])],
        ..Site::CALLER
    },
    Site {
        name: "tpacket_rcv",
        source: "net/packet/af_packet.c",
        // A capture's ring: each packet is copied for it, and goes on as it was.
        bytes: Bytes::Causes,
        module: Some("af_packet"),
        cases: &[always(&[plus(Hop::SocketToSocket, Aside)])],
        ..Site::CALLER
    },
    Site {
        name: "nfulnl_log_packet",
        source: "net/netfilter/nfnetlink_log.c",
        // A firewall's log (NFLOG).
        bytes: Bytes::Causes,
        module: Some("nfnetlink_log"),
        cases: &[always(&[plus(Hop::SocketToSocket, Aside)])],
        ..Site::CALLER
    },
    Site {
        name: "xfrm_output",
        source: "net/xfrm/xfrm_output.c",
        // IPsec: what a policy says is done to the packet, which is encryption as a rule
        // (esp_output(), net/ipv4/esp4.c), into new pages or where it lies.
        bytes: Bytes::Packet(1),
        cases: &[always(&[plus(Hop::SocketToWire, Transformed)])],
        ..Site::CALLER
    },
    Site {
        name: "inet_csk_accept",
        source: "net/ipv4/inet_connection_sock.c",
        // A server may hand the connection that it accepts to another process, which is not watched
        // (SCM_RIGHTS, pidfd_getfd(2)).
        bytes: Bytes::Accepts,
        cases: &[always(&[])],
        ..Site::CALLER
    },
    Site {
        name: "sk_destruct",
        source: "net/core/sock.c",
        // Another socket may get its memory, and is not the watched one's.
        bytes: Bytes::Forgets(0),
        cases: &[always(&[])],
        ..Site::CALLER
    },
    Site {
        name: "skb_copy_bits",
        source: "net/core/skbuff.c",
        // The leaf of every copy out of an skb's pages that is not for a user: __pskb_pull_tail()
        // (skb_linearize(), skb_checksum_help()), skb_segment(), skb_copy(), tcp_collapse(),
        // skb_try_coalesce(), which counts what is copied for it. Of an skb with a list of fragments
        // it calls itself, and these bytes are counted twice; TCP sends none.
        bytes: Bytes::Linear { skb: 0, length: 3, fails: true },
        cases: PACKET,
        ..Site::CALLER
    },
    Site {
        name: "skb_copy_and_csum_bits",
        source: "net/core/skbuff.c",
        // As skb_copy_bits(), and adds up what it copies: skb_segment() for a device that has
        // neither checksums nor scatter-gather, or for a tunnel that asks for no features at all
        // (wg_xmit(), drivers/net/wireguard/device.c), skb_checksum_help()'s kind, and what
        // ip_append_data() cuts. Its result is the checksum; it cannot fail (BUG_ON).
        bytes: Bytes::Linear { skb: 0, length: 3, fails: false },
        cases: PACKET,
        ..Site::CALLER
    },
    Site {
        name: "crypto_aead_encrypt",
        source: "crypto/aead.c",
        // TLS in the kernel: net/tls/tls_sw.c, tls_do_encryption(). The new pages go through
        // the same sites as any that are handed over.
        bytes: Bytes::Encrypted(0),
        module: Some("aead"),
        cases: &[always(&[plus(Hop::PageCacheToSocket, Transformed)])],
        ..Site::CALLER
    },
    // ---- callers: into sockets other than TCP's
    Site {
        name: "mptcp_sendmsg",
        source: "net/mptcp/protocol.c",
        // It copies into pages of its own by _copy_from_iter() or, where the route's device asks
        // for that, _copy_from_iter_nocache(), and knows no MSG_SPLICE_PAGES (6.1 to 7.3). What it
        // sends then, mptcp_sendmsg_frag() hands to TCP's queue without tcp_sendmsg_locked().
        // Never a module, but a kernel may be built without it (CONFIG_MPTCP; Debian's 5.10).
        module: Some("mptcp"),
        message: Some(1),
        scope: Some(File::Socket),
        sends: Some(0),
        sent: Some(Family::Mptcp),
        cases: SENDER,
        ..Site::CALLER
    },
    Site {
        name: "unix_stream_sendmsg",
        source: "net/unix/af_unix.c",
        // As TCP: skb_splice_from_iter() inside it takes away what it hands over.
        scope: Some(File::Socket),
        sent: Some(Family::UnixStream),
        cases: &[always(&[plus(Hop::UserToSocket, Copied)])],
        ..Site::CALLER
    },
    Site {
        name: "unix_stream_sendpage",
        source: "net/unix/af_unix.c",
        until: Some((6, 5)),
        sent: Some(Family::UnixStream),
        cases: &[always(&[plus(Hop::PageCacheToSocket, Moved)])],
        ..Site::CALLER
    },
    Site {
        name: "unix_dgram_sendmsg",
        source: "net/unix/af_unix.c",
        // unix_seqpacket_sendmsg() calls it. It knows no MSG_SPLICE_PAGES.
        message: Some(1),
        scope: Some(File::Socket),
        sent: Some(Family::UnixDatagram),
        cases: SENDER,
        ..Site::CALLER
    },
    Site {
        name: "vsock_connectible_sendmsg",
        symbols: &["vsock_connectible_sendmsg", "vsock_stream_sendmsg"], // 5.10
        source: "net/vmw_vsock/af_vsock.c",
        message: Some(1),
        module: Some("vsock"),
        scope: Some(File::Socket),
        sent: Some(Family::Vsock),
        cases: SENDER,
        ..Site::CALLER
    },
    // UDP. A datagram is copied, handed over or pinned in pieces, by __ip_append_data() and its like,
    // which raw sockets, ping and the kernel's own replies use too: these functions know whose it is.
    Site {
        name: "udp_sendmsg",
        source: "net/ipv4/udp.c",
        // The result is what it was given, also if the datagram is corked and goes on later; if it is an
        // error, nothing is sent of what was copied. UDP-Lite uses it too.
        bytes: Bytes::ReturnedByIpv4(0),
        message: Some(1),
        scope: Some(File::Socket),
        sends: Some(0),
        sent: Some(Family::Udp),
        need: Need::Datagrams,
        cases: SENDER,
        ..Site::CALLER
    },
    Site {
        name: "udpv6_sendmsg",
        source: "net/ipv6/udp.c",
        // For an IPv4 address it calls udp_sendmsg().
        module: Some("ipv6"),
        message: Some(1),
        scope: Some(File::Socket),
        sends: Some(0),
        sent: Some(Family::Udp),
        need: Need::Datagrams,
        cases: SENDER,
        ..Site::CALLER
    },
    Site {
        name: "ip_append_page",
        source: "net/ipv4/ip_output.c",
        // udp_sendpage() alone calls it (5.10.223; that of 6.1.176 no longer does). If it refuses
        // (EOPNOTSUPP: a device without scatter-gather), that copies by udp_sendmsg(), as IPv6 always does
        // (inet6_dgram_ops, net/ipv6/af_inet6.c).
        until: Some((6, 5)),
        bytes: Bytes::IfZero(4),
        sends: Some(0),
        sent: Some(Family::Udp),
        need: Need::Datagrams,
        cases: &[always(&[plus(Hop::PageCacheToSocket, Moved)])],
        ..Site::CALLER
    },
    Site {
        name: "skb_splice_from_iter_udp",
        symbols: &["skb_splice_from_iter"],
        source: "net/core/skbuff.c",
        since: (6, 5),
        // What it takes away from user->socket the rows above have counted as page cache->socket: they
        // tell the two apart by the iterator, because a device without scatter-gather has pages copied.
        bytes: Bytes::ReturnedToUdp(0),
        need: Need::Datagrams,
        cases: &[always(&[plus(Hop::UserToSocket, Copied), minus(Hop::PageCacheToSocket, Copied)])],
        ..Site::CALLER
    },
    Site {
        name: "skb_zerocopy_iter_dgram",
        source: "net/core/skbuff.c",
        // MSG_ZEROCOPY, if the device adds it up and has scatter-gather; else it is copied. 5.19 inlines it
        // and has no row: what is pinned there the instruments disagree about.
        until: Some((5, 19)),
        bytes: Bytes::PinnedToUdp { skb: 0, length: 2 },
        need: Need::Datagrams,
        cases: &[always(&[minus(Hop::UserToSocket, Copied), plus(Hop::UserToSocket, Pinned)])],
        ..Site::CALLER
    },
    Site {
        name: "__zerocopy_sg_from_iter",
        source: "net/core/datagram.c",
        // What skb_zerocopy_iter_dgram() calls. TCP calls it too, in skb_zerocopy_iter_stream(), which
        // counts by itself. Its arguments are others up to 5.19.
        since: (6, 0),
        bytes: Bytes::PinnedToUdp { skb: 2, length: 4 },
        need: Need::Datagrams,
        cases: &[always(&[minus(Hop::UserToSocket, Copied), plus(Hop::UserToSocket, Pinned)])],
        ..Site::CALLER
    },
    // ---- callers: out of the socket
    Site {
        name: "skb_copy_datagram_iter",
        source: "net/core/datagram.c",
        bytes: Bytes::IfZero(3),
        iter: Some(2),
        scope: Some(File::Socket),
        cases: &[
            iter(&[Iter::User], &[plus(Hop::SocketToUser, Copied)]),
            iter(&[Iter::Discard], &[]),
        ],
        ..Site::CALLER
    },
    Site {
        name: "skb_splice_bits",
        source: "net/core/skbuff.c",
        // tcp_splice_read() (net/ipv4/tcp.c) by tcp_read_sock(). Pages of the packet change hands.
        // What is in its own memory is copied into a fresh page by linear_to_page(), a memcpy(),
        // unless that memory is a page fragment of its own (skb_head_is_locked()): this row does not
        // tell the two apart.
        bytes: Bytes::Spliced { skb: 0, offset: 2, length: 4 },
        need: Need::Receives,
        cases: &[
            iter(&[Iter::Kernel], &[plus(Hop::SocketToPipe, Bounced)]),
            iter(&[], &[plus(Hop::SocketToPipe, Moved)]),
        ],
        ..Site::CALLER
    },
    Site {
        name: "vm_insert_pages",
        source: "mm/memory.c",
        // tcp_zerocopy_receive() (net/ipv4/tcp.c) maps pages of the receive queue by it, in batches; it
        // takes off the number what it has mapped. Others who call it are not in getsockopt(2).
        bytes: Bytes::Mapped(3),
        need: Need::Receives,
        cases: &[always(&[plus(Hop::SocketToUser, Moved)])],
        ..Site::CALLER
    },
    // ---- callers: pipes
    Site {
        name: "pipe_read",
        symbols: &["anon_pipe_read", "pipe_read"],
        waits: true,
        source: "fs/pipe.c",
        iter: Some(1),
        cases: &[iter(&[Iter::User], &[plus(Hop::PipeToUser, Copied)])],
        ..Site::CALLER
    },
    Site {
        name: "pipe_write",
        symbols: &["anon_pipe_write", "pipe_write"],
        source: "fs/pipe.c",
        iter: Some(1),
        sent: Some(Family::Pipe),
        cases: &[iter(&[Iter::User], &[plus(Hop::UserToPipe, Copied)])],
        ..Site::CALLER
    },
    // ---- callers: files that another process serves
    Site {
        name: "fuse_dev_do_write",
        source: "fs/fuse/dev.c",
        // A FUSE daemon's answer: fuse_copy_do() copies it into the pages that wait for it, and
        // memcpy() is no site. With the answer's header, 16 bytes of up to 128 KiB and more. The
        // copy runs in the daemon; that the log is on FUSE tells for which process.
        module: Some("fuse"),
        need: Need::Process,
        cases: &[always(&[plus(Hop::StorageToPageCache, Copied)])],
        ..Site::CALLER
    },
    Site {
        name: "replace_page_cache_folio",
        symbols: &["replace_page_cache_folio", "replace_page_cache_page"], // 6.2
        source: "mm/filemap.c",
        // fuse_try_move_folio() (fs/fuse/dev.c): a daemon that answers by splice(2) with
        // SPLICE_F_MOVE hands its page over. The bytes are in fuse_dev_do_write()'s result.
        bytes: Bytes::Folio(1),
        need: Need::Process,
        cases: &[always(&[
            minus(Hop::StorageToPageCache, Copied),
            plus(Hop::StorageToPageCache, Moved),
        ])],
        ..Site::CALLER
    },
    // ---- callers: page faults
    Site {
        name: "do_wp_page",
        source: "mm/memory.c",
        // wp_page_copy() inside it, which newer kernels inline: a page that is in a pipe or a
        // socket is copied when its private mapping is written to. No leaf: a whole page is
        // copied by copy_page() or copy_mc_to_kernel().
        bytes: Bytes::Replaced(0),
        cases: &[
            on(&[File::Regular], &[plus(Hop::UserToUser, Copied)]),
            // The program's own variables, written for the first time, and what a fork shared.
            on(&[], &[plus(Hop::UserToUser, Aside)]),
        ],
        ..Site::CALLER
    },
    Site {
        name: "do_fault",
        // 5.10 inlines it too. What it calls last for a page that was copied knows the same.
        symbols: &["do_fault", "finish_fault"],
        source: "mm/memory.c",
        // do_cow_fault() inside it, which is inlined: the first write to a page of a private mapping
        // that was not mapped yet copies it out of the page cache.
        bytes: Bytes::Unshared(0),
        cases: &[
            on(&[File::Regular], &[plus(Hop::UserToUser, Copied)]),
            on(&[], &[plus(Hop::UserToUser, Aside)]),
        ],
        ..Site::CALLER
    },
    Site {
        name: "copy_user_large_folio",
        symbols: &["copy_user_large_folio", "copy_user_huge_page"], // 6.6
        source: "mm/memory.c",
        // Copy-on-write of hugetlb pages: hugetlb_wp() and hugetlb_no_page() (mm/hugetlb.c). Anonymous
        // huge pages are split, and do_wp_page() copies their parts (do_huge_pmd_wp_page(),
        // mm/huge_memory.c, since 5.8).
        bytes: Bytes::Folio(0),
        cases: &[always(&[plus(Hop::UserToUser, Aside)])],
        ..Site::CALLER
    },
    // ---- callers: into files
    Site {
        name: "generic_perform_write",
        source: "mm/filemap.c",
        // It copies by copy_folio_from_iter_atomic() or what that was called before.
        iter: Some(1),
        cases: WRITER,
        ..Site::CALLER
    },
    Site {
        name: "iomap_file_buffered_write",
        source: "fs/iomap/buffered-io.c",
        // xfs, and other file systems that write by iomap; the same leaf.
        iter: Some(1),
        cases: WRITER,
        ..Site::CALLER
    },
    Site {
        name: "btrfs_buffered_write",
        source: "fs/btrfs/file.c",
        iter: Some(1),
        module: Some("btrfs"),
        cases: WRITER,
        ..Site::CALLER
    },
    // ---- syscalls: tracepoints. What a system call means is in `syscalls::SYSCALLS`.
    Site {
        name: SYSCALL_RESULTS,
        source: "include/trace/events/syscalls.h",
        bytes: Bytes::SyscallResult,
        cases: &[],
        ..Site::TRACEPOINT
    },
    Site {
        name: "mm_filemap_add_to_page_cache",
        source: "include/trace/events/filemap.h",
        bytes: Bytes::Folio(0),
        cases: &[
            on(&[File::Regular], &[plus(Hop::StorageToPageCache, Filled)]),
            // A file system's metadata, in the page cache of its block device.
            on(&[], &[]),
        ],
        ..Site::TRACEPOINT
    },
    Site {
        name: "net_dev_queue",
        source: "include/trace/events/net.h",
        // __dev_queue_xmit() (net/core/dev.c): each device on the way gets the packet, a tunnel's as
        // well as the one below it. With the packet's headers.
        bytes: Bytes::Exits(0),
        cases: &[always(&[])],
        ..Site::TRACEPOINT
    },
    Site {
        name: BOUNCE_BUFFERS,
        source: "include/trace/events/swiotlb.h",
        // swiotlb_map() and iommu_dma_map_phys() (kernel/dma/swiotlb.c, drivers/iommu/dma-iommu.c): a
        // device does not reach the memory, and the CPU copies into or out of a buffer that it does
        // reach. Which of the two, and for whom, it does not tell.
        bytes: Bytes::Requested(2),
        cases: &[always(&[])],
        ..Site::TRACEPOINT
    },
    // Page faults are counted as such: they map pages and copy none. What a fault does copy, a page
    // of a private mapping, do_wp_page() says; what it reads from storage, the page cache does.
    Site {
        name: "page_fault_user",
        source: FAULTS,
        bytes: Bytes::Calls,
        cases: &[always(&[])],
        ..Site::TRACEPOINT
    },
    Site {
        name: "page_fault_kernel",
        source: FAULTS,
        // A mapped segment that is written into a socket faults here: the kernel reads it.
        bytes: Bytes::Calls,
        cases: &[always(&[])],
        ..Site::TRACEPOINT
    },
    Site {
        name: "skb_copy_datagram_iovec",
        source: "include/trace/events/skb.h",
        bytes: Bytes::Requested(1),
        cases: &[always(&[plus(Hop::SocketToUser, Copied)])],
        ..Site::TRACEPOINT
    },
];
