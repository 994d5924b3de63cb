//! Pure: which code a finding or a reason gets.

use std::fmt;

use zcprof_common::vocabulary::{Disposition, Hop, Instrument, Process};

use super::explain::{self, Code};
use super::tolerance::beyond_tolerance;
use super::{Finding, Judgement, Reason, Verdict};
use crate::ledger::{InstrumentAccount, Ledger};
use crate::run::Doubt;
use crate::unexplained;

/// A row of the table: what a finding must be for the code to fit.
struct Rule {
    what: Disposition,
    /// Empty for any.
    hops: &'static [Hop],
    /// Sites that saw the bytes, empty for any.
    sites: &'static [&'static str],
    /// Whether the numbers fit too.
    fits: fn(&Finding, &Ledger) -> bool,
    code: &'static Code,
}

/// Whatever the numbers are.
const ANY: fn(&Finding, &Ledger) -> bool = |_, _| true;

const fn at(what: Disposition, hops: &'static [Hop], code: &'static Code) -> Rule {
    Rule { what, hops, sites: &[], fits: ANY, code }
}

const fn by(what: Disposition, sites: &'static [&'static str], code: &'static Code) -> Rule {
    Rule { what, hops: &[], sites, fits: ANY, code }
}

use Disposition::{Bounced, Copied, Deferred, Transformed};

/// The first row that fits gives the code.
const RULES: &[Rule] = &[
    by(Copied, &["do_wp_page", "wp_page_copy", "do_fault"], &explain::UNSHARED),
    at(Copied, &[Hop::PageCacheToUser], &explain::READ),
    at(Copied, &[Hop::UserToSocket], &explain::SENT),
    at(Copied, &[Hop::PageCacheToPipe], &explain::MADE_UP),
    at(Copied, &[Hop::PageCacheToSocket], &explain::UNTAKEN),
    at(Copied, &[Hop::UserToPipe], &explain::PIPED),
    at(Copied, &[Hop::PipeToUser], &explain::UNPIPED),
    at(Copied, &[Hop::UserToPageCache], &explain::WRITTEN),
    at(Copied, &[Hop::PageCacheToPageCache], &explain::DUPLICATED),
    at(Copied, &[Hop::SocketToUser], &explain::RECEIVED),
    at(Copied, &[Hop::Arguments], &explain::ARGUMENTS),
    at(Copied, &[Hop::StorageToPageCache], &explain::FILLED),
    at(Bounced, &[], &explain::BOUNCED),
    by(Deferred, &["skb_copy_ubufs"], &explain::UNPINNED),
    by(Deferred, &["veth_xdp_rcv_skb", "do_xdp_generic"], &explain::REPACKED),
    by(Deferred, &["nfqnl_enqueue_packet"], &explain::ASKED_ABOUT),
    Rule {
        what: Deferred,
        hops: &[],
        sites: &["skb_copy_bits"],
        fits: in_a_receive_queue,
        code: &explain::QUEUED,
    },
    by(Deferred, &["skb_copy_bits", "skb_copy_and_csum_bits"], &explain::LINEARISED),
    at(Transformed, &[Hop::SocketToWire], &explain::ENCRYPTED_BELOW),
    at(Transformed, &[], &explain::ENCRYPTED),
];

/// The codes of a finding: one, or one for each kind of site that saw the bytes. Never none.
#[must_use]
pub fn of_finding(finding: &Finding, ledger: &Ledger) -> Vec<&'static Code> {
    if !finding.is_excess() {
        return vec![&explain::FEWER];
    }
    let account = ledger.account(finding.instrument);
    let entry = account.entry(Process::Server, finding.hop, finding.disposition);
    let mut codes: Vec<&'static Code> = Vec::new();
    for site in entry.map_or(&[][..], |entry| &entry.sites) {
        let rule = RULES.iter().find(|rule| {
            rule.what == finding.disposition
                && (rule.hops.is_empty() || rule.hops.contains(&finding.hop))
                && (rule.sites.is_empty() || rule.sites.contains(&site.as_str()))
                && (rule.fits)(finding, ledger)
        });
        let code = rule.map_or(&explain::OTHER, |rule| rule.code);
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    if codes.is_empty() { vec![without_a_site(finding)] } else { codes }
}

