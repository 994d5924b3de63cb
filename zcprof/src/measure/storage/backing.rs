//! The file that a loop device reads: LOOP_GET_STATUS64 (include/uapi/linux/loop.h).
#![expect(unsafe_code, reason = "LOOP_GET_STATUS64 has no safe wrapper")]

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::number;

/// `struct loop_info64`.
#[repr(C)]
#[derive(Clone, Copy)]
struct LoopInfo {
    device: u64,
    inode: u64,
    device_itself: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encryption: [u32; 2],
    flags: u32,
    names: [u8; 64 + 64 + 32],
    init: [u64; 2],
}

nix::ioctl_read_bad!(loop_get_status64, 0x4c05, LoopInfo);

/// What a loop device has below it, by number: a name may lead elsewhere by now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backing {
    /// The device that holds the file.
    device: u64,
    inode: u64,
    /// What is below is this device.
    itself: u64,
}

impl Backing {
    /// Asks the loop device of a name.
    ///
    /// # Errors
    /// It is not there, or may not be opened.
    pub(super) fn of(loop_device: &Path) -> io::Result<Self> {
        let device = File::open(loop_device)?;
        // SAFETY: all bits of these integers may be zero.
        let mut info: LoopInfo = unsafe { std::mem::zeroed() };
        // SAFETY: the kernel writes one `struct loop_info64`.
        unsafe { loop_get_status64(device.as_raw_fd(), &raw mut info) }?;
        Ok(Self { device: info.device, inode: info.inode, itself: info.device_itself })
    }

    /// The numbers of the block device, if it is one.
    pub(super) fn block_device(&self) -> Option<(u32, u32)> {
        (self.itself != 0).then(|| number::decoded(self.itself))
    }

    /// Whether a name leads to the file.
    pub(super) fn is(&self, file: &Path) -> bool {
        fs::metadata(file).is_ok_and(|data| {
            let holder = (rustix::fs::major(data.dev()), rustix::fs::minor(data.dev()));
            (data.ino(), holder) == (self.inode, number::decoded(self.device))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_number_and_not_by_its_name() {
        assert_eq!(size_of::<LoopInfo>(), 232);
        let base = tempfile::tempdir().expect("a folder");
        let [file, other] = ["file", "other"].map(|name| base.path().join(name));
        fs::write(&file, "bytes").expect("written");
        fs::write(&other, "bytes").expect("written");
        let data = fs::metadata(&file).expect("there");
        let holder = (rustix::fs::major(data.dev()), rustix::fs::minor(data.dev()));
        let device = number::encoded(holder);
        let backing = Backing { device, inode: data.ino(), itself: 0 };
        assert!(backing.is(&file));
        assert_eq!(backing.block_device(), None);
        fs::rename(&other, &file).expect("renamed");
        assert!(!backing.is(&file), "another file of that name");
        assert!(!backing.is(&other), "none of that name");
        assert!(!Backing { device: device + 1, ..backing }.is(&file));
        let itself = number::encoded((259, 300));
        assert_eq!(Backing { itself, ..backing }.block_device(), Some((259, 300)));
    }
}
