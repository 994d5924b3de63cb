//! Random programs: whichever way, process, port, trouble and claim come together, no false claim may hold,
//! no true claim may be refuted, and no number may lie outside its interval; and where there is no trouble,
//! there must be a verdict.

mod plan;

use std::fs;

use fastrand::Rng;
use zcprof_judge::watch::Watch;
use zcprof_judge::watch::record::ClaimResult;

use self::plan::PortPlan;
use super::image::set_up;
use super::place::{Asks, Place};
use super::running::RunningProgram;
use super::{take_record, text, zcprof};
use crate::tally::{Tally, Tries};

/// Windows of a test, unless `ZCPROF_RANDOM` says another number.
const WINDOWS: usize = 12;

/// Ports of a window: 8081 and so on.
const PORTS: std::ops::RangeInclusive<u16> = 1..=3;

/// What lies between a bound and the number that it bounds, at least: framing and the tolerance are less.
const MARGIN: f64 = 0.05;

/// How far outside an interval the number may be: framing and the tolerance are less.
const WITHIN: f64 = 0.01;

/// Its port is nobody's target.
const NOISE: &str = "8090=self:copy:1";

/// What happens meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WindowTrouble {
    None,
    /// The program runs before the window, and is found by its ports.
    Late,
    /// Somebody else copies and sends the same file.
    Noise,
    /// Nobody watches the leaves, or their callers.
    Without(&'static str),
    /// The map of counts has room for so few.
    Map(u32),
}

const TROUBLES: &[WindowTrouble] = &[
    WindowTrouble::None,
    WindowTrouble::None,
    WindowTrouble::Late,
    WindowTrouble::Noise,
    WindowTrouble::Without("audit"),
    WindowTrouble::Without("callers"),
    WindowTrouble::Map(16),
];

impl WindowTrouble {
    /// Whether there must be a verdict all the same.
    const fn is_none(self) -> bool {
        matches!(self, Self::None | Self::Late | Self::Noise)
    }
}

/// A claim of what is sent from a port.
struct PortClaim<'a> {
    of: &'a PortPlan,
    /// The most copies that it allows; none if it is zero-copy.
    bound: Option<f64>,
}

impl PortClaim<'_> {
    fn words(&self) -> String {
        let claim =
            self.bound.map_or("zero-copy".to_owned(), |bound| format!("copied<={bound:.2}"));
        format!("port:{}={claim}", self.of.port)
    }

    fn is_true(&self) -> bool {
        self.of.copies() <= self.bound.unwrap_or(0.0)
    }

    /// Whether zcprof can know it: what a program reads it may send or not, and counts name no pipe, so that
    /// what was written into pipes may have left by any port that pages leave by.
    fn can_be_known(&self, plans: &[PortPlan]) -> bool {
        let bound = self.bound.unwrap_or(0.0);
        let by_pipes = plans.iter().filter(|plan| plan.leaves_by_pipes()).count();
        let is_mixed = by_pipes > 1 && plans.iter().any(PortPlan::fills_pipes);
        let is_told_apart = !(is_mixed && self.of.leaves_by_pipes());
        is_told_apart
            && self.of.is_seen()
            && (self.of.certain() > bound || bound >= 2.0 || self.of.copies() == 0.0)
    }
}

/// `ZCPROF_RANDOM` is a number of windows, `ZCPROF_SEED` repeats them.
#[test]
#[ignore = "needs the image of programs: cargo xtask test --programs"]
fn no_false_claim_of_a_program_holds_and_no_true_claim_is_refuted() {
    set_up();
    let tries = Tries::or(WINDOWS);
    let mut rng = tries.rng();
    let mut tally = Tally::default();
    for _ in 0..tries.number {
        let trouble = TROUBLES[rng.usize(..TROUBLES.len())];
        let ports = 8081..8081 + rng.u16(PORTS);
        let plans: Vec<_> = ports.map(|port| PortPlan::random(&mut rng, port)).collect();
        let claims: Vec<_> = plans.iter().flat_map(|plan| claims(&mut rng, plan)).collect();
        println!("{trouble:?}: {}", words(&plans).join(" "));
        let watch = window(trouble, &plans, &claims);
        assert_eq!(watch.results.len(), claims.len(), "{:#?}", watch.results);
        for (claim, result) in claims.iter().zip(&watch.results) {
            let ClaimResult { verdict, copies, codes, .. } = result;
            let line = format!(
                "{} of {}: {verdict} {codes:?}, {:.4} to {:.4} copied, known {:.4}",
                claim.words(),
                claim.of,
                copies.least,
                copies.most,
                claim.of.copies()
            );
            println!("  {line}");
            let is_false = tally.add(claim.is_true(), verdict);
            let withheld = matches!(trouble, WindowTrouble::Without(_)) && claim.bound.is_none();
            let counted = trouble.is_none() || trouble == WindowTrouble::Without("audit");
            let known = claim.of.copies();
            let around = copies.least - WITHIN <= known && known <= copies.most + WITHIN;
            let outside = counted && plans.iter().all(PortPlan::has_no_stranger) && !around;
            if is_false || withheld && verdict == "holds" || outside {
                let (doubts, reasons) = (&watch.doubts, &result.reasons);
                tally.blame(format!("{line}, {} sent, {doubts:?}: {reasons:#?}", result.sent));
            }
            if trouble.is_none()
                && plans.iter().all(PortPlan::is_seen)
                && claim.can_be_known(&plans)
            {
                let reasons = result.reasons.join("; ");
                tally.require(verdict, &format!("{line}: {reasons}"));
            }
        }
    }
    tally.check(tries.seed);
}

