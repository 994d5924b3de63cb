//! What was counted by stack, into copies by stack: the sums are the exact counters', less what is lost.

use proptest::prelude::*;
use proptest::sample::select;
use zcprof_common::sites::{SITES, Sign, Site};
use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary::{Disposition, File, Hop, Instrument, Iter};
use zcprof_judge::stacks::Stacks;
use zcprof_judge::stacks::record::{Frame, FrameKind};
use zcprof_judge::watch::charge::{StackCount, charge};
use zcprof_judge::watch::record::{Charged, WatchedCount};

use super::watched::count;

fn nginx() -> Charged {
    Charged::Program("nginx".to_owned())
}

fn detail(site: &str, iter: Iter, file: File, way: u64, bytes: u64) -> StackCount {
    let frames = vec![u32::try_from(way).expect("small")];
    let count = count(site, Syscall::Writev, file, iter, bytes);
    StackCount { count: WatchedCount { charged: nginx(), port: None, ..count }, way, frames }
}

/// The counts that go with some details, with so many bytes more at each.
fn counts(details: &[StackCount], more: u64) -> Vec<WatchedCount> {
    let of = |detail: &StackCount| {
        let bytes = detail.count.bytes + more;
        WatchedCount { bytes, ..detail.count.clone() }
    };
    details.iter().map(of).collect()
}

fn frames() -> Vec<Frame> {
    let name = |at| format!("function {at}");
    let frame = |name| Frame { kind: FrameKind::User, name, file: "nginx".to_owned() };
    (0..9).map(name).map(frame).collect()
}

fn at(stacks: &Stacks, hop: Hop, disposition: Disposition) -> Vec<(u32, u64)> {
    let here = |stack: &&_| {
        let stack: &zcprof_judge::stacks::record::Stack = stack;
        (stack.hop, stack.disposition) == (hop, disposition)
    };
    stacks.stacks.iter().filter(here).map(|stack| (stack.frames[0], stack.bytes)).collect()
}

/// One function sends by sendfile and another writes: what the socket got by reference is taken away from
/// the first alone.
#[test]
fn what_is_handed_over_is_nobodys_copy() {
    let file = File::Regular;
    let details = [
        detail("tcp_sendmsg_locked", Iter::None, file, 1, 1000),
        detail("skb_splice_from_iter", Iter::None, file, 1, 1000),
        detail("tcp_sendmsg_locked", Iter::None, File::Socket, 2, 700),
        detail("filemap_read", Iter::User, file, 2, 700),
    ];
    let stacks = charge(frames(), &details, &counts(&details, 0));
    assert_eq!(at(&stacks, Hop::UserToSocket, Disposition::Copied), [(2, 700)]);
    assert_eq!(at(&stacks, Hop::PageCacheToSocket, Disposition::Moved), [(1, 1000)]);
    assert_eq!(at(&stacks, Hop::PageCacheToUser, Disposition::Copied), [(2, 700)]);
    assert!(stacks.lost.is_empty(), "{:?}", stacks.lost);
}

#[test]
fn what_no_stack_has_is_lost_and_what_stacks_have_too_much_is_none() {
    let details = [
        detail("filemap_read", Iter::User, File::Regular, 1, 500),
        detail("filemap_read", Iter::User, File::Regular, 2, 300),
    ];
    let seen = counts(&details, 50);
    let stacks = charge(frames(), &details, &seen);
    assert_eq!(stacks.lost.iter().map(|lost| lost.bytes).sum::<u64>(), 100);
    // Read a moment later, the stacks have more.
    let earlier = counts(&[detail("filemap_read", Iter::User, File::Regular, 1, 700)], 0);
    let stacks = charge(frames(), &details, &earlier);
    assert_eq!(at(&stacks, Hop::PageCacheToUser, Disposition::Copied), [(1, 400), (2, 300)]);
    assert!(stacks.lost.is_empty());
    // Nothing that was counted, nothing that is charged.
    assert!(charge(frames(), &details, &[]).stacks.is_empty());
}

