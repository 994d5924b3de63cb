//! What stores a file: its file system, what that does to this file, and the block devices below,
//! down to one that has nothing below it. What cannot be found out is a layer that says so, so that
//! nobody takes it for a device.

mod block;
mod extents;
mod mapper;
pub(super) mod mounts;

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};

pub(crate) use self::mounts::Mount;
use crate::run::StorageLayer;

/// Layers that are followed: more than this is a circle.
const DEEPEST: usize = 32;

/// A stack while it is found.
#[derive(Default)]
struct StorageStack {
    layers: Vec<StorageLayer>,
    /// Devices that are in it already: the legs of a mirror have one below them both.
    devices: BTreeSet<(u32, u32)>,
}

/// The layers below a file, from its file system down.
///
/// # Errors
/// The file or the list of mounts cannot be read.
pub(super) fn layers(file: &Path) -> Result<Vec<StorageLayer>> {
    let mut stack = StorageStack::default();
    stack.file(file)?;
    Ok(stack.layers)
}

impl StorageStack {
    fn push(&mut self, kind: impl Into<String>, name: impl Into<String>) {
        self.layers.push(StorageLayer { kind: kind.into(), name: name.into() });
    }

    /// A layer that is in no table, so that it is known to be unknown.
    fn lost(&mut self, why: String) {
        self.push("unknown", why);
    }

    /// Ends a stack that goes on and on.
    fn is_too_deep(&mut self) -> bool {
        let is_too_deep = self.layers.len() >= DEEPEST;
        if is_too_deep {
            self.lost(format!("more than {DEEPEST} layers"));
        }
        is_too_deep
    }

    fn file(&mut self, file: &Path) -> Result<()> {
        let mount = Mount::of(file)?;
        self.push(mount.layer(), mount.point.display().to_string());
        if self.is_too_deep() {
            return Ok(());
        }
        if mount.kind == "overlay" {
            match mount.layer_with(file) {
                Some(below) => self.file(&below)?,
                None => self.lost(format!("which layer of the overlay has {}", file.display())),
            }
            return Ok(());
        }
        self.treatment(file)?;
        if mount.kind.starts_with("fuse") {
            if answers_by_ring() {
                self.lost("FUSE over io_uring: no site sees its copies".to_owned());
            }
            // A FUSE of a block device has a process between itself and that.
            return Ok(());
        }
        if mount.kind == "btrfs" {
            return self.pool(&mount);
        }
        if mount.device.0 != 0 { self.device(mount.device) } else { Ok(()) }
    }

    /// What the file system does to this file's bytes.
    fn treatment(&mut self, file: &Path) -> Result<()> {
        let stat = statx(CWD, file, AtFlags::empty(), StatxFlags::BASIC_STATS)?;
        let name = file.display().to_string();
        let has = |attribute| stat.stx_attributes.contains(attribute);
        if has(StatxAttributes::ENCRYPTED) {
            self.push("fscrypt", &*name);
        }
        // A file system that tells nothing of its extents is a row of the table by itself.
        let told = extents::treatment(file).unwrap_or_default();
        if told.encoded || has(StatxAttributes::COMPRESSED) {
            self.push("compressed extents", &*name);
        }
        if told.inline {
            self.push("inline data", &*name);
        }
        Ok(())
    }

    /// The devices of a btrfs, whichever of them it was mounted by.
    fn pool(&mut self, mount: &Mount) -> Result<()> {
        let devices = block::pool(&mount.source);
        if devices.is_empty() {
            self.lost(format!("the devices of {}", mount.source.display()));
        }
        devices.into_iter().try_for_each(|device| self.device(device))
    }

    /// A block device and what it is on.
    fn device(&mut self, device: (u32, u32)) -> Result<()> {
        if !self.devices.insert(device) {
            return Ok(());
        }
        if self.is_too_deep() {
            return Ok(());
        }
        let Some(found) = block::BlockDevice::of(device) else {
            self.lost(format!("block device {}:{}", device.0, device.1));
            return Ok(());
        };
        for kind in &found.kinds {
            self.push(&**kind, found.name());
        }
        match found.backing {
            // The file below a loop device may be removed, or in another namespace.
            Some(file) if file.is_file() => self.file(&file)?,
            Some(file) => self.below(&file)?,
            None => {}
        }
        found.slaves.into_iter().try_for_each(|slave| self.device(slave))
    }

    /// What a loop device has below it that is no file: another device, or nothing to be found.
    fn below(&mut self, path: &Path) -> Result<()> {
        if let Some(device) = block::number_of(path) {
            return self.device(device);
        }
        self.lost(format!("{} is not to be found", path.display()));
        Ok(())
    }
}

/// Whether FUSE daemons may answer through io_uring, where fuse_uring_copy_from_ring() copies and
/// fuse_dev_do_write() is not called (fs/fuse/dev_uring.c, since 6.14).
fn answers_by_ring() -> bool {
    let switch = std::fs::read_to_string("/sys/module/fuse/parameters/enable_uring");
    switch.is_ok_and(|value| value.trim() == "Y")
}
