//! Reads of kernel structures, at offsets that the loader took from the kernel's BTF.

use aya_ebpf::helpers;
use zcprof_common::layout::{Flow, ITER_TYPES, Lost};
use zcprof_common::objects::{FileId, FileName, Peer};
use zcprof_common::offsets::NO_OFFSET;
use zcprof_common::vocabulary::{File, Iter};

use crate::CONFIG;
use crate::loss::lose;

/// [`Iter::None`] as it is stored in a key.
pub(crate) const NO_ITER: u8 = Iter::None as u8;

/// A configured value. Volatile, because the compiler would take the value in the object file
/// for the one that the loader puts in its place.
#[inline(always)]
pub(crate) fn configured<T: Copy>(value: &T) -> T {
    // SAFETY: a reference to a static is valid.
    unsafe { core::ptr::read_volatile(value) }
}

/// Reads kernel memory; zero, and a note in `LOST`, where it cannot be read.
#[inline(always)]
fn read<T: Copy + Default>(address: u64) -> T {
    // SAFETY: the helper checks the address and fails on a bad one.
    match unsafe { helpers::bpf_probe_read_kernel(address as *const T) } {
        Ok(value) => value,
        Err(_) => {
            lose(Lost::Unreadable);
            T::default()
        }
    }
}

/// The same where nothing rests on it: zero, and no note.
#[inline(always)]
fn hint_at<T: Copy + Default>(base: u64, offset: &u32) -> T {
    let address = base + u64::from(configured(offset));
    // SAFETY: the helper checks the address and fails on a bad one.
    unsafe { helpers::bpf_probe_read_kernel(address as *const T) }.unwrap_or_default()
}

#[inline(always)]
fn read_at<T: Copy + Default>(base: u64, offset: &u32) -> T {
    read(base + u64::from(configured(offset)))
}

/// [`Iter`] of a `struct iov_iter *`.
#[inline(always)]
pub(crate) fn iter_class(iter: u64) -> u8 {
    let kind: u8 = read_at(iter, &CONFIG.offsets.iter_type);
    configured(&CONFIG.iter_class[usize::from(kind) & (ITER_TYPES - 1)])
}

/// [`Iter`] of a copy between user and kernel at the entry of the routine that makes it, where the
/// stack has the address to which it returns.
#[inline(always)]
pub(crate) fn crossing(stack: u64, to: u64, from: u64) -> u8 {
    let caller: u64 = read(stack);
    for at in 0..2 {
        let [first, end] = [0, 1].map(|edge| configured(&CONFIG.argument_copies[at][edge]));
        let caller = caller as u32;
        if first < caller && caller < end {
            return NO_ITER;
        }
    }
    // User addresses are in the lower half.
    match (is_user(to), is_user(from)) {
        (true, false) => Iter::ToUser as u8,
        (false, true) => Iter::FromUser as u8,
        // From one user's memory to another's, or within the kernel: the table does not say.
        _ => Iter::Unknown as u8,
    }
}

#[inline(always)]
const fn is_user(address: u64) -> bool {
    address >> 63 == 0
}

/// The `struct iov_iter *` in a `struct msghdr *`.
#[inline(always)]
pub(crate) fn message_iter(message: u64) -> u64 {
    message + u64::from(configured(&CONFIG.offsets.message_iter))
}

/// Bytes that a `struct iov_iter *` still holds.
#[inline(always)]
pub(crate) fn iter_count(iter: u64) -> u64 {
    read_at(iter, &CONFIG.offsets.iter_count)
}

/// One of the first five arguments of a system call: a descriptor, or flags.
#[inline(always)]
pub(crate) fn argument_in_regs(regs: u64, at: u8) -> u32 {
    let offset = match at {
        0 => &CONFIG.offsets.regs_argument_0,
        1 => &CONFIG.offsets.regs_argument_1,
        2 => &CONFIG.offsets.regs_argument_2,
        3 => &CONFIG.offsets.regs_argument_3,
        _ => &CONFIG.offsets.regs_argument_4,
    };
    read_at(regs, offset)
}