/// A map that is full keeps one half of a stack's two counts. What the other half would have told is lost,
/// and no function gets another's bytes.
#[test]
fn what_is_lost_of_a_pair_is_charged_to_nobody() {
    let file = File::Regular;
    let sent = |site, way, bytes| {
        let mut sent = detail(site, Iter::None, file, way, bytes);
        sent.count.syscall = Syscall::Sendfile.into();
        sent
    };
    let all = [
        sent("tcp_sendmsg_locked", 1, 1000),
        sent("skb_splice_from_iter", 1, 1000),
        detail("tcp_sendmsg_locked", Iter::None, File::Socket, 2, 1200),
    ];
    let counts = counts(&all, 0);
    let lost = |stacks: &Stacks| stacks.lost.iter().map(|lost| lost.bytes).sum::<u64>();
    for gone in 0..2 {
        let mut kept = all.to_vec();
        kept.remove(gone);
        let stacks = charge(frames(), &kept, &counts);
        let copied = at(&stacks, Hop::UserToSocket, Disposition::Copied);
        assert_eq!(copied, [(2, 1200)], "without {}", all[gone].count.site);
        let moved = at(&stacks, Hop::PageCacheToSocket, Disposition::Moved);
        let moved: u64 = moved.iter().map(|(_, bytes)| bytes).sum();
        assert_eq!(moved + lost(&stacks), 1000, "without {}", all[gone].count.site);
    }
    // Of several by one call, whose bytes they were is not known.
    let others = [sent("tcp_sendmsg_locked", 3, 1500), sent("tcp_sendmsg_locked", 1, 1000)];
    let all = [&all[..2], &others[..1]].concat();
    let counts: Vec<_> = all.iter().map(|detail| detail.count.clone()).collect();
    let stacks = charge(frames(), &others, &counts);
    assert_eq!(at(&stacks, Hop::UserToSocket, Disposition::Copied), [(3, 500)]);
    assert_eq!(lost(&stacks), 1000 + 1000);
}

fn callers() -> Vec<&'static str> {
    let counted = |site: &&Site| site.instrument == Instrument::Callers && !site.cases.is_empty();
    SITES.iter().filter(counted).map(|site| site.name).collect()
}

fn any_detail() -> impl Strategy<Value = StackCount> {
    let site = select(callers());
    (site, select(Iter::ALL), select(File::ALL), 1..5_u64, 0..1_000_000_u64)
        .prop_map(|(site, iter, file, user, bytes)| detail(site, iter, file, user, bytes))
}

proptest! {
    #[test]
    fn the_sums_are_those_of_the_exact_counters(
        details in proptest::collection::vec(any_detail(), 0..40),
        more in 0..1000_u64,
    ) {
        let counted = counts(&details, more);
        let stacks = charge(frames(), &details, &counted);
        for hop in Hop::ALL.iter().copied().filter(|hop| *hop != Hop::Arguments) {
            for disposition in Disposition::ALL.iter().copied() {
                let mut exact = 0_i128;
                for count in &counted {
                    let (_, site) = Site::find(&count.site).expect("in the table");
                    for term in site.terms(count.iter, count.file).unwrap_or_default() {
                        if (term.hop, term.disposition) == (hop, disposition) {
                            let bytes = i128::from(count.bytes);
                            exact += if term.sign == Sign::Plus { bytes } else { -bytes };
                        }
                    }
                }
                let seen: u64 =
                    at(&stacks, hop, disposition).iter().map(|(_, bytes)| bytes).sum();
                let here = |lost: &&zcprof_judge::stacks::record::LostBytes| {
                    (lost.hop, lost.disposition) == (hop, disposition)
                };
                let lost: u64 = stacks.lost.iter().filter(here).map(|lost| lost.bytes).sum();
                prop_assert_eq!(i128::from(seen) + i128::from(lost), exact.max(0));
            }
        }
    }
}
