//! Overlays whose layers are on unlike storage, so that a file's name does not tell what it is read from.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};

use nix::mount::umount;
use nix::unistd::sync;

use super::storage::Stacked;
use super::{code, folder, overlay, text, zcprof};

/// An overlay of what is on a loop device; both are gone with this.
pub(super) struct Layered {
    merged: PathBuf,
    log: PathBuf,
    _below: Stacked,
}

impl Layered {
    /// A file of a squashfs whose owner was changed: only that is in the upper layer, on the disk, or all
    /// of the file is.
    pub(super) fn with_another_owner(copied_up: bool) -> Self {
        let below = Stacked::compressed();
        let base = folder("overlay-of-squashfs");
        let options = if copied_up { "metacopy=off" } else { "metacopy=on" };
        let merged = overlay(below.mounted(), &base, options);
        let log = merged.join("bytes");
        chown(&log, Some(1), None).expect("its owner is changed");
        let upper = fs::metadata(base.join("upper/bytes")).expect("it is in the upper layer");
        // A block may be that of its attributes.
        assert_eq!(upper.blocks() * 512 >= upper.size(), copied_up, "{options}");
        Self { merged, log, _below: below }
    }

    /// A log of which one segment was copied to the upper layer, on the disk, and the others are still on
    /// a loop device.
    pub(super) fn with_one_segment_copied_up(direct: bool) -> Self {
        let below = Stacked::looped(direct);
        let lower = below.mounted();
        let made = zcprof(&["make-log", "--topic", "layers", "--records", "8192"])
            .args(["--segment-bytes", "2MiB"])
            .arg(lower.join("log"))
            .output()
            .expect("zcprof starts");
        assert_eq!(code(&made), 0, "{}", text(&made));
        // Through an overlay nobody has files of a lower layer written.
        sync();
        let base = folder("overlay-of-loop");
        let merged = overlay(lower, &base, "metacopy=off");
        let log = merged.join("log/layers-0");
        let segments = segments(&log);
        assert!(segments.len() > 2, "{segments:?}");
        chown(&segments[0], Some(1), None).expect("its owner is changed");
        Self { merged, log, _below: below }
    }

    pub(super) fn log(&self) -> PathBuf {
        self.log.clone()
    }
}

impl Drop for Layered {
    fn drop(&mut self) {
        umount(&self.merged).expect("nothing of it is open");
    }
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path());
    let is_segment = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "log");
    let mut segments: Vec<_> = files.filter(is_segment).collect();
    segments.sort();
    segments
}
