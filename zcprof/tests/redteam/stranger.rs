//! Somebody who reads a FUSE file of his own all the time, always from the daemon.

use std::fs::File;
use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::Duration;

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

use super::folder;
use super::fuse::Mounted;

/// How long he rests after each piece, so that others have the CPU.
const REST: Duration = Duration::from_millis(5);

/// He stops with this, and his file system is gone.
pub(super) struct Stranger {
    ends: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
    _mounted: Mounted,
}

impl Stranger {
    /// Has him read a file of so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        let mounted = Mounted::new(&folder("stranger"), bytes);
        let file = mounted.file();
        let ends = Arc::new(AtomicBool::new(false));
        let told = ends.clone();
        let reader = std::thread::spawn(move || {
            let mut piece = vec![0; 256 << 10];
            while !told.load(Ordering::Relaxed) {
                let mut file = File::open(&file).expect("there");
                while !told.load(Ordering::Relaxed) && file.read(&mut piece).expect("answered") > 0
                {
                    sleep(REST);
                }
                posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)
                    .expect("advice is taken");
            }
        });
        Self { ends, reader: Some(reader), _mounted: mounted }
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        self.reader.take().expect("once").join().expect("he reads to the end");
    }
}
