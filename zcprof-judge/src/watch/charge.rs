//! Pure: what was counted by stack, into copies and moves by stack. A site's bytes may have to be taken
//! away from those of another that is around it (the table's minus terms): they are taken away from the
//! same way through the program.

use std::collections::BTreeMap;

use zcprof_common::sites::{Sign, Site, Term};
use zcprof_common::vocabulary::{Disposition, Hop, Instrument};

use super::record::WatchedCount;
use crate::charged::Charged;
use crate::stacks::record::{Frame, LostBytes, Stack, Stacks};

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

/// What was added and taken away at a place.
#[derive(Default)]
struct Sums<'a> {
    plus: Vec<(&'a StackCount, u64)>,
    minus: Vec<(&'a StackCount, u64)>,
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
    for (place, exact) in exact(counts) {
        let net = net(sums.remove(&place).unwrap_or_default(), exact);
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
fn exact(counts: &[WatchedCount]) -> BTreeMap<ChargeKey, u64> {
    let mut signed: BTreeMap<ChargeKey, i128> = BTreeMap::new();
    for count in counts.iter().filter(|count| count.charged != Charged::Elsewhere) {
        for term in terms(count) {
            *signed.entry(place(count, *term)).or_default() += match term.sign {
                Sign::Plus => i128::from(count.bytes),
                Sign::Minus => -i128::from(count.bytes),
            };
        }
    }
    let positive = |(place, bytes): (ChargeKey, i128)| {
        u64::try_from(bytes).ok().filter(|bytes| *bytes > 0).map(|bytes| (place, bytes))
    };
    signed.into_iter().filter_map(positive).collect()
}

/// What is left at a place when what is taken away there has been, never more than `exact`.
fn net(sums: Sums<'_>, exact: u64) -> Vec<(&StackCount, u64)> {
    let Sums { mut plus, minus } = sums;
    plus.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    let mut rest = 0;
    for (taken, mut bytes) in minus {
        for (_, left) in plus.iter_mut().filter(|(detail, _)| detail.way == taken.way) {
            let part = bytes.min(*left);
            (*left, bytes) = (*left - part, bytes - part);
        }
        rest += bytes;
    }
    // What was taken away by another way than it came: off the largest, as what is too much is.
    let sum: u64 = plus.iter().map(|(_, bytes)| bytes).sum();
    let mut excess = sum.saturating_sub(exact).max(rest.min(sum));
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
