//! Offsets and enumerators of the running kernel, from its BTF. Nothing here is known by number.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;

use anyhow::{Context as _, Result, bail};
use aya_obj::btf::{self, BtfType, FuncLinkage};
use btf_rs::{Btf, EnumMember, Struct, Type};
use zcprof_common::layout::{Config, ITER_TYPES, NO_TLS};
use zcprof_common::offsets::{KernelMember, NO_OFFSET, Offsets, TupleOffsets};
use zcprof_common::sites::{Bytes, SITES, Site, Version};
use zcprof_common::syscalls::SYSCALLS;
use zcprof_common::vocabulary::Iter;

use super::kernel::BTF;
use super::{modules, symbols};

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

/// The completion function of what TLS in the kernel encrypts: net/tls/tls_sw.c.
const TLS_DONE: &str = "tls_encrypt_done";

/// The module of TLS in the kernel, and a function of it that every kernel has.
pub(super) const TLS: &str = "tls";
const SETS_TLS_UP: &str = "tls_set_sw_offload";

/// The destructor of packets in a receive queue: net/core/sock.c.
const RECEIVES: &str = "sock_rfree";

/// The reader of kernfs's files: a row of the table.
const READS_KERNFS: &str = "kernfs_fop_read_iter";

/// Functions that are no rows, by whose addresses the programs tell TLS's requests and received packets.
pub(super) const TOLD_BY: [&str; 3] = [TLS_DONE, SETS_TLS_UP, RECEIVES];

/// Whether TLS may be in the kernel just now, given the kernel's functions.
pub(super) fn may_have_tls(functions: &BTreeMap<String, u64>) -> bool {
    let is_listed = |name: &str| functions.contains_key(name);
    functions.is_empty() || is_listed(TLS_DONE) || is_listed(SETS_TLS_UP) || modules::is_there(TLS)
}

