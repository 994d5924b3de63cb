//! Offsets and enumerators of the running kernel, from its BTF. Nothing here is known by number.

use std::os::unix::fs::MetadataExt as _;

use anyhow::{Context as _, Result, bail};
use btf_rs::{Btf, EnumMember, Struct, Type};
use zcprof_common::layout::{Config, ITER_TYPES, NO_OFFSET, Tuple};
use zcprof_common::sites::{Bytes, SITES, Site, Version};
use zcprof_common::syscalls::SYSCALLS;
use zcprof_common::vocabulary::Iter;

use super::kernel::{self, BTF};

/// What each kind of iterator is to the table (include/linux/uio.h, `enum iter_type`).
const ITERATORS: &[(&str, Iter)] = &[
    ("ITER_UBUF", Iter::User),
    ("ITER_IOVEC", Iter::User),
    ("ITER_KVEC", Iter::Kernel),
    ("ITER_BVEC", Iter::Kernel),
    ("ITER_XARRAY", Iter::Kernel),
    ("ITER_FOLIOQ", Iter::Kernel),
    ("ITER_PIPE", Iter::Pipe),
    ("ITER_DISCARD", Iter::Discard),
];

/// The programs' configuration for the running kernel, with nobody watched yet.
///
/// # Errors
/// No BTF, or a structure in it that is not what the programs read.
pub(super) fn configure(version: Version, tls_done: u64, receives: u64) -> Result<Config> {
    let types = Types::of_running_kernel()?;
    // Before 5.14 the type is one of several bits (include/linux/uio.h).
    let iter_type = types.offset("iov_iter", "iter_type");
    let iter_type = iter_type.or_else(|_| types.offset("iov_iter", "type"))?;
    // A folio is its first page, and before 5.16 it was called that (include/linux/mm_types.h).
    let folio = |member| types.offset("folio", member).or_else(|_| types.offset("page", member));
    let common = types.offset("sock", "__sk_common")?;
    let mut config = Config {
        own: std::process::id(),
        task_pid: types.offset("task_struct", "pid")?,
        task_tgid: types.offset("task_struct", "tgid")?,
        task_signal: types.offset("task_struct", "signal")?,
        signal_live: types.offset("signal_struct", "live")?,
        file_private: types.offset("file", "private_data")?,
        socket_sock: types.offset("socket", "sk")?,
        sock_family: common + types.offset("sock_common", "skc_family")?,
        sock_port: common + types.offset("sock_common", "skc_num")?,
        sock_from: common + types.offset("sock_common", "skc_rcv_saddr")?,
        sock_to: common + types.offset("sock_common", "skc_daddr")?,
        sock_to_port: common + types.offset("sock_common", "skc_dport")?,
        sock_from6: types
            .offset("sock_common", "skc_v6_rcv_saddr")
            .map_or(NO_OFFSET, |at| common + at),
        sock_to6: types.offset("sock_common", "skc_v6_daddr").map_or(NO_OFFSET, |at| common + at),
        skb_network: types.offset("sk_buff", "network_header")?,
        skb_inner_network: types.offset("sk_buff", "inner_network_header")?,
        skb_len: types.offset("sk_buff", "len")?,
        skb_dev: types.offset("sk_buff", "dev")?,
        dev_name: types.offset("net_device", "name")?,
        dev_link_ops: types.offset("net_device", "rtnl_link_ops")?,
        link_ops_kind: types.offset("rtnl_link_ops", "kind")?,
        fault_cow_page: types.offset("vm_fault", "cow_page")?,
        thread_status: types.offset("task_struct", "thread_info")?
            + types.offset("thread_info", "status")?,
        iter_type,
        iter_count: types.offset("iov_iter", "count")?,
        message_iter: types.offset("msghdr", "msg_iter")?,
        task_files: types.offset("task_struct", "files")?,
        files_fdt: types.offset("files_struct", "fdt")?,
        fdt_fd: types.offset("fdtable", "fd")?,
        fdt_max_fds: types.offset("fdtable", "max_fds")?,
        file_inode: types.offset("file", "f_inode")?,
        inode_mode: types.offset("inode", "i_mode")?,
        folio_flags: folio("flags")?,
        folio_order: types.folio_order(),
        folio_mapping: folio("mapping")?,
        mapping_host: types.offset("address_space", "host")?,
        skb_data_len: types.offset("sk_buff", "data_len")?,
        skb_sk: types.offset("sk_buff", "sk")?,
        skb_head: types.offset("sk_buff", "head")?,
        skb_end: types.offset("sk_buff", "end")?,
        skb_napi: types.offset("sk_buff", "napi_id").unwrap_or(NO_OFFSET),
        // include/net/busy_poll.h, 6.1 to 7.3: NR_CPUS + 1.
        least_napi: most_cpus()? + 1,
        skb_from_device: types.offset("sk_buff", "skb_iif")?,
        dev_index: types.offset("net_device", "ifindex")?,
        skb_tracked: types.offset("sk_buff", "_nfct").unwrap_or(NO_OFFSET),
        tuple: types.tuple().unwrap_or(Tuple::UNKNOWN),
        shared_destructor: types.offset("skb_shared_info", "destructor_arg")?,
        aead_complete: types.aead_complete(),
        skb_destructor: types.offset("sk_buff", "destructor")?,
        shared_list: types.offset("skb_shared_info", "frag_list")?,
        receive_destructor: (receives & 0xffff_ffff) as u32,
        tls_done: [u32::try_from(tls_done >> 32)?, u32::try_from(tls_done & 0xffff_ffff)?],
        aead_length: types.offset("aead_request", "cryptlen").unwrap_or(NO_OFFSET),
        fault_vma: types.offset("vm_fault", "vma")?,
        fault_pte: types.offset("vm_fault", "pte")?,
        fault_orig_pte: types.offset("vm_fault", "orig_pte")?,
        vma_file: types.offset("vm_area_struct", "vm_file")?,
        task_mm: types.offset("task_struct", "mm")?,
        mm_exe_file: types.offset("mm_struct", "exe_file")?,
        mm_start_code: types.offset("mm_struct", "start_code")?,
        mm_start_stack: types.offset("mm_struct", "start_stack")?,
        folio_large_bit: types.enumerator("pageflags", "PG_head")?,
        regs_argument: [
            types.offset("pt_regs", "di")?,
            types.offset("pt_regs", "si")?,
            types.offset("pt_regs", "dx")?,
            types.offset("pt_regs", "r10")?,
        ],
        argument_copies: argument_copies(version)?,
        iter_class: types.iterators()?,
        pid_namespace: pid_namespace()?,
        ..Config::UNKNOWN
    };
    for syscall in SYSCALLS {
        if let (Ok(number), Some(fd)) = (usize::try_from(syscall.number), syscall.fd) {
            config.fd_argument[number] = fd;
        }
    }
    Ok(config)
}

