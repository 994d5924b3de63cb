//! The layers below files, one after another, as far down as they go.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};

use super::backing::Backing;
use super::block::{self, BlockDevice};
use super::mounts::{self, Mount};
use super::{chosen, extents, overlay, passes_on};
use crate::run::StorageLayer;

/// Layers that are followed: more than this is a circle.
const DEEPEST: usize = 32;

/// A stack while it is found.
#[derive(Default)]
pub(super) struct StorageStack {
    pub(super) layers: Vec<StorageLayer>,
    /// Devices that are in it already: the legs of a mirror have one below them both.
    devices: BTreeSet<(u32, u32)>,
    /// What could not be found out already.
    lost: BTreeSet<&'static str>,
    /// How many layers deep the search is.
    depth: usize,
    /// Whether one of the file systems maps persistent memory.
    pub(super) is_dax: bool,
}

impl StorageStack {
    fn push(&mut self, kind: impl Into<String>, name: impl Into<String>) {
        let layer = StorageLayer { kind: kind.into(), name: name.into() };
        if !self.layers.contains(&layer) {
            self.layers.push(layer);
        }
    }

    /// What is done to a file; named by the first such file, for a log may have thousands.
    fn treat(&mut self, kind: &str, file: &Path) {
        if self.layers.iter().all(|layer| layer.kind != kind) {
            self.push(kind, file.display().to_string());
        }
    }

    /// A layer that is in no table, so that it is known to be unknown; the first of those for which
    /// the same is lacking.
    fn lose(&mut self, what: &'static str, which: impl std::fmt::Display) {
        if self.lost.insert(what) {
            self.push("unknown", format!("{what}: {which}"));
        }
    }

    /// Goes a layer deeper, unless the stack goes on and on.
    fn deeper(&mut self, go: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        if self.depth == DEEPEST {
            self.lose("more layers than are followed", DEEPEST);
            return Ok(());
        }
        self.depth += 1;
        let done = go(self);
        self.depth -= 1;
        done
    }

    /// Adds what is below a file, from its file system down.
    ///
    /// # Errors
    /// It or the list of mounts cannot be read.
    pub(super) fn file(&mut self, file: &Path) -> Result<()> {
        self.deeper(|stack| stack.file_system(file))
    }

