//! Names of user frames: by the symbols of files, and by the maps that compilers at run time write.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::sync::Arc;

use blazesym::symbolize::source::Source;
use blazesym::symbolize::{Input, Symbolized, Symbolizer};
use zcprof_judge::stacks::record::{Frame, FrameKind, MEMORY};

use super::binaries::Binary;
use super::perf_map::PerfMap;
use super::runs::Run;
use super::unwind::FrameLocation;
use super::{jvm, missing};

/// When names are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// While the window is open: nobody is asked for anything.
    Meanwhile,
    /// At its end.
    End,
}

/// Names of every place that was looked up.
#[derive(Default)]
pub(super) struct Names {
    symbolizer: Symbolizer,
    /// The frames of a place, the outermost first: more than one where functions are inlined.
    of: BTreeMap<FrameLocation, Vec<Frame>>,
    /// Maps of runs, by number.
    maps: BTreeMap<u32, CompiledNames>,
}

/// What is known of the code that a run has compiled.
struct CompiledNames {
    /// Its map, and how long that was when it was read.
    map: PerfMap,
    length: u64,
    /// What stands for a place that the map does not name.
    unknown: Frame,
}

impl Names {
    /// Looks up those places that are not known yet. What is compiled at run time may have been compiled
    /// since.
    pub(super) fn look_up(
        &mut self,
        places: &BTreeSet<FrameLocation>,
        binaries: &[Arc<Binary>],
        runs: &[Run],
        moment: Moment,
    ) {
        for (at, binary) in binaries.iter().enumerate() {
            let offsets: Vec<u64> = places
                .range(FrameLocation::File(at, 0)..=FrameLocation::File(at, u64::MAX))
                .filter(|place| !self.of.contains_key(place))
                .filter_map(|place| match place {
                    FrameLocation::File(_, offset) => Some(*offset),
                    _ => None,
                })
                .collect();
            if !offsets.is_empty() {
                self.look_up_in(at, binary, &offsets);
            }
        }
        let mut renewed = BTreeSet::new();
        for place in places {
            let frame = match place {
                FrameLocation::File(..) => continue,
                FrameLocation::Memory(number, address) => {
                    if renewed.insert(*number) {
                        self.renew_map(*number, runs.get(*number as usize), moment);
                    }
                    self.maps.get(number).map_or_else(gone, |known| known.frame(*address))
                }
                FrameLocation::Gone => gone(),
                FrameLocation::Cut => missing::frame(missing::CUT),
            };
            self.of.insert(*place, vec![frame]);
        }
    }

    /// Looks up places in a file.
    fn look_up_in(&mut self, at: usize, binary: &Binary, offsets: &[u64]) {
        let source = Source::Elf(binary.symbols());
        let found = self.symbolizer.symbolize(&source, Input::FileOffset(offsets));
        let found = found.unwrap_or_default();
        for (at_offset, offset) in offsets.iter().enumerate() {
            let frames = match found.get(at_offset) {
                Some(Symbolized::Sym(symbol)) => std::iter::once(&symbol.name)
                    .chain(symbol.inlined.iter().map(|inlined| &inlined.name))
                    .map(|name| user(name, &binary.name))
                    .collect(),
                _ => vec![user(&format!("[{offset:#x}]"), &binary.name)],
            };
            self.of.insert(FrameLocation::File(at, *offset), frames);
        }
    }