/// The lower halves of where the functions lie that copy arguments of system calls, where a site
/// asks for them; where addresses are hidden zeros, and nothing is attached.
fn argument_copies(version: Version) -> Result<[[u32; 2]; 2]> {
    let asks = |site: &Site| site.holds_on(version) && matches!(site.bytes, Bytes::Crossing(_));
    if !SITES.iter().any(asks) {
        return Ok([[0; 2]; 2]);
    }
    let names = ["_copy_to_user", "_copy_from_user"];
    Ok(kernel::extents(names)?.map(|extent| extent.map(|edge| (edge & 0xffff_ffff) as u32)))
}

/// Inode of the initial pid namespace: include/linux/proc_ns.h, `PROC_PID_INIT_INO`.
const INITIAL_PID_NAMESPACE: u64 = 0xefff_fffc;

/// Device and inode of this process's pid namespace, or zeros for the initial one.
fn pid_namespace() -> Result<[u32; 2]> {
    const FILE: &str = "/proc/self/ns/pid";
    let found = std::fs::metadata(FILE).with_context(|| format!("reading {FILE}"))?;
    if found.ino() == INITIAL_PID_NAMESPACE {
        return Ok([0; 2]);
    }
    // Namespaces are on a file system without a disk, whose number is small: fs/nsfs.c.
    Ok([u32::try_from(found.dev())?, u32::try_from(found.ino())?])
}

