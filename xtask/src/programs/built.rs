//! THE TABLE of what is built here for the image of programs. To add one is to add a row; what it is
//! called is what rows in zcprof/tests/programs/table/ ask for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::kafka_log;
use crate::cache::CacheFolder;
use crate::setup::{Ready, go, kafka};
use crate::{compile, process, tree};

/// What builds something below a folder; why it cannot be done here, if it cannot.
type Build = fn(&CacheFolder, &Ready, &Path) -> Result<Result<(), String>>;

const BUILT: &[(&str, Build)] =
    &[("go", go_programs), ("rust", rust_programs), ("java", java_programs), ("kafka", a_broker)];

/// Where the sources are.
const SOURCES: &str = "zcprof/tests/programs";

/// Builds everything into `folder`; what could not be built, with why.
///
/// # Errors
/// A source does not compile.
pub(super) fn all(
    cache: &CacheFolder,
    ready: &Ready,
    folder: &Path,
) -> Result<Vec<(&'static str, String)>> {
    let mut left_out = Vec::new();
    for (name, build) in BUILT {
        let below = folder.join(name);
        fs::create_dir(&below)?;
        let built = build(cache, ready, &below);
        if let Err(why) = built.with_context(|| format!("building programs of {name}"))? {
            left_out.push((*name, why));
        }
    }
    Ok(left_out)
}

fn go_programs(cache: &CacheFolder, _: &Ready, folder: &Path) -> Result<Result<(), String>> {
    go::build(cache, &format!("{SOURCES}/go"), &folder.join("serve"))
}

fn rust_programs(_: &CacheFolder, ready: &Ready, folder: &Path) -> Result<Result<(), String>> {
    const NAME: &str = "zcprof-served";
    let program = compile::watched(ready, &format!("{SOURCES}/rust"), NAME)?;
    fs::copy(program, folder.join(NAME))?;
    Ok(Ok(()))
}

/// The classes, and Netty's archives beside them.
fn java_programs(cache: &CacheFolder, _: &Ready, folder: &Path) -> Result<Result<(), String>> {
    let archives = match needs_java(|| kafka::netty(cache))? {
        Ok(archives) => archives,
        Err(why) => return Ok(Err(why)),
    };
    link_all(&archives, folder)?;
    let source = tree::root().join(SOURCES).join("java");
    let class_path = format!("{}/*", folder.display());
    let mut javac = Command::new("javac");
    // The image's Java is no older than this.
    javac.args(["--release", "17", "-proc:none", "-cp", &class_path, "-d"]).arg(folder);
    javac.args(["Serve.java", "Netty.java"].map(|name| source.join(name)));
    process::logged(&mut javac, &cache.path("logs/programs-java.log"))?;
    Ok(Ok(()))
}

/// A broker's archives, and the folder of a broker that has something to read.
fn a_broker(cache: &CacheFolder, _: &Ready, folder: &Path) -> Result<Result<(), String>> {
    let archives = match needs_java(|| kafka::archives(cache))? {
        Ok(archives) => archives,
        Err(why) => return Ok(Err(why)),
    };
    let log = kafka_log::folder(cache, &archives)?;
    let lib = folder.join("lib");
    fs::create_dir(&lib)?;
    link_all(&archives, &lib)?;
    let mut copy = Command::new("cp");
    process::output(copy.arg("-r").arg(log).arg(folder.join("data")))?;
    Ok(Ok(()))
}

/// What Maven fetches, unless there is no Maven or no compiler.
fn needs_java(archives: impl FnOnce() -> Result<PathBuf>) -> Result<Result<PathBuf, String>> {
    for program in ["mvn", "javac", "java"] {
        if process::find(program).is_none() {
            return Ok(Err(format!("there is no {program}; install maven and openjdk-17-jdk")));
        }
    }
    archives().map(Ok)
}

/// The files of a folder, in another of the cache.
fn link_all(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let name = path.file_name().context("an entry without a name")?;
        fs::hard_link(&path, to.join(name))
            .or_else(|_| fs::copy(&path, to.join(name)).map(drop))?;
    }
    Ok(())
}