    fn file_system(&mut self, file: &Path) -> Result<()> {
        let mount = Mount::of(file)?;
        self.is_dax |= mount.is_dax();
        self.push(mount.layer(), mount.point.display().to_string());
        if mount.kind == "overlay" {
            match overlay::data_of(&mount, file) {
                Ok(below) => self.file(&below)?,
                Err(why) => self.lose("the layer of an overlay that has the data", why),
            }
            return Ok(());
        }
        self.treatment(&mount, file)?;
        if mount.kind.starts_with("fuse") {
            if answers_by_ring() {
                self.lose("FUSE over io_uring", "no site sees its copies");
            }
            // A FUSE of a block device has a process between itself and that.
            return Ok(());
        }
        match &*mount.kind {
            "btrfs" => self.pool(&mount),
            "xfs" => self.xfs(&mount, file),
            "f2fs" => self.f2fs(&mount, file),
            _ if mount.device.0 != 0 => self.device(mount.device),
            kind if passes_on(kind) => {
                self.lose("the device of a file system", mount.point.display());
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// What the file system does to this file's bytes.
    fn treatment(&mut self, mount: &Mount, file: &Path) -> Result<()> {
        let stat = statx(CWD, file, AtFlags::empty(), StatxFlags::BASIC_STATS)?;
        let has = |attribute| stat.stx_attributes.contains(attribute);
        if has(StatxAttributes::ENCRYPTED) {
            self.treat("fscrypt", file);
        }
        let is_compressed = match extents::treatment(file) {
            Ok(told) => {
                if told.inline {
                    self.treat("inline data", file);
                }
                if told.undecided {
                    self.lose("extents that are not written yet", file.display());
                }
                told.encoded
            }
            Err(error) => {
                self.lose("the extents of a file", format!("{}: {error}", file.display()));
                false
            }
        };
        if is_compressed || has(StatxAttributes::COMPRESSED) {
            self.treat("compressed extents", file);
        }
        if mount.kind == "iso9660" && chosen::is_zisofs(mount, &file.metadata()?) {
            self.treat("zisofs", file);
        }
        Ok(())
    }

    /// The devices of a btrfs, whichever of them it was mounted by.
    fn pool(&mut self, mount: &Mount) -> Result<()> {
        let devices = block::pool(&mount.source);
        if devices.is_empty() {
            self.lose("the devices of a btrfs", mount.source.display());
        }
        devices.into_iter().try_for_each(|device| self.device(device))
    }

    /// Of an XFS that has a realtime device, that one of its two that the file is on.
    fn xfs(&mut self, mount: &Mount, file: &Path) -> Result<()> {
        let Some(other) = mount.values(b"rtdev=").pop() else { return self.device(mount.device) };
        let device = match chosen::is_realtime(file) {
            Ok(true) => block::number_of(&mounts::path(&other)),
            Ok(false) => Some(mount.device),
            Err(_) => None,
        };
        if let Some(device) = device {
            return self.device(device);
        }
        self.lose("which of an XFS's devices a file is on", file.display());
        Ok(())
    }

    /// The device of an f2fs, which may have more that it does not name.
    fn f2fs(&mut self, mount: &Mount, file: &Path) -> Result<()> {
        let size = BlockDevice::of(mount.device).and_then(|device| device.size());
        if size.is_none_or(|size| chosen::is_larger_than(file, size).unwrap_or(true)) {
            self.lose("the further devices of an f2fs", mount.point.display());
        }
        self.device(mount.device)
    }

    /// A block device and what it is on.
    fn device(&mut self, device: (u32, u32)) -> Result<()> {
        if !self.devices.insert(device) {
            return Ok(());
        }
        self.deeper(|stack| stack.block_device(device))
    }

    fn block_device(&mut self, device: (u32, u32)) -> Result<()> {
        let Some(found) = BlockDevice::of(device) else {
            self.lose("a block device", format!("{}:{}", device.0, device.1));
            return Ok(());
        };
        for kind in &found.kinds {
            self.push(&**kind, found.name());
        }
        let has_below = found.backing.is_some() || !found.slaves.is_empty();
        if !has_below && found.kinds.iter().any(|kind| passes_on(kind)) {
            self.lose("what a device is on", found.name());
        }
        if let Some(file) = &found.backing {
            self.below(Path::new(&found.name()), file)?;
        }
        found.slaves.into_iter().try_for_each(|slave| self.device(slave))
    }

    /// What a loop device has below it, which the kernel knows by name and by number. Under the name may
    /// be another file by now, or none: it was removed, is in another namespace, or something is
    /// mounted over it.
    fn below(&mut self, loop_device: &Path, name: &Path) -> Result<()> {
        match Backing::of(loop_device) {
            Ok(backing) => {
                if let Some(device) = backing.block_device() {
                    return self.device(device);
                }
                if backing.is(name) && name.is_file() {
                    return self.file(name);
                }
                let which = format!("{}, once {}", loop_device.display(), name.display());
                self.lose("the file of a loop device", which);
            }
            Err(error) => {
                let which = format!("{}: {error}", loop_device.display());
                self.lose("the file of a loop device", which);
            }
        }
        Ok(())
    }
}

/// Whether FUSE daemons may answer through io_uring, where fuse_uring_copy_from_ring() copies and
/// fuse_dev_do_write() is not called (fs/fuse/dev_uring.c, since 6.14).
fn answers_by_ring() -> bool {
    let switch = std::fs::read_to_string("/sys/module/fuse/parameters/enable_uring");
    switch.is_ok_and(|value| value.trim() == "Y")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_met_again_is_named_once_and_what_is_done_to_a_file_by_the_first() {
        let mut stack = StorageStack::default();
        for segment in ["/log/0", "/log/1"] {
            stack.push("ext4", "/log");
            stack.treat("compressed extents", Path::new(segment));
            stack.lose("extents that are not written yet", segment);
        }
        stack.lose("a block device", "8:0");
        let names: Vec<_> = stack.layers.iter().map(ToString::to_string).collect();
        let compressed = "compressed extents /log/0";
        let unwritten = "unknown extents that are not written yet: /log/0";
        assert_eq!(names, ["ext4 /log", compressed, unwritten, "unknown a block device: 8:0"]);
    }

    #[test]
    fn a_circle_ends() {
        let mut stack = StorageStack { depth: DEEPEST, ..StorageStack::default() };
        stack.file(Path::new("/proc/self/mountinfo")).expect("ends");
        assert_eq!(stack.layers.len(), 1);
        assert_eq!(stack.layers[0].kind, "unknown");
    }
}
