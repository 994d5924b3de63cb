//! Where this machine gets Debian packages from, pointed at another suite.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::exit::Unmet;

/// A variable that names a Debian source file, for machines whose own sources are not Debian's.
pub(crate) const VARIABLE: &str = "ZCPROF_DEBIAN_SOURCE";

/// A source file's text for `suite`, and the ending that tells apt which of two formats it has.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) text: String,
    pub(crate) ending: &'static str,
}

/// Copies the machine's own Debian source, for `suite` alone.
pub(crate) fn for_suite(suite: &str) -> Result<Source> {
    let files = match env::var_os(VARIABLE) {
        Some(file) => vec![PathBuf::from(file)],
        None => own_files(),
    };
    for file in &files {
        let Ok(text) = fs::read_to_string(file) else { continue };
        let found = match file.extension().and_then(|ending| ending.to_str()) {
            Some("sources") => deb822(&text, suite).map(|text| Source { text, ending: "sources" }),
            _ => one_line(&text, suite).map(|text| Source { text, ending: "list" }),
        };
        if let Some(source) = found {
            return Ok(source);
        }
    }
    Err(Unmet(format!(
        "this machine has no Debian package source to fetch kernels from; \
         set {VARIABLE} to a .sources or .list file for Debian (with its keyring)"
    )))
    .context("looking for a Debian source")
}

fn own_files() -> Vec<PathBuf> {
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    let parts = fs::read_dir(Path::new("/etc/apt/sources.list.d"));
    let mut parts: Vec<PathBuf> =
        parts.into_iter().flatten().filter_map(|item| Some(item.ok()?.path())).collect();
    parts.retain(|path| path.extension().is_some_and(|e| e == "sources" || e == "list"));
    parts.sort();
    files.extend(parts);
    files
}

/// True if an address is of a Debian archive proper: its path ends in `/debian`. That of the
/// security updates does not, nor do third parties'.
fn is_debian(address: &str) -> bool {
    address.trim_end_matches('/').ends_with("/debian")
}

/// Rewrites the first Debian stanza of a deb822 file.
fn deb822(text: &str, suite: &str) -> Option<String> {
    let stanza = text.split("\n\n").find(|stanza| {
        let field = |name| value(stanza, name);
        field("types").is_some_and(|types| types.split_whitespace().any(|word| word == "deb"))
            && field("uris").is_some_and(|uris| uris.split_whitespace().any(is_debian))
            && field("enabled").is_none_or(|enabled| enabled.eq_ignore_ascii_case("yes"))
    })?;
    let mut rewritten = String::new();
    let mut dropped = false;
    for line in stanza.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        if line.starts_with([' ', '\t']) {
            if !dropped {
                rewritten.extend([line, "\n"]);
            }
            continue;
        }
        let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        dropped = matches!(name.as_str(), "types" | "suites" | "components" | "architectures");
        if !dropped {
            rewritten.extend([line, "\n"]);
        }
    }
    Some(format!(
        "Types: deb\nSuites: {suite}\nComponents: main\nArchitectures: amd64\n{rewritten}"
    ))
}

/// The value of a field on its own line.
fn value<'a>(stanza: &'a str, wanted: &str) -> Option<&'a str> {
    stanza.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case(wanted).then(|| value.trim())
    })
}

/// Rewrites the first Debian line of a classic file.
fn one_line(text: &str, suite: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let rest = line.trim().strip_prefix("deb ")?.trim();
        let (options, rest) = match rest.strip_prefix('[') {
            Some(bracket) => bracket.split_once(']')?,
            None => ("", rest),
        };
        let address = rest.split_whitespace().next().filter(|address| is_debian(address))?;
        let signed: Vec<&str> =
            options.split_whitespace().filter(|option| !option.starts_with("arch=")).collect();
        let options = ["arch=amd64"].into_iter().chain(signed).collect::<Vec<_>>().join(" ");
        Some(format!("deb [{options}] {address} {suite} main\n"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEB822: &str = "\
Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Types: deb deb-src
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
 contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
";

    #[test]
    fn a_deb822_stanza_keeps_its_address_and_key_and_gets_the_suite() {
        let wanted = "\
Types: deb
Suites: trixie-backports
Components: main
Architectures: amd64
URIs: http://mirror.example/debian
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
";
        assert_eq!(deb822(DEB822, "trixie-backports").as_deref(), Some(wanted));
    }

    #[test]
    fn an_embedded_key_is_kept_whole() {
        let text = "Types: deb\nURIs: http://m.example/debian/\nSuites: a\nSigned-By:\n -----BEGIN\n .\n x\n";
        let rewritten = deb822(text, "b").expect("a Debian stanza");
        assert!(rewritten.ends_with("Signed-By:\n -----BEGIN\n .\n x\n"), "{rewritten}");
    }

    #[test]
    fn other_archives_disabled_stanzas_and_source_only_ones_are_passed_over() {
        for text in [
            "Types: deb\nURIs: http://m.example/ubuntu\nSuites: noble\n",
            "Types: deb\nURIs: http://m.example/debian\nSuites: a\nEnabled: no\n",
            "Types: deb-src\nURIs: http://m.example/debian\nSuites: a\n",
        ] {
            assert_eq!(deb822(text, "trixie"), None, "{text}");
        }
    }

    #[test]
    fn a_classic_line_keeps_its_options() {
        let text = "# deb http://x.example/debian a main\n\
            deb http://m.example/debian-security bookworm-security main\n\
            deb [signed-by=/k.gpg arch=arm64] http://m.example/debian bookworm main contrib\n";
        let wanted = "deb [arch=amd64 signed-by=/k.gpg] http://m.example/debian trixie main\n";
        assert_eq!(one_line(text, "trixie").as_deref(), Some(wanted));
        let plain = one_line("deb http://m.example/debian sid main", "trixie");
        assert_eq!(
            plain.as_deref(),
            Some("deb [arch=amd64] http://m.example/debian trixie main\n")
        );
        assert_eq!(one_line("deb http://m.example/ubuntu noble main", "trixie"), None);
    }
}
