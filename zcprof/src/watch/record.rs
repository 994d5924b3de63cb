//! What the probes counted, as the record has it.

use std::collections::BTreeMap;

use zcprof_common::layout::{
    CallSum, ELSEWHERE, Key, NO_OWNER, NO_PORT, OTHER_PROGRAMS, PROCESS_BITS, StackKey, Value,
};
use zcprof_common::objects::FileId;
use zcprof_common::sites::SITES;
use zcprof_common::vocabulary::{File, Iter};
use zcprof_judge::record::visible;
use zcprof_judge::watch::Watch;
use zcprof_judge::watch::record::{Charged, Program, WatchedCount, WatchedExit, WatchedLeafStack};

use super::objects;
use crate::probe::{Snapshot, text};
use crate::stacks::LeafWay;
use crate::syscall::InSyscall;

/// Which subjects are watched for their own sake.
#[derive(Clone, Copy)]
pub(super) struct Chosen<'a> {
    /// zcprof's processes: what these did is nobody's, and so is what the left-out programs did.
    pub(super) own: &'a [u32],
    /// Programs that are left out.
    pub(super) excluded: &'a [String],
    /// Programs that alone are not left out; all of them if none is named.
    pub(super) only: &'a [String],
}

/// Name of the programs that were too many to be told apart.
const OTHERS: &str = "(other programs)";

/// Writes what was counted into a record, stacks excepted.
pub(super) fn fill(
    watch: &mut Watch,
    snapshot: &Snapshot,
    paths: &BTreeMap<FileId, String>,
    names: &[(u32, String)],
    chosen: Chosen<'_>,
) {
    (watch.programs, watch.counts, watch.exits) = counted(snapshot, names, chosen);
    let charged = |subject| charged(subject, names, chosen);
    watch.files = objects::files(&snapshot.objects, paths, &watch.counts, charged);
    watch.peers = objects::peers(&snapshot.objects, charged);
    watch.strangers = objects::strangers(&snapshot.objects, charged);
}

/// The programs that were watched, the counts and the devices, sorted.
pub(super) fn counted(
    snapshot: &Snapshot,
    names: &[(u32, String)],
    chosen: Chosen<'_>,
) -> (Vec<Program>, Vec<WatchedCount>, Vec<WatchedExit>) {
    let charged = |subject: u32| charged(subject, names, chosen);
    let mut programs = BTreeMap::new();
    let mut counts: Vec<_> = snapshot
        .counts
        .iter()
        .map(|(key, value)| {
            let charged = charged(key.subject);
            if let Charged::Program(name) = &charged {
                programs.entry(name.clone()).or_insert(key.subject);
            }
            count(key, value, charged)
        })
        .collect();
    counts.sort_by(|a, b| order(a).cmp(&order(b)));
    let pid = |subject: u32| subject & ((1 << PROCESS_BITS) - 1);
    let programs =
        programs.into_iter().map(|(name, subject)| Program { name, pid: pid(subject) }).collect();
    let mut exits: Vec<_> = snapshot
        .exits
        .iter()
        .map(|(exit, bytes)| WatchedExit {
            charged: charged(exit.subject),
            name: text(&exit.name),
            kind: text(&exit.kind),
            bytes: *bytes,
        })
        .collect();
    exits.sort();
    (programs, counts, exits)
}

/// Whom a subject's bytes are charged to. Who has no name that is known may be any of those that are asked
/// for.
pub(super) fn charged(subject: u32, names: &[(u32, String)], chosen: Chosen<'_>) -> Charged {
    let is_left_out = |name: &String| {
        chosen.excluded.contains(name) || !chosen.only.is_empty() && !chosen.only.contains(name)
    };
    match subject {
        NO_OWNER => Charged::Unknown,
        ELSEWHERE => Charged::Elsewhere,
        OTHER_PROGRAMS => Charged::Program(OTHERS.to_owned()),
        subject if chosen.own.contains(&subject) => Charged::Elsewhere,
        subject if known(subject, names).is_some_and(is_left_out) => Charged::Elsewhere,
        subject => Charged::Program(name(subject, names)),
    }
}

