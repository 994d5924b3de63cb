//! What `path.svg` of a watched window says of one program or port: what went over each arrow, and what
//! went elsewhere.

use zcprof_common::vocabulary::{Disposition, Hop, Process};

use super::arrow::{ARROWS, Arrow, ArrowSummary, Lane, usual};
use super::numbers::{counted, thousandths};
use super::spot::{self, SpotCopies};
use super::watch_line::WatchLine;
use crate::ledger::sum;
use crate::verdict::code::of_finding;
use crate::verdict::{Verdict, per_byte};
use crate::watch::judge::ClaimJudgement;
use crate::watch::record::{Direction, Of};

use Disposition::{Aside, Copied, Filled, Moved};

/// Arrows of what was received: into the program's memory, and from there into files.
const RECEIVED: &[Arrow] = &[
    server(Hop::SocketToUser, Lane::User, (308, 454)),
    server(Hop::UserToPageCache, Lane::User, (470, 620)),
];

/// Arrows of what was written into files.
const WRITTEN: &[Arrow] = &[
    server(Hop::PageCacheToUser, Lane::User, (308, 454)),
    server(Hop::UserToPageCache, Lane::User, (470, 620)),
    server(Hop::PageCacheToPageCache, Lane::Kernel, (308, 620)),
];

/// Devices that are named; of more only the number is said.
const DEVICES: usize = 2;

const fn server(hop: Hop, lane: Lane, (from, to): (i32, i32)) -> Arrow {
    Arrow { process: Process::Server, hop, lane, from, to }
}

/// A part of a window, or several of which the same is known.
pub(super) struct PathRow {
    pub(super) of: Vec<Of>,
    pub(super) line: WatchLine,
    pub(super) arrows: Vec<(&'static Arrow, ArrowSummary)>,
    pub(super) loops: Vec<SpotCopies>,
    /// What has neither an arrow nor a loop.
    pub(super) also: String,
}

impl PathRow {
    /// Reads a part, or several that are alike. `judged` is what was claimed of them, and `is_seen` whether
    /// the callers watched.
    pub(super) fn of(
        line: WatchLine,
        of: Vec<Of>,
        judged: &[&ClaimJudgement],
        is_seen: bool,
    ) -> Self {
        let direction = line.traffic.direction;
        let arrows: Vec<_> = arrows(direction)
            .map(|arrow| (arrow, summary(&line, arrow, &codes_at(arrow.hop, judged), is_seen)))
            .collect();
        let (mut loops, mut also) = (Vec::new(), Vec::new());
        let is_drawn = |hop: Hop| arrows.iter().any(|(arrow, _)| arrow.hop == hop);
        let moved = line.bytes(Hop::PageCacheToSocket, Moved);
        for hop in Hop::ALL.iter().copied().filter(|hop| !is_drawn(*hop)) {
            let codes = codes_at(hop, judged).join(" ");
            for what in Disposition::ALL.iter().copied().filter(|what| *what != Aside) {
                let Some(number) = number(&line, hop, what) else { continue };
                // The first half of what an arrow shows.
                if (hop, what) == (Hop::PageCacheToPipe, Moved) && moved > 0 {
                    continue;
                }
                let text = format!("{number} {} {} {codes}", what.name(), hop.name());
                let text = text.trim_end().to_owned();
                let has_loop = direction == Direction::Tx && spot::draws(hop, what);
                let drawn =
                    has_loop.then(|| SpotCopies::over(hop, text.clone(), !codes.is_empty()));
                match drawn.flatten() {
                    Some(copies) => loops.push(copies),
                    None => also.push(text),
                }
            }
        }
        Self { of, line, arrows, loops, also: also.join("; ") }
    }

    /// All that is said of it, but whose it is and what was claimed.
    pub(super) fn told(&self) -> String {
        let arrows = self.arrows.iter().map(|(arrow, seen)| seen.told(arrow.hop));
        let loops = self.loops.iter().map(|copies| copies.told().to_owned());
        let also = (!self.also.is_empty()).then(|| self.also.clone());
        let exits = (self.line.traffic.direction == Direction::Tx).then(|| self.exits());
        arrows.chain(loops).chain(also).chain(exits).collect::<Vec<_>>().join("; ")
    }

