//! Pure: what happens below the sockets to what a part of a window sent.

use zcprof_common::sites::{Bytes, Site};
use zcprof_common::vocabulary::{Disposition, Hop, Instrument, Process};

use super::as_pass::BelowAnyPort;
use super::chosen::{is_program, sent_by};
use super::promise::{Bound, Promise};
use super::record::{Charged, Watch};
use super::traffic::Traffic;
use crate::claim::Claim;
use crate::ledger::sum;
use crate::run::Count;
use crate::verdict::{Finding, Reason, below, beyond_tolerance, findings};

use Disposition::{Copied, Deferred, Transformed};

/// Room for the headers of a packet of TCP, at most (`MAX_TCP_HEADER`, include/net/tcp.h, 5.10 to 7.3, with
/// the largest `LL_MAX_HEADER`, include/linux/netdevice.h): so many of a packet's bytes may be no payload.
const HEADERS: u64 = 320;

/// Bytes that were encrypted, for sockets or below them.
#[derive(Clone, Debug)]
pub(super) struct Encrypted {
    /// At least.
    pub(super) least: u64,
    /// At most.
    pub(super) most: u64,
    /// Where most of them were.
    pub(super) hop: Hop,
    /// The devices that encrypted some.
    pub(super) devices: String,
}

/// What was encrypted for one of several ports, and by what, of all that is more than nothing.
fn for_any_port(traffic: &Traffic) -> Vec<(u64, String)> {
    let BelowAnyPort { exits, encrypted } = &traffic.below_any_port;
    let large = below::large_exits(exits, &traffic.ledger, Process::Unknown);
    let by_devices = large.filter_map(below::encrypts);
    let by_devices = by_devices.map(|(exit, _)| (exit.bytes, below::name(exit)));
    let by_policy = sum(encrypted.iter().map(|count| count.bytes));
    let mut sites: Vec<_> = encrypted.iter().map(|count| count.site.as_str()).collect();
    sites.dedup();
    let by_policy = Some((by_policy, sites.join(", ")));
    let by_policy = by_policy.filter(|(bytes, _)| beyond_tolerance(*bytes, traffic.sent()));
    by_policy.into_iter().chain(by_devices).collect()
}

/// Why a claim of a port stays open that promises nothing of encryption.
fn open_for_any_port(traffic: &Traffic) -> impl Iterator<Item = Reason> {
    let encrypted = for_any_port(traffic).into_iter();
    encrypted.map(|(bytes, by)| Reason::EncryptedForAny(bytes, by))
}

/// Devices of which nobody knows what they do, by which a program left that sends from several ports.
fn unknown_of_any_port(traffic: &Traffic) -> Vec<Reason> {
    below::unknown_among(&traffic.below_any_port.exits, &traffic.ledger, Process::Unknown)
}

/// What speaks against a promise below the sockets, and what leaves it open there.
pub(super) fn judge(promise: &Promise, traffic: &Traffic) -> (Vec<Finding>, Vec<Reason>) {
    let (pass, ledger) = (&traffic.pass, &traffic.ledger);
    match promise {
        Promise::Named(claim) => {
            let (findings, mut reasons) = below::judge(claim, pass, ledger);
            reasons.extend(open_for_any_port(traffic));
            if claim.moved.is_some() {
                reasons.extend(unknown_of_any_port(traffic));
            }
            (findings, reasons)
        }
        Promise::Bound(bound) if bounds_copies(*bound) => {
            let mut reasons = below::unknown(pass, ledger);
            reasons.extend(unknown_of_any_port(traffic));
            (Vec::new(), reasons)
        }
        Promise::Bound(_) => (Vec::new(), Vec::new()),
    }
}

/// Why nobody knows which devices got what was sent: they were not watched, or got nothing.
///
/// A pass must balance; of a window only the zero is known to be none. Bytes wait in sockets at its end, and are
/// dropped with connections that the other side ends. And a packet belongs to the
/// program that was seen to send by its socket, which may be another than the one that sent these bytes:
/// so the window is balanced as a whole.
pub(super) fn unseen(watch: &Watch, traffic: &Traffic) -> Option<Reason> {
    if let Some(reason) = below::unwatched(&traffic.pass, &watch.coverage) {
        return Some(reason);
    }
    let by_programs = watch.counts.iter().filter(|count| is_program(count));
    let by_programs = by_programs.filter(|count| sent_by(count).is_some_and(below::is_network));
    let of_window = sum(by_programs.map(|count| count.bytes));
    let known = watch.exits.iter().filter(|exit| exit.charged != Charged::Elsewhere);
    let reached = sum(known.map(|exit| exit.bytes));
    let by_network = below::sent_by_network(&traffic.pass);
    (beyond_tolerance(by_network, traffic.sent()) && !beyond_tolerance(reached, of_window))
        .then_some(Reason::ReachedNoDevice(of_window, reached))
}

