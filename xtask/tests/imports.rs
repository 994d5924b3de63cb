//! The import graph has no circles: of the modules that lie beside each other, none needs itself by way
//! of others. What a module takes from the one that it is a part of is no import.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Modules of a crate by path, each with the ones that it names.
type Graph = BTreeMap<Vec<String>, BTreeSet<Vec<String>>>;

/// Crates of this workspace.
const CRATES: &[&str] = &["xtask", "zcprof", "zcprof-common", "zcprof-ebpf", "zcprof-judge"];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let items = fs::read_dir(folder).expect("readable").map(|item| item.expect("an item").path());
    let files = items.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|ending| ending == "rs")).collect()
}

/// The module that a file below `src` is.
fn module(file: &Path) -> Vec<String> {
    let parts = file.with_extension("");
    let mut parts: Vec<_> =
        parts.iter().map(|part| part.to_str().expect("UTF-8").to_owned()).collect();
    if ["mod", "lib", "main"].contains(&parts.last().map_or("", |last| last)) {
        parts.pop();
    }
    parts
}

/// A text without comments, and without the tests at its end.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// The paths of a `use`, with what stands in braces written out.
fn written_out(prefix: &str, text: &str) -> Vec<String> {
    let (mut depth, mut pieces) = (0, vec![String::new()]);
    for c in text.chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if c == ',' && depth == 0 {
            pieces.push(String::new());
        } else {
            pieces.last_mut().expect("one").push(c);
        }
    }
    let of_piece = |piece: &String| {
        let piece = piece.trim();
        let inner = piece.split_once('{').zip(piece.rsplit_once('}'));
        match inner {
            Some(((before, _), (all, _))) => {
                written_out(&format!("{prefix}{before}"), &all[before.len() + 1..])
            }
            None if piece.is_empty() => Vec::new(),
            None => vec![format!("{prefix}{}", piece.split(" as ").next().unwrap_or_default())],
        }
    };
    pieces.iter().flat_map(of_piece).collect()
}

/// Every path that a module's code takes names from.
fn paths(code: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for (at, word) in code.match_indices("use ") {
        let line = code[..at].rsplit('\n').next().unwrap_or_default().trim();
        if ["", "pub", "pub(crate)", "pub(super)"].contains(&line) {
            let statement = code[at + word.len()..].split(';').next().unwrap_or_default();
            let words: Vec<_> = statement.split_whitespace().collect();
            paths.extend(written_out("", &words.join(" ")));
        }
    }
    for root in ["crate::", "super::"] {
        for (at, _) in code.match_indices(root) {
            let word = |c: &char| c.is_alphanumeric() || *c == '_' || *c == ':';
            paths.push(code[at..].chars().take_while(word).collect());
        }
    }
    paths
}

/// The module that a path written in `here` leads to, if it is one of this crate.
fn resolved(path: &str, here: &[String], modules: &BTreeSet<Vec<String>>) -> Option<Vec<String>> {
    let mut at = here.to_vec();
    let mut parts: Vec<&str> = path.split("::").collect();
    match parts[0] {
        "crate" => at.clear(),
        "super" => {}
        first => {
            let child = [here, &[first.to_owned()]].concat();
            modules.contains(&child).then_some(())?;
            parts.insert(0, "self");
        }
    }
    if parts[0] == "super" {
        while parts.first() == Some(&"super") {
            at.pop();
            parts.remove(0);
        }
    } else {
        parts.remove(0);
    }
    at.extend(parts.iter().map(|part| (*part).to_owned()));
    while !modules.contains(&at) && !at.is_empty() {
        at.pop();
    }
    Some(at)
}

fn graph(root: &Path) -> Graph {
    let files = sources(root);
    let of = |file: &PathBuf| module(file.strip_prefix(root).expect("below it"));
    let modules: BTreeSet<_> = files.iter().map(of).collect();
    let mut graph = Graph::new();
    for file in &files {
        let here = of(file);
        if here.last().is_some_and(|name| name == "tests") {
            continue;
        }
        let text = code(&fs::read_to_string(file).expect("readable"));
        let to = paths(&text).into_iter().filter_map(|path| resolved(&path, &here, &modules));
        graph.entry(here.clone()).or_default().extend(to);
    }
    graph
}

/// Of the modules within `parent`, each with those beside it that it needs.
fn siblings(graph: &Graph, parent: &[String]) -> BTreeMap<String, BTreeSet<String>> {
    let child = |module: &[String]| module.strip_prefix(parent)?.first().cloned();
    let mut needs = BTreeMap::<String, BTreeSet<String>>::new();
    for (from, all) in graph {
        let Some(from) = child(from) else { continue };
        let others = all.iter().filter_map(|to| child(to)).filter(|to| *to != from);
        needs.entry(from.clone()).or_default().extend(others);
    }
    needs
}

/// What is left when everything that needs nothing more is taken away, again and again.
fn circle(mut needs: BTreeMap<String, BTreeSet<String>>) -> BTreeMap<String, BTreeSet<String>> {
    loop {
        let left: BTreeSet<_> = needs.keys().cloned().collect();
        let before = needs.len();
        for all in needs.values_mut() {
            all.retain(|name| left.contains(name));
        }
        needs.retain(|_, all| !all.is_empty());
        if needs.len() == before {
            return needs;
        }
    }
}

#[test]
fn no_module_needs_itself() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
    for name in CRATES {
        let graph = graph(&root.join(name).join("src"));
        let needs: usize = graph.values().map(BTreeSet::len).sum();
        assert!(graph.len() > 3 && needs > 3, "{name}: the imports are not understood: {graph:?}");
        let mut parents: BTreeSet<&[String]> = BTreeSet::from([&[][..]]);
        parents.extend(graph.keys().filter_map(|module| Some(module.split_last()?.1)));
        for parent in parents {
            let circle = circle(siblings(&graph, parent));
            assert!(circle.is_empty(), "{name}::{}: {circle:#?}", parent.join("::"));
        }
    }
}

#[test]
fn a_circle_is_seen() {
    let all = |text: &str| written_out("", text);
    assert_eq!(
        all("crate::{a::{self, B}, c::D as E}"),
        ["crate::a::self", "crate::a::B", "crate::c::D"]
    );
    let needs = |pairs: &[(&str, &str)]| {
        let mut needs = BTreeMap::<String, BTreeSet<String>>::new();
        for (from, to) in pairs {
            needs.entry((*from).to_owned()).or_default().insert((*to).to_owned());
            needs.entry((*to).to_owned()).or_default();
        }
        needs
    };
    assert!(circle(needs(&[("a", "b"), ("b", "c"), ("a", "c")])).is_empty());
    assert_eq!(circle(needs(&[("a", "b"), ("b", "c"), ("c", "b"), ("c", "d")])).len(), 3);
}
