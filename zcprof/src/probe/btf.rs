//! Offsets and enumerators of the running kernel, from its BTF. Nothing here is known by number.

use std::os::unix::fs::MetadataExt as _;

use anyhow::{Context as _, Result, bail};
use btf_rs::{Btf, EnumMember, Struct, Type};
use zcprof_common::layout::{Config, MAX_SYSCALLS, MAX_TARGETS, NO_FD, NO_OFFSET};
use zcprof_common::sites::{OLDEST, Version};
use zcprof_common::syscalls::SYSCALLS;
use zcprof_common::vocabulary::Iter;

/// Where the kernel shows its types.
pub(super) const PATH: &str = "/sys/kernel/btf/vmlinux";

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

/// The programs' configuration for the running kernel and these processes.
///
/// # Errors
/// No BTF, or a structure in it that is not what the programs read.
pub(super) fn configure(targets: &[u32], version: Version) -> Result<Config> {
    let types = Types::of_running_kernel()?;
    // Where the table knows no leaves, only tracepoints are attached, and none reads an iterator.
    let iterator = |member| match types.offset("iov_iter", member) {
        Err(_) if version < OLDEST => Ok(NO_OFFSET),
        other => other,
    };
    // A folio is its first page, and before 5.16 it was called that (include/linux/mm_types.h).
    let folio = |member| types.offset("folio", member).or_else(|_| types.offset("page", member));
    let mut config = Config {
        targets: [0; MAX_TARGETS],
        iter_type: iterator("iter_type")?,
        iter_count: iterator("count")?,
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
        shared_destructor: types.offset("skb_shared_info", "destructor_arg")?,
        aead_length: types.offset("aead_request", "cryptlen").unwrap_or(NO_OFFSET),
        fault_vma: types.offset("vm_fault", "vma")?,
        fault_pte: types.offset("vm_fault", "pte")?,
        fault_orig_pte: types.offset("vm_fault", "orig_pte")?,
        vma_file: types.offset("vm_area_struct", "vm_file")?,
        task_mm: types.offset("task_struct", "mm")?,
        mm_exe_file: types.offset("mm_struct", "exe_file")?,
        folio_large_bit: types.enumerator("pageflags", "PG_head")?,
        regs_argument: [types.offset("pt_regs", "di")?, types.offset("pt_regs", "si")?],
        iter_class: types.iterators()?,
        pid_namespace: pid_namespace()?,
        fd_argument: [NO_FD; MAX_SYSCALLS],
    };
    if targets.len() > MAX_TARGETS {
        bail!("{} processes to watch, but {MAX_TARGETS} is the most", targets.len());
    }
    config.targets[..targets.len()].copy_from_slice(targets);
    for syscall in SYSCALLS {
        if let (Ok(number), Some(fd)) = (usize::try_from(syscall.number), syscall.fd) {
            config.fd_argument[number] = fd;
        }
    }
    Ok(config)
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
        let btf = Btf::from_file(PATH).with_context(|| {
            format!("no kernel types in {PATH} (a kernel with CONFIG_DEBUG_INFO_BTF has them)")
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
        let found = self.structure(structure)?;
        let bits = self.bit_offset(&found, member)?;
        let bits = bits.with_context(|| format!("struct {structure} has no member {member}"))?;
        if bits % 8 != 0 {
            bail!("struct {structure}.{member} does not begin at a byte");
        }
        Ok(bits / 8)
    }

    fn bit_offset(&self, structure: &Struct, wanted: &str) -> Result<Option<u32>> {
        for member in &structure.members {
            let name = self.0.resolve_name(member).unwrap_or_default();
            if name == wanted {
                return Ok(Some(member.bit_offset()));
            }
            if !name.is_empty() {
                continue;
            }
            let mut kind = self.0.resolve_chained_type(member)?;
            while let Type::Const(constant) = &kind {
                kind = self.0.resolve_chained_type(constant)?; // as in struct vm_fault
            }
            if let Type::Struct(inner) | Type::Union(inner) = kind
                && let Some(within) = self.bit_offset(&inner, wanted)?
            {
                return Ok(Some(member.bit_offset() + within));
            }
        }
        Ok(None)
    }

    /// The byte that holds a large folio's order: a member of its own in 6.1, the low byte of
    /// `_flags_1` since 6.6 (include/linux/mm.h, `folio_order()`).
    fn folio_order(&self) -> u32 {
        self.offset("folio", "_folio_order")
            .or_else(|_| self.offset("folio", "_flags_1"))
            .unwrap_or(NO_OFFSET)
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

    fn iterators(&self) -> Result<[u8; 16]> {
        let mut classes = [Iter::Unknown as u8; 16];
        for (name, value) in self.enumerators("iter_type")? {
            let known = ITERATORS.iter().find(|(known, _)| *known == name);
            let slot = usize::try_from(value).ok().and_then(|at| classes.get_mut(at));
            // An iterator that the table does not know stays `Unknown`: its bytes will be
            // unexplained, not overlooked.
            if let (Some((_, class)), Some(slot)) = (known, slot) {
                *slot = *class as u8;
            }
        }
        Ok(classes)
    }
}