/// Instruction pointer, stack pointer and frame pointer of the current thread in its program; none if it
/// runs none. They are where a system call or fault has put them (`task_pt_regs()`,
/// arch/x86/include/asm/processor.h; struct pt_regs, arch/x86/include/asm/ptrace.h; 6.1 to 7.3).
#[inline(always)]
pub(crate) fn user_registers() -> Option<[u64; 3]> {
    // SAFETY: the helpers have no precondition.
    let registers = unsafe {
        let task = helpers::generated::bpf_get_current_task_btf();
        helpers::generated::bpf_task_pt_regs(task) as u64
    };
    let [cs, ip, sp, bp] = [17, 16, 19, 4].map(|at| read::<u64>(registers + at * 8));
    // The lowest two bits say in which ring it runs.
    (cs & 3 == 3).then_some([ip, sp, bp])
}

/// Where the code and the stack of the current process begin; zeros without memory of its own.
#[inline(always)]
pub(crate) fn image() -> [u64; 2] {
    // SAFETY: the helper has no precondition.
    let task = unsafe { helpers::bpf_get_current_task() };
    let memory: u64 = read_at(task, &CONFIG.offsets.task_mm);
    if memory == 0 {
        return [0; 2];
    }
    [
        read_at(memory, &CONFIG.offsets.mm_start_code),
        read_at(memory, &CONFIG.offsets.mm_start_stack),
    ]
}

/// The `struct file *` of a descriptor of the current process, or zero.
#[inline(always)]
pub(crate) fn file(fd: u32) -> u64 {
    // SAFETY: the helper has no precondition.
    let task = unsafe { helpers::bpf_get_current_task() };
    let files: u64 = read_at(task, &CONFIG.offsets.task_files);
    let fdt: u64 = read_at(files, &CONFIG.offsets.files_fdt);
    let max: u32 = read_at(fdt, &CONFIG.offsets.fdt_max_fds);
    if fd >= max {
        return 0;
    }
    let array: u64 = read_at(fdt, &CONFIG.offsets.fdt_fd);
    read(array + u64::from(fd) * 8)
}

/// [`File`] of a `struct file *`, which may be zero.
#[inline(always)]
pub(crate) fn file_kind(file: u64) -> u8 {
    if file == 0 {
        return File::None as u8;
    }
    inode_kind(read_at(file, &CONFIG.offsets.file_inode))
}

/// The `struct sock *` of a `struct file *` that is a socket: include/linux/net.h, `struct socket`.
#[inline(always)]
pub(crate) fn sock_of(file: u64) -> u64 {
    let socket: u64 = read_at(file, &CONFIG.offsets.file_private);
    read_at(socket, &CONFIG.offsets.socket_sock)
}

/// The inode's number of a `struct sock *` that a program has as a file, else zero.
#[inline(always)]
pub(crate) fn inode_of_socket(sock: u64) -> u64 {
    let socket: u64 = hint_at(sock, &CONFIG.offsets.sock_socket);
    if socket == 0 {
        return 0;
    }
    match hint_at(socket, &CONFIG.offsets.socket_file) {
        0 => 0,
        file => file_id(file).inode,
    }
}

/// Whether a mapping of a `struct file *` that is shared can be written into: mmap_region()
/// (mm/mmap.c, 5.10 to 7.3).
#[inline(always)]
pub(crate) fn is_open_for_writing(file: u64) -> bool {
    const FMODE_WRITE: u32 = 2;
    read_at::<u32>(file, &CONFIG.offsets.file_mode) & FMODE_WRITE != 0
}

/// Whether there is such a mapping of a `struct file *` just now.
#[inline(always)]
pub(crate) fn is_mapped_for_writing(file: u64) -> bool {
    let mapping: u64 = read_at(file, &CONFIG.offsets.file_mapping);
    read_at::<i32>(mapping, &CONFIG.offsets.mapping_writable) > 0
}

/// Which file a `struct file *` is that was open a moment ago.
#[inline(always)]
pub(crate) fn file_id(file: u64) -> FileId {
    let inode: u64 = hint_at(file, &CONFIG.offsets.file_inode);
    let system: u64 = hint_at(inode, &CONFIG.offsets.inode_super);
    FileId {
        inode: hint_at(inode, &CONFIG.offsets.inode_number),
        device: hint_at(system, &CONFIG.offsets.super_device),
        unused: 0,
    }
}

