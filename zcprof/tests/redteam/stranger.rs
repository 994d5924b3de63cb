//! Somebody who reads a file of his own all the time, always from storage.

use std::any::Any;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::Duration;

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

use super::fuse::Mounted;
use super::storage::Stacked;
use super::table::Backing;
use super::{content, folder};

/// How long he rests after each piece, so that others have the CPU.
const REST: Duration = Duration::from_millis(5);

/// He stops with this, and his file system is gone.
pub(super) struct Stranger {
    ends: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
    _mounted: Box<dyn Any>,
}

impl Stranger {
    /// Has him read a file of so many bytes, which is stored like that.
    pub(super) fn of(backing: Backing, bytes: usize) -> Self {
        let (file, mounted): (PathBuf, Box<dyn Any>) = match backing {
            Backing::Fuse => {
                let mounted = Mounted::new(&folder("stranger"), bytes);
                (mounted.file(), Box::new(mounted))
            }
            Backing::Loop { direct } => {
                let stacked = Stacked::looped(direct);
                let file = stacked.mounted().join("bytes");
                fs::write(&file, content(bytes)).expect("written");
                File::open(&file).and_then(|file| file.sync_all()).expect("on the disk");
                (file, Box::new(stacked))
            }
            _ => panic!("nobody reads {backing} beside others"),
        };
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