/// The code of a finding that no site saw: the stack of storage tells what it does.
fn without_a_site(finding: &Finding) -> &'static Code {
    match (finding.hop, finding.disposition) {
        (Hop::StorageToPageCache, Copied) => &explain::STORAGE_COPIES,
        (Hop::StorageToPageCache, Transformed) => &explain::STORAGE_TRANSFORMS,
        (Hop::SocketToWire, Transformed) => &explain::ENCRYPTED_BELOW,
        _ => &explain::OTHER,
    }
}

/// Whether the bytes may be those that the server received: a receive queue copies no others.
fn in_a_receive_queue(finding: &Finding, ledger: &Ledger) -> bool {
    let received = |account: &InstrumentAccount| {
        let entry = account.entry(Process::Server, Hop::SocketToUser, Copied);
        entry.map_or(0, |entry| entry.bytes.saturating_add(entry.named))
    };
    ledger.accounts.iter().map(received).max().is_some_and(|most| finding.bytes <= most)
}

/// The code of a reason.
#[must_use]
pub fn of_reason(reason: &Reason) -> &'static Code {
    match reason {
        Reason::NoPayload => &explain::NO_PAYLOAD,
        Reason::PayloadUnverified => &explain::UNVERIFIED,
        Reason::NotWatching(Instrument::Audit, _) => &explain::AUDIT_BLIND,
        Reason::NotWatching(Instrument::Callers, _) => &explain::CALLERS_BLIND,
        Reason::NotWatching(Instrument::Syscalls, _) => &explain::SYSCALLS_BLIND,
        Reason::Unwatched(..) => &explain::UNWATCHED,
        Reason::ControlFailed(..) => &explain::CONTROL,
        Reason::WayDiffers(..) => &explain::WAY,
        Reason::Doubt(doubt) => of_doubt(doubt),
        Reason::Residual(..) => &explain::RESIDUAL,
        Reason::Disagree(..) => &explain::DISAGREE,
        Reason::Unowned(..) | Reason::Unattributed(..) | Reason::EncryptedForAny(..) => {
            &explain::UNOWNED
        }
        Reason::UnknownFiller(..) => &explain::UNKNOWN_FILLER,
        Reason::UnknownDevice(..) | Reason::ReachedNoDevice(..) => &explain::UNKNOWN_DEVICE,
        Reason::BounceBuffers(..) => &explain::BOUNCE_BUFFERS,
        Reason::Queued(..) => &explain::QUEUED_AT_END,
        Reason::NoWitness(..) => &explain::NO_WITNESS,
        Reason::MayBeSent(..) => &explain::MAY_BE_SENT,
        Reason::MayBeCopied(..) => &explain::MAY_BE_COPIED,
        Reason::Uncounted(..) | Reason::Untaken(..) => &explain::UNCOUNTED,
        Reason::CommandFailed(..) => &explain::COMMAND_FAILED,
    }
}

/// The code of a doubt, whether it decided a pass or made it void.
#[must_use]
pub fn of_doubt(doubt: &Doubt) -> &'static Code {
    match doubt {
        Doubt::Unlike { .. } => &explain::UNLIKE,
        Doubt::Missed { .. } => &explain::MISSED,
        Doubt::Lost { .. } => &explain::LOST,
        Doubt::Unfollowed { .. } => &explain::UNFOLLOWED,
        Doubt::UnwatchedCpu { .. } | Doubt::UnreachedCpu { .. } => &explain::NEW_CPU,
        Doubt::ProbeGone { .. } | Doubt::ProbeOff { .. } => &explain::PROBE_GONE,
        Doubt::ModuleLoaded { .. } => &explain::MODULE_LOADED,
        Doubt::CacheState { .. } => &explain::CACHE_STATE,
    }
}

/// Why a verdict is not `holds`, in words, with the codes whose pages say more.
#[derive(Clone, Debug)]
pub struct Why {
    /// At least one.
    pub codes: Vec<&'static Code>,
    /// The finding or the reason.
    pub text: String,
}

/// The codes and the words of all, as records keep them.
pub(crate) fn codes_and_reasons(why: Vec<Why>) -> (Vec<String>, Vec<String>) {
    let names = why.iter().flat_map(|why| &why.codes).map(|code| code.name.to_owned());
    (names.collect(), why.into_iter().map(|why| why.text).collect())
}