/// Two claims: one by name, and a bound that is far enough from what it bounds.
fn claims<'a>(rng: &mut Rng, plan: &'a PortPlan) -> [PortClaim<'a>; 2] {
    let bounds = [MARGIN, plan.copies() - MARGIN, plan.copies() + MARGIN, 2.0 + MARGIN];
    let bounds: Vec<_> = bounds
        .into_iter()
        .filter(|bound| *bound > 0.0 && (bound - plan.copies()).abs() >= MARGIN * 0.99)
        .collect();
    let bound = bounds[rng.usize(..bounds.len())];
    [None, Some(bound)].map(|bound| PortClaim { of: plan, bound })
}

fn words(plans: &[PortPlan]) -> Vec<String> {
    let program = ["/usr/bin/python3", "/srv/serve.py", "plans"].map(str::to_owned);
    program.into_iter().chain(plans.iter().map(PortPlan::to_string)).collect()
}

/// The record of a window.
fn window(trouble: WindowTrouble, plans: &[PortPlan], claims: &[PortClaim<'_>]) -> Watch {
    let place = Place::host();
    let (inside, outside) = (place.inside(), place.from(Asks::Outside).join(" "));
    let start = |words: &[&str], port| {
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        RunningProgram::start(&inside, &words).listening_at(port)
    };
    let python = ["/usr/bin/python3", "/srv/serve.py"];
    let words = words(plans);
    let _stranger =
        RunningProgram::start(&inside, &[python[0], python[1], "helper"].map(str::to_owned));
    let noise = (trouble == WindowTrouble::Noise)
        .then(|| start(&[python[0], python[1], "plans", NOISE], 8090));
    let ready = plans.last().expect("a port").port.to_string();
    let late = (trouble == WindowTrouble::Late).then(|| {
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        start(&words, plans.last().expect("a port").port)
    });
    // All at the same time.
    let ports = plans.iter().map(|plan| plan.port).chain(noise.iter().map(|_| 8090));
    let ask = |port| format!("{outside} curl -s -o /dev/null http://127.0.0.1:{port}/body");
    let load: Vec<_> = ports.map(ask).collect();
    let load = format!("{} & wait", load.join(" & "));
    let out = "/data/watched/random";
    let _ = fs::remove_dir_all(out);
    let mut line = vec!["watch", "--out", out, "--while", &load];
    let claims: Vec<_> = claims.iter().map(PortClaim::words).collect();
    for claim in &claims {
        line.extend(["--claim", claim]);
    }
    let capacity;
    match trouble {
        WindowTrouble::Without(instrument) => line.extend(["--without", instrument]),
        WindowTrouble::Map(entries) => {
            capacity = format!("COUNTS={entries}");
            line.extend(["--map-capacity", &capacity]);
        }
        WindowTrouble::None | WindowTrouble::Late | WindowTrouble::Noise => {}
    }
    let listened: Vec<_> = plans.iter().map(|plan| plan.port.to_string()).collect();
    let listened = listened.join(",");
    if late.is_some() {
        line.extend(["--port", &listened]);
    } else {
        line.extend(["--ready", &ready, "--"]);
        line.extend(inside.iter().chain(&words).map(String::as_str));
    }
    let output = zcprof(&line).output().expect("zcprof runs");
    take_record(out).unwrap_or_else(|error| panic!("{error}: {}", text(&output)))
}
