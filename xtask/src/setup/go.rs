//! Kafka's clients for Go, which a program in the tests links. Go itself is taken where it is; its
//! own way to get the version that the program asks for is left to it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::found::{Found, at_least};
use crate::cache::CacheFolder;
use crate::{process, tree};

/// From this version on Go fetches a newer one of itself, if a program asks for it.
const LEAST: (u32, u32) = (1, 21);

/// Debian's package.
const PACKAGE: &str = "golang-go";

/// Where Go's own installation puts it.
const USUAL: &str = "/usr/local/go/bin/go";

/// The program that reads with a client for Go, or why there is none here.
///
/// # Errors
/// It does not compile.
pub(crate) fn consumer(cache: &CacheFolder) -> Result<Result<PathBuf, String>> {
    let program = cache.path("tools/kafka-clients-go");
    Ok(build(cache, "zcprof/tests/clients/go", &program)?.map(|()| program))
}

/// Builds the sources of a folder, statically; why it cannot be done here, if it cannot.
///
/// # Errors
/// They do not compile.
pub(crate) fn build(
    cache: &CacheFolder,
    source: &str,
    program: &Path,
) -> Result<Result<(), String>> {
    let go = match find() {
        Ok(go) => go,
        Err(why) => return Ok(Err(why)),
    };
    let source = tree::root().join(source);
    let command = |words: &[&str]| {
        let mut command = Command::new(&go);
        command.current_dir(&source).env("CGO_ENABLED", "0").args(words);
        command
    };
    let log = cache.path("logs/go.log");
    if let Err(error) = process::logged(&mut command(&["mod", "download"]), &log) {
        return Ok(Err(format!("its modules cannot be fetched: {error:#}")));
    }
    // What is compiled already Go knows itself.
    let words = ["build", "-mod=readonly", "-trimpath", "-o"];
    process::logged(command(&words).arg(program), &log)?;
    Ok(Ok(()))
}

/// A Go that can be used, or why there is none.
fn find() -> Result<PathBuf, String> {
    let usual = || Some(PathBuf::from(USUAL)).filter(|path| path.is_file());
    let Some(go) = process::find("go").or_else(usual) else {
        return Err(format!("there is no Go; install {PACKAGE}"));
    };
    fit(&go).map(|()| go)
}

fn fit(go: &Path) -> Result<(), String> {
    // Its own version, whatever it would fetch for a program.
    let said = process::output(Command::new(go).env("GOTOOLCHAIN", "local").arg("version"));
    let said = said.map_err(|error| format!("{error:#}"))?;
    match at_least(&said.replace(" go1", " 1"), LEAST) {
        Found::Unfit(why) => Err(format!("{}: {why}", go.display())),
        _ => Ok(()),
    }
}
