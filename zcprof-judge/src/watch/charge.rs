//! Pure: what was counted by stack, into copies and moves by stack. A site's bytes may have to be taken
//! away from those of another that is around it (the table's minus terms): they are taken away from the
//! same way through the program.

use std::collections::{BTreeMap, HashMap};

use zcprof_common::sites::{Sign, Site, Term};
use zcprof_common::vocabulary::{Disposition, Hop, Instrument};

use super::record::WatchedCount;
use crate::charged::Charged;
use crate::stacks::record::{Frame, LostBytes, Stack, Stacks};
use crate::syscall::InSyscall;

/// What was counted at a site by one stack.
#[derive(Clone, Debug)]
pub struct StackCount {
    /// What was counted.
    pub count: WatchedCount,
    /// Which way through the program: the same number is the same way.
    pub way: u64,
    /// Frames, the outermost first: places in the list of all.
    pub frames: Vec<u32>,
}

/// Where bytes are charged.
type ChargeKey = (Charged, Option<u16>, Hop, Disposition);

/// What was added and taken away at a place, by stack.
#[derive(Default)]
struct Sums<'a> {
    plus: Vec<(&'a StackCount, u64)>,
    minus: Vec<(&'a StackCount, u64)>,
}

/// The same by the exact counters, by system call.
#[derive(Default)]
struct Exact {
    by_call: BTreeMap<InSyscall, Both>,
}

/// Bytes that were added and taken away.
#[derive(Clone, Copy, Default)]
struct Both {
    plus: u64,
    minus: u64,
}

/// Makes the record. What the exact counts have more than the stacks is lost; what the stacks have more,
/// because they are read at another moment, is taken off the largest.
#[must_use]
pub fn charge(frames: Vec<Frame>, details: &[StackCount], counts: &[WatchedCount]) -> Stacks {
    let mut sums: BTreeMap<ChargeKey, Sums<'_>> = BTreeMap::new();
    for detail in details {
        for term in terms(&detail.count) {
            let sum = sums.entry(place(&detail.count, *term)).or_default();
            match term.sign {
                Sign::Plus => sum.plus.push((detail, detail.count.bytes)),
                Sign::Minus => sum.minus.push((detail, detail.count.bytes)),
            }
        }
    }
    let mut stacks = Vec::new();
    let mut lost: BTreeMap<(Hop, Disposition), u64> = BTreeMap::new();
    for (place, counted) in exact(counts) {
        let exact = counted.net();
        let net = net(sums.remove(&place).unwrap_or_default(), &counted);
        let (charged, port, hop, disposition) = place;
        let seen: u64 = net.iter().map(|(_, bytes)| bytes).sum();
        if exact > seen {
            *lost.entry((hop, disposition)).or_default() += exact - seen;
        }
        stacks.extend(net.into_iter().filter(|(_, bytes)| *bytes > 0).map(|(detail, bytes)| {
            Stack {
                charged: charged.clone(),
                port,
                hop,
                disposition,
                site: detail.count.site.clone(),
                frames: detail.frames.clone(),
                calls: detail.count.calls,
                bytes,
            }
        }));
    }
    let lost = lost
        .into_iter()
        .map(|((hop, disposition), bytes)| LostBytes { hop, disposition, bytes })
        .collect();
    Stacks { frames, stacks: merged(stacks), lost }
}

/// The terms of a count that the callers' instrument counts by, arguments left out.
fn terms(count: &WatchedCount) -> impl Iterator<Item = &'static Term> {
    let site = Site::find(&count.site).map(|(_, site)| site);
    site.filter(|site| site.instrument == Instrument::Callers)
        .and_then(|site| site.terms(count.iter, count.file))
        .into_iter()
        .flatten()
        .filter(|term| term.hop != Hop::Arguments)
}

/// Where a term charges a count.
fn place(count: &WatchedCount, term: Term) -> ChargeKey {
    (count.charged.clone(), count.port, term.hop, term.disposition)
}