/// What such a file is called.
#[inline(always)]
pub(crate) fn file_name(file: u64) -> FileName {
    let mut name = FileName { own: [0; 64], parent: [0; 32], grandparent: [0; 32] };
    let own: u64 = hint_at(file, &CONFIG.offsets.file_dentry);
    let parent: u64 = hint_at(own, &CONFIG.offsets.dentry_parent);
    let grandparent: u64 = hint_at(parent, &CONFIG.offsets.dentry_parent);
    read_name(own, &mut name.own);
    // The root of a file system is its own parent.
    if parent != own {
        read_name(parent, &mut name.parent);
        if grandparent != parent {
            read_name(grandparent, &mut name.grandparent);
        }
    }
    name
}

#[inline(always)]
fn read_name(dentry: u64, name: &mut [u8]) {
    let text: u64 = hint_at(dentry, &CONFIG.offsets.dentry_name);
    // SAFETY: the helper checks the address and fails on a bad one.
    let _ = unsafe { helpers::bpf_probe_read_kernel_str_bytes(text as *const u8, name) };
}

/// Whom a `struct sock *` reaches that was open a moment ago.
#[inline(always)]
pub(crate) fn peer(sock: u64) -> Peer {
    let offsets = &CONFIG.offsets;
    let family: u16 = hint_at(sock, &offsets.sock_family);
    let is_ipv6 = family == IPV6 && configured(&offsets.sock_to6) != NO_OFFSET;
    let address = if family == IPV4 {
        mapped(hint_at(sock, &offsets.sock_to))
    } else if is_ipv6 {
        hint_at(sock, &offsets.sock_to6)
    } else {
        [0; 4]
    };
    let has_port = family == IPV4 || is_ipv6;
    // It is as on the wire.
    let port: u16 = if has_port { hint_at(sock, &offsets.sock_to_port) } else { 0 };
    let protocol = hint_at(sock, &offsets.sock_protocol);
    Peer { address, port: u16::from_be(port), family, protocol, unused: 0 }
}

/// Whether a `struct kiocb *` is of a file of kernfs (sysfs, cgroup), as the file's own reader says:
/// include/linux/fs.h. Where that reader's address is not known none is.
#[inline(always)]
pub(crate) fn is_of_kernfs(kiocb: u64) -> bool {
    let known = configured(&CONFIG.kernfs_read);
    if known == 0 {
        return false;
    }
    let file: u64 = read_at(kiocb, &CONFIG.offsets.kiocb_file);
    let operations: u64 = read_at(file, &CONFIG.offsets.file_operations);
    read_at::<u64>(operations, &CONFIG.offsets.operations_read) as u32 == known
}

/// Address family and local port of a `struct sock *`: include/net/sock.h, `struct sock_common`.
#[inline(always)]
pub(crate) fn family_and_port(sock: u64) -> (u16, u16) {
    (read_at(sock, &CONFIG.offsets.sock_family), read_at(sock, &CONFIG.offsets.sock_port))
}

/// Whether a `struct sock *` is a connection of TCP's.
#[inline(always)]
pub(crate) fn is_of_tcp(sock: u64) -> bool {
    const TCP: u16 = 6; // IPPROTO_TCP, include/uapi/linux/in.h
    let (family, protocol): (u16, u16) =
        (hint_at(sock, &CONFIG.offsets.sock_family), hint_at(sock, &CONFIG.offsets.sock_protocol));
    (family == IPV4 || family == IPV6) && protocol == TCP
}

/// The number behind the last byte that was sent by a connection of TCP's.
#[inline(always)]
pub(crate) fn written(sock: u64) -> u32 {
    hint_at(sock, &CONFIG.offsets.tcp_written)
}

/// The number of the next byte that a connection of TCP's gives to a device.
#[inline(always)]
pub(crate) fn next_to_leave(sock: u64) -> u32 {
    hint_at(sock, &CONFIG.offsets.tcp_next)
}

