//! A file system in user space with one file, so that another process is the storage.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags,
    Generation, INodeNo, LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyEntry, ReplyOpen,
    Request,
};

use super::content;

/// Name of the file.
const NAME: &str = "bytes";

/// The file's inode; the root's is 1.
const INODE: INodeNo = INodeNo(2);

/// How long the kernel may remember what it was told.
const LONG: Duration = Duration::from_hours(1);

/// A mounted file system; it is gone with this.
pub(super) struct Mounted {
    folder: PathBuf,
    session: Option<BackgroundSession>,
}

impl Mounted {
    /// Mounts it on a folder, with a file of so many bytes.
    pub(super) fn new(folder: &Path, bytes: usize) -> Self {
        fs::create_dir_all(folder).expect("a folder to mount on");
        let system = OneFileDaemon { content: content(bytes) };
        let session = fuser::spawn_mount(system, folder, &Config::default());
        Self { folder: folder.to_owned(), session: Some(session.expect("FUSE mounts")) }
    }

    pub(super) fn file(&self) -> PathBuf {
        self.folder.join(NAME)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        drop(self.session.take());
        let mounts = fs::read_to_string("/proc/self/mounts").expect("mounts");
        assert!(!mounts.contains(&*self.folder.to_string_lossy()), "still mounted: {mounts}");
    }
}

struct OneFileDaemon {
    content: Vec<u8>,
}

impl OneFileDaemon {
    fn attributes(&self, inode: INodeNo) -> FileAttr {
        let is_file = inode == INODE;
        let size = if is_file { self.content.len() as u64 } else { 0 };
        FileAttr {
            ino: inode,
            size,
            blocks: size / 512,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind: if is_file { FileType::RegularFile } else { FileType::Directory },
            perm: if is_file { 0o444 } else { 0o755 },
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }
}

impl Filesystem for OneFileDaemon {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if name == NAME {
            reply.entry(&LONG, &self.attributes(INODE), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&LONG, &self.attributes(inode));
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE);
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.content.len());
        let to = from.saturating_add(size as usize).min(self.content.len());
        reply.data(&self.content[from..to]);
    }
}
