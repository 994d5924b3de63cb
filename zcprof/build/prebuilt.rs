//! The compiled eBPF programs that lie in the repository, and the hashes that say whether they are those
//! of the sources beside them. `xtask` has this file too.

use std::fs;
use std::io::{Error, Result};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// The object, from the root of the repository.
pub(crate) const OBJECT: &str = "zcprof-ebpf/prebuilt/zcprof.bpf.o";

/// Its label.
pub(crate) const LABEL: &str = "zcprof-ebpf/prebuilt/LABEL";

/// What decides how the object comes out: files, and folders with all that is in them.
pub(crate) const SOURCES: &[&str] = &[
    "zcprof-ebpf/Cargo.toml",
    "zcprof-ebpf/build.rs",
    "zcprof-ebpf/src",
    "zcprof-common/Cargo.toml",
    "zcprof-common/src",
    "zcprof/build",
];

/// What the label says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Label {
    /// Hash of the sources.
    pub(crate) sources: String,
    /// Hash of the object.
    pub(crate) object: String,
    /// Which compiler made it.
    pub(crate) compiler: String,
}

impl Label {
    /// The label as it lies in the repository.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let path = root.join(LABEL);
        let text = fs::read_to_string(&path)?;
        let field = |name: &str| {
            let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            let missing = || Error::other(format!("{}: no line `{name} …`", path.display()));
            found.map(str::to_owned).ok_or_else(missing)
        };
        Ok(Self {
            sources: field("sources")?,
            object: field("object")?,
            compiler: field("compiler")?,
        })
    }

    /// Its text.
    #[cfg_attr(not(test), allow(dead_code, reason = "only xtask writes it"))]
    pub(crate) fn text(&self) -> String {
        let Self { sources, object, compiler } = self;
        format!("sources {sources}\nobject {object}\ncompiler {compiler}\n")
    }
}

/// The prebuilt object and its label, if it is the one of these sources; else why not.
pub(crate) fn in_step(root: &Path) -> Result<(PathBuf, Label)> {
    let label = Label::read(root)?;
    let object = root.join(OBJECT);
    if label.sources != sources(root)? {
        return Err(Error::other("the sources of the eBPF programs have changed since"));
    }
    if label.object != hash(&fs::read(&object)?) {
        return Err(Error::other(format!("{} is not what its label says", object.display())));
    }
    Ok((object, label))
}

/// Hash of the sources, with the versions of the crates that the programs are compiled with.
pub(crate) fn sources(root: &Path) -> Result<String> {
    let mut files = Vec::new();
    for source in SOURCES {
        collect(&root.join(source), &mut files)?;
    }
    files.sort();
    let mut all = Sha256::new();
    for file in files {
        let name = file.strip_prefix(root).map_err(Error::other)?.display().to_string();
        let text = fs::read(&file)?;
        all.update(format!("{name} {}\n", text.len()));
        all.update(text);
    }
    let lock = fs::read_to_string(root.join("Cargo.lock"))?;
    for package in lock.split("[[package]]").filter(|text| text.contains("\nname = \"aya")) {
        all.update(package.trim());
    }
    Ok(hex(&all.finalize()))
}

/// Hash of some bytes.
pub(crate) fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        collect(&entry?.path(), files)?;
    }
    Ok(())
}
