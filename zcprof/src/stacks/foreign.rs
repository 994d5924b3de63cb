//! Files of a watched process, which may be anybody's: zcprof is root, and the process says by links,
//! pipes and mounts of its own what stands behind a path.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

use crate::status::Status;

/// The root folder of a process. No path leaves it: a link to `/etc` leads to the process's own.
pub(super) struct ProcessRoot {
    root: OwnedFd,
    /// Its effective user, whose files it writes.
    user: u32,
}

impl ProcessRoot {
    /// # Errors
    /// The process is gone, or this process may not look at it.
    pub(super) fn of(process: u32) -> io::Result<Self> {
        let user = Status::of(process).and_then(|status| status.effective("Uid:"));
        let user = user.ok_or_else(|| io::Error::from(Errno::SRCH))?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = openat(CWD, format!("/proc/{process}/root"), flags, Mode::empty())?;
        Ok(Self { root, user })
    }

    /// What stands behind a path, without opening it: a pipe waits for somebody, and a device does
    /// something.
    ///
    /// # Errors
    /// There is nothing, or the kernel's own.
    pub(super) fn find(&self, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::CLOEXEC | flags;
        let within = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        Ok(openat2(&self.root, path, flags, Mode::empty(), within)?)
    }

    /// Opens a regular file to be read.
    ///
    /// # Errors
    /// There is none, or something else.
    pub(super) fn open(&self, path: &Path) -> io::Result<File> {
        open_regular(&self.find(path, OFlags::empty())?)
    }

    /// Reads what was found, if it is a regular file of at most so many bytes that the process's user or
    /// root wrote.
    ///
    /// # Errors
    /// It is no file, somebody else's or longer, or the kernel's own.
    pub(super) fn read_found(&self, found: &impl AsFd, most: u64) -> io::Result<Vec<u8>> {
        let file = open_regular(found)?;
        let owner = file.metadata()?.uid();
        if owner != 0 && owner != self.user {
            return refused(format!("it belongs to user {owner}, the process to {}", self.user));
        }
        let mut bytes = Vec::new();
        let read = file.take(most + 1).read_to_end(&mut bytes)?;
        if read as u64 > most {
            return refused(format!("it is longer than {most} bytes"));
        }
        Ok(bytes)
    }
}

/// A path by which this process reaches what it holds.
pub(super) fn path(held: &impl AsFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", held.as_fd().as_raw_fd()))
}

/// Opens a regular file, by a path of which the kernel says where it leads.
///
/// # Errors
/// There is none, or something else.
pub(super) fn open(path: impl rustix::path::Arg) -> io::Result<File> {
    open_regular(&openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)
}

/// Opens what was found, if it is a regular file.
///
/// # Errors
/// It is something else, or the kernel's own.
fn open_regular(found: &impl AsFd) -> io::Result<File> {
    let path = path(found);
    if !std::fs::metadata(&path)?.is_file() {
        return refused("it is no regular file".to_owned());
    }
    File::open(path)
}

fn refused<T>(why: String) -> io::Result<T> {
    Err(io::Error::new(ErrorKind::InvalidData, why))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use nix::sys::stat::Mode as FileMode;
    use nix::unistd::{Uid, mkfifo};

    use super::*;

    /// A folder as a process's root, and what reading a path in it gives.
    fn read(root: &Path, user: u32, path: &str) -> io::Result<Vec<u8>> {
        let root = File::open(root)?.into();
        let root = ProcessRoot { root, user };
        root.read_found(&root.find(Path::new(path), OFlags::empty())?, 100)
    }

    #[test]
    fn what_a_process_has_in_its_files_place_is_not_opened() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        let own = Uid::effective().as_raw();
        fs::write(root.join("map"), "1000 10 copies").expect("written");
        fs::write(root.join("long"), [b'x'; 101]).expect("written");
        mkfifo(&root.join("pipe"), FileMode::S_IRWXU).expect("a pipe");
        symlink("/map", root.join("link")).expect("a link");
        symlink("../../../../map", root.join("up")).expect("a link");
        symlink("/etc/passwd", root.join("out")).expect("a link");
        symlink("/proc/self/exe", root.join("magic")).expect("a link");
        for path in ["/map", "/link", "/up"] {
            assert_eq!(read(root, own, path).expect(path), b"1000 10 copies", "{path}");
        }
        let error = |path: &str| read(root, own, path).expect_err(path).to_string();
        assert_eq!(error("/pipe"), "it is no regular file");
        assert_eq!(error("/"), "it is no regular file");
        assert_eq!(error("/long"), "it is longer than 100 bytes");
        for path in ["/out", "/magic", "/none"] {
            let error = read(root, own, path).expect_err(path);
            assert_eq!(error.kind(), ErrorKind::NotFound, "{path}: {error}");
        }
    }

    #[test]
    fn what_somebody_else_wrote_is_not_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, own) = (folder.path().join("map"), Uid::effective().as_raw());
        fs::write(&path, "1000 10 copies").expect("written");
        // Root may give it away, and all others see that root's is read.
        let owner = if own == 0 { 7 } else { own };
        std::os::unix::fs::chown(&path, Some(owner), None).expect("given");
        assert!(read(folder.path(), owner, "/map").is_ok());
        let error = read(folder.path(), owner + 1, "/map").expect_err("refused").to_string();
        assert_eq!(error, format!("it belongs to user {owner}, the process to {}", owner + 1));
    }

    #[test]
    fn the_root_of_a_process_is_its_own() {
        let path = std::env::current_exe().expect("this program");
        let root = ProcessRoot::of(std::process::id()).expect("it lives");
        let found = root.open(&path).expect("opened").metadata().expect("metadata");
        assert_eq!(found.ino(), fs::metadata(&path).expect("metadata").ino());
        assert!(ProcessRoot::of(u32::MAX).is_err());
    }
}