/// What may have been copied or encrypted after the window, of what waited in sockets.
pub(super) fn waiting(traffic: &Traffic) -> Option<Reason> {
    beyond_tolerance(traffic.late, traffic.sent()).then_some(Reason::Queued(traffic.late))
}

/// Deferred copies, against the claim. What has not left cannot have been copied yet.
pub(super) fn deferred(claim: &Claim, traffic: &Traffic) -> Option<Finding> {
    let found = findings::late(claim, &traffic.ledger)?;
    let lack = found.claimed.saturating_sub(found.bytes);
    (found.is_excess() || lack > traffic.late).then_some(found)
}

/// Whether a promise is that no more than so much is copied or encrypted, so that what nobody saw below
/// the sockets may break it.
pub(super) fn promises_no_more(promise: &Promise) -> bool {
    match promise {
        Promise::Named(claim) => claim.moved.is_some(),
        Promise::Bound(bound) => bounds_copies(*bound),
    }
}

fn bounds_copies(bound: Bound) -> bool {
    bound.at_most && [Copied, Deferred, Transformed].contains(&bound.what)
}

/// Devices behind which a process reads what was sent, or may have been: nobody knows which process, nor what it
/// copies, and a claim that holds does so up to there.
pub(super) fn ends(traffic: &Traffic) -> Vec<String> {
    let (pass, any_port) = (&traffic.pass, &traffic.below_any_port);
    let large = |exits, process| below::large_exits(exits, &traffic.ledger, process);
    let ours = large(&pass.exits, Process::Server);
    let exits = ours.chain(large(&any_port.exits, Process::Unknown));
    let mut names: Vec<_> = exits.filter_map(below::hands_over).map(below::name).collect();
    names.sort();
    names.dedup();
    names
}

/// Bytes that were encrypted for the sockets of a part, and below them.
pub(super) fn encrypted(traffic: &Traffic) -> Encrypted {
    let for_sockets = findings::encrypted(&traffic.ledger);
    let (at, hop) = (Instrument::Callers, Hop::SocketToWire);
    let account = traffic.ledger.account(at);
    let by_policy = account.entry(Process::Server, hop, Transformed);
    let (policy, cut) = by_policy.map_or((0, 0), |entry| (entry.bytes, entry.calls));
    let ours = traffic.pass.exits.iter().filter(|exit| exit.process == Process::Server);
    let ours: Vec<_> = ours.filter_map(below::encrypts).map(|(exit, _)| exit).collect();
    let by_devices = sum(ours.iter().map(|exit| exit.bytes));
    let headers = |packets: u64| packets.saturating_mul(HEADERS);
    let least = by_devices.saturating_sub(headers(packets(traffic)));
    let least = least.saturating_add(policy.saturating_sub(headers(cut)));
    let most = sum([by_devices, policy, of_others(traffic)].into_iter());
    let devices: Vec<_> = ours.iter().map(|exit| below::name(exit)).collect();
    Encrypted {
        least: for_sockets.0.saturating_add(least),
        most: for_sockets.1.saturating_add(most),
        hop: if most > for_sockets.1 { hop } else { Hop::PageCacheToSocket },
        devices: devices.join(", "),
    }
}

/// What was encrypted below the sockets for those who may be the judged program, or port.
fn of_others(traffic: &Traffic) -> u64 {
    let any_port = sum(for_any_port(traffic).iter().map(|(bytes, _)| *bytes));
    if !below::sends_datagrams(&traffic.pass) {
        return any_port;
    }
    let account = traffic.ledger.account(Instrument::Callers);
    let policy = account.bytes(Process::Unknown, Hop::SocketToWire, Transformed);
    let unknown = traffic.pass.exits.iter().filter(|exit| exit.process == Process::Unknown);
    let by_devices = sum(unknown.filter_map(below::encrypts).map(|(exit, _)| exit.bytes));
    sum([any_port, policy, by_devices].into_iter())
}

/// Why it is not known how much was encrypted for the part.
pub(super) fn open(traffic: &Traffic) -> Option<Reason> {
    let for_sockets = findings::encrypted_for_any(&traffic.ledger);
    for_sockets.or_else(|| open_for_any_port(traffic).next())
}

/// Packets that devices got of the part's senders.
fn packets(traffic: &Traffic) -> u64 {
    let is_exit = |count: &&Count| {
        let site = Site::find(&count.site).map(|(_, site)| site);
        count.process == Process::Server
            && site.is_some_and(|site| matches!(site.bytes, Bytes::Exits(_)))
    };
    sum(traffic.pass.counts.iter().filter(is_exit).map(|count| count.calls))
}