/// Most CPUs that the running kernel can have, `NR_CPUS`.
fn most_cpus() -> Result<u32> {
    const FILE: &str = "/sys/devices/system/cpu/kernel_max";
    let last = std::fs::read_to_string(FILE).with_context(|| format!("reading {FILE}"))?;
    let last: u32 = last.trim().parse().with_context(|| format!("{FILE} has no number"))?;
    Ok(last + 1)
}

struct Types(Btf);

impl Types {
    fn of_running_kernel() -> Result<Self> {
        let btf = Btf::from_file(BTF).with_context(|| {
            format!("no kernel types in {BTF} (a kernel with CONFIG_DEBUG_INFO_BTF has them)")
        })?;
        Ok(Self(btf))
    }

    fn structure(&self, name: &str) -> Result<Struct> {
        let types = self.0.resolve_types_by_name(name);
        types
            .with_context(|| format!("BTF has no struct {name}"))?
            .into_iter()
            .find_map(|found| if let Type::Struct(found) = found { Some(found) } else { None })
            .with_context(|| format!("BTF has no struct {name}"))
    }

    /// Byte offset of a member, also inside anonymous structs and unions.
    fn offset(&self, structure: &str, member: &str) -> Result<u32> {
        self.offset_of(&self.structure(structure)?, member)
            .with_context(|| format!("in struct {structure}"))
    }

    /// Byte offset of a member of a member that is a struct or union.
    fn offset_within(&self, structure: &str, outer: &str, member: &str) -> Result<u32> {
        let found = self.structure(structure)?;
        let within = self.member(&found, outer)?.map(|(_, kind)| kind);
        let Some(Type::Struct(inner) | Type::Union(inner)) = within else {
            bail!("struct {structure} has no struct {outer}");
        };
        Ok(self.offset_of(&found, outer)? + self.offset_of(&inner, member)?)
    }

    fn offset_of(&self, structure: &Struct, member: &str) -> Result<u32> {
        let found = self.member(structure, member)?;
        let (bits, _) = found.with_context(|| format!("there is no member {member}"))?;
        if bits % 8 != 0 {
            bail!("{member} does not begin at a byte");
        }
        Ok(bits / 8)
    }

    /// Where a member begins, in bits, and its type.
    fn member(&self, structure: &Struct, wanted: &str) -> Result<Option<(u32, Type)>> {
        for member in &structure.members {
            let name = self.0.resolve_name(member).unwrap_or_default();
            if name != wanted && !name.is_empty() {
                continue;
            }
            let mut kind = self.0.resolve_chained_type(member)?;
            if name == wanted {
                return Ok(Some((member.bit_offset(), kind)));
            }
            while let Type::Const(constant) = &kind {
                kind = self.0.resolve_chained_type(constant)?; // as in struct vm_fault
            }
            if let Type::Struct(inner) | Type::Union(inner) = kind
                && let Some((within, kind)) = self.member(&inner, wanted)?
            {
                return Ok(Some((member.bit_offset() + within, kind)));
            }
        }
        Ok(None)
    }

    /// The tuples of tracked connections, if the kernel itself has their types beside its module
    /// nf_conntrack.
    fn tuple(&self) -> Result<Tuple> {
        const HASH: &str = "nf_conntrack_tuple_hash";
        let within = |outer, member| self.offset_within("nf_conntrack_tuple", outer, member);
        let first = self.offset("nf_conn", "tuplehash")? + self.offset(HASH, "tuple")?;
        Ok(Tuple {
            first,
            next: u32::try_from(self.structure(HASH)?.size())?,
            from: within("src", "u3")?,
            from_port: within("src", "u")?,
            family: within("src", "l3num")?,
            to: within("dst", "u3")?,
            to_port: within("dst", "u")?,
            protocol: within("dst", "protonum")?,
        })
    }

