//! THE TABLE of what the programs read of kernel structures. To read another member is to add a row:
//! the loader finds the offset in the running kernel's BTF.

/// Offset that stands for "this kernel has no such field".
pub const NO_OFFSET: u32 = u32::MAX;

/// A member that the programs read.
#[derive(Clone, Copy, Debug)]
pub struct KernelMember {
    /// Its path from its structure on, as `sock.__sk_common.skc_num`; several where kernels differ,
    /// and the first that the kernel has counts. `[1]` is the second element of an array.
    pub paths: &'static [&'static str],
    /// Whether there are kernels without it; its offset there is [`NO_OFFSET`].
    pub optional: bool,
}

/// Declares a set of offsets: the name of each, and the member's paths.
macro_rules! offsets {
    (@is_optional) => { false };
    (@is_optional optional) => { true };
    (
        $(#[$set:meta])* $Set:ident {
            $($(#[$doc:meta])* $name:ident = $path:literal $(or $other:literal)* $(, $optional:ident)?;)*
        }
    ) => {
        $(#[$set])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $Set {
            $(
                #[doc = concat!("`struct ", $path, "`.")]
                $(#[$doc])*
                pub $name: u32,
            )*
        }

        impl $Set {
            /// Nothing of the kernel is known.
            pub const UNKNOWN: Self = Self { $($name: NO_OFFSET,)* };

            /// Has every member looked up, in the order of the offsets.
            ///
            /// # Errors
            /// The first that `find` gives.
            pub fn find<E>(mut find: impl FnMut(KernelMember) -> Result<u32, E>) -> Result<Self, E> {
                Ok(Self {
                    $($name: find(KernelMember {
                        paths: &[$path $(, $other)*],
                        optional: offsets!(@is_optional $($optional)?),
                    })?,)*
                })
            }
        }
    };
}

offsets! {
    /// Offsets of members of kernel structures, in bytes.
    Offsets {
        task_pid = "task_struct.pid";
        task_tgid = "task_struct.tgid";
        task_numbers = "task_struct.thread_pid";
        numbers_level = "pid.level";
        /// One for each namespace from the initial one on, down to that of the level.
        numbers_first = "pid.numbers";
        number_namespace = "upid.ns";
        namespace_inode = "pid_namespace.ns.inum";
        task_signal = "task_struct.signal";
        signal_live = "signal_struct.live";
        file_private = "file.private_data";
        file_operations = "file.f_op";
        operations_read = "file_operations.read_iter";
        kiocb_file = "kiocb.ki_filp";
        socket_sock = "socket.sk";
        socket_file = "socket.file";
        sock_socket = "sock.sk_socket";
        sock_family = "sock.__sk_common.skc_family";
        sock_port = "sock.__sk_common.skc_num";
        /// Of IP's protocols, which is 16 bits wide since 5.6 (include/net/sock.h).
        sock_protocol = "sock.sk_protocol";
        sock_from = "sock.__sk_common.skc_rcv_saddr";
        sock_to = "sock.__sk_common.skc_daddr";
        sock_to_port = "sock.__sk_common.skc_dport";
        /// A kernel without IPv6 has none.
        sock_from6 = "sock.__sk_common.skc_v6_rcv_saddr", optional;
        /// The same.
        sock_to6 = "sock.__sk_common.skc_v6_daddr", optional;
        /// Whether a send may use the task's memory. Since 6.2 (include/net/sock.h).
        sock_task_memory = "sock.sk_use_task_frag", optional;
        /// The byte that holds the bit `sk_kern_sock`, which follows this one.
        sock_bits = "sock.sk_gso_disabled" or "sock.sk_padding", optional;
        /// What in the kernel uses the socket, if something does.
        sock_owner = "sock.sk_user_data";
        /// The number behind the last byte that was sent by the socket; `sock` is its beginning.
        tcp_written = "tcp_sock.write_seq";
        /// That of the next byte that goes to a device.
        tcp_next = "tcp_sock.snd_nxt";
        skb_network = "sk_buff.network_header";
        skb_inner_network = "sk_buff.inner_network_header";
        skb_len = "sk_buff.len";
        skb_data_len = "sk_buff.data_len";
        skb_dev = "sk_buff.dev";
        skb_from_device = "sk_buff.skb_iif";
        skb_sk = "sk_buff.sk";
        skb_destructor = "sk_buff.destructor";
        skb_head = "sk_buff.head";
        skb_end = "sk_buff.end";
        /// Which is `sender_cpu` of what is sent.
        skb_napi = "sk_buff.napi_id", optional;
        /// A kernel that tracks no connections has none.
        skb_tracked = "sk_buff._nfct", optional;
        shared_destructor = "skb_shared_info.destructor_arg";
        shared_list = "skb_shared_info.frag_list";
        dev_name = "net_device.name";
        dev_index = "net_device.ifindex";
        dev_link_ops = "net_device.rtnl_link_ops";
        link_ops_kind = "rtnl_link_ops.kind";
        fault_cow_page = "vm_fault.cow_page";
        thread_status = "task_struct.thread_info.status";
        /// Before 5.14 the type is one of several bits of `type` (include/linux/uio.h).
        iter_type = "iov_iter.iter_type" or "iov_iter.type";
        iter_count = "iov_iter.count";
        message_iter = "msghdr.msg_iter";
        task_files = "task_struct.files";
        files_fdt = "files_struct.fdt";
        fdt_fd = "fdtable.fd";
        fdt_max_fds = "fdtable.max_fds";
        file_inode = "file.f_inode";
        file_dentry = "file.f_path.dentry" or "file.__f_path.dentry", optional;
        dentry_name = "dentry.d_name.name" or "dentry.__d_name.name", optional;
        dentry_parent = "dentry.d_parent", optional;
        /// How it was opened (`FMODE_WRITE`, include/linux/fs.h).
        file_mode = "file.f_mode";
        file_mapping = "file.f_mapping";
        /// Mappings that can be written into and are shared; below zero where none may be made.
        mapping_writable = "address_space.i_mmap_writable";
        inode_mode = "inode.i_mode";
        inode_number = "inode.i_ino", optional;
        inode_super = "inode.i_sb", optional;
        super_device = "super_block.s_dev", optional;
        /// A folio is its first page, and before 5.16 it was called that (include/linux/mm_types.h).
        folio_flags = "folio.flags" or "page.flags";
        /// The byte that holds a large folio's order: a member of its own in 6.1, the low byte of
        /// `_flags_1` since 6.6 (include/linux/mm.h, `folio_order()`).
        folio_order = "folio._folio_order" or "folio._flags_1", optional;
        folio_mapping = "folio.mapping" or "page.mapping";
        mapping_host = "address_space.host";
        aead_length = "aead_request.cryptlen", optional;
        /// The completion function of an encryption (include/linux/crypto.h, include/crypto/aead.h).
        aead_complete = "aead_request.base.complete", optional;
        fault_vma = "vm_fault.vma";
        fault_pte = "vm_fault.pte";
        fault_orig_pte = "vm_fault.orig_pte";
        vma_file = "vm_area_struct.vm_file";
        task_mm = "task_struct.mm";
        mm_exe_file = "mm_struct.exe_file";
        mm_start_code = "mm_struct.start_code";
        mm_start_stack = "mm_struct.start_stack";
        /// The first argument of a system call.
        regs_argument_0 = "pt_regs.di";
        /// The second.
        regs_argument_1 = "pt_regs.si";
        /// The third.
        regs_argument_2 = "pt_regs.dx";
        /// The fourth.
        regs_argument_3 = "pt_regs.r10";
        /// The fifth.
        regs_argument_4 = "pt_regs.r8";
    }
}

offsets! {
    /// Where the addresses and ports of a connection lie that the kernel tracks, in bytes
    /// (include/net/netfilter/nf_conntrack.h and `nf_conntrack_tuple.h`). All are known or none, because
    /// the types may be those of the module `nf_conntrack` alone.
    TupleOffsets {
        /// The tuple of packets in the direction of the first one.
        of_requests = "nf_conn.tuplehash[0].tuple";
        /// The tuple of packets in the other direction.
        of_replies = "nf_conn.tuplehash[1].tuple";
        from = "nf_conntrack_tuple.src.u3";
        from_port = "nf_conntrack_tuple.src.u";
        family = "nf_conntrack_tuple.src.l3num";
        to = "nf_conntrack_tuple.dst.u3";
        to_port = "nf_conntrack_tuple.dst.u";
        protocol = "nf_conntrack_tuple.dst.protonum";
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;

    /// Every member of both sets.
    fn members() -> Vec<KernelMember> {
        let mut members = Vec::new();
        let mut note = |member| {
            members.push(member);
            Ok::<u32, ()>(0)
        };
        Offsets::find(&mut note).expect("no error");
        TupleOffsets::find(&mut note).expect("no error");
        members
    }

    #[test]
    fn every_member_has_one_row() {
        let members = members();
        assert_eq!(4 * members.len(), size_of::<Offsets>() + size_of::<TupleOffsets>());
        let mut paths: Vec<_> = members.iter().flat_map(|member| member.paths).collect();
        assert!(paths.iter().all(|path| path.split('.').count() >= 2), "a structure and a member");
        let rows = paths.len();
        paths.sort();
        paths.dedup();
        assert_eq!(paths.len(), rows);
    }

    #[test]
    fn an_offset_is_that_of_its_own_member() {
        let length = |path: &str| u32::try_from(path.len()).expect("short");
        let offsets = Offsets::find(|member| Ok::<u32, ()>(length(member.paths[0])));
        let offsets = offsets.expect("no error");
        assert_eq!(offsets.task_pid, length("task_struct.pid"));
        assert_eq!(offsets.sock_from6, length("sock.__sk_common.skc_v6_rcv_saddr"));
        assert_eq!(offsets.regs_argument_3, length("pt_regs.r10"));
        assert_eq!(Offsets::find(|_| Err(1)), Err(1));
    }
}
