//! What a terminal can show, and in which style.

use anstyle::{AnsiColor, Style};

use crate::verdict::Verdict;

/// What a terminal can show, and what its user is told.
#[derive(Clone, Debug)]
pub struct Terminal<'a> {
    /// Columns.
    pub width: usize,
    /// Whether it shows colours. Nothing is said by colour alone.
    pub colour: bool,
    /// How its user calls zcprof.
    pub program: &'a str,
    /// The folder of the reports, if they were written.
    pub place: Option<&'a str>,
}

/// The style of a verdict's word. What holds is not praised: two copies may be what was expected.
pub(super) fn of_verdict(verdict: &Verdict) -> Style {
    match verdict {
        Verdict::Holds => Style::new(),
        Verdict::Refuted(_) => AnsiColor::Red.on_default().bold(),
        Verdict::Inconclusive(_) => AnsiColor::Yellow.on_default(),
    }
}

/// `text` in a style, where there are colours.
pub(super) fn painted(text: &str, style: Style, colour: bool) -> String {
    if !colour || style == Style::new() {
        return text.to_owned();
    }
    format!("{style}{text}{style:#}")
}
