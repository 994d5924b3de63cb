//! What stores a file: its file system, what that does to this file, and the block devices below,
//! down to one that has nothing below it. What cannot be found out is a layer that says so, so that
//! nobody takes it for a device.

mod backing;
mod block;
mod chosen;
mod extents;
mod mapper;
pub(super) mod mounts;
mod number;
mod overlay;
mod stack;

use std::path::Path;

use anyhow::{Context as _, Result};
use zcprof_judge::storage::{Fill, Filler};

pub(crate) use self::mounts::Mount;
use self::stack::StorageStack;
use crate::run::StorageLayer;

/// What stores some files.
pub(super) struct Stored {
    /// The layers below any of them, each once. Those below the first begin with its file system, and
    /// the last is one that has nothing below it.
    pub(super) layers: Vec<StorageLayer>,
    /// The first file's file system.
    pub(super) file_system: String,
    /// Whether one of the file systems maps persistent memory.
    pub(super) is_dax: bool,
}

impl Stored {
    /// Asks of each file: two of the same folder may be in different layers of an overlay, and what
    /// compresses or encrypts does so file by file.
    ///
    /// # Errors
    /// There is none, or one of them or the list of mounts cannot be read.
    pub(super) fn of<'a>(files: impl IntoIterator<Item = &'a Path>) -> Result<Self> {
        let mut stack = StorageStack::default();
        for file in files {
            stack.file(file)?;
        }
        let file_system = stack.layers.first().context("there is no file to ask of")?.kind.clone();
        Ok(Self { file_system, is_dax: stack.is_dax, layers: with_end_last(stack.layers) })
    }

    /// Whether one of the file systems is of this kind.
    pub(super) fn has(&self, kind: &str) -> bool {
        self.layers.iter().any(|layer| layer.kind == kind)
    }
}

/// A layer that passes pages on and has nothing below it would be last, where the judge looks for it. Of
/// several stacks that have their end in common, the last found may pass on to what is there already.
fn with_end_last(mut layers: Vec<StorageLayer>) -> Vec<StorageLayer> {
    if let Some(end) = layers.iter().rposition(|layer| !passes_on(&layer.kind)) {
        let end = layers.remove(end);
        layers.push(end);
    }
    layers
}

/// Whether a layer must have one below it.
fn passes_on(kind: &str) -> bool {
    Filler::find(kind).is_some_and(|row| row.fill == Fill::Through)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(kind: &str) -> StorageLayer {
        StorageLayer { kind: kind.to_owned(), name: "here".to_owned() }
    }

    #[test]
    fn what_ends_a_stack_is_last() {
        let order = |kinds: &[&str]| {
            let layers = with_end_last(kinds.iter().map(|kind| layer(kind)).collect());
            layers.into_iter().map(|layer| layer.kind).collect::<Vec<_>>()
        };
        assert_eq!(order(&["ext4", "virtio_blk"]), ["ext4", "virtio_blk"]);
        // A second file is on a second mount of the same device.
        let again = order(&["overlay", "ext4", "virtio_blk", "xfs"]);
        assert_eq!(again, ["overlay", "ext4", "xfs", "virtio_blk"]);
        assert_eq!(order(&["ext4", "dm-linear"]), ["ext4", "dm-linear"], "nothing ends it");
        assert_eq!(order(&["tmpfs"]), ["tmpfs"]);
    }

    /// The first file names the file system, and every file adds what is below it.
    #[test]
    fn all_files_are_asked_of() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let proc = Path::new("/proc/self/mountinfo");
        let alone = Stored::of([&*here]).expect("told");
        let both = Stored::of([&*here, proc]).expect("told");
        assert_eq!(both.file_system, alone.file_system);
        assert!(both.has("proc") && !alone.has("proc"));
        let twice = Stored::of([&*here, &here]).expect("told");
        assert_eq!(twice.layers, alone.layers);
        assert!(Stored::of([]).is_err());
    }
}
