//! Storage that the CPU has a hand in, set up by the kernel's own calls: guests have no tools for it.
#![expect(unsafe_code, reason = "loop devices and the device mapper are set up by ioctl")]

use std::fs::{self, File};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::mount::{MsFlags, mount, umount};

use super::{folder, tmpfs};

/// 8 MiB of a repeated KiB as a file `bytes` in a squashfs.
const SQUASHFS: &[u8] = include_bytes!("../data/repeated.squashfs");

/// Size of a file that a loop device is on: a log of 8 MiB and what a file system needs.
const BACKING: u64 = 48 << 20;

/// A key for AES-XTS, whose halves differ.
const KEY: &str = "00112233445566778899aabbccddeeff102132435465768798a9bacbdcedfe0f";

/// A loop device; the kernel lets go of its file with this.
struct Loop {
    device: File,
    path: PathBuf,
}

// drivers/block/loop.c, include/uapi/linux/loop.h.
nix::ioctl_none_bad!(loop_get_free, 0x4c82);
nix::ioctl_write_int_bad!(loop_set_fd, 0x4c00);
nix::ioctl_none_bad!(loop_clear_fd, 0x4c01);
nix::ioctl_write_int_bad!(loop_set_direct_io, 0x4c08);

impl Loop {
    fn on(file: &Path, direct: bool) -> Self {
        let control = File::open("/dev/loop-control").expect("loop devices");
        // SAFETY: it takes no memory.
        let number = unsafe { loop_get_free(control.as_raw_fd()) }.expect("a loop device");
        let path = PathBuf::from(format!("/dev/loop{number}"));
        let open = |path: &Path| File::options().read(true).write(true).open(path);
        let (device, backing) = (open(&path).expect("there"), open(file).expect("there"));
        // SAFETY: it takes a descriptor.
        unsafe { loop_set_fd(device.as_raw_fd(), backing.as_raw_fd()) }.expect("set up");
        if direct {
            // SAFETY: it takes a number.
            unsafe { loop_set_direct_io(device.as_raw_fd(), 1) }.expect("direct I/O");
        }
        Self { device, path }
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        // SAFETY: it takes no memory.
        unsafe { loop_clear_fd(self.device.as_raw_fd()) }.expect("nothing of it is open");
    }
}

/// A mapped device that decrypts; it is gone with this.
struct Crypt {
    path: PathBuf,
}

/// Room for one target.
const ROOM: usize = 512;

/// `struct dm_ioctl` and a target (include/uapi/linux/dm-ioctl.h).
#[repr(C)]
struct DmIoctl {
    version: [u32; 3],
    size: u32,
    start: u32,
    targets: u32,
    opened: i32,
    flags: u32,
    event: u32,
    padding: u32,
    device: u64,
    name: [u8; 128],
    uuid: [u8; 136],
    data: [u8; ROOM],
}

nix::ioctl_readwrite_bad!(dm_create, nix::request_code_readwrite!(0xfd, 3, 312), DmIoctl);
nix::ioctl_readwrite_bad!(dm_remove, nix::request_code_readwrite!(0xfd, 4, 312), DmIoctl);
nix::ioctl_readwrite_bad!(dm_resume, nix::request_code_readwrite!(0xfd, 6, 312), DmIoctl);
nix::ioctl_readwrite_bad!(dm_load, nix::request_code_readwrite!(0xfd, 9, 312), DmIoctl);

/// An ioctl of the device mapper, as nix declares it.
type Call = unsafe fn(i32, *mut DmIoctl) -> nix::Result<i32>;

impl Crypt {
    const NAME: &str = "zcprof-test";

    fn on(device: &Path, bytes: u64) -> Self {
        let made = Self::ask(dm_create, &[]);
        let parameters = format!("aes-xts-plain64 {KEY} 0 {} 0", device.display());
        let mut target = Vec::new();
        target.extend(0_u64.to_ne_bytes());
        target.extend((bytes / 512).to_ne_bytes());
        target.extend([0; 8]); // the status, and where the next target is
        target.extend(b"crypt\0\0\0\0\0\0\0\0\0\0\0");
        target.extend(parameters.as_bytes());
        Self::ask(dm_load, &target);
        Self::ask(dm_resume, &[]);
        // huge_encode_dev() (include/linux/kdev_t.h); the first 256 are enough here.
        Self { path: format!("/dev/dm-{}", made.device & 0xff).into() }
    }

