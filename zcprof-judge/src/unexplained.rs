//! Pure: what leaves copied by ways that pass no function of the table. The kernel's stack of such a copy
//! names the function that the table lacks. It explains, and no verdict rests on it.

use std::collections::BTreeMap;
use std::fmt;

use zcprof_common::sites::{SITES, Sign, Site};
use zcprof_common::vocabulary::{Disposition, Hop, Instrument, Process};

use crate::run::{Coverage, LeafStack, Pass, ProbeState};

/// Bytes that a leaf copied by one way through the kernel that no caller of the table is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unexplained {
    /// Where; none where the table does not know the case.
    pub hop: Option<Hop>,
    /// The leaf.
    pub leaf: String,
    /// The functions that led to it, the innermost first, as far as the system call.
    pub functions: Vec<String>,
    /// Bytes.
    pub bytes: u64,
}

/// Hops that instruments are compared at as one: only the leaves know whether the source is user memory.
pub(crate) const INTO_SOCKET: [Hop; 2] = [Hop::UserToSocket, Hop::PageCacheToSocket];

/// Where every way begins that was seen whole: a system call, an exception, or a thread of the kernel's
/// (arch/x86/entry/entry_64.S, 5.10 to 7.3).
const BEGINS: [&str; 3] = ["entry_", "asm_", "ret_from_fork"];

/// How the functions are called that only take a system call's arguments apart.
const ENTRIES: [&str; 4] = ["__x64_sys_", "__ia32_", "x64_sys_call", "do_syscall_64"];

/// Functions that are named of a way.
const NAMED: usize = 6;

/// Ways that are named.
const WAYS: usize = 2;

/// What the server's and the consumer's leaves copied by ways that no attached caller is on, those with
/// most bytes first.
#[must_use]
pub fn of(pass: &Pass, coverage: &Coverage) -> Vec<Unexplained> {
    let mut sums: BTreeMap<(Option<Hop>, &str, &[String]), u64> = BTreeMap::new();
    for stack in pass.leaf_stacks.iter().filter(|stack| is_ours(stack.count.process)) {
        for hop in hops(stack) {
            if is_whole(stack) && !is_explained(stack, hop, coverage) {
                let way = (hop, &*stack.count.site, within_call(&stack.functions));
                let sum = sums.entry(way).or_default();
                *sum = sum.saturating_add(stack.count.bytes);
            }
        }
    }
    let unexplained = |((hop, leaf, functions), bytes): ((_, &str, &[String]), _)| Unexplained {
        hop,
        leaf: leaf.to_owned(),
        functions: functions.to_vec(),
        bytes,
    };
    let mut all: Vec<_> = sums.into_iter().map(unexplained).collect();
    all.sort_by_key(|way| std::cmp::Reverse(way.bytes));
    all
}

/// Whether two hops are compared as one.
fn is_one(a: Hop, b: Hop) -> bool {
    a == b || INTO_SOCKET.contains(&a) && INTO_SOCKET.contains(&b)
}

fn is_ours(process: Process) -> bool {
    matches!(process, Process::Server | Process::Consumer)
}

/// Where a leaf's bytes went: arguments need no explanation.
fn hops(stack: &LeafStack) -> Vec<Option<Hop>> {
    let count = &stack.count;
    let iter = count.syscall.memory_of(count.iter);
    match Site::find(&count.site).and_then(|(_, site)| site.terms(iter, count.file)) {
        Some(terms) => {
            let hops = terms.iter().map(|term| term.hop);
            hops.filter(|hop| *hop != Hop::Arguments).map(Some).collect()
        }
        None => vec![None],
    }
}

/// Whether the way is known to its beginning: what is cut off might explain it.
fn is_whole(stack: &LeafStack) -> bool {
    let outermost = stack.functions.last();
    outermost.is_some_and(|name| BEGINS.iter().any(|begin| name.starts_with(begin)))
}

/// Whether an attached caller is on the way that counts copies at this hop.
fn is_explained(stack: &LeafStack, hop: Option<Hop>, coverage: &Coverage) -> bool {
    let Some(hop) = hop else { return false };
    let counts = |site: &Site| {
        let mut terms = site.cases.iter().flat_map(|case| case.terms);
        terms.any(|term| {
            let handed_over = matches!(term.disposition, Disposition::Moved | Disposition::Pinned);
            term.sign == Sign::Plus && !handed_over && is_one(term.hop, hop)
        })
    };
    let attached = |site: &Site| {
        let probe = coverage.probe(site.name);
        probe.is_some_and(|probe| matches!(probe.state, ProbeState::Attached { .. }))
    };
    SITES
        .iter()
        .filter(|site| site.instrument == Instrument::Callers && counts(site) && attached(site))
        .any(|site| stack.functions.iter().any(|name| site.symbols().contains(&plain(name))))
}

/// A function's name without what the compiler adds to that of a part of it: `f.isra.0`, `f.cold`.
fn plain(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// The functions within the system call, or all where there is none.
fn within_call(functions: &[String]) -> &[String] {
    let is_entry = |name: &String| ENTRIES.iter().any(|entry| name.starts_with(entry));
    let end = functions.iter().position(is_entry).filter(|at| *at > 0);
    &functions[..end.unwrap_or(functions.len())]
}

/// `1048576 bytes by _copy_from_iter called from f <- g <- h`.
impl fmt::Display for Unexplained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named: Vec<_> = self.functions.iter().take(NAMED).map(String::as_str).collect();
        let more = if self.functions.len() > NAMED { " <- …" } else { "" };
        write!(f, "{} bytes by {} called from {}{more}", self.bytes, self.leaf, named.join(" <- "))
    }
}

/// What was copied so at a hop, in words: the ways of most bytes, and how many there are besides. Nothing
/// where every way is explained, or none was kept. No hop stands for cases that the table does not know.
#[must_use]
pub fn in_words(all: &[Unexplained], hop: Option<Hop>) -> Option<String> {
    let here: Vec<_> = all
        .iter()
        .filter(|way| match (way.hop, hop) {
            (Some(at), Some(hop)) => is_one(at, hop),
            (at, hop) => at == hop,
        })
        .collect();
    let named: Vec<_> = here.iter().take(WAYS).map(ToString::to_string).collect();
    let more = here.iter().skip(WAYS).fold(0_u64, |sum, way| sum.saturating_add(way.bytes));
    let more = if more > 0 { format!("; and {more} bytes by other ways") } else { String::new() };
    let what = if hop.is_some() {
        "none of which is a row of the table that counts them"
    } else {
        "a case that no row of the table knows"
    };
    (!named.is_empty()).then(|| format!("{}, {what}{more}", named.join("; ")))
}
