//! The fuzzer is a workspace of its own. Its lock file names what the crates that it links name, so that
//! building it changes no committed file.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn text(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
    fs::read_to_string(root.join(path)).expect(path)
}

/// What a manifest asks for to build a library.
fn asked(manifest: &str) -> BTreeSet<String> {
    let sections = manifest.split("\n[").filter_map(|section| section.split_once("]\n"));
    let building =
        sections.filter(|(name, _)| ["dependencies", "build-dependencies"].contains(name));
    let lines = building.flat_map(|(_, lines)| lines.lines());
    let lines = lines.filter(|line| !line.starts_with('#') && line.contains('='));
    lines.filter_map(|line| Some(line.split(['.', ' ', '=']).next()?.to_owned())).collect()
}

/// What a lock file says that a crate takes.
fn locked(lock: &str, name: &str) -> BTreeSet<String> {
    let heading = format!("name = \"{name}\"\n");
    let package = lock.split("[[package]]\n").find(|package| package.starts_with(&heading));
    let package = package.unwrap_or_else(|| panic!("{name} is not in fuzz/Cargo.lock"));
    let list = package.split_once("dependencies = [\n").map_or("", |(_, list)| list);
    let lines = list.lines().filter_map(|line| line.trim().strip_prefix('"'));
    lines.filter_map(|line| Some(line.split(['"', ' ']).next()?.to_owned())).collect()
}

#[test]
fn the_fuzzers_lock_file_follows_the_workspace() {
    let lock = text("fuzz/Cargo.lock");
    for name in ["zcprof", "zcprof-common", "zcprof-judge"] {
        let asked = asked(&text(&format!("{name}/Cargo.toml")));
        let again = "run: cargo update --workspace --manifest-path fuzz/Cargo.toml";
        assert_eq!(locked(&lock, name), asked, "{name} ({again})");
    }
}
