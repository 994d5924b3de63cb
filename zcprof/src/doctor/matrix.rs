//! Pure: what became of the sites into what each instrument can see at each hop.

use zcprof_common::sites::{Bytes, Case, SITES, Sign, Site};
use zcprof_common::syscalls::SYSCALLS;
use zcprof_common::vocabulary::{Disposition, Hop, Instrument};

use super::record::{Expected, Sees, SiteHere, VisibilityCell};
use crate::run::ProbeState;

/// Every cell that has a row in the table for this kernel. `sites` are all rows of the table.
pub(super) fn cells(sites: &[SiteHere]) -> Vec<VisibilityCell> {
    let unneeded = |site: &SiteHere| matches!(site.state, Some(ProbeState::NotNeeded { .. }));
    let here = |(_, site): &(&Site, &SiteHere)| site.expected == Expected::Here && !unneeded(site);
    let here: Vec<_> = SITES.iter().zip(sites).filter(here).collect();
    let mut cells = Vec::new();
    for hop in Hop::ALL {
        for instrument in Instrument::ALL {
            for disposition in Disposition::ALL {
                cells.extend(cell(*hop, *instrument, *disposition, &here));
            }
        }
    }
    cells
}

/// Whether a site's bytes are counted, and nothing of it can be skipped unseen.
pub(super) fn attached(site: &SiteHere) -> bool {
    match &site.state {
        Some(ProbeState::Attached { missed, .. }) => {
            missed.is_some() || site.instrument != Instrument::Audit
        }
        _ => false,
    }
}

type Here<'a> = (&'a Site, &'a SiteHere);

