//! Keys and values of the maps that say by which file and with which peer system calls moved bytes.

/// Most files that are told apart, with the system calls on them.
pub const MAX_FILES: u32 = 16384;

/// Most peers that are told apart, with the system calls that reach them.
pub const MAX_PEERS: u32 = 4096;

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

/// Whom a socket reaches.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer {
    /// Its address, IPv6's or mapped to such, as it is on the wire; zeros for other families.
    pub address: [u32; 4],
    /// Its port, or [`crate::layout::NO_PORT`] if it is one that the kernel hands out by itself.
    pub port: u16,
    /// `AF_INET` and the like.
    pub family: u16,
    /// `IPPROTO_TCP` and the like.
    pub protocol: u16,
    /// Zero.
    pub unused: u16,
}

/// System calls of a subject on sockets that reach one peer from one port.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerKey {
    /// The peer.
    pub peer: Peer,
    /// Who calls.
    pub subject: u32,
    /// System-call number.
    pub syscall: i32,
    /// Local port, or [`crate::layout::NO_PORT`].
    pub port: u16,
    /// Zero.
    pub unused: u16,
}

#[cfg(feature = "user")]
crate::pods! { FileId, FileKey, FileName, Peer, PeerKey }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_have_no_padding() {
        assert_eq!(size_of::<FileId>(), 8 + 4 + 4);
        assert_eq!(size_of::<FileKey>(), size_of::<FileId>() + 4 + 4);
        assert_eq!(size_of::<FileName>(), 64 + 32 + 32);
        assert_eq!(size_of::<Peer>(), 4 * 4 + 4 * 2);
        assert_eq!(size_of::<PeerKey>(), size_of::<Peer>() + 4 + 4 + 2 * 2);
    }
}
