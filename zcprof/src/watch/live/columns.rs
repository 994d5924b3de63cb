//! Pure: the table of columns, what is in them, and which of them fit.

use std::cmp::Ordering;

use zcprof_judge::verdict::per_byte;

use super::rows::{LiveRow, RowNumbers};

/// A column of the live view.
pub(super) struct LiveColumn {
    /// What stands above it, and what it is sorted by.
    pub(super) heading: &'static str,
    /// Characters; the first column takes what is left besides.
    pub(super) width: u16,
    /// Whether it is flush right.
    pub(super) right: bool,
    /// Which are left out first where not all fit: those with the highest number.
    pub(super) rank: u8,
    /// What is in it. The second argument says whether the last interval is shown.
    pub(super) cell: fn(&LiveRow, bool) -> String,
    /// Which row comes first: the one with the most.
    pub(super) order: fn(&LiveRow, &LiveRow, bool) -> Ordering,
}

/// Heading of the column that is there only where something is claimed.
pub(super) const SO_FAR: &str = "so far";

/// Heading of the same as one character, where there is no room for a word.
pub(super) const MARK: &str = "";

/// The columns, in the order in which they stand.
pub(super) const COLUMNS: &[LiveColumn] = &[
    LiveColumn {
        heading: MARK,
        width: 1,
        right: false,
        rank: 5,
        cell: |row, _| mark(row.verdict).to_owned(),
        order: |a, b, _| b.verdict.cmp(&a.verdict),
    },
    LiveColumn {
        heading: "program",
        width: 10,
        right: false,
        rank: 0,
        cell: |row, _| row.id.program.clone(),
        order: |a, b, _| a.id.cmp(&b.id),
    },
    LiveColumn {
        heading: "port",
        width: 5,
        right: true,
        rank: 3,
        cell: |row, _| row.id.port.map_or_else(|| "-".to_owned(), |port| port.to_string()),
        order: |a, b, _| a.id.port.cmp(&b.id.port),
    },
    LiveColumn {
        heading: "sent/s",
        width: 10,
        right: true,
        rank: 1,
        cell: |row, _| if row.processes == 0 { "ended".to_owned() } else { rate(row.sending()) },
        order: |a, b, _| most(a.sending(), b.sending()),
    },
    LiveColumn {
        heading: "copied/s",
        width: 10,
        right: true,
        rank: 8,
        cell: |row, _| rate(row.copying()),
        order: |a, b, _| most(a.copying(), b.copying()),
    },
    LiveColumn {
        heading: "copies/byte",
        width: 11,
        right: true,
        rank: 2,
        cell: |row, recent| numbers(row, recent).map_or_else(unknown, |of| copies(&of)),
        order: |a, b, recent| share(a, b, recent, |of| of.most),
    },
    LiveColumn {
        heading: "worst hop",
        width: 18,
        right: false,
        rank: 6,
        cell: |row, recent| {
            let worst = numbers(row, recent).and_then(|of| of.worst);
            worst.map_or_else(unknown, |(hop, _)| hop.name().to_owned())
        },
        order: |a, b, recent| share(a, b, recent, |of| of.worst.map_or(0, |(_, bytes)| bytes)),
    },
    LiveColumn {
        heading: "framing",
        width: 7,
        right: true,
        rank: 7,
        cell: |row, recent| numbers(row, recent).map_or_else(unknown, |of| framing(&of)),
        order: |a, b, recent| share(a, b, recent, |of| of.framing),
    },
    LiveColumn {
        heading: SO_FAR,
        width: 12,
        right: false,
        rank: 4,
        cell: |row, _| row.verdict.unwrap_or("-").to_owned(),
        order: |a, b, _| b.verdict.cmp(&a.verdict),
    },
];

/// Room between two columns.
pub(super) const GAP: u16 = 1;

