//! The words that every number carries: where bytes went, what happened to them, who was
//! watching. One enum per word, one word per concept.

use core::fmt;

/// Declares a word: an enum, its names as printed and serialised, and the slice of all.
macro_rules! word {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(
            feature = "record",
            derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)
        )]
        #[repr(u8)]
        pub enum $name {
            $($(#[$vdoc])* #[cfg_attr(feature = "record", serde(rename = $text))] $variant,)*
        }

        impl $name {
            /// Every value, in reading order.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// The word as it is printed and serialised.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }

            /// The value that is printed as `name`.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|word| word.name() == name)
            }
        }
    };
}

word! {
    /// One arrow of the path that payload bytes take.
    Hop {
        /// Storage fills the page cache (DMA for block devices, where the CPU copies nothing; a
        /// copy where another process is the storage).
        StorageToPageCache = "storage->page cache",
        /// `read(2)` and its kind.
        PageCacheToUser = "page cache->user",
        /// `write(2)` to a socket and its kind.
        UserToSocket = "user->socket",
        /// The pages themselves reach the socket: sendfile, splice.
        PageCacheToSocket = "page cache->socket",
        /// The first half of sendfile and splice: pages enter a pipe.
        PageCacheToPipe = "page cache->pipe",
        /// `write(2)` to a pipe.
        UserToPipe = "user->pipe",
        /// `read(2)` from a pipe.
        PipeToUser = "pipe->user",
        /// A page of a private mapping is copied because a process writes to it.
        UserToUser = "user->user",
        /// `write(2)` to a file.
        UserToPageCache = "user->page cache",
        /// From one file to another, without user space.
        PageCacheToPageCache = "page cache->page cache",
        /// Below the sender's socket, up to the receiver's: deferred copies, made when the
        /// bytes are delivered, cut into segments, or given to a device.
        SocketToSocket = "socket->socket",
        /// The consumer's `recv(2)`.
        SocketToUser = "socket->user",
        /// The first half of `splice(2)` out of a socket: what was received enters a pipe.
        SocketToPipe = "socket->pipe",
        /// Out of the socket, into the device.
        SocketToWire = "socket->wire",
        /// System-call arguments and results, and whatever else has no better name.
        Arguments = "user<->kernel",
    }
}

word! {
    /// What happened to the bytes at a site.
    Disposition {
        /// The CPU copied them.
        Copied = "copied",
        /// A reference to their page was handed over.
        Moved = "moved",
        /// The user's page was referenced (MSG_ZEROCOPY).
        Pinned = "pinned",
        /// A pinned or moved byte was copied later.
        Deferred = "deferred",
        /// Fresh pages were filled although the call is sendfile or splice.
        Bounced = "bounced",
        /// They were encrypted into new pages.
        Transformed = "transformed",
        /// Storage put them into the page cache.
        Filled = "filled",
        /// The CPU copied them off the way of what is sent: for a capture, or as memory of the
        /// program's own. No claim is about these.
        Aside = "aside",
    }
}

word! {
    /// A way to watch sites.
    Instrument {
        /// The leaf copy functions themselves, by execution breakpoint or kprobe.
        Audit = "audit",
        /// Traceable functions around the leaves, whose results balance to bytes.
        Callers = "callers",
        /// Tracepoints only: system calls and what they are presumed to do.
        Syscalls = "syscalls",
    }
}

word! {
    /// How the programs of a site are attached.
    Mechanism {
        /// A breakpoint on every CPU, at the site's first instruction.
        ExecutionBreakpoint = "execution breakpoint",
        /// A kprobe at the site's entry.
        Kprobe = "kprobe",
        /// A BPF trampoline at the site's entry alone.
        Fentry = "fentry",
        /// A BPF trampoline at the site's return, and at its entry where the return needs to know it.
        Fexit = "fexit",
        /// A kprobe at the site's entry and a kretprobe at its return.
        Kretprobe = "kretprobe",
        /// perf's tracepoint.
        Tracepoint = "tracepoint",
        /// A raw tracepoint.
        RawTracepoint = "raw tracepoint",
    }
}

impl Mechanism {
    /// Whether the text of the function calls it, so that a change of that text can switch it off.
    #[must_use]
    pub const fn is_called_by_text(self) -> bool {
        matches!(self, Self::Fentry | Self::Fexit | Self::Kprobe | Self::Kretprobe)
    }

    /// Whether it rests on the kernel's kprobes, which can be switched off all at once, and whose
    /// programs the kernel may skip.
    #[must_use]
    pub const fn is_kprobe(self) -> bool {
        matches!(self, Self::Kprobe | Self::Kretprobe)
    }
}

