//! What a file system does to the bytes of one file, from the file's extents
//! (Documentation/filesystems/fiemap.rst).
#![expect(unsafe_code, reason = "FS_IOC_FIEMAP has no safe wrapper")]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::Path;

/// Extents that one call is asked for.
const AT_ONCE: usize = 256;

/// FIEMAP_EXTENT_LAST, FIEMAP_EXTENT_ENCODED, FIEMAP_EXTENT_DATA_INLINE
/// (include/uapi/linux/fiemap.h).
const LAST: u32 = 0x1;
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
}

/// Reads the extents of a file.
///
/// # Errors
/// The file system tells nothing of extents, and the kernel's own.
pub(super) fn treatment(file: &Path) -> io::Result<Treatment> {
    let file = File::open(file)?;
    let (mut told, mut start) = (Treatment::default(), 0);
    loop {
        let mut map = Map {
            start,
            length: u64::MAX - start,
            flags: 0,
            mapped: 0,
            room: u32::try_from(AT_ONCE).unwrap_or(0),
            reserved: 0,
            extents: [Extent::default(); AT_ONCE],
        };
        // SAFETY: the kernel writes the header and at most `room` extents.
        unsafe { fiemap(file.as_raw_fd(), &raw mut map) }?;
        let extents = &map.extents[..map.mapped as usize];
        told.encoded |= extents.iter().any(|extent| extent.flags & ENCODED != 0);
        told.inline |= extents.iter().any(|extent| extent.flags & INLINE != 0);
        match extents.last() {
            Some(last) if last.flags & LAST == 0 => start = last.logical + last.length,
            _ => return Ok(told),
        }
    }
}
