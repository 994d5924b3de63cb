//! THE TABLE of file systems that a guest can have on /data. To add one is to add a row.

use std::path::Path;

use anyhow::Result;

use crate::process;

/// A file system on /data.
#[derive(Debug)]
pub(crate) struct FileSystem {
    /// Name on the command line.
    pub(crate) name: &'static str,
    /// What makes it on the disk's image, the image's path comes last; empty if the guest needs
    /// none made.
    make: &'static [&'static str],
    /// Whether nothing but the page cache holds its files.
    pub(crate) stays_warm: bool,
    /// Kernel modules.
    pub(super) modules: &'static [&'static str],
    /// What the guest's init does to mount it; /dev/vda is the disk.
    pub(super) mount: &'static str,
    /// What makes the log before the job where the log must not be made through /data, and
    /// where the job then finds it: a script, in which LOG is the log's folder and BYTES its size.
    pub(crate) before: Option<&'static str>,
}

const EXT4: &[&str] = &["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1,nodiscard"];

/// The table; the first is what a guest has unless it is told otherwise.
pub(crate) static FILE_SYSTEMS: &[FileSystem] = &[
    FileSystem {
        name: "ext4",
        make: EXT4,
        stays_warm: false,
        modules: &[],
        mount: "mount -t ext4 -o noatime,noinit_itable /dev/vda /data",
        before: None,
    },
    FileSystem {
        name: "xfs",
        make: &["mkfs.xfs", "-q", "-f"],
        stays_warm: false,
        modules: &["xfs"],
        mount: "mount -t xfs -o noatime /dev/vda /data",
        before: None,
    },
    FileSystem {
        name: "btrfs",
        make: &["mkfs.btrfs", "-q", "-f"],
        stays_warm: false,
        // Its checksums, which it asks for by name.
        modules: &["crc32c_generic", "btrfs"],
        mount: "mount -t btrfs -o noatime /dev/vda /data",
        before: None,
    },
    FileSystem {
        name: "tmpfs",
        make: &[],
        stays_warm: true,
        modules: &[],
        mount: "mount -t tmpfs -o size=1g data /data",
        before: None,
    },
    FileSystem {
        name: "overlay",
        make: EXT4,
        stays_warm: false,
        modules: &["overlay"],
        mount: "mount -t ext4 -o noatime,noinit_itable /dev/vda /data &&
            mkdir /data/lower /data/upper /data/work /data/merged &&
            mount -t overlay -o lowerdir=/data/lower,upperdir=/data/upper,workdir=/data/work \
                overlay /data/merged",
        // In the lower layer, so that every read goes through the overlay to a file of another
        // file system. No probe is attached by `time`.
        before: Some(
            "/bin/zcprof time --transfer sendfile --rounds 1 --bytes BYTES \
            --log-dir /data/lower/log --out /dev/null && LOG=/data/merged/log",
        ),
    },
];

impl FileSystem {
    /// The row called `name`.
    pub(crate) fn find(name: &str) -> Result<&'static Self, String> {
        let names = || FILE_SYSTEMS.iter().map(|row| row.name).collect::<Vec<_>>().join(", ");
        let row = FILE_SYSTEMS.iter().find(|row| row.name == name);
        row.ok_or_else(|| format!("no file system has that name; there are {}", names()))
    }

    /// Makes it on an image.
    pub(super) fn make(&self, image: &Path) -> Result<()> {
        if let [program, words @ ..] = self.make {
            process::output(process::command(program).args(words).arg(image))?;
        }
        Ok(())
    }
}