word! {
    /// Where a program is hooked in at its site. The name is the end of the program's name.
    Hook {
        /// [`Mechanism::ExecutionBreakpoint`].
        Break = "break",
        /// [`Mechanism::Kprobe`].
        Kprobe = "kprobe",
        /// [`Mechanism::Fentry`], or the entry of [`Mechanism::Fexit`].
        Fentry = "fentry",
        /// The return of [`Mechanism::Fexit`].
        Fexit = "fexit",
        /// The entry of [`Mechanism::Kretprobe`].
        Entry = "entry",
        /// The return of [`Mechanism::Kretprobe`].
        Return = "return",
        /// [`Mechanism::Tracepoint`].
        Tracepoint = "tracepoint",
        /// [`Mechanism::RawTracepoint`].
        Raw = "raw",
    }
}

impl Hook {
    /// The name of the program at a site, or at a tracepoint that is no site.
    #[must_use]
    pub const fn of(self, name: &str) -> ProgramName<'_> {
        ProgramName { name, hook: self }
    }
}

/// The name of an eBPF program: the site's, an underscore and the hook's.
#[derive(Clone, Copy, Debug)]
pub struct ProgramName<'a> {
    name: &'a str,
    hook: Hook,
}

impl fmt::Display for ProgramName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.name, self.hook.name())
    }
}

word! {
    /// What an `iov_iter` points at, as far as it matters for a copy; at a site without one, which
    /// of its addresses is the user's.
    Iter {
        /// The site has no iterator.
        None = "none",
        /// User memory (ITER_UBUF, ITER_IOVEC).
        User = "user",
        /// Kernel memory (ITER_KVEC, ITER_BVEC, ITER_XARRAY, ITER_FOLIOQ).
        Kernel = "kernel",
        /// A pipe: pages are handed over, not copied (before 6.5).
        Pipe = "pipe",
        /// Nothing: bytes are dropped (ITER_DISCARD).
        Discard = "discard",
        /// No iterator is known: the destination is user memory.
        ToUser = "to user",
        /// No iterator is known: the source is user memory.
        FromUser = "from user",
        /// The iterator's type is not one that this table knows.
        Unknown = "unknown",
    }
}

word! {
    /// The kind of file that the current system call works on.
    File {
        /// No system call is current, or it names no file.
        None = "none",
        /// A regular file: its data are in the page cache.
        Regular = "regular",
        /// A socket.
        Socket = "socket",
        /// A pipe or FIFO.
        Pipe = "pipe",
        /// Devices, directories, and anonymous inodes such as eventfd.
        Other = "other",
        /// A regular file that a program maps, or has mapped, so that it can write into the page cache by
        /// itself (MAP_SHARED of a file that is open for writing).
        Mapped = "mapped",
    }
}

word! {
    /// What bytes leave a process by.
    Family {
        /// A TCP socket.
        Tcp = "tcp",
        /// An MPTCP socket.
        Mptcp = "mptcp",
        /// A Unix stream socket.
        UnixStream = "unix stream",
        /// A Unix datagram or seqpacket socket.
        UnixDatagram = "unix datagram",
        /// A stream or seqpacket socket of AF_VSOCK.
        Vsock = "vsock",
        /// A UDP socket.
        Udp = "udp",
        /// A pipe or FIFO.
        Pipe = "pipe",
    }
}

word! {
    /// What must be so for a leaf to be reached: a kernel has more leaves than a CPU has slots for
    /// breakpoints.
    Need {
        /// Nothing: everybody may reach it.
        Always = "always",
        /// A file is written.
        Writes = "what writes into a file",
        /// A device of the path has NETIF_F_NOCACHE_COPY or NETIF_F_HW_TLS_TX.
        NocacheDevice = "what is sent by a device with tx-nocache-copy or tls-hw-tx-offload",
        /// The file system maps persistent memory (DAX).
        Dax = "a file system that is mounted with dax",
        /// Packets of UDP or of a raw socket are checked while they are copied.
        Checksums = "UDP",
        /// A program sends by UDP.
        Datagrams = "what sends by UDP",
        /// A process serves the files (FUSE).
        Process = "a file system that a process serves",
        /// Somebody receives by another way than a copy. No claim on what is sent needs these sites.
        Receives = "what is received otherwise than by copy",
        /// /proc/kcore is read.
        KernelMemory = "/proc/kcore",
    }
}

word! {
    /// Who a count is charged to.
    Process {
        /// Answers fetches; the claims are about it.
        Server = "server",
        /// Sends fetches and verifies the payload.
        Consumer = "consumer",
        /// Everybody else, kernel threads included.
        Elsewhere = "elsewhere",
        /// Somebody of whom the kernel did not tell who it is: it may be the server.
        Unknown = "unknown",
    }
}