    fn ask(call: Call, target: &[u8]) -> Box<DmIoctl> {
        let control = File::options().read(true).write(true).open("/dev/mapper/control");
        let control = control.expect("the device mapper");
        let mut request = Box::new(DmIoctl {
            version: [4, 0, 0],
            size: u32::try_from(size_of::<DmIoctl>()).expect("small"),
            start: 312,
            targets: u32::from(!target.is_empty()),
            opened: 0,
            flags: 0,
            event: 0,
            padding: 0,
            device: 0,
            name: [0; 128],
            uuid: [0; 136],
            data: [0; ROOM],
        });
        request.name[..Self::NAME.len()].copy_from_slice(Self::NAME.as_bytes());
        request.data[..target.len()].copy_from_slice(target);
        // SAFETY: the kernel reads and writes no more than the request's own size.
        unsafe { call(control.as_raw_fd(), &raw mut *request) }.expect("the device mapper obeys");
        request
    }
}

impl Drop for Crypt {
    fn drop(&mut self) {
        Self::ask(dm_remove, &[]);
    }
}

/// A file system on such a device; all of it is gone with this.
pub(super) struct Stacked {
    mounted: PathBuf,
    /// What is mounted over the folder of a loop device's file.
    over: Option<PathBuf>,
    // In the order in which they are given up.
    _crypt: Option<Crypt>,
    _loop: Loop,
}

impl Stacked {
    /// ext4 in a file on the disk, by a loop device.
    pub(super) fn looped(direct: bool) -> Self {
        let base = folder(if direct { "loop-direct" } else { "loop" });
        let device = Loop::on(&backing(&base), direct);
        make_ext4(&device.path);
        let mounted = mounted(&base, &device.path, "ext4", MsFlags::empty());
        Self { mounted, over: None, _crypt: None, _loop: device }
    }

    /// ext4 by a loop device with direct I/O, in a file over which something else was mounted, with a file of
    /// the same name.
    pub(super) fn hidden() -> Self {
        let base = folder("loop-hidden");
        let over = base.join("below");
        fs::create_dir(&over).expect("a folder");
        let device = Loop::on(&backing(&over), true);
        make_ext4(&device.path);
        let mounted = mounted(&base, &device.path, "ext4", MsFlags::empty());
        tmpfs(&over);
        fs::write(over.join("backing"), "another file").expect("written");
        Self { mounted, over: Some(over), _crypt: None, _loop: device }
    }

    /// ext4 on dm-crypt on a loop device, which has direct I/O: what is left is decryption.
    pub(super) fn encrypted() -> Self {
        let base = folder("crypt");
        let device = Loop::on(&backing(&base), true);
        let crypt = Crypt::on(&device.path, BACKING);
        make_ext4(&crypt.path);
        let mounted = mounted(&base, &crypt.path, "ext4", MsFlags::empty());
        Self { mounted, over: None, _crypt: Some(crypt), _loop: device }
    }

    /// A squashfs with a file of 8 MiB.
    pub(super) fn compressed() -> Self {
        let base = folder("squashfs");
        let image = base.join("image");
        fs::write(&image, SQUASHFS).expect("written");
        File::open(&image).and_then(|file| file.sync_all()).expect("on the disk");
        let device = Loop::on(&image, true);
        let mounted = mounted(&base, &device.path, "squashfs", MsFlags::MS_RDONLY);
        Self { mounted, over: None, _crypt: None, _loop: device }
    }

    /// Where it is mounted.
    pub(super) fn mounted(&self) -> &Path {
        &self.mounted
    }

    /// A log's folder, which is not there yet, or the one file.
    pub(super) fn log(&self) -> PathBuf {
        let file = self.mounted.join("bytes");
        if file.exists() { file } else { self.mounted.join("log") }
    }
}

impl Drop for Stacked {
    fn drop(&mut self) {
        umount(&self.mounted).expect("nothing of it is open");
        if let Some(over) = &self.over {
            umount(over).expect("nothing of it is open");
        }
    }
}

fn backing(base: &Path) -> PathBuf {
    let path = base.join("backing");
    // Direct I/O needs blocks that are there.
    let file = File::create(&path).expect("made");
    nix::fcntl::fallocate(&file, nix::fcntl::FallocateFlags::empty(), 0, BACKING.cast_signed())
        .expect("room on the disk");
    path
}

fn make_ext4(device: &Path) {
    let made = Command::new("/bin/busybox").args(["mke2fs", "-F"]).arg(device).output();
    let made = made.expect("busybox");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

fn mounted(base: &Path, device: &Path, kind: &str, flags: MsFlags) -> PathBuf {
    // A name that an old list of mounts tells by an escape.
    let path = base.join("a mount with spaces");
    fs::create_dir(&path).expect("a folder");
    mount(Some(device), &path, Some(kind), flags, None::<&str>).expect("mounts");
    path
}
