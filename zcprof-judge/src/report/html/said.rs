//! Verdicts, and why they are so: a block for the claims that fail for the same reasons, and one for
//! those that hold.

use std::fmt::Write as _;

use super::arrows::unbroken;
use super::reasons;
use super::title;
use super::verdict_line::{VerdictLine, WORDS};
use crate::report::verdicts::Word;
use crate::report::xml::escaped;

/// Most lines of claims that hold that are not folded.
const OPEN: usize = 8;

/// How many verdicts there are of each kind, and then every one. Folded is what nobody looks for first:
/// what is refuted as known beforehand, and many claims that hold.
pub(super) fn html(all: &[VerdictLine]) -> String {
    let mut text = tally(all);
    let kind = |block: &[&VerdictLine]| (block[0].word, block[0].as_known);
    for same in blocks(all).chunk_by(|one, other| kind(one) == kind(other)) {
        let shown: String = same.iter().map(|lines| block(lines)).collect();
        let lines: usize = same.iter().map(Vec::len).sum();
        let summary = match kind(&same[0]) {
            (Word::Holds, _) if lines > OPEN => "Which claims hold, and their numbers",
            (_, true) => "Which claims are refuted as known beforehand, and why",
            _ => {
                text.push_str(&shown);
                continue;
            }
        };
        let _ = writeln!(text, "<details><summary>{summary}</summary>\n{shown}</details>");
    }
    text
}

/// Claims with the same verdict for the same reasons.
fn block(lines: &[&VerdictLine]) -> String {
    let first = lines[0];
    let place = Some(&first.place).filter(|place| lines.iter().all(|said| said.place == **place));
    let said: String = lines.iter().map(|said| line(said, place.is_none())).collect();
    let (name, head, why) = (first.word.name(), head(first, place), reasons::html(&first.why));
    format!(
        "<div class=\"block {name}\">\n{head}<ul class=\"verdicts\">\n{said}</ul>\n{why}</div>\n"
    )
}

/// A block's verdict, and the place that all of its claims share.
fn head(first: &VerdictLine, place: Option<&String>) -> String {
    let sign = WORDS.iter().find(|(word, _)| *word == first.word).map_or("", |(_, sign)| sign);
    let known = if first.as_known { ", as known beforehand," } else { "" };
    let place = place.filter(|place| !place.is_empty());
    let place = place.map_or_else(String::new, |place| format!(" {}", escaped(place)));
    format!(
        "<p><span class=\"sign\" aria-hidden=\"true\">{sign}</span><strong>{}</strong>{known}{place}</p>\n",
        first.word.name()
    )
}

/// How many verdicts there are of each kind, the gravest first.
fn tally(all: &[VerdictLine]) -> String {
    let mut text = String::from("<p class=\"tally\">");
    for (word, sign) in WORDS {
        for as_known in [false, true] {
            let its = all.iter().filter(|said| said.word == word && said.as_known == as_known);
            let count: usize = its.map(|said| said.count).sum();
            if count > 0 {
                let (name, claims) = (word.name(), title::claims(count, word));
                let known = if as_known { ", as known beforehand" } else { "" };
                let _ = write!(
                    text,
                    "<span class=\"{name}\"><span aria-hidden=\"true\">{sign}</span> {claims}{known}</span> "
                );
            }
        }
    }
    text + "</p>\n"
}

/// Claims with the same verdict for the same reasons, the gravest first, and those first that nobody
/// knew beforehand.
fn blocks(all: &[VerdictLine]) -> Vec<Vec<&VerdictLine>> {
    let mut blocks: Vec<Vec<&VerdictLine>> = Vec::new();
    for said in all {
        let key = |one: &VerdictLine| (one.word, one.as_known, one.why.clone());
        match blocks.iter_mut().find(|block| key(block[0]) == key(said)) {
            Some(block) => block.push(said),
            None => blocks.push(vec![said]),
        }
    }
    blocks.sort_by_key(|block| (block[0].word, block[0].as_known));
    blocks
}

/// What a verdict is about, its number, the place if the block has more than one, and what to change.
fn line(said: &VerdictLine, is_placed: bool) -> String {
    let place = if is_placed {
        format!(" <span class=\"place\">{}</span>", escaped(&said.place))
    } else {
        String::new()
    };
    let (what, number) = (escaped(&said.what), escaped(&said.number));
    let advice =
        said.advice.iter().map(|line| format!("\n<p class=\"advice\">{}</p>", unbroken(line)));
    let advice: String = advice.collect();
    format!("<li><span>{what}</span> <span class=\"number\">{number}</span>{place}{advice}</li>\n")
}