/// Whether a `struct sock *` is IPv4's; an IPv6 socket that sends to an IPv4 address is not.
#[inline(always)]
pub(crate) fn is_ipv4(sock: u64) -> bool {
    read_at::<u16>(sock, &CONFIG.offsets.sock_family) == IPV4
}

/// Whether the socket of a `struct sk_buff *`, which may have none, is of UDP or UDP-Lite
/// (include/uapi/linux/in.h). A Unix or vsock socket has no protocol.
#[inline(always)]
pub(crate) fn is_of_udp(skb: u64) -> bool {
    let sock = socket(skb);
    sock != 0 && is_udp(sock)
}

#[inline(always)]
fn is_udp(sock: u64) -> bool {
    const UDP_LITE: u16 = 136;
    let protocol: u16 = read_at(sock, &CONFIG.offsets.sock_protocol);
    protocol == u16::from(UDP) || protocol == UDP_LITE
}

/// Whether what is put into a `struct sk_buff *` is added up at once, and not by a device later
/// (`CHECKSUM_PARTIAL`, include/linux/skbuff.h, 5.10 to 7.3).
#[inline(always)]
pub(crate) fn is_added_up(skb: u64) -> bool {
    const BY_DEVICE: u8 = 3;
    let [byte, bit] = [0, 1].map(|at| configured(&CONFIG.summed[at]));
    if byte == NO_OFFSET {
        lose(Lost::Unreadable);
        return false;
    }
    read::<u8>(skb + u64::from(byte)) >> (bit & 7) & 3 != BY_DEVICE
}

/// Whether a `struct sock *` connects the kernel with what stores a file: sunrpc (xs_tcp_finish_connecting(),
/// net/sunrpc/xprtsock.c), SMB, Ceph, 9p, NVMe, nbd and iSCSI may send while the kernel makes room in
/// memory, so that their sockets must not use the task's own (`sk_page_frag()`, include/net/sock.h, 6.2 to
/// 7.3). An older kernel tells only which sockets it has made for itself (`sk_kern_sock`); so it has what
/// a listener of MPTCP accepts. Those of sunrpc and Ceph have an owner beside that (`sk_user_data`).
#[inline(always)]
pub(crate) fn is_for_storage(sock: u64) -> bool {
    if configured(&CONFIG.offsets.sock_task_memory) != NO_OFFSET {
        return read_at::<u8>(sock, &CONFIG.offsets.sock_task_memory) == 0;
    }
    const MADE_BY_KERNEL: u8 = 1 << 1;
    configured(&CONFIG.offsets.sock_bits) != NO_OFFSET
        && read_at::<u8>(sock, &CONFIG.offsets.sock_bits) & MADE_BY_KERNEL != 0
        && read_at::<u64>(sock, &CONFIG.offsets.sock_owner) != 0
}

/// Numbers of a `struct task_struct *`, as thread and as process, in the initial namespace.
#[inline(always)]
pub(crate) fn numbers(task: u64) -> (u32, u32) {
    (read_at(task, &CONFIG.offsets.task_pid), read_at(task, &CONFIG.offsets.task_tgid))
}

/// Number of a `struct task_struct *` in the pid namespace that it is in, if that is the loader's
/// (`task_active_pid_ns()`, kernel/pid.c, 5.10 to 7.3).
#[inline(always)]
pub(crate) fn number_in_own_namespace(task: u64) -> Option<u32> {
    const UPID: u64 = 16; // sizeof(struct upid), include/linux/pid.h
    let numbers: u64 = read_at(task, &CONFIG.offsets.task_numbers);
    let level: u32 = read_at(numbers, &CONFIG.offsets.numbers_level);
    let first = numbers + u64::from(configured(&CONFIG.offsets.numbers_first));
    let number = first + u64::from(level & 31) * UPID; // MAX_PID_NS_LEVEL is 32
    let namespace: u64 = read_at(number, &CONFIG.offsets.number_namespace);
    let inode: u32 = read_at(namespace, &CONFIG.offsets.namespace_inode);
    // Its number, `nr`, comes first.
    (inode == configured(&CONFIG.pid_namespace[1])).then(|| read(number))
}

