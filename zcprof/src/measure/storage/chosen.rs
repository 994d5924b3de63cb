//! What a file system's files differ in, and FIEMAP does not tell: files of one mount may be filled in
//! several ways.
#![expect(unsafe_code, reason = "FS_IOC_FSGETXATTR has no safe wrapper")]

use std::fs::{File, Metadata};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::sys::statvfs::statvfs;

use super::mounts::Mount;

/// `struct fsxattr` (include/uapi/linux/fs.h).
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct FileAttributes {
    flags: u32,
    others: [u32; 4],
    padding: [u8; 8],
}

/// FS_XFLAG_REALTIME.
const REALTIME: u32 = 0x1;

nix::ioctl_read!(get_attributes, b'X', 31, FileAttributes);

/// Whether a file of an XFS is on its realtime device and not on the one that is mounted
/// (xfs_inode_buftarg(), fs/xfs/xfs_inode.h).
///
/// # Errors
/// The kernel's own.
pub(super) fn is_realtime(file: &Path) -> io::Result<bool> {
    let file = File::open(file)?;
    let mut attributes = FileAttributes::default();
    // SAFETY: the kernel writes one `struct fsxattr`.
    unsafe { get_attributes(file.as_raw_fd(), &raw mut attributes) }?;
    Ok(attributes.flags & REALTIME != 0)
}

/// Whether a file of an iso9660 may be compressed (zisofs). isofs_read_inode() (fs/isofs/inode.c)
/// sets the blocks by what is stored, before a Rock Ridge entry (ZF) says what that becomes.
pub(super) fn is_zisofs(mount: &Mount, data: &Metadata) -> bool {
    let never = [&b"nocompress"[..], b"norock"];
    !never.iter().any(|word| mount.has(word)) && data.blocks() != data.len().div_ceil(512)
}

/// Whether a file system is larger than the device that it was mounted by, so that it has others:
/// f2fs names them nowhere (f2fs_statfs(), fs/f2fs/super.c).
///
/// # Errors
/// The kernel's own.
pub(super) fn is_larger_than(file: &Path, device: u64) -> io::Result<bool> {
    let system = statvfs(file)?;
    Ok(system.blocks().saturating_mul(system.fragment_size()) > device)
}

#[cfg(test)]
mod tests {
    use super::super::mounts::parse;
    use super::*;

    #[test]
    fn a_compressed_file_is_stored_in_other_blocks_than_it_has() {
        let mount = |options: &str| {
            let line = format!("40 35 7:0 / /cd ro - iso9660 /dev/loop0 ro,{options}");
            parse(line.as_bytes()).expect("a mount").1
        };
        let file = tempfile::tempfile().expect("made");
        file.set_len(1 << 20).expect("a hole");
        let hole = file.metadata().expect("there");
        assert!(is_zisofs(&mount("map=n"), &hole));
        assert!(!is_zisofs(&mount("nocompress,map=n"), &hole));
        assert!(!is_zisofs(&mount("norock"), &hole));
        file.set_len(0).expect("cut");
        assert!(!is_zisofs(&mount("map=n"), &file.metadata().expect("there")));
    }

    #[test]
    fn a_file_system_is_compared_with_its_device() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert!(is_larger_than(here, 4096).expect("told"));
        assert!(!is_larger_than(here, u64::MAX).expect("told"));
    }

    #[test]
    fn who_knows_no_realtime_device_has_no_files_on_it() {
        assert_eq!(size_of::<FileAttributes>(), 28);
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        assert!(!is_realtime(&here).unwrap_or(false));
    }
}
