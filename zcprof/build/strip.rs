//! Makes the compiled eBPF programs small, and the same wherever they were compiled.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context as _, Result};
use object::build::elf::{Builder, SectionData};
use object::elf::SHT_STRTAB;

/// Takes away what is for debuggers, which is nine tenths of the object: the loader would read it all at
/// every start, and its relocations. The kernel's own kind of it, BTF, stays.
pub(crate) fn strip(object: &Path) -> Result<()> {
    let whole = fs::read(object)?;
    let mut kept = Builder::read(whole.as_slice())?;
    for section in &mut kept.sections {
        let name = section.name.as_slice();
        section.delete = name.starts_with(b".debug") || name.starts_with(b".rel.debug");
    }
    shorten_paths(&mut kept)?;
    kept.delete_orphans();
    // LLVM keeps the sections' names with the symbols'; this writer wants them apart.
    let names = kept.sections.add();
    names.name = b".shstrtab"[..].into();
    names.sh_type = SHT_STRTAB;
    names.sh_addralign = 1;
    names.data = SectionData::SectionString;
    let mut stripped = Vec::new();
    kept.write(&mut stripped)?;
    fs::write(object, stripped)?;
    Ok(())
}

/// Cuts the folders of this machine off the names of source files in BTF, where a verifier's log takes
/// them from.
fn shorten_paths(kept: &mut Builder<'_>) -> Result<()> {
    let cargo = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo = cargo.or_else(|| Some(env::home_dir()?.join(".cargo"))).context("a home folder")?;
    let registries = fs::read_dir(cargo.join("registry/src"))?;
    let registries = registries.map(|entry| entry.map(|entry| entry.path()));
    let folders = [fs::canonicalize("..")].into_iter().chain(registries);
    let folders: Vec<PathBuf> = folders.collect::<std::io::Result<_>>()?;
    for section in &mut kept.sections {
        if section.name.as_slice() != b".BTF" {
            continue;
        }
        let SectionData::Data(data) = &mut section.data else { continue };
        let mut strings = data.as_slice().to_vec();
        let first = strings_of(&strings).context("a BTF header")?;
        for folder in &folders {
            cut_off(&mut strings[first..], format!("{}/", folder.display()).as_bytes());
        }
        *data = strings.into();
    }
    Ok(())
}

/// Where the strings begin: `struct btf_header`, include/uapi/linux/btf.h.
fn strings_of(btf: &[u8]) -> Option<usize> {
    let word = |at: usize| Some(u32::from_le_bytes(btf.get(at..at + 4)?.try_into().ok()?) as usize);
    let first = word(4)? + word(16)?;
    (first <= btf.len()).then_some(first)
}

/// Replaces each string that begins with a prefix by its rest. What is left over are zeros, so that
/// every string stays where it is.
fn cut_off(strings: &mut [u8], prefix: &[u8]) {
    let mut at = 0;
    while at < strings.len() {
        let end =
            strings[at..].iter().position(|byte| *byte == 0).map_or(strings.len(), |n| at + n);
        if strings[at..end].starts_with(prefix) {
            strings.copy_within(at + prefix.len()..end, at);
            strings[end - prefix.len()..end].fill(0);
        }
        at = end + 1;
    }
}