    /// The devices that its packets left by, or the families of its sockets where they passed none.
    pub(super) fn exits(&self) -> String {
        let traffic = &self.line.traffic;
        let mut names = traffic.devices();
        if names.is_empty() {
            names = traffic.families.iter().map(|(family, _)| family.name()).collect();
        }
        let more = names.len().saturating_sub(DEVICES);
        let more = if more > 0 { format!(" +{more}") } else { String::new() };
        names.truncate(DEVICES);
        format!("by {}{more}", names.join(", "))
    }
}

/// The arrows of a direction.
fn arrows(direction: Direction) -> impl Iterator<Item = &'static Arrow> {
    let all = match direction {
        Direction::Tx => ARROWS,
        Direction::Rx => RECEIVED,
        Direction::File => WRITTEN,
    };
    all.iter().filter(|arrow| arrow.process == Process::Server)
}

fn summary(line: &WatchLine, arrow: &Arrow, codes: &[&str], is_seen: bool) -> ArrowSummary {
    let hop = arrow.hop;
    let occurring: Vec<_> = Disposition::ALL
        .iter()
        .filter(|what| **what != Aside)
        .filter_map(|what| Some((*what, number(line, hop, *what)?)))
        .collect();
    let is_certain = |what: Disposition| what != Copied || share(line, copied(line, hop).0) > 0;
    let certain = occurring.iter().map(|(what, _)| *what).find(|what| is_certain(*what));
    let strongest = certain.or(occurring.first().map(|(what, _)| *what));
    let mut said: Vec<_> =
        occurring.iter().map(|(what, number)| format!("{number} {}", what.name())).collect();
    if said.is_empty() {
        let usual = usual(hop);
        // A zero is said only of what was watched.
        let nothing = format!("0.000 {}", usual.name());
        said.push(match usual {
            Filled if !line.tells(hop, usual) => "not told by port".to_owned(),
            Filled => nothing,
            _ if is_seen => nothing,
            _ => "not watched".to_owned(),
        });
    }
    let entries = occurring.iter().filter_map(|(what, _)| line.traffic.entry(hop, *what));
    let calls = sum(entries.map(|entry| entry.calls));
    let calls = (calls > 0).then(|| counted(calls, "call", "calls"));
    let value = format!("{} {}", said.join(", "), codes.join(" "));
    let look = (strongest, !codes.is_empty(), false);
    let open = strongest == Some(Copied) && certain.is_none();
    ArrowSummary::within(arrow, look, value.trim_end(), calls.into_iter().collect()).open(open)
}

/// The least and the most that was copied at a hop, in bytes.
fn copied(line: &WatchLine, hop: Hop) -> (u64, u64) {
    let span = line.spans.iter().find(|span| span.hop == hop);
    span.map_or((0, 0), |span| (span.least, span.most))
}

/// Bytes of a kind at a hop per byte, as printed; none if they are less than half a thousandth.
fn number(line: &WatchLine, hop: Hop, what: Disposition) -> Option<String> {
    let (least, most) = match what {
        Copied => copied(line, hop),
        _ => [line.bytes(hop, what); 2].into(),
    };
    if share(line, most) == 0 {
        return None;
    }
    let [least, most] = [least, most].map(|bytes| per_byte(bytes, line.traffic.sent()));
    Some(if least == most { most } else { format!("{least} to {most}") })
}

fn share(line: &WatchLine, bytes: u64) -> u64 {
    thousandths(bytes, line.traffic.sent())
}

/// The codes of what refutes claims at a hop.
fn codes_at(hop: Hop, judged: &[&ClaimJudgement]) -> Vec<&'static str> {
    let mut codes: Vec<&'static str> = Vec::new();
    for judgement in judged {
        let Verdict::Refuted(findings) = &judgement.verdict else { continue };
        let there = findings.iter().filter(|finding| finding.hop == hop);
        let found = there.flat_map(|finding| of_finding(finding, &judgement.traffic.ledger));
        codes.extend(found.map(|code| code.name));
    }
    codes.sort_unstable();
    codes.dedup();
    codes
}
