//! Pure: what is not watched, and why.

use zcprof_common::vocabulary::Instrument;

use super::matrix;
use super::record::{Expected, Gap, Obstacle, SiteHere};
use super::remedy::{KnownFacts, NOT_COUNTED};
use crate::run::{Hole, ProbeState};
use crate::verdict::{Reason, code};

/// Every hole, the same cause once.
pub(super) fn gaps(
    sites: &[SiteHere],
    holes: &[Hole],
    known: KnownFacts<'_>,
    barred: Option<&Obstacle>,
) -> Vec<Gap> {
    let mut gaps = Vec::new();
    for instrument in Instrument::ALL.iter().copied() {
        let of_it = || sites.iter().filter(|site| site.instrument == instrument);
        let untried: Vec<String> =
            of_it().filter(|site| wanted(site) && site.state.is_none()).map(name).collect();
        if !untried.is_empty() {
            // The hole names a switch, which who lacks the capability cannot turn.
            let own = holes.iter().filter(|hole| hole.instrument == instrument).map(|hole| {
                let remedy = known.lacking(Some(instrument)).unwrap_or_else(|| hole.remedy.clone());
                Obstacle { reason: hole.reason.clone(), remedy }
            });
            let causes = barred.cloned().into_iter().chain(own).chain(known.facts(instrument));
            for cause in causes {
                let told = |gap: &Gap| (gap.instrument, &gap.remedy) == (instrument, &cause.remedy);
                if !gaps.iter().any(told) {
                    add(&mut gaps, instrument, &untried, &cause);
                }
            }
        }
        for site in of_it() {
            if let Some(reason) = refusal(site) {
                let remedy = known.remedy(instrument, &reason);
                add(&mut gaps, instrument, &[name(site)], &Obstacle { reason, remedy });
            }
        }
    }
    gaps
}

/// The code of the reason that a verdict has where an instrument cannot look.
pub(super) fn blind(instrument: Instrument) -> &'static str {
    code::of_reason(&Reason::NotWatching(instrument, String::new())).name
}

fn wanted(site: &SiteHere) -> bool {
    site.expected == Expected::Here
}

fn name(site: &SiteHere) -> String {
    site.site.clone()
}

fn add(gaps: &mut Vec<Gap>, instrument: Instrument, sites: &[String], cause: &Obstacle) {
    let Obstacle { reason, remedy } = cause;
    let same =
        |gap: &&mut Gap| (gap.instrument, &gap.reason, &gap.remedy) == (instrument, reason, remedy);
    if let Some(gap) = gaps.iter_mut().find(same) {
        gap.sites.extend_from_slice(sites);
        return;
    }
    gaps.push(Gap {
        instrument,
        code: blind(instrument).to_owned(),
        sites: sites.to_vec(),
        reason: reason.clone(),
        remedy: remedy.clone(),
    });
}

/// Why a site that should be watched is not.
fn refusal(site: &SiteHere) -> Option<String> {
    match site.state.as_ref()? {
        ProbeState::Attached { .. } if wanted(site) && !matrix::attached(site) => {
            Some(format!("this kernel {NOT_COUNTED}"))
        }
        ProbeState::Absent { reason } | ProbeState::Refused { reason } => Some(reason.clone()),
        ProbeState::Attached { .. }
        | ProbeState::NotOnThisKernel
        | ProbeState::NotNeeded { .. }
        | ProbeState::Withheld => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::record::{Fact, Privilege};

    fn site(instrument: Instrument, name: &str, state: Option<ProbeState>) -> SiteHere {
        SiteHere {
            site: name.to_owned(),
            instrument,
            source: String::new(),
            expected: Expected::Here,
            symbol: None,
            state,
        }
    }

    fn lacks_kprobes() -> Fact {
        Fact {
            name: "CONFIG_KPROBES".to_owned(),
            value: Some("n".to_owned()),
            meaning: String::new(),
            instruments: vec![Instrument::Audit],
            obstacle: Some(Obstacle {
                reason: "built without".to_owned(),
                remedy: "boot another".to_owned(),
            }),
        }
    }

    fn found(sites: &[SiteHere], facts: &[Fact], held: bool) -> Vec<Gap> {
        let capability = Privilege {
            name: "CAP_SYS_ADMIN".to_owned(),
            held,
            instruments: vec![Instrument::Audit],
            adds: String::new(),
        };
        gaps(sites, &[], KnownFacts { facts, capabilities: &[capability] }, None)
    }

    #[test]
    fn what_the_kernel_said_goes_before_what_is_lacking_and_that_before_settings() {
        let taken = "no execution breakpoint on CPU 0: all breakpoint slots are taken: by another";
        for (said, facts, held, remedy) in [
            (taken, vec![lacks_kprobes()], false, "end what holds them"),
            ("Invalid argument", vec![lacks_kprobes()], false, "lacks: CAP_SYS_ADMIN"),
            ("Invalid argument", vec![lacks_kprobes()], true, "built without: boot another"),
            ("Invalid argument", vec![], true, "takes breakpoints in itself"),
        ] {
            let refused = ProbeState::Refused { reason: said.to_owned() };
            let sites = [
                site(Instrument::Audit, "one", Some(refused.clone())),
                site(Instrument::Audit, "two", Some(refused)),
            ];
            let gaps = found(&sites, &facts, held);
            let [gap] = gaps.as_slice() else { panic!("one cause: {gaps:?}") };
            assert!(gap.remedy.contains(remedy), "{gap:?}");
            assert_eq!((gap.code.as_str(), gap.sites.len()), ("ZC203", 2), "{gap:?}");
        }
    }

    /// A leaf whose skipped runs nobody counts proves no zero: `verdict::watching` says the same.
    #[test]
    fn a_leaf_that_counts_no_missed_runs_is_a_hole() {
        let attached = |missed| {
            let (symbol, by) = (String::new(), "kprobe".to_owned());
            Some(ProbeState::Attached { symbol, by, missed })
        };
        for (instrument, missed, holes) in [
            (Instrument::Audit, None, 1),
            (Instrument::Audit, Some(0), 0),
            (Instrument::Callers, None, 0),
        ] {
            let gaps = found(&[site(instrument, "one", attached(missed))], &[], true);
            assert_eq!(gaps.len(), holes, "{gaps:?}");
            assert!(gaps.iter().all(|gap| gap.remedy.contains("6.7")), "{gaps:?}");
        }
    }

    /// What was not tried has no refusal, but what would be in its way is known.
    #[test]
    fn what_bars_all_hides_no_further_cause() {
        let sites =
            [site(Instrument::Audit, "leaf", None), site(Instrument::Callers, "caller", None)];
        let barred = Obstacle { reason: "root".to_owned(), remedy: "sudo".to_owned() };
        let facts = [lacks_kprobes()];
        let known = KnownFacts { facts: &facts, capabilities: &[] };
        let gaps = gaps(&sites, &[], known, Some(&barred));
        let said: Vec<_> = gaps.iter().map(|g| (g.sites[0].as_str(), g.remedy.as_str())).collect();
        assert_eq!(said, [("leaf", "sudo"), ("leaf", "boot another"), ("caller", "sudo")]);
    }
}
