//! The maps' keys and values, and the globals that configure the programs before load.

use crate::offsets::{Offsets, TupleOffsets};

/// System-call number of a count that was made outside any observed system call.
pub const NO_SYSCALL: i32 = -1;

/// Owner, and subject of the count, of a deferred copy if no process was seen to pin its pages or to
/// send by its socket. No process has this number.
pub const NO_OWNER: u32 = u32::MAX;

/// Subject of a count that belongs to nobody who is watched.
pub const ELSEWHERE: u32 = 0;

/// Subject of programs beyond [`MAX_PROGRAMS`], which are not told apart. No process has this number.
pub const OTHER_PROGRAMS: u32 = u32::MAX - 1;

/// Bits of a subject's number that are the number of the process it began with, which is below
/// `PID_MAX_LIMIT` (include/linux/threads.h). The others count the programs that this process ran
/// before.
pub const PROCESS_BITS: u32 = 22;

/// Most programs that one process runs one after the other and that are told apart.
pub const MAX_EXECS: u32 = 1000;

/// Most programs of watched processes that are told apart.
pub const MAX_PROGRAMS: u32 = 256;

/// Port of a count that was made at no socket, or at one whose port is not told apart.
pub const NO_PORT: u16 = 0;

/// Most ports that are told apart.
pub const MAX_PORTS: u32 = 64;

/// [`Config::tls_done`] without TLS in the kernel: no function has this address.
pub const NO_TLS: [u32; 2] = [u32::MAX; 2];

/// Most files that are known to have been mapped by watched processes for writing.
pub const MAX_MAPPED: u32 = 4096;

/// Most sockets that watched processes had before they were watched and that are known.
pub const MAX_HELD: u32 = 65536;

/// Most strangers that are told apart.
pub const MAX_STRANGERS: u32 = 64;

/// What the program `queue` says of a `struct sock *`: zeros unless it is a connection of TCP's by which somebody
/// is known to send.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketQueue {
    /// The number behind the last byte that was sent by it, in the connection's numbering.
    pub end: u32,
    /// The number of the next byte that goes to a device.
    pub next: u32,
    /// Its local port, or [`NO_PORT`].
    pub port: u16,
    /// Zero.
    pub unused: u16,
}

impl SocketQueue {
    /// Bytes that wait before a number; none where that has been passed (`before()`, include/net/tcp.h).
    #[must_use]
    pub fn before(&self, end: u32) -> u32 {
        u32::try_from(end.wrapping_sub(self.next).cast_signed()).unwrap_or(0)
    }
}

/// [`Config::adopts`]: only processes that the loader named, and their descendants, are watched.
pub const ADOPT_NONE: u32 = 0;

/// [`Config::adopts`]: every process is watched from its next system call on, the loader excepted.
pub const ADOPT_ALL: u32 = 1;

/// [`Config::adopts`]: so is every process of a control group.
pub const ADOPT_CGROUP: u32 = 2;

/// Bit of [`Config::stacks`]: both halves of the stacks of what the callers count.
pub const STACKS_OF_CALLERS: u32 = 1;

/// Bit of [`Config::stacks`]: the kernel's half of the stacks of what leaves copy.
pub const STACKS_OF_LEAVES: u32 = 2;

/// Size of the per-system-call tables; x86-64 numbers are below it.
pub const MAX_SYSCALLS: usize = 512;

/// Arguments of a system call that are read: descriptors are among the first two, flags among the
/// first four, and the fifth is the file of a mapping.
pub const ARGUMENTS: usize = 5;

/// Entry of [`Config::fd_argument`] for a system call that names no file.
pub const NO_FD: u8 = 0xff;

/// Size of the table of iterator types. Before 5.14 the types are bits; the highest is
/// `ITER_DISCARD` (64), beside two bits of flags (include/linux/uio.h).
pub const ITER_TYPES: usize = 128;

/// Entries of [`Value::sizes`].
pub const SIZES: usize = 32;

/// What is counted together: one subject, one system call, one site, one port, one kind of iterator
/// and file. Sixteen bytes without padding, because a map key is compared as bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Number of the subject, [`OTHER_PROGRAMS`], [`ELSEWHERE`] or [`NO_OWNER`].
    pub subject: u32,
    /// System-call number, or [`NO_SYSCALL`].
    pub syscall: i32,
    /// Index into [`crate::sites::SITES`].
    pub site: u16,
    /// Local port of the socket, or [`NO_PORT`].
    pub port: u16,
    /// [`crate::vocabulary::Iter`] as `u8`.
    pub iter: u8,
    /// [`crate::vocabulary::File`] as `u8`.
    pub file: u8,
    /// Zero.
    pub unused: u16,
}

