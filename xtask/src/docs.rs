//! The books and pages of this project link only to what is there.

#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};

use crate::tree;

/// Where a Markdown text links to, without anchors; other sites are not asked.
fn links(text: &str) -> Vec<&str> {
    let after = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let paths = after.map(|link| link.split('#').next().unwrap_or_default());
    paths.filter(|link| !link.is_empty() && !link.contains("://")).collect()
}

fn pages(folder: &Path) -> Vec<PathBuf> {
    let items = fs::read_dir(folder).expect("readable").map(|item| item.expect("an item").path());
    let pages = items.flat_map(|path| if path.is_dir() { pages(&path) } else { vec![path] });
    pages.filter(|page| page.extension().is_some_and(|ending| ending == "md")).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let root = tree::root();
    let top = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "RED-TEAM.md", "CHANGELOG.md"];
    let book = pages(&root.join("docs/src"));
    for page in top.iter().map(|page| root.join(page)).chain(book) {
        let text = fs::read_to_string(&page).expect("a page");
        for link in links(&text) {
            let to = page.parent().expect("a folder").join(link);
            assert!(to.exists(), "{}: {link}", page.display());
        }
    }
}

#[test]
fn every_page_of_the_book_is_in_its_summary() {
    let folder = tree::root().join("docs/src");
    let summary = fs::read_to_string(folder.join("SUMMARY.md")).expect("a summary");
    let listed: Vec<_> = links(&summary).into_iter().map(|link| folder.join(link)).collect();
    for page in pages(&folder) {
        assert!(page.ends_with("SUMMARY.md") || listed.contains(&page), "{}", page.display());
    }
}
