//! Functions of the running kernel, by name.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};

use anyhow::{Context as _, Result, bail};

/// Addresses of kernel functions, by name. A function that the kernel lacks is not among them.
///
/// # Errors
/// /proc/kallsyms cannot be read, or hides the addresses.
pub fn addresses(wanted: &[&str]) -> Result<BTreeMap<String, u64>> {
    let found = functions(wanted)?;
    if hides_addresses(&found) {
        bail!("/proc/kallsyms hides the addresses (kernel.kptr_restrict, or no CAP_SYSLOG)");
    }
    Ok(found)
}

/// Whether this process may see names only (`kallsyms_show_value()`, kernel/ksyms_common.c).
#[must_use]
pub fn hides_addresses(functions: &BTreeMap<String, u64>) -> bool {
    !functions.is_empty() && functions.values().all(|address| *address == 0)
}

/// Stands for the address of a function whose name others have too: which of them is meant nobody can
/// tell.
pub(super) const AMBIGUOUS: u64 = u64::MAX;

/// Kernel functions by name, which anybody may see, with their addresses; these are zero where
/// this process may not see them.
///
/// # Errors
/// /proc/kallsyms cannot be read.
pub fn functions(wanted: &[&str]) -> Result<BTreeMap<String, u64>> {
    let mut found = BTreeMap::new();
    let wanted: HashSet<&str> = wanted.iter().copied().collect();
    each_function(|name, _, address| {
        if wanted.contains(name) {
            let known = found.entry(name.to_owned()).or_insert(address);
            if *known != address {
                *known = AMBIGUOUS;
            }
        }
    })?;
    if ROUTINES.iter().any(|(_, name)| found.contains_key(*name)) {
        const CPUS: &str = "/proc/cpuinfo";
        let cpus = fs::read_to_string(CPUS).with_context(|| format!("cannot read {CPUS}"))?;
        let used = routine_in_use(&cpus);
        found.retain(|name, _| {
            *name == used || !ROUTINES.iter().any(|(_, routine)| name == routine)
        });
    }
    Ok(found)
}

/// The routines that copy to and from user memory, by the CPU's flag for which the kernel takes each:
/// the first whose flag there is (`copy_user_generic()`, arch/x86/include/asm/uaccess_64.h, 5.10 to
/// 6.3). The others are there too, and nobody calls them.
const ROUTINES: [(Option<&str>, &str); 3] = [
    (Some("erms"), "copy_user_enhanced_fast_string"),
    (Some("rep_good"), "copy_user_generic_string"),
    (None, "copy_user_generic_unrolled"),
];

fn routine_in_use(cpus: &str) -> &'static str {
    let flags = cpus.lines().find_map(|line| line.strip_prefix("flags")).unwrap_or_default();
    let has = |flag: &str| flags.split_whitespace().any(|known| known == flag);
    let found = ROUTINES.iter().find(|(flag, _)| flag.is_none_or(has));
    found.map_or("", |(_, name)| name)
}

/// First and one past the last address of functions of the kernel's own text; zeros where addresses
/// are hidden.
///
/// # Errors
/// /proc/kallsyms cannot be read, or has no such function.
pub(super) fn extents<const N: usize>(names: [&str; N]) -> Result<[[u64; 2]; N]> {
    let mut all = Vec::new();
    let mut begins = [None; N];
    each_function(|name, _, address| {
        all.push(address);
        if let Some(at) = names.iter().position(|wanted| *wanted == name) {
            begins[at] = Some(address);
        }
    })?;
    let mut extents = [[0; 2]; N];
    for (at, extent) in extents.iter_mut().enumerate() {
        let first = begins[at].with_context(|| format!("no {} in /proc/kallsyms", names[at]))?;
        let end = all.iter().filter(|address| **address > first).min();
        *extent = [first, end.copied().unwrap_or(first)];
    }
    Ok(extents)
}

/// Every function in /proc/kallsyms: its name, which that of its module in brackets may follow, and its
/// address. The text is tens of MiB long, and no more than a line of it is kept.
pub(super) fn each_function(mut take: impl FnMut(&str, Option<&str>, u64)) -> Result<()> {
    const PATH: &str = "/proc/kallsyms";
    let what = || format!("cannot read {PATH}");
    let mut text = BufReader::with_capacity(1 << 16, File::open(PATH).with_context(what)?);
    let mut line = Vec::new();
    while text.read_until(b'\n', &mut line).with_context(what)? > 0 {
        let held = || format!("{PATH} holds {:?}", String::from_utf8_lossy(&line));
        if let Some(function) = Function::parse(&line).with_context(held)? {
            take(function.name, function.module, function.address);
        }
        line.clear();
    }
    Ok(())
}

/// A line of /proc/kallsyms about a function.
#[derive(Debug, PartialEq, Eq)]
struct Function<'a> {
    name: &'a str,
    module: Option<&'a str>,
    address: u64,
}

impl<'a> Function<'a> {
    /// Reads a line: sixteen digits of an address, a letter for its kind, a name, and behind a tab a module
    /// in brackets (`s_show()`, kernel/kallsyms.c, 5.10 to 7.3). `None` for what is no function.
    fn parse(line: &'a [u8]) -> Result<Option<Self>> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let Some((address, [b' ', kind, b' ', name @ ..])) = line.split_at_checked(ADDRESS) else {
            return Ok(None);
        };
        if !matches!(kind, b't' | b'T' | b'w' | b'W') {
            return Ok(None);
        }
        let (name, module) = match name.iter().position(|byte| *byte == b'\t') {
            Some(tab) => (&name[..tab], Some(&name[tab + 1..])),
            None => (name, None),
        };
        let module = module.map(std::str::from_utf8).transpose()?;
        Ok(Some(Self {
            name: std::str::from_utf8(name)?,
            module: module.and_then(|word| word.strip_prefix('[')?.strip_suffix(']')),
            address: u64::from_str_radix(std::str::from_utf8(address)?, 16)?,
        }))
    }
}

/// Digits of an address (`%px`, 64 bits).
const ADDRESS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_routine_is_that_of_the_first_flag_that_the_cpu_has() {
        for (flags, routine) in [
            ("flags\t\t: fpu rep_good erms nopl", "copy_user_enhanced_fast_string"),
            ("flags\t\t: fpu rep_good nopl", "copy_user_generic_string"),
            ("flags\t\t: fpu", "copy_user_generic_unrolled"),
        ] {
            let cpus = format!("processor\t: 0\n{flags}\nbugs\t\t: erms\n");
            assert_eq!(routine_in_use(&cpus), routine, "{flags}");
        }
    }

    #[test]
    fn a_line_is_a_function_of_the_kernel_or_of_a_module_or_none() {
        let parse = |line: &'static str| Function::parse(line.as_bytes()).expect("a line");
        let function = |name, module, address| Some(Function { name, module, address });
        let text = "ffffffff81000000 T _text\n";
        assert_eq!(parse(text), function("_text", None, 0xffff_ffff_8100_0000));
        let text = "0000000000000000 t tls_push_record\t[tls]\n";
        assert_eq!(parse(text), function("tls_push_record", Some("tls"), 0));
        for other in ["ffffffff82000000 D jiffies\n", "\n", "", "ffffffff81000000 T", "T x\n"] {
            assert_eq!(parse(other), None, "{other:?}");
        }
        assert!(Function::parse(b"fffffffg81000000 T _text\n").is_err());
    }
}
