//! A verdict with what a page says of it.

use super::reasons::Reason;
use crate::report::verdicts::Word;
use crate::verdict::code::Why;

/// What can be said, the gravest first, each with its sign.
pub(super) const WORDS: [(Word, &str); 3] =
    [(Word::Refuted, "✗"), (Word::Inconclusive, "?"), (Word::Holds, "✓")];

/// A verdict, or several that are the same in several places.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct VerdictLine {
    pub(super) word: Word,
    /// Whether it is refuted, and was known to be before it was measured.
    pub(super) as_known: bool,
    /// What was claimed of what: `zero-copy of port 80`.
    pub(super) what: String,
    /// The number behind it.
    pub(super) number: String,
    /// Where; empty if the whole page is about one place.
    pub(super) place: String,
    /// What copied and what to change, a paragraph each.
    pub(super) advice: Vec<String>,
    /// How many verdicts it stands for.
    pub(super) count: usize,
    /// What refutes it, or is missing; nothing if it holds.
    pub(super) why: Vec<Reason>,
}

impl VerdictLine {
    /// One verdict in the page's place.
    pub(super) fn new(word: Word, what: String, number: String, why: Vec<Why>) -> Self {
        let why = why.into_iter().map(Reason::of).collect();
        Self {
            word,
            as_known: false,
            what,
            number,
            place: String::new(),
            advice: Vec::new(),
            count: 1,
            why,
        }
    }
}
