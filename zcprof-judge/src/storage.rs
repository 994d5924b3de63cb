//! THE TABLE of fillers: how each layer below a file brings bytes into the page cache. To add one
//! is to add a row.

use zcprof_common::vocabulary::Disposition;

use crate::run::StorageLayer;

/// What a layer does to bytes that storage brings into the page cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// It passes the page cache's pages on to what is below it.
    Through,
    /// A device writes into the page cache's pages (DMA), and the CPU touches none.
    Device,
    /// The bytes are in the page cache and nowhere else.
    Memory,
    /// The CPU writes every byte: what becomes of it, and how.
    Cpu(Disposition, &'static str),
    /// The CPU does, or pages are moved: a site sees it.
    Seen,
}

/// A row of [`FILLERS`].
#[derive(Debug)]
pub struct Filler {
    /// The layer's name in a record.
    pub kind: &'static str,
    /// What it does.
    pub fill: Fill,
    /// The kernel's file that does it.
    pub source: &'static str,
}

const fn through(kind: &'static str, source: &'static str) -> Filler {
    Filler { kind, fill: Fill::Through, source }
}

const fn device(kind: &'static str, source: &'static str) -> Filler {
    Filler { kind, fill: Fill::Device, source }
}

const fn memory(kind: &'static str, source: &'static str) -> Filler {
    Filler { kind, fill: Fill::Memory, source }
}

const fn seen(kind: &'static str) -> Filler {
    Filler { kind, fill: Fill::Seen, source: "fs/fuse/dev.c" }
}

const fn copies(kind: &'static str, source: &'static str, how: &'static str) -> Filler {
    Filler { kind, fill: Fill::Cpu(Disposition::Copied, how), source }
}

const fn transforms(kind: &'static str, source: &'static str, how: &'static str) -> Filler {
    Filler { kind, fill: Fill::Cpu(Disposition::Transformed, how), source }
}

