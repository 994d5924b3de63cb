//! The page cache's hold on a log: fill it, empty it, ask.
#![expect(unsafe_code, reason = "mincore(2) has no safe wrapper")]

use std::fs::File;
use std::io::{self, Read as _};

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use nix::sys::statvfs::{FsFlags, fstatvfs};

use super::log::{Log, Segment};

/// Reads every segment, so that its pages are resident.
///
/// # Errors
/// The kernel's own.
pub fn warm(log: &Log) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 20];
    for segment in log.segments() {
        let mut file = File::open(&segment.path)?;
        while file.read(&mut buffer)? > 0 {}
    }
    Ok(())
}

/// Drops every segment's pages, as far as nobody maps or writes them.
///
/// # Errors
/// The kernel's own.
pub fn evict(log: &Log) -> io::Result<()> {
    for segment in log.segments() {
        written(&segment.file)?;
        posix_fadvise(&segment.file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)?;
    }
    Ok(())
}

/// Has a file's changes written to storage, so that its pages can go. A file system that is never
/// written to knows no fsync (squashfs, isofs: vfs_fsync_range(), fs/sync.c, 6.12), and has nothing
/// to write.
fn written(file: &File) -> io::Result<()> {
    let may_be_written = !fstatvfs(file)?.flags().contains(FsFlags::ST_RDONLY);
    match file.sync_all() {
        Err(error) if may_be_written || error.raw_os_error() != Some(libc::EINVAL) => Err(error),
        _ => Ok(()),
    }
}

/// Segment pages that are resident, and all of them.
///
/// # Errors
/// The kernel's own.
pub fn resident_pages(log: &Log) -> io::Result<(u64, u64)> {
    let mut sum = (0, 0);
    for segment in log.segments() {
        let (resident, pages) = resident_in(segment)?;
        sum = (sum.0 + resident, sum.1 + pages);
    }
    Ok(sum)
}

fn resident_in(segment: &Segment) -> io::Result<(u64, u64)> {
    let map = segment.map()?;
    let mut pages = vec![0_u8; map.len().div_ceil(4096)];
    // SAFETY: the mapping is valid for its length, and the vector has a byte for each page.
    let failed =
        unsafe { libc::mincore(map.as_ptr().cast_mut().cast(), map.len(), pages.as_mut_ptr()) };
    if failed != 0 {
        return Err(io::Error::last_os_error());
    }
    let resident = pages.iter().filter(|page| *page & 1 == 1).count();
    Ok((resident as u64, pages.len() as u64))
}