/// What was counted under a [`Key`] on one CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    /// Times the site was reached.
    pub calls: u64,
    /// Bytes that it copied, moved or filled.
    pub bytes: u64,
    /// Those of the calls that had at most [`Config::small`] bytes.
    pub small_calls: u64,
    /// Their bytes.
    pub small_bytes: u64,
    /// Bytes of the largest call.
    pub largest: u64,
    /// Calls by the length of their number of bytes in bits: the first had none, the second one, the third
    /// two or three, and so on; the last has all that are longer.
    pub sizes: [u32; SIZES],
}

impl Default for Value {
    fn default() -> Self {
        Self::ZERO
    }
}

impl Value {
    /// Nothing.
    pub const ZERO: Self =
        Self { calls: 0, bytes: 0, small_calls: 0, small_bytes: 0, largest: 0, sizes: [0; SIZES] };

    /// With what was counted on another CPU.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            calls: self.calls + other.calls,
            bytes: self.bytes + other.bytes,
            small_calls: self.small_calls + other.small_calls,
            small_bytes: self.small_bytes + other.small_bytes,
            largest: self.largest.max(other.largest),
            sizes: core::array::from_fn(|at| self.sizes[at].saturating_add(other.sizes[at])),
        }
    }

    /// What was counted since `before`; the largest call is that of the whole time.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            calls: self.calls - before.calls,
            bytes: self.bytes - before.bytes,
            small_calls: self.small_calls - before.small_calls,
            small_bytes: self.small_bytes - before.small_bytes,
            largest: self.largest,
            sizes: core::array::from_fn(|at| self.sizes[at].saturating_sub(before.sizes[at])),
        }
    }
}

/// The system call that a thread is in.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inflight {
    /// System-call number.
    pub syscall: i32,
    /// [`crate::vocabulary::File`] of the file that it names, as `u16`.
    pub file: u16,
    /// Local port of the socket that it names or sends by, or [`NO_PORT`].
    pub port: u16,
    /// Which way through the program led to it ([`StackKey::user`]); [`NOT_OWN`] while that is not
    /// asked yet.
    pub user: u64,
    /// The `struct file *` that it names, if that is a regular file; else zero.
    pub open_file: u64,
    /// The `struct sock *` that it names or sends by, or zero.
    pub sock: u64,
}

impl Inflight {
    /// No system call is current.
    pub const NOWHERE: Self = Self {
        syscall: NO_SYSCALL,
        file: crate::vocabulary::File::None as u16,
        port: NO_PORT,
        user: NOT_OWN,
        open_file: 0,
        sock: 0,
    };
}

/// Bytes of a user stack that are copied to be unwound.
pub const STACK_BYTES: usize = 32 << 10;

/// Bytes of a user stack that are searched for return addresses at a time.
pub const SEARCHED_AT_A_TIME: usize = 64;

/// The least and the most that is searched of a user stack, in such pieces. What lies deeper tells no two
/// ways through a program apart, unless it is in the chain of frame pointers.
pub const LEAST_SEARCHED: u32 = 8;
/// See [`LEAST_SEARCHED`].
pub const MOST_SEARCHED: u32 = 64;

/// Frames of the chain of frame pointers that tell ways apart.
pub const CHAINED: usize = 24;

/// [`StackKey::user`] of what is done later than the system call that caused it, or by somebody else.
pub const NOT_OWN: u64 = 0;

/// [`StackKey::user`] of a thread that has no user's registers: a worker of io_uring.
pub const NO_USER: u64 = 1;

/// What is charged together in detail: a count, and the two halves of its stack.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StackKey {
    /// The count that it is part of.
    pub count: Key,
    /// Which way through the program: a hash of its registers and of return addresses on its stack,
    /// [`NOT_OWN`] or [`NO_USER`].
    pub user: u64,
    /// The kernel's number of its own half (`bpf_get_stackid()`), or a negative error number.
    pub kernel: i32,
    /// Zero.
    pub unused: u32,
}

/// Calls and their bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallSum {
    /// How many.
    pub calls: u64,
    /// Bytes.
    pub bytes: u64,
}

impl CallSum {
    /// With others.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self { calls: self.calls + other.calls, bytes: self.bytes + other.bytes }
    }

    /// Those after `before`.
    #[must_use]
    pub const fn since(self, before: Self) -> Self {
        Self {
            calls: self.calls.saturating_sub(before.calls),
            bytes: self.bytes.saturating_sub(before.bytes),
        }
    }
}

/// What it says of a site; the rest is not known.
impl From<CallSum> for Value {
    fn from(sum: CallSum) -> Self {
        Self { calls: sum.calls, bytes: sum.bytes, ..Self::ZERO }
    }
}

