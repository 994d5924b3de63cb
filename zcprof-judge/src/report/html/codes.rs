//! The pages of the codes, as paragraphs that fit any screen. They are written for a terminal, in lines
//! of a fixed width; what is typed into a shell keeps its lines.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::verdict_line::VerdictLine;
use crate::report::xml::escaped;
use crate::verdict::explain::{Code, SECTIONS};

/// The section that has commands.
const COMMANDS: &str = "How to confirm";

/// A line with room for the next word up to here ends its paragraph, if it ends a sentence.
const FULL: usize = 80;

/// The pages of every code that is named, each once.
pub(super) fn html(all: &[VerdictLine]) -> String {
    let named = all.iter().flat_map(|said| &said.why).flat_map(|reason| &reason.codes);
    let named: BTreeMap<&str, &Code> = named.map(|code| (code.name, *code)).collect();
    let mut text = String::new();
    for code in named.values() {
        let (name, title) = (code.name, escaped(code.title));
        let _ = writeln!(text, "<article id=\"{name}\">\n<h3>{name} {title}</h3>");
        for heading in SECTIONS {
            let _ = write!(text, "<h4>{heading}</h4>\n{}", section(code, heading));
        }
        text.push_str("</article>\n");
    }
    text
}

/// What stands under one of the page's headings.
fn section(code: &Code, heading: &str) -> String {
    let body = code.lines_of(heading).unwrap_or_default();
    if heading == COMMANDS {
        let lines: Vec<&str> =
            body.lines().map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
        return format!("<pre tabindex=\"0\">{}</pre>\n", escaped(&lines.join("\n")));
    }
    paragraphs(body).iter().fold(String::new(), |text, one| text + "<p>" + &escaped(one) + "</p>\n")
}

/// Lines put together into the paragraphs that they were.
fn paragraphs(body: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut is_open = false;
    let mut lines = body.lines().map(str::trim).peekable();
    while let Some(line) = lines.next() {
        match all.last_mut().filter(|_| is_open) {
            Some(open) => *open = format!("{open} {line}"),
            None => all.push(line.to_owned()),
        }
        let next = lines.peek().and_then(|next| next.split(' ').next()).map_or(0, str::len);
        is_open = !line.ends_with('.') || line.len() + 1 + next > FULL;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::explain::CODES;

    #[test]
    fn a_page_loses_no_word_and_no_section() {
        for code in CODES {
            for heading in SECTIONS.into_iter().filter(|heading| *heading != COMMANDS) {
                let words = paragraphs(code.lines_of(heading).expect("a section"));
                assert_eq!(Some(words.join(" ")), code.section(heading), "{}", code.name);
            }
            assert!(section(code, COMMANDS).len() > 30, "{}", code.name);
        }
    }

    #[test]
    fn a_short_line_ends_a_paragraph() {
        let body = "  A read is a copy, which the kernel makes for every single folio of the file, on each\n  \
                    kernel.\n  A wrapper can hide it.\n";
        let all = paragraphs(body);
        assert_eq!(all.len(), 2, "{all:?}");
        assert_eq!(all[1], "A wrapper can hide it.");
    }
}