/// `ZC105+ZC106 socket->socket deferred 1.000 per byte, …`.
impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.codes.iter().map(|code| code.name).collect();
        write!(f, "{} {}", names.join("+"), self.text)
    }
}

impl Judgement {
    /// Every finding or reason with its codes, in the verdict's order; none if the claim holds.
    #[must_use]
    pub fn why(&self) -> Vec<Why> {
        why(&self.verdict, &self.ledger)
    }

    /// The names of all its codes, each once, by rising number.
    #[must_use]
    pub fn codes(&self) -> Vec<&'static str> {
        let mut names: Vec<_> =
            self.why().iter().flat_map(|why| &why.codes).map(|code| code.name).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// What a verdict rests on, in words and codes; nothing if it is `holds`.
#[must_use]
pub fn why(verdict: &Verdict, ledger: &Ledger) -> Vec<Why> {
    match verdict {
        Verdict::Holds => Vec::new(),
        Verdict::Refuted(findings) => findings
            .iter()
            .map(|f| Why { codes: of_finding(f, ledger), text: named(f, of_lack(f, ledger)) })
            .collect(),
        Verdict::Inconclusive(reasons) => reasons
            .iter()
            .map(|r| Why { codes: vec![of_reason(r)], text: named(r, lacked(r, ledger)) })
            .collect(),
    }
}

/// A finding or a reason, and the functions that the table lacks.
fn named(what: &impl fmt::Display, lacked: Option<String>) -> String {
    lacked.map_or_else(|| what.to_string(), |lacked| format!("{what}: {lacked}"))
}

/// By which functions leaves copied what a reason says that the callers did not see.
fn lacked(reason: &Reason, ledger: &Ledger) -> Option<String> {
    match reason {
        Reason::Disagree(hop, audit, callers) if audit > callers => by_stacks(ledger, Some(*hop)),
        Reason::Residual(Instrument::Audit, _) => {
            unexplained::in_words(ledger.unexplained.as_ref()?, None)
        }
        _ => None,
    }
}

/// The same of what a finding has too much of: where the callers saw as much, they explain it.
fn of_lack(finding: &Finding, ledger: &Ledger) -> Option<String> {
    let by = |instrument| {
        ledger.account(instrument).bytes(Process::Server, finding.hop, finding.disposition)
    };
    let unseen = by(Instrument::Audit).saturating_sub(by(Instrument::Callers));
    let is_lack = finding.instrument == Instrument::Audit
        && finding.is_excess()
        && beyond_tolerance(unseen, finding.payload);
    unexplained::in_words(ledger.unexplained.as_ref().filter(|_| is_lack)?, Some(finding.hop))
}

/// What the stacks say of a hop, or that they should be looked at.
fn by_stacks(ledger: &Ledger, hop: Option<Hop>) -> Option<String> {
    match &ledger.unexplained {
        Some(ways) => unexplained::in_words(ways, hop),
        None => Some("look again with --stacks, which names the function".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use zcprof_common::sites::{SITES, Sign};

    use super::*;
    use crate::ledger::Entry;
    use crate::syscall::InSyscall;

    const PAYLOAD: u64 = 1 << 20;

    fn entry(hop: Hop, disposition: Disposition, bytes: u64, sites: &[&str]) -> Entry {
        Entry {
            process: Process::Server,
            hop,
            disposition,
            bytes,
            named: 0,
            calls: 1,
            sites: sites.iter().map(|site| (*site).to_owned()).collect(),
            syscalls: vec![InSyscall::None],
        }
    }

    fn ledger(entries: &[Entry]) -> Ledger {
        let account = |instrument: &Instrument| InstrumentAccount {
            instrument: *instrument,
            entries: entries.to_vec(),
            control: Vec::new(),
            unexplained: 0,
            unknown: 0,
        };
        let accounts = Instrument::ALL.iter().map(account).collect();
        Ledger { payload: PAYLOAD, watched_consumer: true, accounts, unexplained: None }
    }

    fn finding(entry: &Entry, claimed: u64) -> Finding {
        Finding {
            instrument: Instrument::Callers,
            hop: entry.hop,
            disposition: entry.disposition,
            bytes: entry.bytes,
            claimed,
            payload: PAYLOAD,
            at: entry.sites.join(", "),
        }
    }

    /// The function that the table lacks is sought where leaves copied what no caller saw, and only there.
    #[test]
    fn what_the_table_lacks_is_sought_where_the_callers_saw_less() {
        let copied = entry(Hop::UserToSocket, Copied, PAYLOAD, &["_copy_from_iter"]);
        let way = |hop| unexplained::Unexplained {
            hop,
            leaf: "_copy_from_iter".to_owned(),
            functions: vec!["raw_sendmsg".to_owned()],
            bytes: PAYLOAD,
        };
        let seen_by = |instruments: &[Instrument]| {
            let mut ledger = ledger(std::slice::from_ref(&copied));
            ledger.accounts.iter_mut().for_each(|account| {
                account.entries.retain(|_| instruments.contains(&account.instrument));
            });
            ledger.unexplained = Some(vec![way(Some(Hop::UserToSocket)), way(None)]);
            ledger
        };
        let by_leaves = seen_by(&[Instrument::Audit]);
        let is_named = |said: Option<String>| said.is_some_and(|said| said.contains("raw_sendmsg"));
        let disagree = |audit, callers| Reason::Disagree(Hop::UserToSocket, audit, callers);
        assert!(is_named(lacked(&disagree(2, 1), &by_leaves)));
        assert_eq!(lacked(&disagree(1, 2), &by_leaves), None);
        assert_eq!(lacked(&disagree(1, 1), &by_leaves), None);
        assert!(is_named(lacked(&Reason::Residual(Instrument::Audit, 1), &by_leaves)));
        assert_eq!(lacked(&Reason::Residual(Instrument::Callers, 1), &by_leaves), None);

        let by = |instrument| Finding { instrument, ..finding(&copied, 0) };
        let audit = by(Instrument::Audit);
        assert!(is_named(of_lack(&audit, &by_leaves)));
        assert_eq!(of_lack(&by(Instrument::Callers), &by_leaves), None);
        let enough = Finding { claimed: PAYLOAD, ..audit.clone() };
        assert_eq!(of_lack(&enough, &by_leaves), None, "nothing is too much");
        let by_both = seen_by(Instrument::ALL);
        assert_eq!(of_lack(&audit, &by_both), None, "a caller explains it");
    }

    /// The codes of the first entry, as a finding that nothing was claimed of.
    fn codes(entries: &[Entry]) -> Vec<&'static str> {
        let codes = of_finding(&finding(&entries[0], 0), &ledger(entries));
        codes.iter().map(|code| code.name).collect()
    }

    fn every_reason() -> Vec<Reason> {
        let (site, what, why) = (String::new(), String::new(), String::new());
        let doubts = [
            Doubt::Missed { site: site.clone(), runs: 1 },
            Doubt::Unlike { what: what.clone(), first: 1, later: 2 },
            Doubt::Lost { what, times: 1 },
            Doubt::Unfollowed { times: 1 },
            Doubt::UnwatchedCpu { cpu: 1 },
            Doubt::UnreachedCpu { cpu: 1, group: String::new() },
            Doubt::ProbeGone { site: site.clone() },
            Doubt::ProbeOff { site: site.clone() },
            Doubt::ModuleLoaded { module: site },
            Doubt::CacheState { resident: 1, pages: 2 },
        ];
        let mut reasons = vec![
            Reason::NoPayload,
            Reason::PayloadUnverified,
            Reason::NotWatching(Instrument::Audit, why.clone()),
            Reason::NotWatching(Instrument::Callers, why.clone()),
            Reason::NotWatching(Instrument::Syscalls, why.clone()),
            Reason::Unwatched(Hop::UserToPageCache, why.clone()),
            Reason::ControlFailed(Instrument::Audit, why.clone()),
            Reason::WayDiffers(Instrument::Audit, why.clone()),
            Reason::Residual(Instrument::Audit, 1),
            Reason::Disagree(Hop::PageCacheToUser, 1, 2),
            Reason::Unowned(1, why.clone()),
            Reason::Unattributed(1, why.clone()),
            Reason::EncryptedForAny(1, why.clone()),
            Reason::UnknownFiller(why.clone()),
            Reason::BounceBuffers(1),
            Reason::UnknownDevice(why.clone()),
            Reason::Untaken(1, why),
            Reason::ReachedNoDevice(1, 0),
            Reason::Queued(1),
            Reason::NoWitness(Hop::PageCacheToSocket, 0),
            Reason::MayBeSent(Hop::PageCacheToUser, 1),
            Reason::MayBeCopied(Hop::SocketToPipe, 1),
            Reason::Uncounted(1),
            Reason::CommandFailed(1),
        ];
        reasons.extend(doubts.map(Reason::Doubt));
        reasons
    }

    #[test]
    fn every_term_of_the_table_has_a_code_of_its_own() {
        let bad = [Copied, Bounced, Deferred, Transformed];
        let mut seen = 0;
        for site in SITES {
            for term in site.cases.iter().flat_map(|case| case.terms) {
                if term.sign == Sign::Plus && bad.contains(&term.disposition) {
                    let all = entry(term.hop, term.disposition, PAYLOAD, &[site.name]);
                    let codes = codes(&[all]);
                    assert!(codes.len() == 1 && codes[0] != "ZC100", "{}: {codes:?}", site.name);
                    seen += 1;
                }
            }
        }
        assert!(seen > SITES.len() / 2, "{seen} terms");
    }

    /// Each code is given to something, and each row of the rules gives its own.
    #[test]
    fn every_code_can_be_reached() {
        let mut reached: Vec<&str> = every_reason().iter().map(|r| of_reason(r).name).collect();
        for rule in RULES {
            let hop = rule.hops.first().copied().unwrap_or(Hop::SocketToSocket);
            let site = rule.sites.first().copied().unwrap_or("filemap_read");
            let received = entry(Hop::SocketToUser, Copied, PAYLOAD / 2, &["_copy_to_iter"]);
            let some = [PAYLOAD / 4, PAYLOAD].map(|bytes| entry(hop, rule.what, bytes, &[site]));
            let given = some.map(|first| codes(&[first, received.clone()]));
            assert!(given.iter().any(|codes| codes == &[rule.code.name]), "{given:?}");
            reached.extend(given.concat());
        }
        reached.extend(codes(&[entry(Hop::SocketToWire, Copied, PAYLOAD, &["dma"])]));
        let less = entry(Hop::UserToSocket, Copied, 0, &["tcp_sendmsg_locked"]);
        let less = of_finding(&finding(&less, PAYLOAD), &ledger(&[less]));
        reached.extend(less.iter().map(|code| code.name));
        for what in [Copied, Transformed] {
            let filled = entry(Hop::StorageToPageCache, what, PAYLOAD, &[]);
            let by_the_stack = of_finding(&finding(&filled, 0), &ledger(&[]));
            reached.extend(by_the_stack.iter().map(|code| code.name));
        }
        for code in explain::CODES {
            assert!(reached.contains(&code.name), "nothing gets {}", code.name);
        }
    }

    #[test]
    fn refuting_codes_and_missing_evidence_are_told_apart() {
        for reason in every_reason() {
            assert!(of_reason(&reason).name.starts_with("ZC2"), "{reason}");
        }
        for rule in RULES {
            assert!(rule.code.name.starts_with("ZC1"), "{}", rule.code.name);
        }
    }

    /// The leaf is the same; who was sent how much is not.
    #[test]
    fn a_copy_below_the_socket_is_a_receive_queues_only_if_as_much_was_received() {
        let below = |bytes| entry(Hop::SocketToSocket, Deferred, bytes, &["skb_copy_bits"]);
        let received = entry(Hop::SocketToUser, Copied, 6_000, &["_copy_to_iter"]);
        assert_eq!(codes(&[below(PAYLOAD), received.clone()]), ["ZC106"]);
        assert_eq!(codes(&[below(5_000), received]), ["ZC107"]);
        let sites = ["skb_copy_ubufs", "skb_copy_bits"];
        let both = entry(Hop::SocketToSocket, Deferred, PAYLOAD, &sites);
        assert_eq!(codes(&[both]), ["ZC105", "ZC106"]);
    }

    /// A number without an entry, or an entry without sites, is still a finding.
    #[test]
    fn no_finding_is_without_a_code() {
        for hop in Hop::ALL {
            for what in Disposition::ALL {
                for sites in [&[][..], &["a_function_that_is_new"]] {
                    assert!(!codes(&[entry(*hop, *what, PAYLOAD, sites)]).is_empty());
                }
            }
        }
        let entry = entry(Hop::UserToSocket, Copied, PAYLOAD, &[]);
        assert_eq!(of_finding(&finding(&entry, 0), &ledger(&[])), [&explain::OTHER]);
    }
}