/// What was counted by one stack, as the record has counts.
pub(super) fn counted_by_stack(
    key: &StackKey,
    value: &CallSum,
    names: &[(u32, String)],
    chosen: Chosen<'_>,
) -> WatchedCount {
    count(&key.count, &(*value).into(), charged(key.count.subject, names, chosen))
}

/// What leaves copied, as the record has it. What is nobody's who is watched is left out.
pub(super) fn by_leaf(
    ways: &[LeafWay],
    names: &[(u32, String)],
    chosen: Chosen<'_>,
) -> Vec<WatchedLeafStack> {
    let stack = |way: &LeafWay| {
        let charged = charged(way.count.subject, names, chosen);
        WatchedLeafStack {
            count: count(&way.count, &way.value.into(), charged),
            functions: way.functions.clone(),
        }
    };
    let mut stacks: Vec<_> = ways.iter().map(stack).collect();
    stacks.retain(|stack| stack.count.charged != Charged::Elsewhere);
    stacks.sort_by(|a, b| (order(&a.count), &a.functions).cmp(&(order(&b.count), &b.functions)));
    stacks
}

/// A subject's program. One that was not seen to begin is known by its process's number.
pub(super) fn name(subject: u32, names: &[(u32, String)]) -> String {
    known(subject, names).map_or_else(|| format!("process {subject}"), |name| visible(name))
}

fn known(subject: u32, names: &[(u32, String)]) -> Option<&String> {
    names.iter().find(|(known, _)| *known == subject).map(|(_, name)| name)
}

fn count(key: &Key, value: &Value, charged: Charged) -> WatchedCount {
    WatchedCount {
        site: SITES[usize::from(key.site)].name.to_owned(),
        charged,
        port: (key.port != NO_PORT).then_some(key.port),
        syscall: InSyscall::from_number(key.syscall),
        iter: Iter::ALL.get(usize::from(key.iter)).copied().unwrap_or(Iter::Unknown),
        file: File::ALL.get(usize::from(key.file)).copied().unwrap_or(File::Other),
        calls: value.calls,
        bytes: value.bytes,
        small_calls: value.small_calls,
        small_bytes: value.small_bytes,
        largest: value.largest,
        sizes: sizes(value),
    }
}

/// Calls by size, without the zeros at the end.
fn sizes(value: &Value) -> Vec<u64> {
    let used = value.sizes.iter().rposition(|calls| *calls > 0).map_or(0, |last| last + 1);
    value.sizes[..used].iter().map(|calls| u64::from(*calls)).collect()
}

fn order(count: &WatchedCount) -> impl Ord + '_ {
    (&count.charged, count.port, &count.site, count.syscall, count.iter, count.file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_left_out_by_name_and_nobody_else_is() {
        let names = [(7, "nginx".to_owned()), (8, "php-fpm".to_owned()), (9, "zcprof".to_owned())];
        let [nginx, php] = ["nginx", "php-fpm"].map(str::to_owned);
        let whom = |subject: u32, chosen: Chosen<'_>| charged(subject, &names, chosen);
        let program = |name: &str| Charged::Program(name.to_owned());
        let all = Chosen { own: &[9], excluded: &[], only: &[] };
        assert_eq!(
            [7, 8, 9].map(|one| whom(one, all)),
            [program("nginx"), program("php-fpm"), Charged::Elsewhere]
        );
        let excluded = [php.clone()];
        let without = Chosen { excluded: &excluded, ..all };
        assert_eq!([7, 8].map(|one| whom(one, without)), [program("nginx"), Charged::Elsewhere]);
        let only = [nginx];
        let chosen = Chosen { only: &only, ..all };
        assert_eq!([7, 8].map(|one| whom(one, chosen)), [program("nginx"), Charged::Elsewhere]);
        // It may be one of those.
        assert_eq!(whom(10, chosen), program("process 10"));
        assert_eq!(whom(OTHER_PROGRAMS, chosen), program(OTHERS));
        assert_eq!(whom(NO_OWNER, chosen), Charged::Unknown);
    }
}