/// Threads of the current process that have not begun to exit.
#[inline(always)]
pub(crate) fn living_threads() -> u32 {
    // SAFETY: the helper has no precondition.
    let task = unsafe { helpers::bpf_get_current_task() };
    let signal: u64 = read_at(task, &CONFIG.offsets.task_signal);
    read_at(signal, &CONFIG.offsets.signal_live)
}

/// [`File`] of the inode whose page cache a `struct folio *` is in.
#[inline(always)]
pub(crate) fn folio_kind(folio: u64) -> u8 {
    let mapping: u64 = read_at(folio, &CONFIG.offsets.folio_mapping);
    inode_kind(read_at(mapping, &CONFIG.offsets.mapping_host))
}

#[inline(always)]
fn inode_kind(inode: u64) -> u8 {
    let mode: u16 = read_at(inode, &CONFIG.offsets.inode_mode);
    // S_IFMT, include/uapi/linux/stat.h.
    let kind = match mode & 0o170_000 {
        0o100_000 => File::Regular,
        0o140_000 => File::Socket,
        0o010_000 => File::Pipe,
        _ => File::Other,
    };
    kind as u8
}

/// The `struct ubuf_info *` of a `struct sk_buff *` (include/linux/skbuff.h, `skb_uarg()`).
#[inline(always)]
pub(crate) fn ubuf(skb: u64) -> u64 {
    read_at(shared(skb), &CONFIG.offsets.shared_destructor)
}

/// The first of the packets that make up a `struct sk_buff *` with a list of fragments, or zero.
#[inline(always)]
pub(crate) fn first_fragment(skb: u64) -> u64 {
    read_at(shared(skb), &CONFIG.offsets.shared_list)
}

/// The `struct skb_shared_info *` of a `struct sk_buff *` (include/linux/skbuff.h, `skb_shinfo()`).
#[inline(always)]
fn shared(skb: u64) -> u64 {
    // 64-bit kernels keep `end` as an offset from `head` (NET_SKBUFF_DATA_USES_OFFSET).
    let head: u64 = read_at(skb, &CONFIG.offsets.skb_head);
    let end: u32 = read_at(skb, &CONFIG.offsets.skb_end);
    head + u64::from(end)
}

/// The `struct sock *` of a `struct sk_buff *`, or zero.
#[inline(always)]
pub(crate) fn socket(skb: u64) -> u64 {
    read_at(skb, &CONFIG.offsets.skb_sk)
}

/// Whether a `struct sk_buff *` is on its way in from a device: its `napi_id` is one
/// (`skb_mark_napi_id()`), or neither that nor the `sender_cpu` in the same place is set yet, and
/// it has no socket. What is on its way out has a socket until a device has it, and by then a
/// `sender_cpu`, which is smaller than every `napi_id` (`netdev_core_pick_tx()`, net/core/dev.c;
/// include/net/busy_poll.h; 6.1 to 7.3). What is forwarded came in too, and is on its way out.
#[inline(always)]
pub(crate) fn is_received(skb: u64) -> bool {
    if configured(&CONFIG.offsets.skb_napi) == NO_OFFSET || is_forwarded(skb) {
        return false;
    }
    let id: u32 = read_at(skb, &CONFIG.offsets.skb_napi);
    id >= configured(&CONFIG.least_napi) || id == 0 && socket(skb) == 0
}

/// Whether a `struct sk_buff *` came in by another device than that which has it now: `skb_iif` is set
/// as soon as the kernel takes it from a device (`__netif_receive_skb_core()`, net/core/dev.c, 5.10 to
/// 7.3), and `dev` is another from `ip_output()` or `__br_forward()` on.
#[inline(always)]
fn is_forwarded(skb: u64) -> bool {
    let from: u32 = read_at(skb, &CONFIG.offsets.skb_from_device);
    let device: u64 = read_at(skb, &CONFIG.offsets.skb_dev);
    from != 0 && device != 0 && read_at::<u32>(device, &CONFIG.offsets.dev_index) != from
}

/// Whether a `struct sk_buff *` is in the receive queue of its socket, which then frees its memory by
/// `sock_rfree()` (skb_set_owner_r(), include/net/sock.h, 5.10 to 7.3).
#[inline(always)]
pub(crate) fn is_queued(skb: u64) -> bool {
    let received = configured(&CONFIG.receive_destructor);
    let destructor: u64 = read_at(skb, &CONFIG.offsets.skb_destructor);
    received != 0 && destructor as u32 == received
}