    /// Reads a run's map, unless that is as long as it was.
    fn renew_map(&mut self, number: u32, run: Option<&Run>, moment: Moment) {
        let Some(run) = run else { return };
        if run.is_java
            && moment == Moment::End
            && run.lives()
            && let Err(error) = jvm::ask_for_map(run)
        {
            log::warn!("process {}: no map of what Java compiled: {error}", run.process);
        }
        let Some(place) = run.map() else { return };
        let length = place.length();
        let known = self.maps.get(&number).map(|known| known.length);
        if known.is_some() && known == length.as_ref().ok().copied() {
            return;
        }
        let map = length.and_then(|length| Ok((place.read()?, length)));
        if let Err(error) = &map
            && error.kind() != ErrorKind::NotFound
        {
            log::warn!(
                "process {}: its {} is not read: {error}",
                run.process,
                place.path.display()
            );
        }
        let unknown = match &map {
            // It writes one only when it is asked.
            Err(_) if run.is_java && !run.lives() => gone(),
            Err(_) if run.is_java && moment == Moment::Meanwhile => {
                user("[compiled by Java, named at the end]", MEMORY)
            }
            _ => user("[no symbol]", MEMORY),
        };
        let (map, length) = map.unwrap_or_default();
        self.maps.insert(number, CompiledNames { map, length, unknown });
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

impl CompiledNames {
    fn frame(&self, address: u64) -> Frame {
        self.map.name(address).map_or_else(|| self.unknown.clone(), |name| user(name, ""))
    }
}

fn gone() -> Frame {
    missing::frame(missing::GONE)
}

fn user(name: &str, file: &str) -> Frame {
    Frame { kind: FrameKind::User, name: name.to_owned(), file: file.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::image::tests::sleeping;
    use super::super::runs::Runs;
    use super::super::samples::Users;
    use super::*;

    /// This test itself, by a stack of one frame.
    #[test]
    fn a_function_of_this_program_has_its_name() {
        let mut users = Users::default();
        let mapping = super::super::maps::of(std::process::id());
        let here = Names::renew_map as *const () as u64;
        let mapping = mapping.iter().find(|mapping| mapping.range.contains(&here)).expect("mapped");
        let binary = users.binaries.of(std::process::id(), mapping).expect("opened");
        let place = FrameLocation::File(binary, here - mapping.range.start + mapping.offset);
        users.keep(7, &[place, FrameLocation::Cut]);
        let mut names = Names::default();
        let places = users.places(7).expect("kept").collect();
        names.look_up(&places, &users.binaries.all, &[], Moment::End);
        let frames = names.frames(users.places(7).expect("kept"));
        assert_eq!(frames[0].name, missing::CUT);
        assert!(
            frames[1].name.contains("Names") && frames[1].name.contains("renew_map"),
            "{frames:?}"
        );
        assert!(frames[1].file.starts_with("zcprof"), "{frames:?}");
    }

    /// A process writes a map of what it compiled, and ends. Another that has its number by now has none of
    /// its names, and of a virtual machine that was never asked they are gone.
    #[test]
    fn what_an_ended_process_compiled_has_its_name() {
        let (mut child, image) = sleeping();
        let mut runs = Runs::default();
        let held = runs.number(child.id(), image);
        let other = runs.number(child.id(), [image[0] ^ 16, image[1]]);
        runs.hold(held);
        runs.hold(other);
        let mut names = Names::default();
        let [here, there] = [held, other].map(|run| FrameLocation::Memory(run, 0x1008));
        let mut said = |runs: &Runs, moment| {
            names.look_up(&[here, there].into(), &[], &runs.all, moment);
            [here, there].map(|place| names.frames([place].into_iter())[0].name.clone())
        };
        assert_eq!(said(&runs, Moment::Meanwhile), ["[no symbol]", missing::GONE]);
        let map = format!("/tmp/perf-{}.map", child.id());
        std::fs::write(&map, "1000 10 copies\n").expect("written");
        assert_eq!(said(&runs, Moment::Meanwhile), ["copies", missing::GONE]);
        child.kill().and_then(|()| child.wait()).expect("it ran");
        std::fs::write(&map, "1000 10 copies\n1008 4 last\n").expect("written");
        assert_eq!(said(&runs, Moment::End), ["last", missing::GONE]);
        std::fs::remove_file(&map).expect("it was there");
        let mut unasked = Names::default();
        runs.note_java(held);
        unasked.look_up(&[here].into(), &[], &runs.all, Moment::End);
        assert_eq!(unasked.frames([here].into_iter()), [missing::frame(missing::GONE)]);
    }
}
