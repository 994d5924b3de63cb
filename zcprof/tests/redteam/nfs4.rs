//! A file on an NFSv4 mount. Both the client and the server are the kernel's.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::mount::{MsFlags, mount, umount};

use super::content;

/// Name of the file.
const NAME: &str = "bytes";

/// Where the server is told what to do (fs/nfsd/nfsctl.c).
const CONTROL: &str = "/proc/fs/nfsd";

/// Its port.
const PORT: u16 = 2049;

/// Flags of an export (include/uapi/linux/nfsd/export.h): read-only, to any port of a client's, without a
/// check of the folders above, known by a number.
const FLAGS: u32 = 0x1 | 0x2 | 0x400 | 0x2000;

/// Seconds in which a server that has just begun opens no file, but waits for clients that had files open
/// before; the kernel takes no fewer.
const GRACE: u32 = 10;

/// A mounted file system and its server; both are gone with this.
pub(super) struct ServedByKernel {
    mounted: PathBuf,
}

impl ServedByKernel {
    /// Serves a new folder `export`, with a file of so many bytes, and mounts it on another.
    pub(super) fn new(export: &Path, mounted: &Path, bytes: usize) -> Self {
        fs::write(export.join(NAME), content(bytes)).expect("a file on the disk");
        let none = MsFlags::empty();
        mount(Some("nfsd"), CONTROL, Some("nfsd"), none, None::<&str>).expect("a server of NFS");
        // What rpc.mountd answers when the kernel asks it: whose address that is, what he gets, and that
        // this is the root (cache_write(), net/sunrpc/cache.c).
        let until = SystemTime::now() + Duration::from_hours(24);
        let until = until.duration_since(SystemTime::UNIX_EPOCH).expect("a date").as_secs();
        let export = export.display();
        for (cache, line) in [
            ("auth.unix.ip", format!("nfsd 127.0.0.1 {until} all")),
            ("nfsd.export", format!("all {export} {until} {FLAGS} 65534 65534 0")),
            ("nfsd.fh", format!("all 1 \\x00000000 {until} {export}")),
        ] {
            say(&format!("/proc/net/rpc/{cache}/channel"), &line);
        }
        for (file, text) in [
            ("versions", "-3 +4 +4.1 +4.2".to_owned()),
            ("nfsv4gracetime", GRACE.to_string()),
            ("portlist", format!("tcp {PORT}")),
            ("threads", "1".to_owned()),
        ] {
            say(&format!("{CONTROL}/{file}"), &text);
        }
        let address = format!("addr=127.0.0.1,clientaddr=127.0.0.1,port={PORT}");
        let options = format!("vers=4.2,proto=tcp,sec=sys,{address}");
        let (from, read_only) = (Some("127.0.0.1:/"), MsFlags::MS_RDONLY);
        mount(from, mounted, Some("nfs4"), read_only, Some(options.as_str()))
            .expect("NFSv4 mounts");
        let served = Self { mounted: mounted.to_owned() };
        fs::File::open(served.file()).expect("the server opens it when its time of grace is over");
        served
    }

    pub(super) fn file(&self) -> PathBuf {
        self.mounted.join(NAME)
    }
}

impl Drop for ServedByKernel {
    fn drop(&mut self) {
        umount(&self.mounted).expect("nothing of it is open");
        say(&format!("{CONTROL}/threads"), "0");
        umount(CONTROL).expect("nothing of it is open");
    }
}

fn say(file: &str, line: &str) {
    let said = fs::write(file, format!("{line}\n"));
    said.unwrap_or_else(|error| panic!("{file} does not take {line:?}: {error}"));
}
