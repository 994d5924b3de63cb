//! Files of programs and libraries, opened while a process has them mapped, so that they can still be
//! read when it has ended or they are deleted.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use blazesym::symbolize::source::Elf;
use framehop::{ExplicitModuleSectionInfo, Module};
use object::{
    CompressionFormat, Object as _, ObjectSection, ObjectSegment as _, ReadCache, SegmentFlags,
};

use super::debug::{self, ParsedFile};
use super::foreign::{self, ProcessRoot};
use super::maps::Mapping;

/// Bytes of a section or table, shared by all processes that map it.
pub(super) type SharedBytes = Arc<[u8]>;

/// Bits of an address within its page.
const PAGE_MASK: u64 = 4095;

/// Bytes of the largest section that is kept: a file says by itself how long its sections are.
const MOST: u64 = 256 << 20;

/// A file that some process has mapped.
pub(super) struct Binary {
    file: File,
    /// Its name without its folders.
    pub(super) name: String,
    sections: Option<Sections>,
    debug: bool,
}

/// What unwinding needs of a file.
struct Sections {
    /// What of it is mapped to be executed: offset in the file, address in the file's own numbering,
    /// length.
    segments: Vec<(u64, u64, u64)>,
    text: Option<Range<u64>>,
    eh_frame: Option<(Range<u64>, SharedBytes)>,
    eh_frame_hdr: Option<(Range<u64>, SharedBytes)>,
    debug_frame: Option<SharedBytes>,
    got: Option<Range<u64>>,
}

/// All files, by device and inode.
#[derive(Default)]
pub(super) struct Binaries {
    places: BTreeMap<(String, u64), usize>,
    pub(super) all: Vec<Arc<Binary>>,
}

impl Binaries {
    /// The file of a mapping; none if it has none, or if it cannot be opened any more.
    pub(super) fn of(&mut self, process: u32, mapping: &Mapping) -> Option<usize> {
        if mapping.file.1 == 0 {
            return None;
        }
        if let Some(known) = self.places.get(&mapping.file) {
            return Some(*known);
        }
        // By the mapping where the kernel lets us, which is right for deleted files too, else by path.
        let Range { start, end } = mapping.range;
        let by_mapping = format!("/proc/{process}/map_files/{start:x}-{end:x}");
        let by_path = || ProcessRoot::of(process)?.open(Path::new(&mapping.path));
        let file = foreign::open(by_mapping).or_else(|_| by_path()).ok()?;
        let name = Path::new(&mapping.path).file_name().unwrap_or_default();
        let name = name.to_string_lossy().trim_end_matches(" (deleted)").to_owned();
        self.all.push(Arc::new(Binary::of(file, name)));
        self.places.insert(mapping.file.clone(), self.all.len() - 1);
        Some(self.all.len() - 1)
    }
}

impl Binary {
    /// A file with its name.
    pub(super) fn of(file: File, name: String) -> Self {
        let cache = ReadCache::new(&file);
        let object = object::File::parse(&cache).ok();
        let sections = object.as_ref().map(|object| Sections::read(&file, object));
        let debug = object.is_some_and(|object| debug::may_be_sought(&object, &file));
        Self { file, name, sections, debug }
    }

    /// Where blazesym finds its names.
    pub(super) fn symbols(&self) -> Elf {
        let mut symbols = Elf::new(foreign::path(&self.file));
        symbols.debug_syms = self.debug;
        symbols
    }

    /// The file as it is mapped, for unwinding; none if it is no ELF file.
    pub(super) fn module(&self, mapping: &Mapping) -> Option<Module<SharedBytes>> {
        let sections = self.sections.as_ref()?;
        // A mapping begins at a page, and the segment in it maybe behind that.
        let (offset, address, _) = sections.segments.iter().find(|(offset, _, length)| {
            (offset & !PAGE_MASK..offset + length).contains(&mapping.offset)
        })?;
        let part = |part: &Option<(Range<u64>, SharedBytes)>| part.clone().unzip();
        let (eh_frame_svma, eh_frame) = part(&sections.eh_frame);
        let (eh_frame_hdr_svma, eh_frame_hdr) = part(&sections.eh_frame_hdr);
        let info = ExplicitModuleSectionInfo {
            base_svma: 0,
            text_svma: sections.text.clone(),
            got_svma: sections.got.clone(),
            eh_frame_svma,
            eh_frame,
            eh_frame_hdr_svma,
            eh_frame_hdr,
            debug_frame: sections.debug_frame.clone(),
            ..Default::default()
        };
        let skipped = mapping.offset.wrapping_sub(*offset);
        let base = mapping.range.start.wrapping_sub(address.wrapping_add(skipped));
        Some(Module::new(self.name.clone(), mapping.range.clone(), base, info))
    }
}

impl Sections {
    fn read(file: &File, object: &ParsedFile<'_>) -> Self {
        let range = |name: &str| {
            let section = object.section_by_name(name)?;
            Some(section.address()..section.address() + section.size())
        };
        let bytes = |name: &str| contents(file, &object.section_by_name(name)?);
        let both = |name: &str| Some((range(name)?, bytes(name)?));
        let is_executable = |segment: &object::Segment<'_, '_, _>| {
            let SegmentFlags::Elf { p_flags } = segment.flags() else { return false };
            p_flags & object::elf::PF_X != 0
        };
        let segments = object
            .segments()
            .filter(is_executable)
            .map(|segment| (segment.file_range().0, segment.address(), segment.size()))
            .collect();
        Self {
            segments,
            text: range(".text"),
            eh_frame: both(".eh_frame"),
            eh_frame_hdr: both(".eh_frame_hdr"),
            debug_frame: bytes(".debug_frame"),
            got: range(".got"),
        }
    }
}

/// What is in a section. It is read to where it is kept: sections are large, and the C library would keep
/// the room of every copy.
fn contents<'a>(file: &File, section: &impl ObjectSection<'a>) -> Option<SharedBytes> {
    let range = section.compressed_file_range().ok()?;
    if range.uncompressed_size > MOST {
        return None;
    }
    if range.format != CompressionFormat::None {
        return Some(section.uncompressed_data().ok()?.into_owned().into());
    }
    let end = range.offset.checked_add(range.uncompressed_size)?;
    if end > file.metadata().ok()?.len() {
        return None;
    }
    let length = usize::try_from(range.uncompressed_size).ok()?;
    let mut bytes: SharedBytes = std::iter::repeat_n(0, length).collect();
    file.read_exact_at(Arc::get_mut(&mut bytes)?, range.offset).ok()?;
    Some(bytes)
}
