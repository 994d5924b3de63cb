//! Verdicts, why they are so, and the pages of the codes.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::report::xml::escaped;
use crate::verdict::explain::{CODES, Code};

/// A verdict.
pub(super) struct VerdictLine {
    /// `refuted`, `inconclusive` or `holds`.
    pub(super) word: String,
    /// What was claimed of what: `zero-copy of port 80`.
    pub(super) what: String,
    /// The number behind it.
    pub(super) number: String,
    /// Codes and words, unless it holds.
    pub(super) why: Vec<(Vec<String>, String)>,
}

/// What can be said, the gravest first, each with its sign.
const WORDS: [(&str, &str); 3] = [("refuted", "✗"), ("inconclusive", "?"), ("holds", "✓")];

fn ordered(all: &[VerdictLine]) -> Vec<(&VerdictLine, &'static str, &'static str)> {
    let of = |(word, sign): (&'static str, &'static str)| {
        let its = all.iter().filter(move |said| said.word == word);
        its.map(move |said| (said, word, sign))
    };
    WORDS.into_iter().flat_map(of).collect()
}

/// Every verdict: word, sign and colour.
pub(super) fn list(all: &[VerdictLine]) -> String {
    let mut text = String::from("<ul class=\"verdicts\">\n");
    for (said, word, sign) in ordered(all) {
        let _ = writeln!(
            text,
            "<li class=\"{word}\"><span class=\"sign\" aria-hidden=\"true\">{sign}</span>\
             <strong>{word}</strong> <span>{}</span> <span class=\"number\">{}</span></li>",
            escaped(&said.what),
            escaped(&said.number)
        );
    }
    text + "</ul>\n"
}

/// What every verdict but `holds` rests on; nothing where all hold.
pub(super) fn why(all: &[VerdictLine]) -> String {
    let mut text = String::new();
    for (said, word, sign) in ordered(all).into_iter().filter(|(said, ..)| !said.why.is_empty()) {
        let _ =
            writeln!(text, "<h3>{sign} {}: {word}</h3>\n<ul class=\"why\">", escaped(&said.what));
        for (codes, words) in &said.why {
            let links: Vec<String> = codes.iter().map(|code| link(code)).collect();
            let _ = writeln!(text, "<li>{} {}</li>", links.join(" "), escaped(words));
        }
        text.push_str("</ul>\n");
    }
    text
}

fn find(name: &str) -> Option<&'static Code> {
    CODES.iter().copied().find(|code| code.name == name)
}

fn link(name: &str) -> String {
    match find(name) {
        Some(code) => {
            format!("<a href=\"#{0}\">{0}</a> <em>{1}</em>:", code.name, escaped(code.title))
        }
        None => escaped(name),
    }
}

/// The pages of every code that is named, each once.
pub(super) fn codes(all: &[VerdictLine]) -> String {
    let named = all.iter().flat_map(|said| &said.why).flat_map(|(codes, _)| codes);
    let named: BTreeSet<&str> = named.map(String::as_str).collect();
    let mut text = String::new();
    for code in named.into_iter().filter_map(find) {
        let _ = writeln!(
            text,
            "<article id=\"{0}\">\n<h3>{0} {1}</h3>\n<pre class=\"page\">{2}</pre></article>",
            code.name,
            escaped(code.title),
            escaped(code.page.trim_end())
        );
    }
    text
}
