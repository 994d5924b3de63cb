//! Makes the compiled eBPF programs small.

use std::fs;
use std::path::Path;

use anyhow::Result;
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
