//! A file on an NFS mount. The client is the kernel's; the server is a thread of this process.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;

use async_trait::async_trait;
use nfsserve::nfs::{
    fattr3, fileid3, filename3, ftype3, nfspath3, nfsstat3, nfsstring, nfstime3, sattr3, specdata3,
};
use nfsserve::tcp::{NFSTcp as _, NFSTcpListener};
use nfsserve::vfs::{DirEntry, NFSFileSystem, ReadDirResult, VFSCapabilities};
use nix::mount::{MsFlags, mount, umount};
use tokio::runtime;
use tokio::sync::oneshot;

use super::content;

/// Name of the file.
const NAME: &str = "bytes";

/// Identifiers of the two files that there are.
const ROOT: fileid3 = 1;
const FILE: fileid3 = 2;

/// What a server that can only be read answers to everything else.
const READ_ONLY: nfsstat3 = nfsstat3::NFS3ERR_ROFS;

/// A mounted file system and its server; both are gone with this.
pub(super) struct Remote {
    folder: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<()>>,
}

impl Remote {
    /// Mounts it on a folder, with a file of so many bytes.
    pub(super) fn new(folder: &Path, bytes: usize) -> Self {
        let (say_port, port) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let system = OneFileServer { content: content(bytes) };
        let served = std::thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_io().build();
            runtime.expect("a runtime").block_on(async {
                let listener = NFSTcpListener::bind("127.0.0.1:0", system).await.expect("a port");
                say_port.send(listener.get_listen_port()).expect("somebody waits");
                tokio::select! {
                    ended = listener.handle_forever() => ended.expect("connections"),
                    _ = stopped => {}
                }
            });
        });
        let port = port.recv().expect("the server listens");
        // The kernel asks the server for the file handle of `/` by itself (fs/nfs/mount_clnt.c), and
        // with actimeo=0 it asks at each read whether the file is still the same.
        let address = format!("addr=127.0.0.1,port={port},mountport={port}");
        let options = format!("vers=3,proto=tcp,mountproto=tcp,nolock,noacl,actimeo=0,{address}");
        let kind = Some("nfs");
        mount(Some("127.0.0.1:/"), folder, kind, MsFlags::MS_RDONLY, Some(options.as_str()))
            .expect("NFS mounts");
        Self { folder: folder.to_owned(), stop: Some(stop), server: Some(served) }
    }

    pub(super) fn file(&self) -> PathBuf {
        self.folder.join(NAME)
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        umount(&self.folder).expect("nothing of it is open");
        self.stop.take().expect("once").send(()).expect("the server listens");
        self.server.take().expect("once").join().expect("the server ends");
    }
}

struct OneFileServer {
    content: Vec<u8>,
}

#[async_trait]
impl NFSFileSystem for OneFileServer {
    fn capabilities(&self) -> VFSCapabilities {
        VFSCapabilities::ReadOnly
    }

    fn root_dir(&self) -> fileid3 {
        ROOT
    }

    async fn lookup(&self, _: fileid3, name: &filename3) -> Result<fileid3, nfsstat3> {
        if name.as_ref() == NAME.as_bytes() { Ok(FILE) } else { Err(nfsstat3::NFS3ERR_NOENT) }
    }

    async fn getattr(&self, id: fileid3) -> Result<fattr3, nfsstat3> {
        let is_file = id == FILE;
        let size = if is_file { self.content.len() as u64 } else { 0 };
        let long_ago = nfstime3 { seconds: 1, nseconds: 0 };
        Ok(fattr3 {
            ftype: if is_file { ftype3::NF3REG } else { ftype3::NF3DIR },
            mode: if is_file { 0o444 } else { 0o755 },
            nlink: 1,
            uid: 0,
            gid: 0,
            size,
            used: size,
            rdev: specdata3::default(),
            fsid: 1,
            fileid: id,
            atime: long_ago,
            mtime: long_ago,
            ctime: long_ago,
        })
    }

    async fn read(&self, _: fileid3, at: u64, count: u32) -> Result<(Vec<u8>, bool), nfsstat3> {
        let size = self.content.len();
        let from = usize::try_from(at).unwrap_or(size).min(size);
        let to = from.saturating_add(count as usize).min(size);
        Ok((self.content[from..to].to_vec(), to == size))
    }

    async fn readdir(
        &self,
        _: fileid3,
        after: fileid3,
        _: usize,
    ) -> Result<ReadDirResult, nfsstat3> {
        let name = nfsstring(NAME.into());
        let file = DirEntry { fileid: FILE, name, attr: self.getattr(FILE).await? };
        let entries = if after == FILE { vec![] } else { vec![file] };
        Ok(ReadDirResult { entries, end: true })
    }

    async fn setattr(&self, _: fileid3, _: sattr3) -> Result<fattr3, nfsstat3> {
        Err(READ_ONLY)
    }

    async fn write(&self, _: fileid3, _: u64, _: &[u8]) -> Result<fattr3, nfsstat3> {
        Err(READ_ONLY)
    }

    async fn create(
        &self,
        _: fileid3,
        _: &filename3,
        _: sattr3,
    ) -> Result<(fileid3, fattr3), nfsstat3> {
        Err(READ_ONLY)
    }

    async fn create_exclusive(&self, _: fileid3, _: &filename3) -> Result<fileid3, nfsstat3> {
        Err(READ_ONLY)
    }

    async fn mkdir(&self, _: fileid3, _: &filename3) -> Result<(fileid3, fattr3), nfsstat3> {
        Err(READ_ONLY)
    }

    async fn remove(&self, _: fileid3, _: &filename3) -> Result<(), nfsstat3> {
        Err(READ_ONLY)
    }

    async fn rename(
        &self,
        _: fileid3,
        _: &filename3,
        _: fileid3,
        _: &filename3,
    ) -> Result<(), nfsstat3> {
        Err(READ_ONLY)
    }

    async fn symlink(
        &self,
        _: fileid3,
        _: &filename3,
        _: &nfspath3,
        _: &sattr3,
    ) -> Result<(fileid3, fattr3), nfsstat3> {
        Err(READ_ONLY)
    }

    async fn readlink(&self, _: fileid3) -> Result<nfspath3, nfsstat3> {
        Err(nfsstat3::NFS3ERR_INVAL)
    }
}