/// The user half of a stack, when it is met for the first time.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Sample {
    /// Which way through the program: [`StackKey::user`].
    pub user: u64,
    /// Number of the process where the loader is.
    pub process: u32,
    /// Bytes of [`Self::stack`] that were read.
    pub length: u32,
    /// How much of the stack was searched, in pieces of [`SEARCHED_AT_A_TIME`] bytes.
    pub searched: u32,
    /// Zero.
    pub unused: u32,
    /// What tells one run of a program from others: where its code and its stack begin
    /// (`mm_struct.start_code`, `start_stack`), as `/proc/PID/stat` has them. A fork keeps both.
    pub image: [u64; 2],
    /// Instruction pointer, stack pointer and frame pointer of the user's thread.
    pub registers: [u64; 3],
    /// The stack, from the stack pointer on.
    pub stack: [u8; STACK_BYTES],
}

/// What a return probe needs to know from the entry.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entered {
    /// The argument that the site's byte rule names, or the bytes that a deferred copy is about
    /// to copy.
    pub argument: u64,
    /// [`crate::vocabulary::Iter`] as `u64`; of a deferred copy its owner, a tgid or
    /// [`NO_OWNER`]; of a linear one its skb.
    pub detail: u64,
}

/// Bit of a thread's number that says it is an idle task: these share one number, so that the CPU
/// is in it too.
pub const IDLE: u64 = 1 << 63;

/// Key of [`Entered`]: thread and site.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnteredKey {
    /// `bpf_get_current_pid_tgid()`, or [`IDLE`] and the CPU's number.
    pub thread: u64,
    /// Index into [`crate::sites::SITES`].
    pub site: u64,
}

/// A device that packets of a subject left by.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeviceKey {
    /// Who sent them.
    pub subject: u32,
    /// `struct net_device.name`.
    pub name: [u8; 16],
    /// The kind of link, `struct rtnl_link_ops.kind`; empty for hardware and the loopback device.
    pub kind: [u8; 16],
}

/// A process that is not watched and sends by a socket of a subject's.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StrangerKey {
    /// Whose socket it is.
    pub subject: u32,
    /// The process.
    pub process: u32,
    /// Its thread's name (`task_struct.comm`).
    pub name: [u8; 16],
}

/// A connection, as the packets show it that are sent by it. Addresses are IPv6's or mapped to such;
/// all is in network byte order.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Source address.
    pub from: [u32; 4],
    /// Destination address.
    pub to: [u32; 4],
    /// Source port.
    pub from_port: u16,
    /// Destination port.
    pub to_port: u16,
}

/// What the programs could not count. Index into the per-CPU array `LOST`.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The map of counts was full.
    Counts = 0,
    /// The map of current system calls was full.
    Inflight = 1,
    /// The map of entered calls was full, or a return came without its entry.
    Entered = 2,
    /// A kernel structure could not be read.
    Unreadable = 3,
    /// The owner of a deferred copy could not be remembered.
    Owner = 4,
    /// A process that is to be watched could not be remembered.
    Subject = 5,
    /// A breakpoint interrupted its CPU at work in the same part of a map.
    Busy = 6,
    /// A call was entered and never seen to return.
    Twice = 7,
    /// The same of a function that waits ([`crate::sites::Site::waits`]).
    Waited = 8,
    /// A file that a watched process mapped could not be remembered.
    Mapped = 9,
}

impl Lost {
    /// Every kind, in index order.
    pub const ALL: [Self; 10] = [
        Self::Counts,
        Self::Inflight,
        Self::Entered,
        Self::Unreadable,
        Self::Owner,
        Self::Subject,
        Self::Busy,
        Self::Twice,
        Self::Waited,
        Self::Mapped,
    ];
}

