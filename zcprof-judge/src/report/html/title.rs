//! Verdicts in a sentence.

use super::verdict_line::{VerdictLine, WORDS};
use crate::report::numbers;
use crate::report::verdicts::Word;

/// Claims that are named; of more only the number is said.
const NAMED: usize = 3;

/// The gravest verdicts by their claims, and how many others there are; none where there is no claim.
pub(super) fn of(said: &[VerdictLine]) -> Option<String> {
    let gravest = said.iter().map(|line| line.word).min()?;
    let first = named(said, gravest)?;
    let others = WORDS.iter().filter(|(word, _)| *word > gravest);
    let others = others.filter_map(|(word, _)| counted(said, *word));
    Some(std::iter::once(first).chain(others).collect::<Vec<_>>().join("; "))
}

/// The refuted claims.
pub(super) fn refuted(said: &[VerdictLine]) -> Option<String> {
    named(said, Word::Refuted)
}

/// `zero-copy of port 80 is refuted: 1.000 copied per sent byte`.
fn named(said: &[VerdictLine], word: Word) -> Option<String> {
    let its: Vec<_> = said.iter().filter(|line| line.word == word).collect();
    let whats: Vec<_> = its.iter().map(|line| line.what.as_str()).collect();
    match &*whats {
        [] => None,
        [what] => Some(format!("{what} {}: {}", predicate(word, 1), its[0].number)),
        [first @ .., last] if whats.len() <= NAMED => {
            Some(format!("{} and {last} {}", first.join(", "), predicate(word, 2)))
        }
        _ => counted(said, word),
    }
}

/// `8 claims are inconclusive`; none if there is none.
pub(super) fn counted(said: &[VerdictLine], word: Word) -> Option<String> {
    let count: usize = said.iter().filter(|line| line.word == word).map(|line| line.count).sum();
    (count > 0).then(|| claims(count, word))
}

/// `8 claims are inconclusive`.
pub(super) fn claims(count: usize, word: Word) -> String {
    let claims = numbers::counted(count as u64, "claim", "claims");
    format!("{claims} {}", predicate(word, count))
}

fn predicate(word: Word, count: usize) -> String {
    match (word, count) {
        (Word::Holds, 1) => "holds".to_owned(),
        (Word::Holds, _) => "hold".to_owned(),
        (word, 1) => format!("is {}", word.name()),
        (word, _) => format!("are {}", word.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(word: Word, what: &str) -> VerdictLine {
        VerdictLine::new(word, what.to_owned(), "1.000 copied".to_owned(), Vec::new())
    }

    #[test]
    fn the_gravest_are_named_and_the_others_counted() {
        assert_eq!(of(&[]), None);
        let holds = line(Word::Holds, "zero-copy of port 80");
        let refuted = line(Word::Refuted, "zero-copy of port 81");
        let said = of(&[holds.clone(), refuted.clone(), holds.clone()]).expect("a sentence");
        assert_eq!(said, "zero-copy of port 81 is refuted: 1.000 copied; 2 claims hold");
        let said = of(&[refuted.clone(), line(Word::Refuted, "b")]).expect("a sentence");
        assert_eq!(said, "zero-copy of port 81 and b are refuted");
        assert_eq!(of(&vec![refuted; 4]).expect("a sentence"), "4 claims are refuted");
        let many = of(&vec![holds; 1131]).expect("a sentence");
        assert_eq!(many, "1,131 claims hold", "as the cells that they are of");
    }
}
