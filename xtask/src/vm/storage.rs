//! THE TABLE of file systems that a guest can have on /data. To add one is to add a row.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::{libraries, process};

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
    /// Programs of this host that the guest's init needs, with their libraries.
    pub(super) programs: &'static [&'static str],
    /// Kernel modules.
    pub(super) modules: &'static [&'static str],
    /// What the guest's init does to mount it; /dev/vda is the disk.
    pub(super) mount: &'static str,
    /// What makes the log before the job where the log must not be made through /data, and
    /// where the job then finds it: a script, in which LOG is the log's folder and BYTES its size.
    pub(crate) before: Option<&'static str>,
}

/// What most rows have in common.
const PLAIN: FileSystem = FileSystem {
    name: "",
    make: &[],
    stays_warm: false,
    programs: &[],
    modules: &[],
    mount: "",
    before: None,
};

const EXT4: &[&str] = &["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1,nodiscard"];

/// The table; the first is what a guest has unless it is told otherwise.
pub(crate) static FILE_SYSTEMS: &[FileSystem] = &[
    FileSystem {
        name: "ext4",
        make: EXT4,
        mount: "mount -t ext4 -o noatime,noinit_itable /dev/vda /data",
        ..PLAIN
    },
    FileSystem {
        name: "xfs",
        make: &["mkfs.xfs", "-q", "-f"],
        modules: &["xfs"],
        mount: "mount -t xfs -o noatime /dev/vda /data",
        ..PLAIN
    },
    FileSystem {
        name: "btrfs",
        make: &["mkfs.btrfs", "-q", "-f"],
        // Its checksums, which it asks for by name.
        modules: &["crc32c_generic", "btrfs"],
        mount: "mount -t btrfs -o noatime /dev/vda /data",
        ..PLAIN
    },
    FileSystem {
        name: "tmpfs",
        stays_warm: true,
        mount: "mount -t tmpfs -o size=1g data /data",
        ..PLAIN
    },
    FileSystem {
        name: "overlay",
        make: EXT4,
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
        ..PLAIN
    },
    // The three by which the CPU fills the page cache: a copy, a decryption, a decompression.
    FileSystem {
        name: "ext4-loop",
        make: EXT4,
        modules: &["loop"],
        mount: "losetup /dev/loop0 /dev/vda &&
            mount -t ext4 -o noatime,noinit_itable /dev/loop0 /data",
        ..PLAIN
    },
    FileSystem {
        name: "ext4-dm-crypt",
        programs: &["dmsetup"],
        modules: &["dm-crypt", "xts"],
        // The key guards nothing.
        mount: "sectors=$(blockdev --getsz /dev/vda) &&
            key=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f &&
            /bin/dmsetup create data --noudevrules --noudevsync \
                --table \"0 $sectors crypt aes-xts-plain64 $key 0 /dev/vda 0\" &&
            mke2fs -F /dev/dm-0 >/dev/null &&
            mount -t ext4 -o noatime /dev/dm-0 /data",
        ..PLAIN
    },
    FileSystem {
        name: "squashfs",
        // A file of text, whose first bytes are served. It is packed in the image's own folder, so
        // that what a killed command leaves goes with it.
        make: &[
            "sh",
            "-c",
            "folder=\"$0.packed\" && mkdir \"$folder\" &&
            yes 'a line of text, as logs have many' | head -c 268435456 >\"$folder/text\" &&
            mksquashfs \"$folder\" \"$0\" -quiet -no-progress -noappend -all-root &&
            rm -r \"$folder\"",
        ],
        modules: &["squashfs"],
        mount: "mount -t squashfs /dev/vda /data",
        before: Some("LOG=/data/text"),
        ..PLAIN
    },
];

impl FileSystem {
    /// The row called `name`.
    pub(crate) fn find(name: &str) -> Result<&'static Self, String> {
        let names = || FILE_SYSTEMS.iter().map(|row| row.name).collect::<Vec<_>>().join(", ");
        let row = FILE_SYSTEMS.iter().find(|row| row.name == name);
        row.ok_or_else(|| format!("no file system has that name; there are {}", names()))
    }

    /// The programs, and where they and their libraries are to be in the guest.
    ///
    /// # Errors
    /// One is not on this host.
    pub(super) fn programs(&self) -> Result<Vec<(PathBuf, String)>> {
        let mut files = Vec::new();
        for name in self.programs {
            let path = process::find(name).with_context(|| format!("there is no {name} here"))?;
            let mut found = libraries::with_libraries(&path)?;
            found[0].1 = format!("/bin/{name}");
            files.extend(found);
        }
        Ok(files)
    }

    /// Makes it on an image.
    pub(super) fn make(&self, image: &Path) -> Result<()> {
        if let [program, words @ ..] = self.make {
            process::output(process::command(program).args(words).arg(image))?;
        }
        Ok(())
    }
}
