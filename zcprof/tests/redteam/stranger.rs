//! Somebody who reads a file of his own all the time, always from storage.

use std::any::Any;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::Duration;

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

use super::super::background::Background;
use super::fuse::Mounted;
use super::storage::Stacked;
use super::table::Backing;
use super::{content, folder};

/// How long he rests after each piece, so that others have the CPU.
const REST: Duration = Duration::from_millis(5);

/// He stops with this, and then his file system is gone.
pub(super) struct Stranger {
    _reader: Background,
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
        let reader = Background::begin(move |over| {
            let mut piece = vec![0; 256 << 10];
            while !over.load(Ordering::Relaxed) {
                let mut file = File::open(&file).expect("there");
                while !over.load(Ordering::Relaxed) && file.read(&mut piece).expect("answered") > 0
                {
                    sleep(REST);
                }
                posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)
                    .expect("advice is taken");
            }
        });
        Self { _reader: reader, _mounted: mounted }
    }
}
