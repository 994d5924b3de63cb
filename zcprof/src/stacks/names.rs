//! Names of user frames: by the symbols of files, and by the maps that compilers at run time write.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::Path;

use blazesym::symbolize::source::Source;
use blazesym::symbolize::{Input, Symbolized, Symbolizer};
use zcprof_judge::stacks::record::{Frame, FrameKind};

use super::foreign::ProcessRoot;
use super::samples::Users;
use super::unwind::FrameLocation;
use super::{jvm, missing};
use crate::status::Status;

/// Names of every place that is in some stack.
pub(super) struct Names {
    /// The frames of a place, the outermost first: more than one where functions are inlined.
    of: BTreeMap<FrameLocation, Vec<Frame>>,
}

impl Names {
    /// Looks up those of the stacks with these numbers.
    pub(super) fn of(users: &Users, wanted: &BTreeSet<u64>) -> Self {
        let stacks = wanted.iter().filter_map(|user| users.places(*user));
        let places: BTreeSet<_> = stacks.flatten().collect();
        let mut of = BTreeMap::new();
        let symbolizer = Symbolizer::new();
        for (at, binary) in users.binaries.all.iter().enumerate() {
            let offsets: Vec<u64> = places
                .range(FrameLocation::File(at, 0)..=FrameLocation::File(at, u64::MAX))
                .filter_map(|place| match place {
                    FrameLocation::File(_, offset) => Some(*offset),
                    _ => None,
                })
                .collect();
            if offsets.is_empty() {
                continue;
            }
            let source = Source::Elf(binary.symbols());
            let found = symbolizer.symbolize(&source, Input::FileOffset(&offsets));
            let found = found.unwrap_or_default();
            for (at_offset, offset) in offsets.iter().enumerate() {
                let frames = match found.get(at_offset) {
                    Some(Symbolized::Sym(symbol)) => std::iter::once(&symbol.name)
                        .chain(symbol.inlined.iter().map(|inlined| &inlined.name))
                        .map(|name| user(name, &binary.name))
                        .collect(),
                    _ => vec![user(&format!("[{offset:#x}]"), &binary.name)],
                };
                of.insert(FrameLocation::File(at, *offset), frames);
            }
        }
        let mut maps: BTreeMap<u32, PerfMap> = BTreeMap::new();
        for place in &places {
            let frame = match place {
                FrameLocation::File(..) => continue,
                FrameLocation::Memory(process, address) => {
                    let map = maps.entry(*process).or_insert_with(|| {
                        if users.is_java(*process)
                            && let Err(error) = jvm::ask_for_map(*process)
                        {
                            log::warn!("process {process}: no map of what Java compiled: {error}");
                        }
                        PerfMap::of(*process)
                    });
                    match map.name(*address) {
                        Some(name) => user(name, ""),
                        None => user("[no symbol]", "memory"),
                    }
                }
                FrameLocation::Gone => missing::frame(missing::GONE),
                FrameLocation::Cut => missing::frame(missing::CUT),
            };
            of.insert(*place, vec![frame]);
        }
        Self { of }
    }

    /// The frames of a stack, the outermost first.
    pub(super) fn frames(
        &self,
        stack: impl DoubleEndedIterator<Item = FrameLocation>,
    ) -> Vec<Frame> {
        let frames = stack.rev().filter_map(|place| self.of.get(&place));
        frames.flatten().cloned().collect()
    }
}

fn user(name: &str, file: &str) -> Frame {
    Frame { kind: FrameKind::User, name: name.to_owned(), file: file.to_owned() }
}

/// Bytes of the largest map that is read: some million functions.
const MOST: u64 = 128 << 20;

/// The map that a process writes of what it compiled: lines `START SIZE name`, hexadecimal
/// (tools/perf/Documentation/jit-interface.txt).
#[derive(Default)]
struct PerfMap {
    entries: BTreeMap<u64, (u64, String)>,
}

impl PerfMap {
    /// That of a process, in its own file system and under the number that it has there; empty where it
    /// has none, or none that can be believed.
    fn of(process: u32) -> Self {
        let own = Status::of(process).and_then(|status| status.own_number());
        let Some(own) = own else { return Self::default() };
        let path = format!("/tmp/perf-{own}.map");
        let map = ProcessRoot::of(process).and_then(|root| root.read(Path::new(&path), MOST));
        if let Err(error) = &map
            && error.kind() != ErrorKind::NotFound
        {
            log::warn!("process {process}: its {path} is not read: {error}");
        }
        Self::parse(&String::from_utf8_lossy(&map.unwrap_or_default()))
    }

    fn parse(text: &str) -> Self {
        let entry = |line: &str| {
            let mut words = line.splitn(3, ' ');
            let mut hex = || {
                let word = words.next()?;
                u64::from_str_radix(word.trim_start_matches("0x"), 16).ok()
            };
            Some((hex()?, (hex()?, words.next()?.to_owned())))
        };
        // Memory is used again: the later line holds.
        Self { entries: text.lines().filter_map(entry).collect() }
    }

    fn name(&self, address: u64) -> Option<&str> {
        let (start, (size, name)) = self.entries.range(..=address).next_back()?;
        (address - start < *size).then_some(name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_perf_map_names_what_is_within_its_entries() {
        let map =
            PerfMap::parse("7f00 100 void Main.copy(int)\n8000 0x10 again\nrubbish\n7f00 80 last");
        assert_eq!(map.name(0x7f00), Some("last"));
        assert_eq!(map.name(0x7f7f), Some("last"));
        assert_eq!(map.name(0x7f80), None);
        assert_eq!(map.name(0x8008), Some("again"));
        assert_eq!(map.name(0x10), None);
    }

    /// This test itself, by a stack of one frame.
    #[test]
    fn a_function_of_this_program_has_its_name() {
        let mut users = Users::default();
        let mapping = super::super::maps::of(std::process::id());
        let here = PerfMap::parse as *const () as u64;
        let mapping = mapping.iter().find(|mapping| mapping.range.contains(&here)).expect("mapped");
        let binary = users.binaries.of(std::process::id(), mapping).expect("opened");
        let place = FrameLocation::File(binary, here - mapping.range.start + mapping.offset);
        users.keep(7, &[place, FrameLocation::Cut]);
        let frames = Names::of(&users, &[7].into()).frames(users.places(7).expect("kept"));
        assert_eq!(frames[0].name, missing::CUT);
        assert!(
            frames[1].name.contains("PerfMap") && frames[1].name.contains("parse"),
            "{frames:?}"
        );
        assert!(frames[1].file.starts_with("zcprof"), "{frames:?}");
    }
}
