//! Mounts, from /proc/self/mountinfo (Documentation/filesystems/proc.rst, section 3.5).

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use rustix::fs::{AtFlags, CWD, StatxFlags, statx};

/// Asks for the mount's number: `STATX_MNT_ID` (include/uapi/linux/stat.h, since 5.8).
const MOUNT_ID: StatxFlags = StatxFlags::from_bits_retain(0x1000);

/// How a file is mounted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    /// The file system's name.
    pub(crate) kind: String,
    /// Where.
    pub(super) point: PathBuf,
    /// The folder of the file system that is seen there: `/`, or what was bound there.
    pub(super) root: PathBuf,
    /// What: a device, or whatever the file system calls itself.
    pub(super) source: PathBuf,
    /// Numbers of the device; the first is 0 where there is none.
    pub(super) device: (u32, u32),
    /// Options of the mount and of the file system, as the kernel wrote them.
    options: Vec<u8>,
}

impl Mount {
    /// That which a file or folder is reached by.
    ///
    /// # Errors
    /// It is not there, or the mounts cannot be read.
    pub(crate) fn of(path: &Path) -> Result<Self> {
        let what = || format!("finding the mount of {}", path.display());
        let stat = statx(CWD, path, AtFlags::empty(), MOUNT_ID).with_context(what)?;
        let mounts = fs::read("/proc/self/mountinfo").context("reading /proc/self/mountinfo")?;
        let found = mounts.split(|byte| *byte == b'\n').find_map(|line| {
            let (id, mount) = parse(line)?;
            (id == stat.stx_mnt_id).then_some(mount)
        });
        found.with_context(what)
    }

    /// The file system's name as a layer. One over the network that is not filled out of a socket is
    /// another: RDMA writes into memory by itself (nfs_show_mount_options(), fs/nfs/super.c;
    /// cifs_show_options(), fs/smb/client/cifsfs.c), and a cache on a disk may have the bytes (fsc).
    pub(super) fn layer(&self) -> String {
        const OTHER: [&[u8]; 3] = [b"proto=rdma", b"rdma", b"fsc"];
        match self.words().find(|word| OTHER.contains(&&**word)) {
            Some(word) => format!("{} ({})", self.kind, String::from_utf8_lossy(&word)),
            None => self.kind.clone(),
        }
    }

    /// Whether some of its files may be in persistent memory, which is mapped and has no page cache
    /// (Documentation/filesystems/dax.rst).
    pub(crate) fn is_dax(&self) -> bool {
        self.words().any(|word| word.starts_with(b"dax") && word != *b"dax=never")
    }

    /// The value of an option, by its name with an equals sign; each time that it is there.
    pub(super) fn values(&self, name: &[u8]) -> Vec<Vec<u8>> {
        self.words().filter_map(|word| Some(word.strip_prefix(name)?.to_vec())).collect()
    }

    /// Whether there is an option of this name, without a value.
    pub(super) fn has(&self, name: &[u8]) -> bool {
        self.words().any(|word| word == name)
    }

    /// A comma in an option's value is escaped (seq_show_option(), include/linux/seq_file.h).
    fn words(&self) -> impl Iterator<Item = Vec<u8>> {
        self.options.split(|byte| *byte == b',').map(unescape)
    }
}

/// Whether a file system of this mount namespace maps persistent memory.
///
/// # Errors
/// The mounts cannot be read.
pub(crate) fn is_any_dax() -> Result<bool> {
    let mounts = fs::read("/proc/self/mountinfo").context("reading /proc/self/mountinfo")?;
    let mut mounts = mounts.split(|byte| *byte == b'\n').filter_map(parse);
    Ok(mounts.any(|(_, mount)| mount.is_dax()))
}

/// A line: the mount's number, and the mount.
pub(super) fn parse(line: &[u8]) -> Option<(u64, Mount)> {
    let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    // After the sixth word are any number of optional ones, and then a hyphen.
    let hyphen = 6 + words.get(6..)?.iter().position(|word| *word == b"-")?;
    let [kind, source, of_its_own] = *words.get(hyphen + 1..)? else { return None };
    let number = |word: &[u8]| std::str::from_utf8(word).ok()?.parse().ok();
    let (major, minor) = std::str::from_utf8(words[2]).ok()?.split_once(':')?;
    let options = [words[5], b",", of_its_own].concat();
    let mount = Mount {
        kind: String::from_utf8_lossy(&unescape(kind)).into_owned(),
        root: path(&unescape(words[3])),
        point: path(&unescape(words[4])),
        source: path(&unescape(source)),
        device: (major.parse().ok()?, minor.parse().ok()?),
        options,
    };
    Some((number(words[0])?, mount))
}

/// Undoes mangle() (fs/proc_namespace.c): space, tab, line feed, backslash and number sign are
/// `\` and three octal digits.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        let octal = after
            .get(..3)
            .filter(|_| *byte == b'\\')
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        plain.push(octal.unwrap_or(*byte));
        rest = if octal.is_some() { &after[3..] } else { after };
    }
    plain
}

pub(super) fn path(bytes: &[u8]) -> PathBuf {
    OsString::from_vec(bytes.to_vec()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_whatever_its_names_have_in_them() {
        let line = br"36 35 98:0 /mnt1 /mnt\040with\040spaces rw,noatime shared:1 master:2 - ext3 /dev/my\134disk rw,errors=continue";
        let (id, mount) = parse(line).expect("a mount");
        assert_eq!((id, mount.device, &*mount.kind), (36, (98, 0), "ext3"));
        assert_eq!(mount.point, Path::new("/mnt with spaces"));
        assert_eq!(mount.source, Path::new(r"/dev/my\disk"));
        assert!(!mount.is_dax());
        assert_eq!(parse(b""), None);
        assert_eq!(parse(b"36 35 98:0 / / rw"), None);
    }

    #[test]
    fn what_no_socket_fills_is_another_layer() {
        let layer = |kind: &str, options: &str| {
            let line = format!("50 35 0:60 / /n rw - {kind} server:/ rw,{options},addr=10.0.0.1");
            parse(line.as_bytes()).expect("a mount").1.layer()
        };
        assert_eq!(layer("nfs4", "vers=4.2,proto=tcp"), "nfs4");
        assert_eq!(layer("nfs4", "vers=4.2,proto=rdma"), "nfs4 (proto=rdma)");
        assert_eq!(layer("cifs", "vers=3.1.1,rdma"), "cifs (rdma)");
        assert_eq!(layer("nfs", "vers=3,fsc"), "nfs (fsc)");
    }

    /// The kernel's own word for where this test is.
    #[test]
    fn the_mount_of_a_file_is_found_by_its_number() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mount = Mount::of(here).expect("mounted");
        assert!(here.canonicalize().expect("there").starts_with(&mount.point), "{mount:?}");
        assert_eq!(Mount::of(Path::new("/proc/self/mountinfo")).expect("mounted").kind, "proc");
        assert!(Mount::of(Path::new("/nowhere/at/all")).is_err());
    }
}
