//! Files of debug information that a program's own file names. blazesym looks for them in folders of the
//! host and then beside the program, where its owner may have put a pipe that keeps who opens it.

use std::fs::{File, metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use object::{Object as _, ReadCache};

use super::foreign;

/// A file that is read piece by piece.
pub(super) type ParsedFile<'a> = object::File<'a, &'a ReadCache<&'a File>>;

/// Folders of the host that blazesym looks through first (`DEFAULT_DEBUG_DIRS` of 0.2.7).
const FOLDERS: [&str; 2] = ["/usr/lib/debug", "/lib/debug"];

/// Whether blazesym may look for debug information of a file: it stands in the file itself, or the host
/// has it under the file's build ID, which is where blazesym looks first.
pub(super) fn may_be_sought(object: &ParsedFile<'_>, file: &File) -> bool {
    let has = |section: &str| object.section_by_name(section).is_some();
    if has(".gnu_debugaltlink") || has(".debug_sup") {
        return false;
    }
    !has(".gnu_debuglink") || (is_found_by_its_path(file) && is_with_the_host(object))
}

/// Whether the host has debug information under the build ID.
fn is_with_the_host(object: &ParsedFile<'_>) -> bool {
    let Ok(Some([first, rest @ ..])) = object.build_id() else { return false };
    let hex = |text: String, byte: &u8| format!("{text}{byte:02x}");
    let rest = rest.iter().fold(String::new(), hex);
    // blazesym takes shorter ones for none.
    rest.len() >= 14
        && FOLDERS.iter().any(|folder| {
            let path = PathBuf::from(folder).join(format!(".build-id/{first:02x}/{rest}.debug"));
            metadata(path).is_ok_and(|found| found.is_file())
        })
}

/// Whether its path leads to it from here, as it does not where a container has it: there blazesym reads
/// the build ID.
fn is_found_by_its_path(file: &File) -> bool {
    let found = foreign::path(file).canonicalize().and_then(metadata);
    let same = |found: &std::fs::Metadata| {
        file.metadata().is_ok_and(|own| (own.dev(), own.ino()) == (found.dev(), found.ino()))
    };
    found.is_ok_and(|found| same(&found))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;
    use std::{fs, io, thread};

    use blazesym::symbolize::source::Source;
    use blazesym::symbolize::{Input, Symbolized, Symbolizer};
    use nix::sys::stat::Mode;
    use object::build::elf::{Builder, SectionData};
    use object::{Endianness, elf};

    use super::super::binaries::Binary;
    use super::*;

    /// Where the code of the program below begins, in memory and in its file.
    const CODE: u64 = 0x1000;

    /// A program of one function, `copies`, which says that its debug information is elsewhere.
    fn program(debug_link: &str) -> Vec<u8> {
        let mut link = debug_link.as_bytes().to_vec();
        link.resize(link.len().next_multiple_of(4) + 4, 0);
        link.extend(0_u32.to_le_bytes());
        let mut file = Builder::new(Endianness::Little, true);
        (file.header.e_type, file.header.e_machine) = (elf::ET_DYN, elf::EM_X86_64);
        file.header.e_phoff = 64;
        let mut add = |name: &'static str, kind, data| {
            let section = file.sections.add();
            (section.name, section.sh_type, section.data) = (name.into(), kind, data);
            section.sh_addralign = 1;
            section.id()
        };
        let code = add(".text", elf::SHT_PROGBITS, SectionData::Data(vec![0x90; 16].into()));
        add(".gnu_debuglink", elf::SHT_PROGBITS, SectionData::Data(link.into()));
        let strings = add(".strtab", elf::SHT_STRTAB, SectionData::String);
        let symbols = add(".symtab", elf::SHT_SYMTAB, SectionData::Symbol);
        add(".shstrtab", elf::SHT_STRTAB, SectionData::SectionString);
        file.sections.get_mut(symbols).sh_link_section = Some(strings);
        let text = file.sections.get_mut(code);
        text.sh_flags = u64::from(elf::SHF_ALLOC | elf::SHF_EXECINSTR);
        let symbol = file.symbols.add();
        (symbol.name, symbol.section) = ("copies".into(), Some(code));
        (symbol.st_value, symbol.st_size) = (CODE, 16);
        symbol.set_st_info(elf::STB_GLOBAL, elf::STT_FUNC);
        file.set_section_sizes();
        // The section gets its place from it.
        let segment = file.segments.add_load_segment(elf::PF_R | elf::PF_X, 0x1000);
        segment.p_offset = CODE;
        segment.append_section(file.sections.get_mut(code));
        segment.p_vaddr = CODE;
        let mut bytes = Vec::new();
        file.write(&mut bytes).expect("written");
        bytes
    }

    /// The name of the program's function, found within some seconds.
    fn name(binary: Binary) -> io::Result<Option<String>> {
        let (say, said) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let source = Source::Elf(binary.symbols());
            let symbolizer = Symbolizer::new();
            let found = symbolizer.symbolize(&source, Input::FileOffset(&[CODE + 4]));
            let found = found.unwrap_or_default();
            let name = found.first().and_then(Symbolized::as_sym).map(|it| it.name.to_string());
            say.send(name)
        });
        said.recv_timeout(Duration::from_secs(10)).map_err(io::Error::other)
    }

    /// A program may say that its debug information is in a pipe: who opens that waits.
    #[test]
    fn no_file_is_opened_because_a_program_names_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).expect("a pipe");
        let path = folder.path().join("program");
        for link in [pipe.to_str().expect("UTF-8"), "pipe"] {
            fs::write(&path, program(link)).expect("written");
            let binary = Binary::of(File::open(&path).expect("opened"), "program".to_owned());
            assert_eq!(name(binary).expect("within the time").as_deref(), Some("copies"), "{link}");
        }
    }
}
