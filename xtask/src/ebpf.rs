//! `cargo xtask ebpf`: compares the prebuilt eBPF programs with what their sources compile to, or compiles
//! them anew. With prebuilt ones nobody needs a compiler for BPF to build zcprof.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use crate::cache::CacheFolder;
use crate::exit::Exit;
use crate::prebuilt::{self, Label};
use crate::setup::{self, Wants};
use crate::{compile, tree};

/// What a person can type when they are not in step.
const REMEDY: &str = "run `cargo xtask ebpf --publish`";

/// Options of `ebpf`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Replace the prebuilt programs by what was compiled now.
    #[arg(long)]
    publish: bool,
}

/// Does `cargo xtask ebpf`.
pub(crate) fn command(options: &Options) -> Result<Exit> {
    let cache = CacheFolder::open()?;
    let wants = Wants { build: true, ebpf: true, ..Wants::default() };
    let ready = setup::ensure(&cache, &wants)?;
    let built = compile::ebpf(&ready)?;
    if options.publish {
        publish(&built, &ready.compiler)?;
    }
    match agree(&built, &ready.compiler) {
        Ok(said) => {
            println!("{said}");
            Ok(Exit::Holds)
        }
        Err(error) => {
            println!("{error:#}");
            Ok(Exit::Refuted)
        }
    }
}

/// Puts compiled programs into the repository, with their label.
fn publish(built: &Path, compiler: &str) -> Result<()> {
    let root = &tree::root();
    let object = fs::read(built).with_context(|| format!("cannot read {}", built.display()))?;
    let label = Label {
        sources: prebuilt::sources(root).context("hashing the sources")?,
        object: prebuilt::hash(&object),
        compiler: compiler.to_owned(),
    };
    for (path, content) in
        [(prebuilt::OBJECT, object), (prebuilt::LABEL, label.text().into_bytes())]
    {
        let path = root.join(path);
        let folder = path.parent().context("a folder")?;
        fs::create_dir_all(folder)?;
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Says that the prebuilt programs are those of the sources here, and that this compiler makes the same
/// ones of them, if it is the one that made them.
///
/// # Errors
/// They are not.
pub(crate) fn agree(built: &Path, compiler: &str) -> Result<String> {
    let (prebuilt, label) = prebuilt::in_step(&tree::root())
        .with_context(|| format!("the prebuilt eBPF programs do not serve; {REMEDY}"))?;
    if label.compiler != compiler {
        let other = label.compiler;
        return Ok(format!(
            "of these sources, and compiled by {other}: not compared with {compiler}"
        ));
    }
    ensure!(
        fs::read(&prebuilt)? == fs::read(built)?,
        "the prebuilt eBPF programs are not what {compiler} makes of these sources; {REMEDY}"
    );
    Ok(format!("what {compiler} makes of these sources, byte by byte"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prebuilt::{hash, in_step, sources};

    /// Nobody can build without a compiler for BPF what was changed without `--publish`.
    #[test]
    fn the_prebuilt_programs_are_in_step() {
        in_step(&tree::root()).unwrap_or_else(|error| panic!("{error}; {REMEDY}"));
    }

    #[test]
    fn a_changed_source_or_object_does_not_serve() {
        let copy = tempfile::tempdir().expect("a folder");
        let root = copy.path();
        for source in prebuilt::SOURCES.iter().chain(&["Cargo.lock"]) {
            let path = root.join(source);
            let is_file = Path::new(source).extension().is_some();
            let file = if is_file { path } else { path.join("file.rs") };
            fs::create_dir_all(file.parent().expect("a folder")).expect("made");
            fs::write(&file, "[[package]]\nname = \"aya\"\n").expect("written");
        }
        assert!(in_step(root).is_err(), "there is no label");
        let label = Label {
            sources: sources(root).expect("hashed"),
            object: hash(b"programs"),
            compiler: "one".to_owned(),
        };
        let object = root.join(prebuilt::OBJECT);
        fs::create_dir_all(object.parent().expect("a folder")).expect("made");
        fs::write(root.join(prebuilt::LABEL), label.text()).expect("written");
        fs::write(&object, b"others").expect("written");
        let error = in_step(root).expect_err("another object").to_string();
        assert!(error.contains("label"), "{error}");
        fs::write(&object, b"programs").expect("written");
        assert_eq!(in_step(root).expect("in step"), (object, label));
        for changed in ["zcprof-common/src/file.rs", "Cargo.lock"] {
            let path = root.join(changed);
            let before = fs::read(&path).expect("read");
            fs::write(&path, "[[package]]\nname = \"aya\"\nversion = \"2\"\n").expect("written");
            let error = in_step(root).expect_err(changed).to_string();
            assert!(error.contains("changed"), "{error}");
            fs::write(&path, before).expect("written");
        }
        in_step(root).expect("in step again");
    }
}
