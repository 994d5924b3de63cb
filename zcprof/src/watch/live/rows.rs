//! Pure: a window so far as rows, one for each program and port that sent (or received, or wrote).

use std::collections::{BTreeMap, BTreeSet};

use zcprof_common::vocabulary::Hop;
use zcprof_judge::verdict::Exit;
use zcprof_judge::watch::judge::{Span, exit, judge, shown_spans};
use zcprof_judge::watch::record::{Asked, Charged, Direction, Of, Tolerance, Watch, WatchedCount};
use zcprof_judge::watch::series::between;
use zcprof_judge::watch::traffic::Traffic;

/// What tells a row from others, for as long as the window is open.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id {
    /// The program.
    pub(super) program: String,
    /// The local port, if it is one that is told apart.
    pub(super) port: Option<u16>,
}

/// A row.
#[derive(Clone, Debug)]
pub(super) struct LiveRow {
    /// Whose.
    pub(super) id: Id,
    /// Processes of the program that live.
    pub(super) processes: usize,
    /// Of the window so far.
    pub(super) whole: RowNumbers,
    /// Of the last interval, and its length in seconds.
    pub(super) recent: Option<(RowNumbers, f64)>,
    /// What the verdict would be if the window ended now; none where nothing is claimed of it.
    pub(super) verdict: Option<&'static str>,
    part: Portion,
}

/// Bytes of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RowNumbers {
    /// Sent (or received, or written).
    pub(super) sent: u64,
    /// Copied of these, at least.
    pub(super) least: u64,
    /// Copied of these, at most.
    pub(super) most: u64,
    /// The hop at which most was copied, or may have been, and how much.
    pub(super) worst: Option<(Hop, u64)>,
    /// Framing: taken from user memory by sockets that also had pages handed over.
    pub(super) framing: u64,
}

/// A part of what a program sent.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Portion {
    of: Of,
    /// Only what was counted at no port: the program has other rows for its ports.
    is_rest: bool,
}

/// All of the framing, whatever its share is.
const ANY: Tolerance = Tolerance { size: u64::MAX, millionths: 1_000_000 };

impl RowNumbers {
    pub(super) fn of(traffic: &Traffic) -> Self {
        let all = shown_spans(traffic);
        let sum = |of: fn(&Span) -> u64| all.iter().map(of).fold(0, u64::saturating_add);
        let worst = all.iter().max_by_key(|span| span.most).filter(|span| span.most > 0);
        Self {
            sent: traffic.sent(),
            least: sum(|span| span.least),
            most: sum(|span| span.most),
            worst: worst.map(|span| (span.hop, span.most)),
            framing: traffic.framing(ANY),
        }
    }
}

impl Portion {
    /// The counts that it is made of. What nobody is known to have done may be this part's.
    fn counts(&self, program: &str, all: &[WatchedCount]) -> Vec<WatchedCount> {
        let its = |count: &&WatchedCount| match &count.charged {
            Charged::Program(name) => name == program && !(self.is_rest && count.port.is_some()),
            Charged::Unknown => true,
            Charged::Elsewhere => false,
        };
        all.iter().filter(its).cloned().collect()
    }

    fn traffic(&self, program: &str, all: &[WatchedCount], direction: Direction) -> Traffic {
        Traffic::counted(&self.counts(program, all), &self.of, direction)
    }

    /// A program by its ports; as one part if it sent by one port or by none that is told apart.
    fn all(
        program: &str,
        counts: &[WatchedCount],
        direction: Direction,
    ) -> Vec<(Option<u16>, Self)> {
        let sends = |part: &Self| part.traffic(program, counts, direction).sent() > 0;
        let at: BTreeSet<u16> = match direction {
            // What is written into files is written at no port.
            Direction::File => BTreeSet::new(),
            Direction::Tx | Direction::Rx => counts.iter().filter_map(|count| count.port).collect(),
        };
        let by_port = |port| (Some(port), Self { of: Of::Port(port), is_rest: false });
        let mut parts: Vec<_> =
            at.into_iter().map(by_port).filter(|(_, part)| sends(part)).collect();
        let whole = |is_rest| Self { of: Of::Program(program.to_owned()), is_rest };
        let rest = Some((None, whole(true))).filter(|(_, part)| sends(part));
        match (parts.as_slice(), rest) {
            ([], rest) => rest.into_iter().map(|(port, _)| (port, whole(false))).collect(),
            ([(port, _)], None) => vec![(*port, whole(false))],
            (_, rest) => {
                parts.extend(rest);
                parts
            }
        }
    }
}

/// The rows of a window so far. `before` is what had been counted `seconds` ago, and `alive` how many
/// processes live of each program.
pub(super) fn rows(
    record: &Watch,
    before: Option<(&[WatchedCount], f64)>,
    alive: &BTreeMap<String, usize>,
) -> Vec<LiveRow> {
    let recent = before.map(|(counts, seconds)| (between(counts, &record.counts), seconds));
    let mut rows = Vec::new();
    for program in record.programs.iter().map(|program| program.name.as_str()) {
        let counts = charged(program, &record.counts);
        let new = recent.as_ref().map(|(counts, seconds)| (charged(program, counts), *seconds));
        for (port, part) in Portion::all(program, &counts, record.direction) {
            let numbers =
                |counts: &[_]| RowNumbers::of(&part.traffic(program, counts, record.direction));
            let mut row = LiveRow {
                id: Id { program: program.to_owned(), port },
                processes: alive.get(program).copied().unwrap_or(0),
                whole: numbers(&counts),
                recent: new.as_ref().map(|(counts, seconds)| (numbers(counts), *seconds)),
                verdict: None,
                part,
            };
            if !record.claims.is_empty() {
                row.verdict = so_far(&row.record(record));
            }
            rows.push(row);
        }
    }
    rows
}