/// The families of IP's sockets: AF_INET and AF_INET6, include/linux/socket.h.
const IPV4: u16 = 2;
const IPV6: u16 = 10;

/// The IP protocol whose ports a flow has: TCP, include/uapi/linux/in.h.
const TCP: u8 = 6;

/// The same of UDP.
const UDP: u8 = 17;

/// An IPv4 address as IPv6 maps it: RFC 4291, 2.5.5.2.
#[inline(always)]
fn mapped(address: u32) -> [u32; 4] {
    [0, 0, 0xffff_u32.to_be(), address]
}

/// The connection of a `struct sock *`, as its packets show it; none unless it is of IP, and none of
/// UDP's, whose ports may be the same as TCP's.
#[inline(always)]
pub(crate) fn flow_of_socket(sock: u64) -> Option<Flow> {
    if is_udp(sock) {
        return None;
    }
    let (family, port) = family_and_port(sock);
    let (from, to) = if family == IPV4 {
        let [from, to] = [&CONFIG.offsets.sock_from, &CONFIG.offsets.sock_to];
        (mapped(read_at(sock, from)), mapped(read_at(sock, to)))
    } else if family == IPV6 && configured(&CONFIG.offsets.sock_from6) != NO_OFFSET {
        (read_at(sock, &CONFIG.offsets.sock_from6), read_at(sock, &CONFIG.offsets.sock_to6))
    } else {
        return None;
    };
    // The remote port is as on the wire, the local one is not.
    let to_port: u16 = read_at(sock, &CONFIG.offsets.sock_to_port);
    Some(Flow { from, to, from_port: port.to_be(), to_port })
}

/// The connection of the packet in a `struct sk_buff *`, or of the one that a tunnel put into it; none
/// unless it is TCP's.
#[inline(always)]
pub(crate) fn flow_of_packet(skb: u64) -> Option<Flow> {
    let head: u64 = read_at(skb, &CONFIG.offsets.skb_head);
    let outer: u16 = read_at(skb, &CONFIG.offsets.skb_network);
    if let Some(flow) = flow_at(head + u64::from(outer)) {
        return Some(flow);
    }
    let inner: u16 = read_at(skb, &CONFIG.offsets.skb_inner_network);
    if inner == 0 { None } else { flow_at(head + u64::from(inner)) }
}

/// Whether the packet in a `struct sk_buff *` is UDP's, by its IP header, which may be a tunnel's.
#[inline(always)]
pub(crate) fn is_datagram(skb: u64) -> bool {
    let head: u64 = read_at(skb, &CONFIG.offsets.skb_head);
    let network: u16 = read_at(skb, &CONFIG.offsets.skb_network);
    let header = head + u64::from(network);
    match read::<u8>(header) >> 4 {
        4 => read::<u8>(header + 9) == UDP,
        6 => read::<u8>(header + 6) == UDP,
        _ => false,
    }
}

/// The connection of a packet with this IP header (include/uapi/linux/ip.h and ipv6.h).
#[inline(always)]
fn flow_at(header: u64) -> Option<Flow> {
    let first: u8 = read(header);
    let (from, to, ports) = match first >> 4 {
        4 => {
            if read::<u8>(header + 9) != TCP {
                return None;
            }
            let length = u64::from(first & 15) * 4;
            (mapped(read(header + 12)), mapped(read(header + 16)), header + length)
        }
        6 => {
            if read::<u8>(header + 6) != TCP {
                return None;
            }
            (read(header + 8), read(header + 24), header + 40)
        }
        _ => return None,
    };
    Some(Flow { from, to, from_port: read(ports), to_port: read(ports + 2) })
}