    /// The byte that holds a large folio's order: a member of its own in 6.1, the low byte of
    /// `_flags_1` since 6.6 (include/linux/mm.h, `folio_order()`).
    fn folio_order(&self) -> u32 {
        self.offset("folio", "_folio_order")
            .or_else(|_| self.offset("folio", "_flags_1"))
            .unwrap_or(NO_OFFSET)
    }

    /// The completion function of an encryption (include/linux/crypto.h, include/crypto/aead.h).
    fn aead_complete(&self) -> u32 {
        let base = self.offset("aead_request", "base");
        let complete = self.offset("crypto_async_request", "complete");
        base.and_then(|base| Ok(base + complete?)).unwrap_or(NO_OFFSET)
    }

    fn enumerator(&self, enumeration: &str, name: &str) -> Result<u32> {
        let values = self.enumerators(enumeration)?;
        let found = values.iter().find(|(known, _)| known == name);
        Ok(found.with_context(|| format!("enum {enumeration} has no {name}"))?.1)
    }

    fn enumerators(&self, enumeration: &str) -> Result<Vec<(String, u32)>> {
        let types = self.0.resolve_types_by_name(enumeration);
        for found in types.with_context(|| format!("BTF has no enum {enumeration}"))? {
            if let Type::Enum(found) = found {
                let name = |member: &EnumMember| Ok((self.0.resolve_name(member)?, member.val()));
                return found.members.iter().map(name).collect();
            }
        }
        bail!("BTF has no enum {enumeration}")
    }

    fn iterators(&self) -> Result<[u8; ITER_TYPES]> {
        let flags = if self.offset("iov_iter", "iter_type").is_ok() { 0 } else { ITER_FLAGS };
        Ok(iterators(&self.enumerators("iter_type")?, flags))
    }
}

/// Bits beside the type's before 5.14: the direction, and one that `bvec` iterators have
/// (include/linux/uio.h, 5.10).
const ITER_FLAGS: u32 = 3;

/// What each value of `iov_iter.iter_type` is to the table, with any of the flags.
fn iterators(types: &[(String, u32)], flags: u32) -> [u8; ITER_TYPES] {
    let mut classes = [Iter::Unknown as u8; ITER_TYPES];
    for (name, value) in types {
        let known = ITERATORS.iter().find(|(known, _)| known == name);
        for flags in 0..=flags {
            let slot = usize::try_from(value | flags).ok().and_then(|at| classes.get_mut(at));
            // An iterator that the table does not know stays `Unknown`: its bytes will be
            // unexplained, not overlooked.
            if let (Some((_, class)), Some(slot)) = (known, slot) {
                *slot = *class as u8;
            }
        }
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(types: &[(&str, u32)], flags: u32) -> [u8; ITER_TYPES] {
        let types: Vec<_> =
            types.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        iterators(&types, flags)
    }

    #[test]
    fn an_iterator_is_known_by_its_number_or_by_its_bit_with_any_flag() {
        let numbers = classes(&[("ITER_IOVEC", 0), ("ITER_BVEC", 2), ("ITER_NEW", 3)], 0);
        assert_eq!(
            numbers[..4],
            [Iter::User, Iter::Unknown, Iter::Kernel, Iter::Unknown].map(|i| i as u8)
        );
        let bits =
            classes(&[("ITER_IOVEC", 4), ("ITER_PIPE", 32), ("ITER_DISCARD", 64)], ITER_FLAGS);
        for flags in 0..4 {
            assert_eq!(bits[4 | flags], Iter::User as u8);
            assert_eq!(bits[32 | flags], Iter::Pipe as u8);
            assert_eq!(bits[64 | flags], Iter::Discard as u8);
            assert_eq!(bits[8 | flags], Iter::Unknown as u8);
        }
    }
}
