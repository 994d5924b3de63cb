//! THE TABLE: one row per site. The eBPF programs are stamped from it, the loader attaches by
//! it, and the ledger turns counts into hops by it. To add a site is to add a row.
//!
//! Sources are kernel files and functions as read in Linux 6.1, 6.12 and 7.3; `since` and
//! `until` bound the versions (major, minor) in which the row is a leaf of its instrument.

mod table;

use crate::vocabulary::{Disposition, Family, File, Hop, Instrument, Iter, Need};
pub use table::{BOUNCE_BUFFERS, SITES, SYSCALL_RESULTS};

/// A kernel version, major and minor.
pub type Version = (u16, u16);

/// The oldest kernel that the table knows.
pub const OLDEST: Version = (5, 10);

/// Where in the kernel payload bytes are copied, moved or filled.
#[derive(Debug)]
pub struct Site {
    /// Name in reports, and stem of the eBPF programs' names.
    pub name: &'static str,
    /// The function's or tracepoint's names in the kernel, newest first, where they are others than
    /// the site's; empty if it has the site's name.
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
    /// Position of the `struct msghdr *` argument, in which the iterator is, where none is an
    /// argument of its own.
    pub message: Option<u8>,
    /// The module that holds it where it is not built in. Where that is not loaded nobody can be
    /// in it, so that its absence hides nothing.
    pub module: Option<&'static str>,
    /// The kind of file that it works on: what its thread is in while it runs, where no system
    /// call names a file (io_uring, and the kernel's workers for it).
    pub scope: Option<File>,
    /// Whether it waits for data. 5.10, where it is not preemptible, keeps as many returns of a function
    /// as it has CPUs (`register_kretprobe()`, kernel/kprobes.c), so that of several processes that wait
    /// in it some are not seen to return.
    pub waits: bool,
    /// Position of the `struct sock *` argument by which the current process sends: copies that
    /// the kernel makes of what is in that socket later are charged to it.
    pub sends: Option<u8>,
    /// Whether a leaf has the hooks that lib/Makefile takes from most: it needs no breakpoint.
    pub has_hooks: bool,
    /// What its bytes leave the process by, where it is a way to send: the rows of a family together
    /// say what was sent by it.
    pub sent: Option<Family>,
    /// What must be so for it to be reached.
    pub need: Need,
    /// What the bytes mean: the first case that matches applies.
    pub cases: &'static [Case],
}