/// Every filler that is known, by reading Linux 6.12. A file system passes pages on if its read
/// makes bios of the page cache's folios (mpage, iomap, or its own).
pub const FILLERS: &[Filler] = &[
    // ---- file systems on a device
    through("ext2", "fs/mpage.c"),
    through("ext3", "fs/ext4/readpage.c"),
    through("ext4", "fs/ext4/readpage.c"),
    through("xfs", "fs/iomap/buffered-io.c"),
    through("btrfs", "fs/btrfs/extent_io.c"), // compressed extents are a layer of their own
    through("f2fs", "fs/f2fs/data.c"),        // likewise
    through("vfat", "fs/mpage.c"),
    through("exfat", "fs/mpage.c"),
    through("iso9660", "fs/mpage.c"), // likewise
    transforms("zisofs", "fs/isofs/compress.c", "decompresses"),
    transforms("squashfs", "fs/squashfs/file.c", "decompresses"),
    transforms("compressed extents", "fs/btrfs/compression.c", "are decompressed"),
    copies("inline data", "fs/ext4/inline.c", "is copied out of the inode"),
    transforms("fscrypt", "fs/crypto/crypto.c", "decrypts"),
    transforms("ecryptfs", "fs/ecryptfs/crypto.c", "decrypts"),
    // ---- file systems on others
    through("overlay", "fs/overlayfs/file.c"),
    // ---- file systems without a device
    memory("tmpfs", "mm/shmem.c"),
    memory("ramfs", "fs/ramfs/inode.c"),
    memory("devtmpfs", "drivers/base/devtmpfs.c"),
    device("virtiofs", "fs/fuse/virtio_fs.c"),
    seen("fuse"),
    seen("fuseblk"),
    copies("nfs", "net/sunrpc/xprtsock.c", "copies out of a socket"),
    copies("nfs4", "net/sunrpc/xprtsock.c", "copies out of a socket"),
    copies("cifs", "fs/smb/client/connect.c", "copies out of a socket"),
    copies("smb3", "fs/smb/client/connect.c", "copies out of a socket"),
    copies("ceph", "net/ceph/messenger.c", "copies out of a socket"),
    // ---- block devices on others
    through("loop with direct I/O", "drivers/block/loop.c"),
    copies("loop", "drivers/block/loop.c", "copies out of the page cache of the file below it"),
    through("dm-linear", "drivers/md/dm-linear.c"),
    through("dm-striped", "drivers/md/dm-stripe.c"),
    through("dm-thin", "drivers/md/dm-thin.c"),
    through("dm-multipath", "drivers/md/dm-mpath.c"),
    through("dm-snapshot-origin", "drivers/md/dm-snap.c"),
    transforms("dm-crypt", "drivers/md/dm-crypt.c", "decrypts"),
    through("md linear", "drivers/md/md-linear.c"),
    through("md raid0", "drivers/md/raid0.c"),
    through("md raid1", "drivers/md/raid1.c"),
    through("md raid10", "drivers/md/raid10.c"),
    // ---- block devices
    device("virtio_blk", "drivers/block/virtio_blk.c"),
    device("nvme (pcie)", "drivers/nvme/host/pci.c"),
    device("nvme (rdma)", "drivers/nvme/host/rdma.c"),
    copies("nvme (tcp)", "drivers/nvme/host/tcp.c", "copies out of a socket"),
    device("sd (ahci)", "drivers/ata/ahci.c"),
    device("sd (ata_piix)", "drivers/ata/ata_piix.c"),
    device("sd (virtio_scsi)", "drivers/scsi/virtio_scsi.c"),
    device("sd (mpt3sas)", "drivers/scsi/mpt3sas"),
    device("sd (megaraid_sas)", "drivers/scsi/megaraid"),
    device("sd (smartpqi)", "drivers/scsi/smartpqi"),
    device("sd (vmw_pvscsi)", "drivers/scsi/vmw_pvscsi.c"),
    device("sd (storvsc_host_t)", "drivers/scsi/storvsc_drv.c"),
    device("sd (usb-storage)", "drivers/usb/storage"),
    device("sd (uas)", "drivers/usb/storage/uas.c"),
    copies("sd (scsi_debug)", "drivers/scsi/scsi_debug.c", "copies out of memory"),
    copies("sd (iscsi_tcp)", "drivers/scsi/iscsi_tcp.c", "copies out of a socket"),
    copies("ram", "drivers/block/brd.c", "copies out of memory"),
    copies("pmem", "drivers/nvdimm/pmem.c", "copies out of memory"),
    copies("nbd", "drivers/block/nbd.c", "copies out of a socket"),
    transforms("zram", "drivers/block/zram/zram_drv.c", "decompresses"),
];

impl Filler {
    /// The row of a layer; `None` if nothing is known of it.
    #[must_use]
    pub fn find(kind: &str) -> Option<&'static Self> {
        // `fuse.sshfs` is a FUSE like others (fs/fuse/inode.c names both kinds).
        let kind = if kind.starts_with("fuse.") { "fuse" } else { kind };
        FILLERS.iter().find(|row| row.kind == kind)
    }
}

/// How a whole stack fills the page cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Storage<'a> {
    /// Layers at which the CPU writes every byte: which, what becomes of it, how, and where.
    pub by_cpu: Vec<(&'a StorageLayer, Disposition, &'static str, &'static str)>,
    /// Layers that the table does not know, or below which nothing was found.
    pub unknown: Vec<&'a StorageLayer>,
    /// A site sees whether the CPU does.
    pub seen: bool,
    /// There is nothing to fill from.
    pub memory: bool,
    /// There is a device.
    pub device: bool,
}

impl<'a> Storage<'a> {
    /// Reads a stack, from the file down.
    #[must_use]
    pub fn of(layers: &'a [StorageLayer]) -> Self {
        let mut storage = Self::default();
        let mut ends = false;
        for layer in layers {
            let row = Filler::find(&layer.kind);
            match row.map(|row| (row.fill, row.source)) {
                None => storage.unknown.push(layer),
                Some((Fill::Cpu(what, how), source)) => {
                    storage.by_cpu.push((layer, what, how, source));
                }
                Some((Fill::Seen, _)) => storage.seen = true,
                Some((Fill::Memory, _)) => storage.memory = true,
                Some((Fill::Device, _)) => storage.device = true,
                Some((Fill::Through, _)) => {}
            }
            ends = row.is_none_or(|row| row.fill != Fill::Through);
        }
        // What passes pages on passes them to something.
        storage.unknown.extend(layers.last().filter(|_| !ends));
        storage
    }