/// The connection of the packet in a `struct sk_buff *` as it was before this host translated its addresses,
/// where the kernel tracks it; none unless it is TCP's. `_nfct` has the `struct nf_conn *` and, in its
/// lowest three bits, in which direction the packet goes (`nf_ct_get()`,
/// include/net/netfilter/nf_conntrack.h; 5.10 to 7.3).
#[inline(always)]
pub(crate) fn flow_before_translation(skb: u64) -> Option<Flow> {
    const INFO: u64 = 7; // NFCT_INFOMASK, include/linux/skbuff.h
    const REPLIES: u64 = 3; // IP_CT_IS_REPLY, include/uapi/linux/netfilter/nf_conntrack_common.h
    if configured(&CONFIG.offsets.skb_tracked) == NO_OFFSET {
        return None;
    }
    let tracked: u64 = read_at(skb, &CONFIG.offsets.skb_tracked);
    if tracked & !INFO == 0 {
        return None;
    }
    if configured(&CONFIG.tuple.of_requests) == NO_OFFSET {
        lose(Lost::Owner);
        return None;
    }
    let replies = tracked & INFO >= REPLIES;
    let within = if replies { &CONFIG.tuple.of_replies } else { &CONFIG.tuple.of_requests };
    let tuple = (tracked & !INFO) + u64::from(configured(within));
    if read_at::<u8>(tuple, &CONFIG.tuple.protocol) != TCP {
        return None;
    }
    // NFPROTO_IPV4 and NFPROTO_IPV6 are the same: include/uapi/linux/netfilter.h.
    let [from, to] = [&CONFIG.tuple.from, &CONFIG.tuple.to];
    let (from, to) = match read_at::<u16>(tuple, &CONFIG.tuple.family) {
        IPV4 => (mapped(read_at(tuple, from)), mapped(read_at(tuple, to))),
        IPV6 => (read_at(tuple, from), read_at(tuple, to)),
        _ => return None,
    };
    let from_port = read_at(tuple, &CONFIG.tuple.from_port);
    Some(Flow { from, to, from_port, to_port: read_at(tuple, &CONFIG.tuple.to_port) })
}

/// Bytes of a `struct sk_buff *`, headers included.
#[inline(always)]
pub(crate) fn bytes(skb: u64) -> u64 {
    let bytes: u32 = read_at(skb, &CONFIG.offsets.skb_len);
    u64::from(bytes)
}

/// Name and kind of the device that a `struct sk_buff *` is at.
#[inline(always)]
pub(crate) fn device(skb: u64) -> ([u8; 16], [u8; 16]) {
    let device: u64 = read_at(skb, &CONFIG.offsets.skb_dev);
    let link: u64 = read_at(device, &CONFIG.offsets.dev_link_ops);
    let mut kind = [0; 16];
    if link != 0 {
        let text: u64 = read_at(link, &CONFIG.offsets.link_ops_kind);
        // SAFETY: the helper checks the address and fails on a bad one.
        if unsafe { helpers::bpf_probe_read_kernel_str_bytes(text as *const u8, &mut kind) }
            .is_err()
        {
            lose(Lost::Unreadable);
        }
    }
    (read_at(device, &CONFIG.offsets.dev_name), kind)
}

/// Bytes of a `struct sk_buff *` that are in pages and not in its linear part.
#[inline(always)]
pub(crate) fn paged_bytes(skb: u64) -> u64 {
    let bytes: u32 = read_at(skb, &CONFIG.offsets.skb_data_len);
    u64::from(bytes)
}

/// Bytes of a `struct sk_buff *` from an offset on that are not known to be in pages: those in its linear
/// part, and all if it has a list of fragments, whose linear parts are not looked at.
#[inline(always)]
pub(crate) fn bytes_in_no_page(skb: u64, offset: u64) -> u64 {
    if first_fragment(skb) != 0 {
        return u64::MAX;
    }
    bytes(skb).saturating_sub(paged_bytes(skb)).saturating_sub(offset)
}

/// The number that an `unsigned long *` of the kernel points at.
#[inline(always)]
pub(crate) fn number(address: u64) -> u64 {
    read(address)
}

