//! Keys and values of the maps that say by which file and with which peer system calls moved bytes.

/// Most files that are told apart, with the system calls on them.
pub const MAX_FILES: u32 = 16384;

/// Most peers that are told apart, with the system calls that reach them.
pub const MAX_PEERS: u32 = 4096;

/// Calls and their bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// System calls that moved bytes.
    pub calls: u64,
    /// The bytes, as the calls say.
    pub bytes: u64,
}

impl Moved {
    /// With what was counted on another CPU.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self { calls: self.calls + other.calls, bytes: self.bytes + other.bytes }
    }
}

/// A regular file.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId {
    /// Its inode's number.
    pub inode: u64,
    /// The device of its file system, as the kernel has it: twelve bits and twenty (`MKDEV()`,
    /// include/linux/kdev_t.h).
    pub device: u32,
    /// Zero.
    pub unused: u32,
}

/// System calls of a subject on a file.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileKey {
    /// The file.
    pub file: FileId,
    /// Who calls.
    pub subject: u32,
    /// System-call number.
    pub syscall: i32,
}

/// The last three names of a file's path, each cut to what fits and ended by a zero.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileName {
    /// The file's own.
    pub own: [u8; 64],
    /// That of the folder it is in; empty if there is none.
    pub parent: [u8; 32],
    /// That of the folder this is in.
    pub grandparent: [u8; 32],
}

/// System calls of a subject on sockets that reach one peer from one port.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerKey {
    /// Who calls.
    pub subject: u32,
    /// System-call number.
    pub syscall: i32,
    /// The peer's address, IPv6's or mapped to such, as it is on the wire; zeros for other families.
    pub to: [u32; 4],
    /// Local port, or [`crate::layout::NO_PORT`].
    pub port: u16,
    /// The peer's port, or [`crate::layout::NO_PORT`] if it is one that the kernel hands out by itself.
    pub to_port: u16,
    /// `AF_INET` and the like.
    pub family: u16,
    /// `IPPROTO_TCP` and the like.
    pub protocol: u16,
}

#[cfg(feature = "user")]
#[expect(unsafe_code, reason = "aya::Pod is an unsafe marker trait")]
mod pod {
    use super::{FileId, FileKey, FileName, Moved, PeerKey};
    // SAFETY: each type is `repr(C)`, `Copy`, made of integers only and free of padding
    // (`objects_have_no_padding` proves the last).
    unsafe impl aya::Pod for FileId {}
    // SAFETY: as above.
    unsafe impl aya::Pod for FileKey {}
    // SAFETY: as above.
    unsafe impl aya::Pod for FileName {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Moved {}
    // SAFETY: as above.
    unsafe impl aya::Pod for PeerKey {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_have_no_padding() {
        assert_eq!(size_of::<FileId>(), 8 + 4 + 4);
        assert_eq!(size_of::<FileKey>(), size_of::<FileId>() + 4 + 4);
        assert_eq!(size_of::<FileName>(), 64 + 32 + 32);
        assert_eq!(size_of::<Moved>(), 8 + 8);
        assert_eq!(size_of::<PeerKey>(), 4 + 4 + 4 * 4 + 4 * 2);
    }
}