    /// Whether all that is filled is what processes answer (FUSE), as far as is known.
    #[must_use]
    pub fn is_of_processes_alone(&self) -> bool {
        self.seen && self.by_cpu.is_empty() && !self.memory && !self.device
    }

    /// In a few words, for a reader: `by a device`, `by copying (loop /dev/loop0)`.
    #[must_use]
    pub fn summary(&self) -> String {
        let word = |what: Disposition| match what {
            Disposition::Transformed => "transforming",
            _ => "copying",
        };
        let cpu: Vec<_> = self
            .by_cpu
            .iter()
            .map(|(layer, what, ..)| format!("by {} ({layer})", word(*what)))
            .collect();
        let unknown: Vec<_> =
            self.unknown.iter().map(|layer| format!("nobody knows how ({layer})")).collect();
        let seen = self.seen.then(|| "by another process (FUSE)".to_owned());
        let all: Vec<_> = cpu.into_iter().chain(seen).chain(unknown).collect();
        match (all.is_empty(), self.memory) {
            (true, true) => "not at all: it is in memory alone".to_owned(),
            (true, false) => "by a device".to_owned(),
            (false, _) => all.join(", "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(kinds: &[&str]) -> Vec<StorageLayer> {
        kinds
            .iter()
            .map(|kind| StorageLayer { kind: (*kind).to_owned(), name: String::new() })
            .collect()
    }

    #[test]
    fn rows_are_unique() {
        for row in FILLERS {
            assert_eq!(FILLERS.iter().filter(|other| other.kind == row.kind).count(), 1, "{row:?}");
        }
    }

    #[test]
    fn a_stack_is_what_all_of_its_layers_do() {
        let cpu = |kinds: &[&str]| Storage::of(&stack(kinds)).by_cpu.len();
        let unknown = |kinds: &[&str]| Storage::of(&stack(kinds)).unknown.len();
        let plain = ["ext4", "virtio_blk"];
        assert_eq!((cpu(&plain), unknown(&plain)), (0, 0));
        let direct = ["overlay", "ext4", "loop with direct I/O", "xfs", "nvme (pcie)"];
        assert_eq!((cpu(&direct), unknown(&direct)), (0, 0));
        let twice = ["squashfs", "loop", "ext4", "dm-crypt", "virtio_blk"];
        assert_eq!((cpu(&twice), unknown(&twice)), (3, 0));
        assert_eq!(unknown(&["bcachefs", "virtio_blk"]), 1);
        assert_eq!((cpu(&["nfs4"]), unknown(&["nfs4"])), (1, 0));
        assert_eq!((cpu(&["nfs4 (proto=rdma)"]), unknown(&["nfs4 (proto=rdma)"])), (0, 1));
        assert_eq!(unknown(&["ext4"]), 1, "a file system is on something");
        assert_eq!(unknown(&["ext4", "dm-linear"]), 1);
        assert_eq!(unknown(&["tmpfs"]), 0);
        assert!(Storage::of(&stack(&["overlay", "fuse.sshfs"])).seen);
        let by_processes = |kinds: &[&str]| Storage::of(&stack(kinds)).is_of_processes_alone();
        assert!(by_processes(&["overlay", "fuse.sshfs"]));
        assert!(!by_processes(&["overlay", "fuse", "ext4", "virtio_blk"]));
        assert!(!by_processes(&["overlay", "fuse", "tmpfs"]));
        assert!(!by_processes(&["overlay", "fuse", "nfs4"]));
        assert!(!by_processes(&plain));
        let summary = |kinds: &[&str]| Storage::of(&stack(kinds)).summary();
        assert_eq!(summary(&plain), "by a device");
        assert!(
            summary(&["ext4", "dm-crypt", "nvme (pcie)"]).contains("by transforming (dm-crypt")
        );
        assert!(summary(&["tmpfs"]).contains("in memory"));
        assert!(summary(&["ext4", "loop", "ext4", "virtio_blk"]).contains("by copying (loop"));
    }
}