/// Bytes at each place by the exact counters.
fn exact(counts: &[WatchedCount]) -> BTreeMap<ChargeKey, Exact> {
    let mut all: BTreeMap<ChargeKey, Exact> = BTreeMap::new();
    for count in counts.iter().filter(|count| count.charged != Charged::Elsewhere) {
        for term in terms(count) {
            let exact = all.entry(place(count, *term)).or_default();
            exact.by_call.entry(count.syscall).or_default().add(term.sign, count.bytes);
        }
    }
    all
}

impl Both {
    fn add(&mut self, sign: Sign, bytes: u64) {
        let sum = match sign {
            Sign::Plus => &mut self.plus,
            Sign::Minus => &mut self.minus,
        };
        *sum = sum.saturating_add(bytes);
    }
}

impl Exact {
    /// What was added less what was taken away.
    fn net(&self) -> u64 {
        let sums = self.by_call.values();
        let net: i128 = sums.map(|both| i128::from(both.plus) - i128::from(both.minus)).sum();
        u64::try_from(net.max(0)).unwrap_or(u64::MAX)
    }
}

/// What is left at a place when what is taken away there has been, never more than the exact counters
/// say. What a stack would have taken away that is lost is left to nobody who may be meant: it is better
/// that bytes are lost than that a function has those of another.
fn net<'a>(sums: Sums<'a>, exact: &Exact) -> Vec<(&'a StackCount, u64)> {
    let Sums { mut plus, minus } = sums;
    plus.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    let mut lost = exact.by_call.clone();
    let mut by_way: HashMap<u64, Vec<usize>> = HashMap::new();
    for (at, (detail, bytes)) in plus.iter().enumerate() {
        by_way.entry(detail.way).or_default().push(at);
        let lost = lost.entry(detail.count.syscall).or_default();
        lost.plus = lost.plus.saturating_sub(*bytes);
    }
    let mut rests: BTreeMap<InSyscall, u64> = BTreeMap::new();
    for (taken, mut bytes) in minus {
        let call = taken.count.syscall;
        let lost = lost.entry(call).or_default();
        lost.minus = lost.minus.saturating_sub(bytes);
        for at in by_way.get(&taken.way).into_iter().flatten() {
            let left = &mut plus[*at].1;
            let part = bytes.min(*left);
            (*left, bytes) = (*left - part, bytes - part);
        }
        *rests.entry(call).or_default() += bytes;
    }
    for (detail, left) in &mut plus {
        let unknown = lost.get(&detail.count.syscall).map_or(0, |lost| lost.minus);
        *left = left.saturating_sub(unknown);
    }
    // What was taken away by another way than it came: off the largest, as what is too much is. Where what
    // it was taken away from is lost, it is nobody's.
    let unmet = |(call, rest): (&InSyscall, &u64)| {
        rest.saturating_sub(lost.get(call).map_or(0, |lost| lost.plus))
    };
    let rest: u64 = rests.iter().map(unmet).sum();
    let sum: u64 = plus.iter().map(|(_, bytes)| bytes).sum();
    let mut excess = sum.saturating_sub(exact.net()).max(rest.min(sum));
    for (_, left) in &mut plus {
        let part = excess.min(*left);
        (*left, excess) = (*left - part, excess - part);
    }
    plus
}

/// One stack for each that differs only in what it was counted under.
fn merged(mut stacks: Vec<Stack>) -> Vec<Stack> {
    stacks.sort();
    stacks.dedup_by(|later, earlier| {
        let same = (&later.charged, later.port, later.hop, later.disposition)
            == (&earlier.charged, earlier.port, earlier.hop, earlier.disposition)
            && (&later.site, &later.frames) == (&earlier.site, &earlier.frames);
        if same {
            earlier.calls += later.calls;
            earlier.bytes += later.bytes;
        }
        same
    });
    stacks
}