/// What is charged to a program, or may be.
fn charged(program: &str, counts: &[WatchedCount]) -> Vec<WatchedCount> {
    Portion { of: Of::All, is_rest: false }.counts(program, counts)
}

impl LiveRow {
    /// Copied bytes per second in the last interval, at most; none before there is one.
    pub(super) fn copying(&self) -> Option<f64> {
        self.recent.map(|(numbers, seconds)| per_second(numbers.most, seconds))
    }

    /// Bytes sent per second in the last interval; none before there is one.
    pub(super) fn sending(&self) -> Option<f64> {
        self.recent.map(|(numbers, seconds)| per_second(numbers.sent, seconds))
    }

    /// The record as if this row's were all that was counted, and what is claimed of it all that is.
    pub(super) fn record(&self, record: &Watch) -> Watch {
        let is_about = |asked: &&Asked| match &asked.of {
            Of::All => true,
            Of::Program(name) => *name == self.id.program,
            Of::Port(port) => self.id.port == Some(*port),
        };
        let about = record.claims.iter().filter(is_about);
        let about =
            about.map(|asked| Asked { of: self.part.of.clone(), claim: asked.claim.clone() });
        let (claims, counts) =
            (about.collect(), self.part.counts(&self.id.program, &record.counts));
        Watch { counts, claims, ..record.clone() }
    }

    /// The row's account.
    pub(super) fn traffic(&self, record: &Watch) -> Traffic {
        Traffic::of(&self.record(record), &self.part.of)
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown, and not judged by")]
fn per_second(bytes: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { bytes as f64 / seconds } else { 0.0 }
}

/// What the verdict would be if the window ended now; none where nothing is claimed.
pub(super) fn so_far(record: &Watch) -> Option<&'static str> {
    let judgements = judge(record).ok().filter(|judgements| !judgements.is_empty())?;
    Some(match exit(&judgements) {
        Exit::Holds => "holds",
        Exit::Refuted => "refuted",
        _ => "inconclusive",
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{golden, grown};
    use super::*;

    #[test]
    fn rows_add_up_to_what_the_report_says() {
        let record = golden();
        let rows = rows(&record, None, &BTreeMap::new());
        assert!(!rows.is_empty() && rows.iter().all(|row| row.whole.sent > 0), "{rows:?}");
        let sum: u64 = rows.iter().map(|row| row.whole.sent).sum();
        let all = Traffic::counted(&record.counts, &Of::All, record.direction);
        assert_eq!(sum, all.sent());
        assert!(rows.iter().all(|row| row.recent.is_none() && row.processes == 0));
    }

    #[test]
    fn an_interval_is_what_came_since_the_last_look() {
        let (before, record) = (golden(), grown());
        let rows = rows(&record, Some((&before.counts, 2.0)), &BTreeMap::new());
        let (old, new) = (rows_of(&before), &rows[0]);
        let (recent, seconds) = new.recent.expect("an interval");
        assert_eq!(recent.sent, new.whole.sent - old[0].whole.sent);
        assert!((seconds - 2.0).abs() < f64::EPSILON);
        let rate = new.sending().expect("a rate");
        assert!((rate * 2.0 - f64::from(u32::try_from(recent.sent).expect("small"))).abs() < 1.0);
    }

    fn rows_of(record: &Watch) -> Vec<LiveRow> {
        rows(record, None, &BTreeMap::new())
    }

    /// A program that sends at two ports and at none that is told apart has three rows, and what it
    /// reads may be what it sends at any of them.
    #[test]
    fn a_program_of_several_ports_has_a_row_for_each() {
        let mut record = golden();
        let program = record.programs[0].name.clone();
        let of_it = |count: &&WatchedCount| {
            count.charged == Charged::Program(program.clone()) && count.site == "tcp_sendmsg_locked"
        };
        let sent = record.counts.iter().find(of_it).expect("it sends").clone();
        record.counts.retain(|count| count.site != "tcp_sendmsg_locked");
        for (port, bytes) in [(Some(1000), 5), (Some(2000), 7), (None, 11)] {
            record.counts.push(WatchedCount { port, bytes, ..sent.clone() });
        }
        record.counts.retain(|count| count.charged == Charged::Program(program.clone()));
        let found = rows_of(&record);
        let seen: Vec<_> = found.iter().map(|row| (row.id.port, row.whole.sent)).collect();
        assert_eq!(seen, [(Some(1000), 5), (Some(2000), 7), (None, 11)]);
        assert!(found.iter().all(|row| row.whole.most >= row.whole.least));
    }

    #[test]
    fn a_claim_about_a_port_is_judged_in_no_other_row() {
        let mut record = golden();
        record.claims = vec![Asked { of: Of::Port(1), claim: "zero-copy".to_owned() }];
        assert!(rows_of(&record).iter().all(|row| row.verdict.is_none()));
        record.claims[0].of = Of::All;
        assert!(rows_of(&record).iter().all(|row| row.verdict.is_some()));
    }
}