/// How a site tells its bytes. Argument positions count from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bytes {
    /// The argument, at entry, but never more than the iterator holds.
    Requested(u8),
    /// The argument, an `int`, at entry: bytes for the `struct sk_buff` that another points at, out of the
    /// iterator in the `struct msghdr` that the third points at, if they are added up while they are
    /// copied. Where the device or nobody does that (`CHECKSUM_PARTIAL`), another leaf copies them.
    Checked {
        /// Position of the message.
        message: u8,
        /// Position of the length.
        length: u8,
        /// Position of the skb.
        skb: u8,
    },
    /// The argument, an `unsigned int`, at entry of an assembler routine (destination, source,
    /// length): which of the first two is a user's address tells the direction. Where
    /// `_copy_to_user()` or `_copy_from_user()` calls it, they are arguments of a system call.
    Crossing(u8),
    /// A positive result.
    Returned,
    /// A positive result, less the argument (bytes that an earlier step had done).
    ReturnedLess(u8),
    /// A positive result, if the `struct sock` that the argument points at is IPv4's. IPv6's function,
    /// which calls it for an IPv4 address, counts by itself.
    ReturnedByIpv4(u8),
    /// A positive result, unless the `struct kiocb` that the argument points at is of a file of kernfs.
    /// `kernfs_fop_read_iter()`, which calls the function for an attribute in text (fs/kernfs/file.c, 5.10
    /// to 7.3), counts by itself.
    ReturnedBesideKernfs(u8),
    /// A positive result, if the socket of the `struct sk_buff` that the argument points at is UDP's.
    ReturnedToUdp(u8),
    /// A positive result: bytes of the `struct file` that the argument points at. If programs can write
    /// into its page cache by themselves, the kind of file is [`File::Mapped`].
    ReturnedOfFile(u8),
    /// The argument, if the result is zero.
    IfZero(u8),
    /// A positive result; the argument points at the `struct ubuf_info` that remembers who
    /// pinned the bytes.
    Pinned(u8),
    /// The length, if the result is zero, of what was pinned for a packet of UDP; the `struct sk_buff` has
    /// the `struct ubuf_info` that remembers who pinned it.
    PinnedToUdp {
        /// Position of the skb, whose socket says whether it is UDP's.
        skb: u8,
        /// Position of the length.
        length: u8,
    },
    /// The length that the `struct aead_request` said at entry, to which the argument points, if
    /// the result says that it was or will be done. Only requests of TLS in the kernel count
    /// (whose completion function is `tls_encrypt_done()`, net/tls/tls_sw.c, 5.10 to 7.3), and of
    /// calls within such a call none does: wrappers such as `simd_aead_encrypt()` (crypto/simd.c)
    /// pass a copy of the request on.
    Encrypted(u8),
    /// The paged bytes of the `struct sk_buff` that the argument points at, if the result is
    /// zero. The process that pinned them is charged.
    Deferred(u8),
    /// The length argument: bytes that are copied out of the pages of the `struct sk_buff` that the
    /// other argument points at. Where `fails`, a result other than zero says that none were. The
    /// process that sends by the skb's socket is charged, or by the socket of the skb that a
    /// [`Bytes::Lends`] around the copy works on.
    Linear {
        /// Position of the skb.
        skb: u8,
        /// Position of the length.
        length: u8,
        /// Whether the result is zero or an error; else it says something else.
        fails: bool,
    },
    /// None: what is copied inside it is copied for the socket of the `struct sk_buff` that the
    /// argument points at, whatever other skb it passes on.
    Lends(u8),
    /// What is copied out of one packet inside it, which is done for the receive queue that another is
    /// in. The process that sends by that queue's socket is charged: it has been sent what is copied. A
    /// softirq may interrupt the function, and copies out of other packets for others.
    Queues {
        /// Position of the `struct sk_buff` in the queue.
        to: u8,
        /// Position of the `struct sk_buff` that is copied out of.
        from: u8,
    },
    /// The same for the receive queue of a socket.
    Serves {
        /// Position of the `struct sock`.
        socket: u8,
        /// Position of the `struct sk_buff` that is copied out of.
        from: u8,
    },
    /// None: what is copied out of packets inside it counts here, because it says what for.
    Causes,
    /// The length of the `struct sk_buff` that the argument points at, at entry. The
    /// process that sends by the skb's socket or connection is charged.
    Packet(u8),
    /// The same at a tracepoint at which a device gets it; the bytes are kept by device too.
    Exits(u8),
    /// None: the result is a `struct sock` that the current process has got. A process that sends by
    /// this socket works for that process, unless the sender is itself watched.
    Accepts,
    /// None: the `struct sock` that the argument points at is destroyed, and what is known of it with
    /// it.
    Forgets(u8),
    /// A page, if the fault got a page of its own for a write to a private mapping of a file; the
    /// argument points at the `struct vm_fault`. The kind of file is as with [`Self::Replaced`].
    Unshared(u8),
    /// A page, if the frame behind it is another afterwards: the argument points at the
    /// `struct vm_fault`. The kind of file is that of the mapping, or none for the program's own.
    Replaced(u8),
    /// A folio's size; the argument points at it. The kind of file is then the folio's own.
    Folio(u8),
    /// A positive result: bytes of the `struct sk_buff` that one argument points at, from the offset on
    /// that another says, which were put into a pipe. Those in pages count under [`Iter::None`]. Those in
    /// the packet's own memory, and all of a packet with a list of fragments, count under
    /// [`Iter::Kernel`], whether the pipe had room for them or not: they may have been copied into fresh
    /// pages.
    Spliced {
        /// Position of the skb.
        skb: u8,
        /// Position of the offset.
        offset: u8,
        /// Position of the length that is asked for.
        length: u8,
    },
    /// Pages, by how much the number that the argument points at fell; of getsockopt(2) alone.
    Mapped(u8),
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

impl Bytes {
    /// Whether a program at the entry keeps all that the one at the return needs to know.
    #[must_use]
    pub const fn is_told_at_entry(self) -> bool {
        matches!(
            self,
            Self::Deferred(_)
                | Self::Encrypted(_)
                | Self::Lends(_)
                | Self::Queues { .. }
                | Self::Serves { .. }
                | Self::Causes
                | Self::Packet(_)
                | Self::Forgets(_)
                | Self::Spliced { .. }
                | Self::Mapped(_)
        )
    }

    /// Whether nothing is left to do at the return.
    #[must_use]
    pub const fn ends_at_entry(self) -> bool {
        matches!(self, Self::Forgets(_) | Self::Packet(_))
    }
}

impl Site {
    /// What most rows have in common.
    const ROW: Self = Self {
        name: "",
        symbols: &[],
        source: "",
        since: OLDEST,
        until: None,
        instrument: Instrument::Callers,
        bytes: Bytes::Returned,
        iter: None,
        message: None,
        waits: false,
        module: None,
        scope: None,
        sends: None,
        has_hooks: false,
        sent: None,
        need: Need::Always,
        cases: &[],
    };

    /// A leaf copy function.
    const LEAF: Self = Self { instrument: Instrument::Audit, ..Self::ROW };

    /// A traceable function whose positive result is the bytes.
    const CALLER: Self = Self::ROW;

    /// A tracepoint.
    const TRACEPOINT: Self = Self { instrument: Instrument::Syscalls, ..Self::ROW };

