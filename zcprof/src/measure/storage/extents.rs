//! What a file system does to the bytes of one file, from the file's extents
//! (Documentation/filesystems/fiemap.rst).
#![expect(unsafe_code, reason = "FS_IOC_FIEMAP has no safe wrapper")]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::Path;

use nix::errno::Errno;

/// Extents that one call is asked for.
const AT_ONCE: usize = 256;

/// FIEMAP_FLAG_SYNC (include/uapi/linux/fiemap.h): what is not written yet is written first, for
/// a file system compresses, or decides on it, when it writes.
const SYNC: u32 = 0x1;

/// FIEMAP_EXTENT_LAST, FIEMAP_EXTENT_UNKNOWN, FIEMAP_EXTENT_DELALLOC, FIEMAP_EXTENT_ENCODED,
/// FIEMAP_EXTENT_DATA_INLINE.
const LAST: u32 = 0x1;
const UNKNOWN: u32 = 0x2;
const DELAYED: u32 = 0x4;
const ENCODED: u32 = 0x8;
const INLINE: u32 = 0x200;

/// `struct fiemap_extent`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Extent {
    logical: u64,
    physical: u64,
    length: u64,
    reserved: [u64; 2],
    flags: u32,
    more: [u32; 3],
}

/// `struct fiemap`, with room for its extents.
#[repr(C)]
struct Map {
    start: u64,
    length: u64,
    flags: u32,
    mapped: u32,
    room: u32,
    reserved: u32,
    extents: [Extent; AT_ONCE],
}

nix::ioctl_readwrite_bad!(
    /// FS_IOC_FIEMAP; its number has the size of the part without extents.
    fiemap,
    nix::request_code_readwrite!(b'f', 11, 32),
    Map
);

/// What is done to some of a file's bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Treatment {
    /// They are not stored as the file has them: compressed, as a rule.
    pub(super) encoded: bool,
    /// They are in the file system's own blocks, and copied out of them.
    pub(super) inline: bool,
    /// It is not decided yet.
    pub(super) undecided: bool,
}

impl Treatment {
    /// Of the extents with these flags.
    fn of(flags: impl Iterator<Item = u32>) -> Self {
        let all = flags.fold(0, |all, flags| all | flags);
        let has = |any: u32| all & any != 0;
        Self { encoded: has(ENCODED), inline: has(INLINE), undecided: has(UNKNOWN | DELAYED) }
    }
}

/// Reads the extents of a file, once they are written. A file system that tells nothing of extents does
/// nothing to them that they would tell.
///
/// # Errors
/// The kernel's own.
pub(super) fn treatment(file: &Path) -> io::Result<Treatment> {
    let file = File::open(file)?;
    let told = told(&file)?;
    if !told.undecided {
        return Ok(told);
    }
    // btrfs compresses in threads of its own, which only fsync waits for (before 6.9).
    file.sync_all()?;
    self::told(&file)
}

fn told(file: &File) -> io::Result<Treatment> {
    let end = file.metadata()?.len();
    let (mut flags, mut start) = (Vec::new(), 0);
    loop {
        let mut map = Map {
            start,
            length: u64::MAX - start,
            flags: SYNC,
            mapped: 0,
            room: u32::try_from(AT_ONCE).unwrap_or(0),
            reserved: 0,
            extents: [Extent::default(); AT_ONCE],
        };
        // SAFETY: the kernel writes the header and at most `room` extents.
        match unsafe { fiemap(file.as_raw_fd(), &raw mut map) } {
            Err(Errno::EOPNOTSUPP | Errno::ENOTTY) => return Ok(Treatment::default()),
            done => done?,
        };
        let extents = &map.extents[..map.mapped as usize];
        // XFS keeps room behind a file's end, for more that may be written.
        let of_file = extents.iter().filter(|extent| extent.logical < end);
        flags.extend(of_file.map(|extent| extent.flags));
        match extents.last() {
            Some(last) if last.flags & LAST == 0 => start = last.logical + last.length,
            _ => return Ok(Treatment::of(flags.into_iter())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn what_is_not_written_yet_is_not_decided() {
        let of = |flags: &[u32]| Treatment::of(flags.iter().copied());
        assert_eq!(of(&[0, LAST]), Treatment::default());
        assert_eq!(of(&[0, DELAYED | UNKNOWN]), Treatment { undecided: true, ..of(&[]) });
        assert_eq!(of(&[DELAYED]), Treatment { undecided: true, ..of(&[]) });
        assert_eq!(of(&[ENCODED, LAST]), Treatment { encoded: true, ..of(&[]) });
        assert_eq!(of(&[INLINE]), Treatment { inline: true, ..of(&[]) });
    }

    /// On ext4, xfs and btrfs a file that was written just now has no blocks yet.
    #[test]
    fn a_fresh_file_is_written_before_it_is_asked() {
        let mut file = tempfile::NamedTempFile::new_in(env!("CARGO_MANIFEST_DIR")).expect("made");
        file.write_all(&vec![1; 1 << 20]).expect("written");
        assert!(!treatment(file.path()).expect("told").undecided);
    }
}
