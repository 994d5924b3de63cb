//! The map that a process writes of what it compiles while it runs, and where it stands.

use std::collections::BTreeMap;
use std::fs::metadata;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::OnceLock;

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::foreign::{self, ProcessRoot};
use crate::status::Status;

/// Bytes of the largest map that is read: some million functions.
const MOST: u64 = 128 << 20;

/// Where a process writes its map, held so that it is still found when the process has ended.
pub(super) struct MapPlace {
    root: ProcessRoot,
    /// In the process's own file system, and under the number that it has there.
    pub(super) path: PathBuf,
    /// The map itself. A container's file systems may go with its last process.
    map: OnceLock<OwnedFd>,
}

impl MapPlace {
    /// # Errors
    /// The process is gone, or this process may not look at it.
    pub(super) fn of(process: u32) -> io::Result<Self> {
        let own = Status::of(process).and_then(|status| status.own_number());
        let own = own.ok_or_else(|| io::Error::from(Errno::SRCH))?;
        let path = PathBuf::from(format!("/tmp/perf-{own}.map"));
        Ok(Self { root: ProcessRoot::of(process)?, path, map: OnceLock::new() })
    }

    /// Holds the map itself too, if it is there by now.
    pub(super) fn hold_map(&self) {
        if self.map.get().is_none()
            && let Ok(found) = self.root.find(&self.path, OFlags::empty())
        {
            let _ = self.map.set(found);
        }
    }

    /// The map as it stands there now, else the one that is held.
    fn found(&self) -> io::Result<OwnedFd> {
        let held = |error| self.map.get().map_or(Err(error), OwnedFd::try_clone);
        self.root.find(&self.path, OFlags::empty()).or_else(held)
    }

    /// Bytes of it.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn length(&self) -> io::Result<u64> {
        Ok(metadata(foreign::path(&self.found()?))?.len())
    }

    /// Reads it.
    ///
    /// # Errors
    /// There is none, or none that can be believed.
    pub(super) fn read(&self) -> io::Result<PerfMap> {
        let bytes = self.root.read_found(&self.found()?, MOST)?;
        Ok(PerfMap::parse(&String::from_utf8_lossy(&bytes)))
    }
}

/// A map: lines `START SIZE name`, hexadecimal (tools/perf/Documentation/jit-interface.txt).
#[derive(Default)]
pub(super) struct PerfMap {
    entries: BTreeMap<u64, (u64, String)>,
}

impl PerfMap {
    fn parse(text: &str) -> Self {
        let entry = |line: &str| {
            let mut words = line.splitn(3, ' ');
            let mut hex = || {
                let word = words.next()?;
                u64::from_str_radix(word.trim_start_matches("0x"), 16).ok()
            };
            Some((hex()?, (hex()?, without_tier(words.next()?))))
        };
        // Memory is used again: the later line holds.
        Self { entries: text.lines().filter_map(entry).collect() }
    }

    /// The function at an address.
    pub(super) fn name(&self, address: u64) -> Option<&str> {
        let (start, (size, name)) = self.entries.range(..=address).next_back()?;
        (address - start < *size).then_some(name.as_str())
    }
}

/// A name as V8 writes it, without the mark of which of its compilers made the code (`JS:~copy` of the
/// interpreter, `JS:*copy` of the last): a function of a program is one.
fn without_tier(name: &str) -> String {
    const V8: &str = "JS:";
    match name.strip_prefix(V8) {
        Some(rest) => format!("{V8}{}", rest.trim_start_matches(['~', '^', '+', '*'])),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

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

    #[test]
    fn a_function_that_is_compiled_again_keeps_its_name() {
        let map = PerfMap::parse("1000 10 JS:~copy /a.js:1:2\n2000 10 JS:*copy /a.js:1:2");
        assert_eq!(map.name(0x1000), Some("JS:copy /a.js:1:2"));
        assert_eq!(map.name(0x2000), map.name(0x1000));
    }

    /// It is found by its path, and where that leads nowhere any more, by what is held; of what was not
    /// held nothing is left.
    #[test]
    fn a_map_is_read_when_its_process_has_ended() {
        let mut child = Command::new("sleep").arg("60").spawn().expect("sleep starts");
        let [early, late] = [(), ()].map(|()| MapPlace::of(child.id()).expect("it lives"));
        assert_eq!(early.length().expect_err("none yet").kind(), io::ErrorKind::NotFound);
        fs::write(&early.path, "1000 10 copies").expect("written");
        early.hold_map();
        child.kill().and_then(|()| child.wait()).expect("it ran");
        assert!(MapPlace::of(child.id()).is_err(), "it has ended");
        for place in [&early, &late] {
            assert_eq!(place.length().expect("it is there"), 14);
            assert_eq!(place.read().expect("it is there").name(0x1008), Some("copies"));
        }
        fs::remove_file(&early.path).expect("it was there");
        assert_eq!(early.read().expect("held").name(0x1008), Some("copies"));
        assert_eq!(late.read().err().map(|error| error.kind()), Some(io::ErrorKind::NotFound));
    }
}