/// The columns that fit into a width, by their places in the table. The verdict is a word, or a mark
/// where that does not fit, and neither where nothing is claimed.
pub(super) fn that_fit(width: u16, claimed: bool) -> Vec<usize> {
    let mut by_rank: Vec<usize> = (0..COLUMNS.len()).collect();
    by_rank.sort_by_key(|at| COLUMNS[*at].rank);
    let (mut fit, mut taken) = (Vec::new(), 0);
    for at in by_rank {
        let column = &COLUMNS[at];
        let is_verdict = [SO_FAR, MARK].contains(&column.heading);
        let is_said = fit.iter().any(|at: &usize| COLUMNS[*at].heading == SO_FAR);
        if is_verdict && (!claimed || is_said) {
            continue;
        }
        let room = column.width + if fit.is_empty() { 0 } else { GAP };
        if taken + room <= width || fit.is_empty() {
            taken += room;
            fit.push(at);
        }
    }
    fit.sort_unstable();
    fit
}

/// The numbers to show: of the window so far, or of the last interval, if there is one.
pub(super) fn numbers(row: &LiveRow, recent: bool) -> Option<RowNumbers> {
    let recent_ones = || row.recent.map(|(numbers, _)| numbers).filter(|of| of.sent > 0);
    if recent { recent_ones() } else { Some(row.whole) }
}

/// Copies per byte: one number, or the least and the most.
pub(super) fn copies(of: &RowNumbers) -> String {
    let [least, most] = [of.least, of.most].map(|bytes| per_byte(bytes, of.sent));
    if least == most { most } else { format!("{least}-{most}") }
}

/// The share of framing.
#[expect(clippy::cast_precision_loss, reason = "shown, and not judged by")]
fn framing(of: &RowNumbers) -> String {
    if of.sent == 0 {
        unknown()
    } else {
        format!("{:.2}%", of.framing as f64 * 100.0 / of.sent as f64)
    }
}

/// A verdict as one character.
pub(super) fn mark(verdict: Option<&str>) -> &'static str {
    match verdict {
        Some("holds") => "+",
        Some("refuted") => "!",
        Some(_) => "?",
        None => " ",
    }
}

/// Bytes per second; nothing is known before there are two looks.
pub(super) fn rate(bytes: Option<f64>) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "shown, and not judged by"
    )]
    bytes.map_or_else(unknown, |bytes| crate::watch::size(bytes.max(0.0) as u64))
}

fn unknown() -> String {
    "-".to_owned()
}

fn most(a: Option<f64>, b: Option<f64>) -> Ordering {
    b.unwrap_or(-1.0).total_cmp(&a.unwrap_or(-1.0))
}

/// The larger share of what was sent first, exactly.
fn share(a: &LiveRow, b: &LiveRow, recent: bool, of: fn(&RowNumbers) -> u64) -> Ordering {
    let part = |row| numbers(row, recent).filter(|numbers| numbers.sent > 0);
    match (part(a), part(b)) {
        (Some(a), Some(b)) => {
            let times = |bytes: u64, sent: u64| u128::from(bytes) * u128::from(sent);
            times(of(&b), a.sent).cmp(&times(of(&a), b.sent))
        }
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headings(width: u16, claimed: bool) -> Vec<&'static str> {
        that_fit(width, claimed).into_iter().map(|at| COLUMNS[at].heading).collect()
    }

    #[test]
    fn narrow_terminals_show_what_matters_most() {
        assert_eq!(headings(40, false), ["program", "port", "sent/s", "copies/byte"]);
        assert_eq!(headings(42, true), [MARK, "program", "port", "sent/s", "copies/byte"]);
        let whole =
            ["program", "port", "sent/s", "copied/s", "copies/byte", "worst hop", "framing"];
        assert_eq!(headings(80, false), whole);
        let claimed = ["program", "port", "sent/s", "copies/byte", "worst hop", "framing", SO_FAR];
        assert_eq!(headings(80, true), claimed);
        assert_eq!(headings(200, true).len(), COLUMNS.len() - 1);
        assert_eq!(headings(3, true), ["program"]);
    }

    #[test]
    fn every_column_that_is_shown_fits() {
        for width in 10..200 {
            for claimed in [false, true] {
                let columns = that_fit(width, claimed);
                let taken: u16 = columns.iter().map(|at| COLUMNS[*at].width + GAP).sum();
                assert!(taken - GAP <= width, "{width}");
            }
        }
    }
}
