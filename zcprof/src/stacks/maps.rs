//! What a process has mapped, of what can be executed.

use std::fs;

/// An executable mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    /// First address, and the one behind the last.
    pub(super) range: std::ops::Range<u64>,
    /// Where in the file it begins, in bytes.
    pub(super) offset: u64,
    /// The file's device and inode, as `/proc/PID/maps` has them; zeros if there is none.
    pub(super) file: (String, u64),
    /// Its path in the process's own view, or a word in brackets; empty for anonymous memory.
    pub(super) path: String,
}

/// Executable mappings of a process, by address; none if it is gone.
pub(super) fn of(process: u32) -> Vec<Mapping> {
    let text = fs::read_to_string(format!("/proc/{process}/maps")).unwrap_or_default();
    text.lines().filter_map(parse).collect()
}

/// A line: `7f0c1a200000-7f0c1a228000 r-xp 00026000 fe:00 1234   /lib/libc.so.6`
/// (show_map_vma(), fs/proc/task_mmu.c).
fn parse(line: &str) -> Option<Mapping> {
    let mut words = line.splitn(6, ' ');
    let (first, end) = words.next()?.split_once('-')?;
    let executable = words.next()?.as_bytes().get(2) == Some(&b'x');
    let offset = u64::from_str_radix(words.next()?, 16).ok()?;
    let device = words.next()?.to_owned();
    let inode = words.next()?.parse().ok()?;
    let path = words.next().unwrap_or_default().trim_start().to_owned();
    let hex = |text| u64::from_str_radix(text, 16).ok();
    let range = hex(first)?..hex(end)?;
    executable.then_some(Mapping { range, offset, file: (device, inode), path })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_executed_is_kept() {
        let line =
            "7f0c1a200000-7f0c1a228000 r-xp 00026000 fe:00 1234                  /lib/a b.so";
        let mapping = parse(line).expect("executable");
        assert_eq!(mapping.range, 0x7f0c_1a20_0000..0x7f0c_1a22_8000);
        assert_eq!((mapping.offset, mapping.path.as_str()), (0x26000, "/lib/a b.so"));
        assert_eq!(mapping.file, ("fe:00".to_owned(), 1234));
        assert_eq!(parse("7f0c1a200000-7f0c1a228000 rw-p 00026000 fe:00 1234 /lib/a.so"), None);
        let jit = parse("7f0c1a200000-7f0c1a228000 rwxp 00000000 00:00 0 ").expect("executable");
        assert_eq!((jit.path.as_str(), jit.file.1), ("", 0));
        assert_eq!(parse("what is this"), None);
    }

    #[test]
    fn this_process_has_its_own_code() {
        let here = this as *const () as u64;
        let maps = of(std::process::id());
        assert!(maps.iter().any(|mapping| mapping.range.contains(&here)), "{maps:?}");
    }

    fn this() {}
}