fn cell(
    hop: Hop,
    instrument: Instrument,
    disposition: Disposition,
    here: &[Here<'_>],
) -> Option<VisibilityCell> {
    let terms = |site: &Site, sign: Sign| {
        let mut terms = site.cases.iter().flat_map(|case| case.terms);
        terms.any(|term| (term.sign, term.hop, term.disposition) == (sign, hop, disposition))
    };
    let presumes = |site: &Site| {
        let mut presumed = SYSCALLS.iter().flat_map(|row| row.presumed);
        site.bytes == Bytes::SyscallResult
            && presumed.any(|(_, at, what)| (*at, *what) == (hop, disposition))
    };
    let of_it = here.iter().filter(|(site, _)| site.instrument == instrument);
    let counting: Vec<&Here<'_>> =
        of_it.clone().filter(|(site, _)| terms(site, Sign::Plus) || presumes(site)).collect();
    if counting.is_empty() {
        return None;
    }
    // A site that takes bytes away again is needed as much as those that add them.
    let taking_away = of_it.filter(|(site, _)| terms(site, Sign::Minus));
    let mut needed: Vec<&Here<'_>> = counting.iter().copied().chain(taking_away).collect();
    let helping = here.iter().filter(|(site, _)| needed.iter().any(|(of, _)| helps(site, of)));
    needed.extend(helping.collect::<Vec<_>>());

    let holds = |(_, site): &&Here<'_>| attached(site);
    let sees = if needed.iter().all(holds) {
        // Bytes that a site other than the system call's result counts were seen.
        if counting.iter().all(|(site, _)| presumes(site)) { Sees::Presumed } else { Sees::All }
    } else if counting.iter().any(holds) {
        Sees::Part
    } else if counting.iter().all(|(_, site)| site.state.is_none()) {
        Sees::Untried
    } else {
        Sees::Nothing
    };
    let mut names: Vec<String> = Vec::new();
    for (site, _) in needed {
        if !names.iter().any(|name| name == site.name) {
            names.push(site.name.to_owned());
        }
    }
    Some(VisibilityCell { hop, instrument, disposition, sees, sites: names })
}

/// Whether `site` tells what the bytes at another mean: whose they are, or in which kind of file.
fn helps(site: &Site, of: &Site) -> bool {
    let by_file = |case: &Case| !case.file.is_empty();
    match site.bytes {
        // The packets that a copy below the sockets works on.
        Bytes::Lends(_) | Bytes::Queues { .. } | Bytes::Serves { .. } => {
            matches!(of.bytes, Bytes::Linear { .. })
        }
        // Who pinned what is copied later.
        Bytes::Pinned(_) | Bytes::PinnedToUdp { .. } => matches!(of.bytes, Bytes::Deferred(_)),
        // The system call, and the file that it names. A folio knows its own file.
        Bytes::SyscallResult => {
            of.cases.iter().any(by_file)
                && !matches!(of.bytes, Bytes::Folio(_) | Bytes::Replaced(_))
        }
        // Who sends by the socket that is copied for.
        _ => site.sends.is_some() && matches!(of.bytes, Bytes::Linear { .. }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All rows of the table on a kernel of this version, attached except those named.
    fn table(version: (u16, u16), missing: &[&str]) -> Vec<SiteHere> {
        let attached =
            ProbeState::Attached { symbol: String::new(), by: String::new(), missed: Some(0) };
        let refused = ProbeState::Refused { reason: "no".to_owned() };
        let elsewhere = Expected::OtherVersions { since: String::new(), until: None };
        SITES
            .iter()
            .map(|site| SiteHere {
                site: site.name.to_owned(),
                instrument: site.instrument,
                source: site.source.to_owned(),
                expected: if site.holds_on(version) { Expected::Here } else { elsewhere.clone() },
                symbol: None,
                state: Some(if missing.contains(&site.name) {
                    refused.clone()
                } else {
                    attached.clone()
                }),
            })
            .collect()
    }

    fn sees(sites: &[SiteHere], by: Instrument, hop: Hop, what: Disposition) -> Option<Sees> {
        let found = cells(sites);
        let is = |c: &&VisibilityCell| (c.instrument, c.hop, c.disposition) == (by, hop, what);
        found.iter().find(is).map(|cell| cell.sees)
    }

    use Disposition::{Copied, Deferred, Moved, Pinned};
    use Instrument::{Audit, Callers, Syscalls};

    #[test]
    fn a_kernel_on_which_all_is_attached_has_no_hole() {
        for version in [(6, 1), (6, 12), (7, 3)] {
            for cell in cells(&table(version, &[])) {
                let least = match (cell.instrument, cell.hop) {
                    (Syscalls, _) => Sees::Presumed,
                    _ => Sees::All,
                };
                assert!([Sees::All, least].contains(&cell.sees), "{cell:?}");
            }
        }
    }

    #[test]
    fn a_missing_leaf_is_a_hole_at_its_hops_alone() {
        let leaves = ["_copy_from_iter", "_copy_from_iter_nocache", "csum_and_copy_from_iter_full"];
        let sites = table((6, 12), &leaves);
        assert_eq!(sees(&sites, Audit, Hop::UserToSocket, Copied), Some(Sees::Nothing));
        assert_eq!(sees(&sites, Audit, Hop::PageCacheToUser, Copied), Some(Sees::All));
        assert_eq!(sees(&sites, Callers, Hop::UserToSocket, Copied), Some(Sees::All));
        assert_eq!(sees(&sites, Syscalls, Hop::UserToSocket, Copied), Some(Sees::Presumed));
        assert_eq!(sees(&sites, Audit, Hop::PageCacheToPageCache, Copied), Some(Sees::All));
        let sites = table((6, 12), &["copy_folio_from_iter_atomic"]);
        assert_eq!(sees(&sites, Audit, Hop::PageCacheToPageCache, Copied), Some(Sees::Part));
        assert_eq!(sees(&sites, Audit, Hop::UserToSocket, Copied), Some(Sees::All));
    }

    #[test]
    fn what_takes_bytes_away_or_tells_whose_they_are_is_needed_too() {
        let sites = table((6, 12), &["skb_splice_from_iter"]);
        assert_eq!(sees(&sites, Callers, Hop::UserToSocket, Copied), Some(Sees::Part));
        assert_eq!(sees(&sites, Callers, Hop::PageCacheToSocket, Moved), Some(Sees::Nothing));
        for missing in ["skb_segment", "skb_zerocopy_iter_stream", "tcp_sendmsg_locked"] {
            let sites = table((6, 12), &[missing]);
            let later = sees(&sites, Callers, Hop::SocketToSocket, Deferred);
            assert_eq!(later, Some(Sees::Part), "{missing}");
        }
        let sites = table((6, 12), &["sys_exit"]);
        assert_eq!(sees(&sites, Audit, Hop::PageCacheToUser, Copied), Some(Sees::Part));
        assert_eq!(sees(&sites, Callers, Hop::UserToSocket, Pinned), Some(Sees::All));
    }
}