    /// Whether a program has to run at its entry too.
    #[must_use]
    pub const fn has_entry(&self) -> bool {
        self.scope.is_some() || self.sends.is_some() || self.bytes.is_told_at_entry()
    }

    /// Whether some of its bytes are more than arguments of system calls.
    #[must_use]
    pub const fn may_copy_payload(&self) -> bool {
        let mut case = 0;
        while case < self.cases.len() {
            let mut term = 0;
            while term < self.cases[case].terms.len() {
                if !matches!(self.cases[case].terms[term].hop, Hop::Arguments) {
                    return true;
                }
                term += 1;
            }
            case += 1;
        }
        false
    }

    /// The function's or tracepoint's names in the kernel, newest first.
    #[must_use]
    pub const fn symbols(&self) -> &[&'static str] {
        if self.symbols.is_empty() { core::slice::from_ref(&self.name) } else { self.symbols }
    }

    /// The row called `name`, and its index.
    #[must_use]
    pub fn find(name: &str) -> Option<(usize, &'static Self)> {
        SITES.iter().enumerate().find(|(_, site)| site.name == name)
    }

    /// Whether this row holds on a kernel of that version.
    #[must_use]
    pub fn holds_on(&self, version: Version) -> bool {
        self.since <= version && self.until.is_none_or(|until| version < until)
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
    use Disposition::{Bounced, Moved};

    fn term(sign: Sign, hop: Hop, disposition: Disposition) -> Term {
        Term { sign, hop, disposition }
    }

    #[test]
    fn names_are_unique() {
        for (index, site) in SITES.iter().enumerate() {
            assert_eq!(Site::find(site.name).map(|found| found.0), Some(index), "{}", site.name);
        }
    }

    #[test]
    fn every_row_is_complete() {
        for site in SITES {
            assert!(site.source.contains('/'), "{} names no kernel file", site.name);
            assert!(site.until.is_none_or(|until| site.since < until), "{}", site.name);
            assert!(site.iter.is_none_or(|at| at < 6), "{}: not a register argument", site.name);
        }
    }

    #[test]
    fn what_everybody_reaches_fits_the_four_breakpoint_slots_of_x86() {
        for version in [OLDEST, (5, 15), (6, 1), (6, 12), (7, 3)] {
            let leaves = SITES
                .iter()
                .filter(|site| site.instrument == Instrument::Audit && site.holds_on(version))
                .filter(|site| site.need == Need::Always);
            assert!(leaves.count() <= 4, "{version:?}");
        }
    }

    #[test]
    fn a_family_hands_over_to_its_sockets_at_most_once_on_every_kernel() {
        let moves = |site: &&Site| {
            let mut terms = site.cases.iter().flat_map(|case| case.terms);
            terms.any(|t| t.hop == Hop::PageCacheToSocket && t.disposition == Moved)
        };
        for version in [OLDEST, (6, 1), (6, 4), (6, 5), (6, 12), (7, 3)] {
            // What serves every family that knows MSG_SPLICE_PAGES, else a family's own sendpage.
            let rows = || SITES.iter().filter(|site| site.holds_on(version)).filter(moves);
            let shared = rows().filter(|site| site.sent.is_none()).count();
            for family in Family::ALL {
                let own = rows().filter(|site| site.sent == Some(*family)).count();
                assert!(own + shared <= 1, "{version:?}: {}", family.name());
            }
            let tcp = rows().filter(|site| site.sent == Some(Family::Tcp)).count();
            assert_eq!(tcp + shared, 1, "{version:?}: sendfile over TCP");
        }
    }

    #[test]
    fn every_family_has_a_row_on_every_kernel() {
        for version in [OLDEST, (6, 1), (6, 12), (7, 3)] {
            for family in Family::ALL {
                let mut rows = SITES.iter().filter(|site| site.holds_on(version));
                assert!(rows.any(|s| s.sent == Some(*family)), "{version:?}: {}", family.name());
            }
        }
    }

    #[test]
    fn before_the_oldest_kernel_nothing_is_a_site() {
        let of = |version| SITES.iter().filter(move |site| site.holds_on(version));
        assert_eq!(of((5, 9)).count(), 0);
        assert!(of(OLDEST).any(|site| site.name == "sys_exit"));
        assert!(of(OLDEST).any(|site| site.instrument == Instrument::Audit));
        assert!(of(OLDEST).any(|site| site.instrument == Instrument::Callers));
    }

    #[test]
    fn a_pipe_iterator_is_a_hand_over_and_not_a_copy() {
        let (_, filemap) = Site::find("filemap_read").expect("in the table");
        let terms = filemap.terms(Iter::Pipe, File::Regular).expect("known");
        let fresh = term(Sign::Minus, Hop::PageCacheToPipe, Bounced);
        let moved = term(Sign::Plus, Hop::PageCacheToPipe, Moved);
        assert_eq!(terms, &[fresh, moved]);
        assert!(filemap.terms(Iter::Unknown, File::Regular).is_none());
    }
}