/// Bytes that a `struct aead_request *` of TLS in the kernel asks to encrypt; none of another's.
#[inline(always)]
pub(crate) fn encrypted_bytes(request: u64) -> u64 {
    let [high, low] = [0, 1].map(|at| u64::from(configured(&CONFIG.tls_done[at])));
    let tls_done = high << 32 | low;
    // Where its completion function is not known, every request may be one of TLS.
    if tls_done != 0
        && configured(&CONFIG.offsets.aead_complete) != NO_OFFSET
        && read_at::<u64>(request, &CONFIG.offsets.aead_complete) != tls_done
    {
        return 0;
    }
    if configured(&CONFIG.offsets.aead_length) == NO_OFFSET {
        lose(Lost::Unreadable);
        return 0;
    }
    let bytes: u32 = read_at(request, &CONFIG.offsets.aead_length);
    u64::from(bytes)
}

/// Bytes of a small page on x86-64.
pub(crate) const PAGE: u64 = 4096;

/// Bits of a page-table entry that say which page frame it is of (`PTE_PFN_MASK`,
/// arch/x86/include/asm/pgtable_types.h).
const FRAME: u64 = 0x000f_ffff_ffff_f000;

/// Whether a `struct vm_fault *` that was handled has another page frame than before.
#[inline(always)]
pub(crate) fn is_replaced(fault: u64) -> bool {
    let before: u64 = read_at(fault, &CONFIG.offsets.fault_orig_pte);
    let entry: u64 = read_at(fault, &CONFIG.offsets.fault_pte);
    if entry == 0 {
        return false; // it has to be tried again
    }
    let after: u64 = read(entry);
    (before ^ after) & FRAME != 0
}

/// Whether the handler of a `struct vm_fault *` copied a page of a file for the writer of its
/// private mapping: do_cow_fault() (mm/memory.c, 5.10 to 7.3), which alone gets a page for that.
#[inline(always)]
pub(crate) fn is_unshared(fault: u64, result: u32) -> bool {
    // VM_FAULT_ERROR, NOPAGE and RETRY: include/linux/mm_types.h, 5.10 to 7.3.
    const FAILED: u32 = 0x1 | 0x2 | 0x10 | 0x20 | 0x40 | 0x100 | 0x400 | 0x800;
    result & FAILED == 0 && read_at::<u64>(fault, &CONFIG.offsets.fault_cow_page) != 0
}

/// [`File`] of the mapping that a `struct vm_fault *` is in: none for anonymous memory and for
/// the program's own file, whose variables are copied when they are written for the first time.
#[inline(always)]
pub(crate) fn mapping_kind(fault: u64) -> u8 {
    let mapping: u64 = read_at(fault, &CONFIG.offsets.fault_vma);
    let file: u64 = read_at(mapping, &CONFIG.offsets.vma_file);
    // SAFETY: the helper has no precondition.
    let task = unsafe { helpers::bpf_get_current_task() };
    let memory: u64 = read_at(task, &CONFIG.offsets.task_mm);
    if file == 0 || memory == 0 {
        return File::None as u8;
    }
    let inode: u64 = read_at(file, &CONFIG.offsets.file_inode);
    let program: u64 = read_at(memory, &CONFIG.offsets.mm_exe_file);
    if program != 0 && read_at::<u64>(program, &CONFIG.offsets.file_inode) == inode {
        return File::None as u8;
    }
    inode_kind(inode)
}

/// Whether the current thread is in a 32-bit system call: TS_COMPAT, arch/x86/include/asm/thread_info.h,
/// 5.10 to 7.3.
#[inline(always)]
pub(crate) fn is_compat() -> bool {
    // SAFETY: the helper has no precondition.
    let task = unsafe { helpers::bpf_get_current_task() };
    read_at::<u32>(task, &CONFIG.offsets.thread_status) & 2 != 0
}

/// Bytes of a `struct folio *`.
#[inline(always)]
pub(crate) fn folio_bytes(folio: u64) -> u64 {
    let flags: u64 = read_at(folio, &CONFIG.offsets.folio_flags);
    if flags >> (configured(&CONFIG.folio_large_bit) & 63) & 1 == 0 {
        return PAGE;
    }
    if configured(&CONFIG.offsets.folio_order) == NO_OFFSET {
        lose(Lost::Unreadable);
        return 0;
    }
    let order: u8 = read_at(folio, &CONFIG.offsets.folio_order);
    PAGE << (order & 31)
}
