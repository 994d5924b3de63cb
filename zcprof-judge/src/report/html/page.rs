//! A page: what was said and why first, then pictures, numbers, coverage and codes. It can be read
//! without a script; a small one sorts tables.

use std::fmt::Write as _;

use super::Files;
use super::codes;
use super::coverage;
use super::grid;
use super::pictures;
use super::said;
use super::verdict_line::VerdictLine;
use crate::report::columns::Column;
use crate::report::numbers::{counted, grouped, share, size_of};
use crate::report::stacks::{FLAME, hints};
use crate::report::xml::escaped;
use crate::run::Coverage;
use crate::stacks::Stacks;
use crate::stacks::top::functions;
use crate::stacks::tree::Tree;

/// Most rows of a table of numbers that is not folded.
const OPEN_ROWS: usize = 100;

/// Functions that are listed.
const TOP: usize = 20;

/// What a page shows.
pub(super) struct Page<'a> {
    /// The finding, in a sentence.
    pub(super) title: String,
    /// Where and of whom, a line each.
    pub(super) about: Vec<String>,
    /// Empty where nothing was claimed.
    pub(super) said: Vec<VerdictLine>,
    /// What is said where there might have been verdicts; none where nothing was to be judged.
    pub(super) nothing_said: Option<&'static str>,
    /// The other files of the same record.
    pub(super) files: Files<'a>,
    pub(super) stacks: Option<&'a Stacks>,
    pub(super) columns: Vec<Column>,
    pub(super) coverage: Option<&'a Coverage>,
    /// Name of the file that has every number as text.
    pub(super) text: &'static str,
}

impl Page<'_> {
    /// The file.
    pub(super) fn html(&self) -> Vec<u8> {
        let mut sections = Vec::new();
        sections.extend(self.verdicts().map(|said| ("verdicts", "Verdicts", said)));
        sections.push(("pictures", "Pictures", pictures::html(self.files)));
        if self.stacks.is_some() {
            sections.push(("stacks", "Who copied", self.who()));
        }
        sections.push(("numbers", "Numbers", self.numbers()));
        if let Some(known) = self.coverage {
            sections.push(("coverage", "What could be seen", coverage::html(known)));
        }
        let codes = codes::html(&self.said);
        if !codes.is_empty() {
            sections.push(("codes", "What the codes mean", codes));
        }
        let mut nav = String::new();
        let mut main = String::new();
        for (id, heading, body) in sections {
            let _ = write!(nav, "<a href=\"#{id}\">{heading}</a> ");
            let _ = writeln!(main, "<section id=\"{id}\">\n<h2>{heading}</h2>\n{body}</section>");
        }
        let title = escaped(&self.title);
        let mut about = String::new();
        for line in &self.about {
            let _ = writeln!(about, "<p>{}</p>", escaped(line));
        }
        let (style, script) = (include_str!("style.css"), include_str!("sort.js"));
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
             <meta name=\"color-scheme\" content=\"light dark\"/>\n<link rel=\"icon\" href=\"data:,\"/>\n\
             <title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n\
             <header>\n<h1>{title}</h1>\n{about}</header>\n<nav>{nav}</nav>\n\
             <main>\n{main}</main>\n<script>/*<![CDATA[*/\n{script}/*]]>*/</script>\n</body>\n</html>\n"
        )
        .into_bytes()
    }

    /// None where nothing was claimed.
    fn verdicts(&self) -> Option<String> {
        if self.said.is_empty() {
            return self.nothing_said.map(|said| format!("<p>{}</p>\n", escaped(said)));
        }
        Some(said::html(&self.said))
    }

    /// The flame graph, and the functions that copied most.
    fn who(&self) -> String {
        let Some(stacks) = self.stacks else { return String::new() };
        let svg = pictures::svg(self.files, FLAME).unwrap_or_default();
        // What is lost is part of the whole, as in the picture.
        let tree = Tree::of(stacks);
        let all = tree.root().copied();
        let top = functions(stacks);
        let column = |heading: &str, left, cells: Vec<String>| Column {
            heading: vec![heading.to_owned()],
            cells,
            left,
        };
        let shown = || top.iter().take(TOP);
        let columns = [
            column("function", true, shown().map(|top| top.frame.name.clone()).collect()),
            column("file", true, shown().map(|top| top.frame.file.clone()).collect()),
            column("program", true, shown().map(|top| top.charged.clone()).collect()),
            column("copied", false, shown().map(|top| size_of(top.bytes)).collect()),
            column("share", false, shown().map(|top| share(top.bytes, all)).collect()),
        ];
        let more = match top.len().saturating_sub(TOP) {
            0 => String::new(),
            more => format!("<p>And {} more.</p>\n", counted(more as u64, "function", "functions")),
        };
        let paragraph = |text: String, hint: &String| text + "<p>" + &escaped(hint) + "</p>\n";
        let hints = hints(stacks, tree.root().bytes()).iter().fold(String::new(), paragraph);
        format!(
            "{}{hints}<h3>The functions that copied</h3>\n{}{more}",
            pictures::figure(FLAME, svg),
            grid::html("The functions that copied, those of most bytes first", &columns)
        )
    }

    fn numbers(&self) -> String {
        let table = match &*self.columns {
            [] => String::new(),
            columns => {
                let rows = columns[0].cells.len();
                let caption = format!("Numbers, in columns; {} has all of them", self.text);
                let table = grid::html(&caption, columns);
                let shown = grouped(rows as u64);
                let all =
                    format!("<details><summary>All {shown} rows</summary>\n{table}</details>\n");
                if rows > OPEN_ROWS { all } else { table }
            }
        };
        let text = self.files.iter().find(|(name, _)| *name == self.text);
        let text = text.map_or_else(String::new, |(name, bytes)| {
            let words = escaped(&String::from_utf8_lossy(bytes));
            format!(
                "<details><summary>{name}</summary>\n<pre tabindex=\"0\">{words}</pre></details>\n"
            )
        });
        table + &text
    }
}