/// The programs' configuration for the running kernel, with nobody watched yet.
///
/// `functions` are the addresses of the kernel's, as far as they are known.
///
/// # Errors
/// No BTF, or a structure in it that is not what the programs read.
pub(super) fn configure(
    types: &Types,
    version: Version,
    functions: &BTreeMap<String, u64>,
) -> Result<Config> {
    let address = |name: &str| functions.get(name).copied().unwrap_or(0);
    let halves = |name| {
        let address = address(name);
        [address >> 32, address & 0xffff_ffff].map(|half| u32::try_from(half).unwrap_or_default())
    };
    let mut config = Config {
        own: std::process::id(),
        offsets: Offsets::find(|member| types.find(member))?,
        tuple: TupleOffsets::find(|member| types.find(member)).unwrap_or(TupleOffsets::UNKNOWN),
        // include/net/busy_poll.h, 6.1 to 7.3: NR_CPUS + 1.
        least_napi: most_cpus()? + 1,
        receive_destructor: halves(RECEIVES)[1],
        kernfs_read: halves(READS_KERNFS)[1],
        tls_done: if may_have_tls(functions) { halves(TLS_DONE) } else { NO_TLS },
        folio_large_bit: types.enumerator("pageflags", "PG_head")?,
        argument_copies: argument_copies(version)?,
        summed: types.bits("sk_buff.ip_summed").map_or([NO_OFFSET, 0], |at| [at / 8, at % 8]),
        iter_class: types.iterators()?,
        pid_namespace: pid_namespace()?,
        ..Config::UNKNOWN
    };
    for row in SYSCALLS {
        if let (Ok(number), Some(fd)) = (usize::try_from(row.syscall.number()), row.fd) {
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
    Ok(symbols::extents(names)?.map(|extent| extent.map(|edge| (edge & 0xffff_ffff) as u32)))
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

/// A member's name, and which element of it is meant, as in `tuplehash[1]`.
fn element(step: &str) -> Result<(&str, Option<u32>)> {
    let Some((name, element)) = step.split_once('[') else { return Ok((step, None)) };
    let number = element.strip_suffix(']').and_then(|number| number.parse().ok());
    Ok((name, Some(number.with_context(|| format!("{step} names no element"))?)))
}

/// What aya looks functions up in: these, each under its own number, and nothing else. aya goes through all
/// types for each of its programs, which are 120,000 on Linux 6.18.
pub(super) fn types_of_functions(numbers: &BTreeMap<u32, &str>) -> btf::Btf {
    let mut functions = btf::Btf::new();
    for id in 1..=numbers.keys().last().copied().unwrap_or(0) {
        let found = numbers.get(&id).map(|name| {
            let name = functions.add_string(name);
            BtfType::Func(btf::Func::new(name, 0, FuncLinkage::Unknown))
        });
        functions.add_type(found.unwrap_or(BtfType::Unknown));
    }
    functions
}

/// The kernel's types.
pub(super) struct Types(Btf);

impl Types {
    /// Reads them.
    ///
    /// # Errors
    /// There are none.
    pub(super) fn of_running_kernel() -> Result<Self> {
        // All at once: read through a buffer, the same takes 108,000 calls of lseek(2) on Linux 6.12.
        let types = std::fs::read(BTF).with_context(|| {
            format!("no kernel types in {BTF} (a kernel with CONFIG_DEBUG_INFO_BTF has them)")
        })?;
        Ok(Self(Btf::from_bytes(&types).with_context(|| format!("kernel types in {BTF}"))?))
    }

    /// The numbers of these functions.
    pub(super) fn numbers_of(&self, names: &[&'static str]) -> BTreeMap<u32, &'static str> {
        let number = |name: &&'static str| {
            let numbers = self.0.resolve_ids_by_name(name).unwrap_or_default();
            let is_function =
                |id: &u32| matches!(self.0.resolve_type_by_id(*id), Ok(Type::Func(_)));
            Some((numbers.into_iter().find(is_function)?, *name))
        };
        names.iter().filter_map(number).collect()
    }

    fn structure(&self, name: &str) -> Result<Struct> {
        let types = self.0.resolve_types_by_name(name);
        types
            .with_context(|| format!("BTF has no struct {name}"))?
            .into_iter()
            .find_map(|found| if let Type::Struct(found) = found { Some(found) } else { None })
            .with_context(|| format!("BTF has no struct {name}"))
    }

    /// Byte offset of a member that the programs read.
    fn find(&self, wanted: KernelMember) -> Result<u32> {
        let mut missing = None;
        for path in wanted.paths {
            match self.offset(path) {
                Ok(offset) => return Ok(offset),
                Err(error) => missing = Some(error),
            }
        }
        missing.filter(|_| !wanted.optional).map_or(Ok(NO_OFFSET), Err)
    }

    /// Byte offset of a member by its path from its structure on.
    fn offset(&self, path: &str) -> Result<u32> {
        let bits = self.bits(path)?;
        if bits % 8 != 0 {
            bail!("struct {path} does not begin at a byte");
        }
        Ok(bits / 8)
    }

    /// The same in bits.
    fn bits(&self, path: &str) -> Result<u32> {
        let (structure, members) = path.split_once('.').context("a path names a member")?;
        let mut at = Type::Struct(self.structure(structure)?);
        let mut bits = 0;
        for step in members.split('.') {
            let found = self.step(&at, step).with_context(|| format!("struct {path}"))?;
            (bits, at) = (bits + found.0, found.1);
        }
        Ok(bits)
    }

    /// Where a member, or one element of it, begins in its structure, in bits, and its type.
    fn step(&self, within: &Type, step: &str) -> Result<(u32, Type)> {
        let (name, number) = element(step)?;
        let (Type::Struct(within) | Type::Union(within)) = within else {
            bail!("{name} would be in what is no struct");
        };
        let found = self.member(within, name)?;
        let (bits, kind) = found.with_context(|| format!("there is no member {name}"))?;
        let Some(number) = number else { return Ok((bits, kind)) };
        let Type::Array(array) = &kind else { bail!("{name} is no array") };
        let element = self.0.resolve_chained_type(array)?;
        match &element {
            Type::Struct(known) | Type::Union(known) if (number as usize) < array.len() => {
                Ok((bits + 8 * number * u32::try_from(known.size())?, element))
            }
            _ => bail!("{step} is no struct"),
        }
    }

    /// Where a member begins, in bits, also inside anonymous structs and unions, and its type.
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
        let flags = if self.offset("iov_iter.iter_type").is_ok() { 0 } else { ITER_FLAGS };
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
    use aya_obj::btf::BtfKind;

    use super::*;

    /// This host need not be able to trace, but it has types.
    #[test]
    fn a_function_keeps_its_number_where_aya_looks_it_up() {
        let Ok(types) = Types::of_running_kernel() else { return };
        let all = btf::Btf::from_sys_fs().expect("the same file");
        let numbers = types.numbers_of(&["vfs_write", "there_is_none", "vfs_read"]);
        let few = types_of_functions(&numbers);
        for name in ["vfs_read", "vfs_write"] {
            let [known, number] = [&all, &few]
                .map(|types| types.id_by_type_name_kind(name, BtfKind::Func).expect("a function"));
            assert_eq!(number, known, "{name}");
        }
        for name in ["there_is_none", "vfs_open"] {
            assert!(few.id_by_type_name_kind(name, BtfKind::Func).is_err(), "{name}");
        }
    }

    fn classes(types: &[(&str, u32)], flags: u32) -> [u8; ITER_TYPES] {
        let types: Vec<_> =
            types.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        iterators(&types, flags)
    }

    #[test]
    fn without_a_function_of_its_own_there_is_no_tls() {
        let functions = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), 1)).collect();
        let there = modules::is_there(TLS);
        assert_eq!(may_have_tls(&functions(&[RECEIVES])), there);
        assert!(
            may_have_tls(&functions(&[RECEIVES, SETS_TLS_UP])),
            "its completion has another name"
        );
        assert!(may_have_tls(&functions(&[TLS_DONE])));
        assert!(may_have_tls(&functions(&[])), "nothing is known");
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