/// Everything that user space tells the programs, as one global set before load.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Process (tgid) of the loader.
    pub own: u32,
    /// Which processes are watched that the loader did not name: [`ADOPT_NONE`], [`ADOPT_ALL`] or
    /// [`ADOPT_CGROUP`].
    pub adopts: u32,
    /// The upper and lower half of the number of the control group that is watched.
    pub cgroup: [u32; 2],
    /// How deep below the root it is.
    pub cgroup_level: u32,
    /// Whether a watched process that runs another program becomes that program's subject.
    pub by_program: u32,
    /// Whether files, peers and ports are told apart.
    pub by_port: u32,
    /// The first and last of the ports that the kernel hands out by itself
    /// (`net.ipv4.ip_local_port_range`).
    pub ephemeral: [u32; 2],
    /// Most bytes of a small call.
    pub small: u32,
    /// Which stacks are kept: [`STACKS_OF_CALLERS`], [`STACKS_OF_LEAVES`], both or neither.
    pub stacks: u32,
    /// What the programs read of kernel structures.
    pub offsets: Offsets,
    /// The same of the connections that the kernel tracks.
    pub tuple: TupleOffsets,
    /// The smallest `napi_id` (`MIN_NAPI_ID`).
    pub least_napi: u32,
    /// Bit of `folio.flags` that says the folio is large (`PG_head`).
    pub folio_large_bit: u32,
    /// The upper and lower half of the address of `tls_encrypt_done()`; zeros where that is not known, and
    /// [`NO_TLS`] where TLS is not in the kernel.
    pub tls_done: [u32; 2],
    /// The lower half of the address of `sock_rfree()`, net/core/sock.c: the destructor of what is in a
    /// receive queue.
    pub receive_destructor: u32,
    /// The same of `kernfs_fop_read_iter()`, fs/kernfs/file.c, by which a file is known to be of kernfs.
    pub kernfs_read: u32,
    /// First and one past the last address of `_copy_to_user` and of `_copy_from_user`: their lower
    /// halves, because the kernel's text is in the highest 2 GiB
    /// (Documentation/arch/x86/x86_64/mm.rst).
    pub argument_copies: [[u32; 2]; 2],
    /// The byte of `struct sk_buff` that holds `ip_summed`, or [`crate::offsets::NO_OFFSET`], and that
    /// member's first bit in it.
    pub summed: [u32; 2],
    /// [`crate::vocabulary::Iter`] of each value of `iov_iter.iter_type`.
    pub iter_class: [u8; ITER_TYPES],
    /// Device and inode of the loader's pid namespace, by whose numbers processes are watched; zeros for
    /// the initial one, whose numbers the kernel gives by itself.
    pub pid_namespace: [u32; 2],
    /// Which argument of each system call is the file descriptor, or [`NO_FD`].
    pub fd_argument: [u8; MAX_SYSCALLS],
}

impl Config {
    /// Nobody is watched, and nothing of the kernel is known.
    pub const UNKNOWN: Self = Self {
        own: 0,
        adopts: ADOPT_NONE,
        cgroup: [0; 2],
        cgroup_level: 0,
        by_program: 0,
        by_port: 0,
        ephemeral: [0; 2],
        small: 0,
        stacks: 0,
        offsets: Offsets::UNKNOWN,
        tuple: TupleOffsets::UNKNOWN,
        least_napi: 0,
        folio_large_bit: 0,
        tls_done: [0; 2],
        receive_destructor: 0,
        kernfs_read: 0,
        argument_copies: [[0; 2]; 2],
        summed: [crate::offsets::NO_OFFSET, 0],
        iter_class: [0; ITER_TYPES],
        pid_namespace: [0; 2],
        fd_argument: [NO_FD; MAX_SYSCALLS],
    };
}

#[cfg(feature = "user")]
crate::pods! {
    CallSum, Config, DeviceKey, Entered, EnteredKey, Inflight, Key, Sample, SocketQueue, StackKey, StrangerKey, Value,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_bytes_begin_again_at_zero() {
        let before = |next, end| SocketQueue { next, ..SocketQueue::default() }.before(end);
        assert_eq!(before(5, 5), 0);
        assert_eq!(before(5, 9), 4);
        assert_eq!(before(u32::MAX, 3), 4);
        assert_eq!(before(9, 5), 0, "more has left meanwhile");
        assert_eq!(before(3, u32::MAX), 0, "the same, at the turn");
    }

    #[test]
    fn layout_has_no_padding() {
        assert_eq!(size_of::<Key>(), 4 + 4 + 2 + 2 + 1 + 1 + 2);
        assert_eq!(size_of::<Value>(), 5 * 8 + 4 * SIZES);
        assert_eq!(size_of::<Inflight>(), 4 + 2 + 2 + 3 * 8);
        assert_eq!(size_of::<Entered>(), 16);
        assert_eq!(size_of::<EnteredKey>(), 16);
        assert_eq!(size_of::<StackKey>(), 16 + 8 + 4 + 4);
        assert_eq!(size_of::<CallSum>(), 16);
        assert_eq!(size_of::<SocketQueue>(), 4 + 4 + 2 + 2);
        assert_eq!(size_of::<Sample>(), 8 + 4 * 4 + 2 * 8 + 3 * 8 + STACK_BYTES);
        assert_eq!(size_of::<Flow>(), 36);
        assert_eq!(size_of::<DeviceKey>(), 36);
        assert_eq!(size_of::<StrangerKey>(), 24);
        let offsets = size_of::<Offsets>() + size_of::<TupleOffsets>();
        assert_eq!(size_of::<Config>(), 4 * 25 + offsets + ITER_TYPES + MAX_SYSCALLS);
    }
}
