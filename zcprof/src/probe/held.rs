//! What processes had before they were watched.

use anyhow::{Context as _, Result};
use aya::Ebpf;
use aya::maps::HashMap;
use zcprof_common::layout::ELSEWHERE;
use zcprof_common::objects::FileId;

use super::follow::map;

/// What a process has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Inodes of its sockets.
    pub sockets: Vec<u64>,
    /// Files whose page cache it can write into through a mapping.
    pub mapped: Vec<FileId>,
}

/// Tells the programs what a subject has. Whether there was room for every file that it has mapped.
///
/// # Errors
/// It has too many sockets, or there are no such maps.
pub(super) fn tell(ebpf: &mut Ebpf, held: &Held, subject: u32) -> Result<bool> {
    let mut sockets: HashMap<_, u64, u32> = map(ebpf, "HELD")?;
    for inode in &held.sockets {
        sockets.insert(*inode, subject, 0).context("too many sockets to watch")?;
    }
    let mut mapped: HashMap<_, FileId, u32> = map(ebpf, "MAPPED")?;
    Ok(held.mapped.iter().all(|file| mapped.insert(*file, 0, 0).is_ok()))
}

/// Has the programs look again whose a socket is by which strangers were seen to send.
///
/// # Errors
/// The map cannot be read.
pub(super) fn forget_strangers(ebpf: &mut Ebpf) -> Result<()> {
    let mut sockets: HashMap<_, u64, u32> = map(ebpf, "SOCKETS")?;
    let of_strangers = |entry: Result<(u64, u32), _>| match entry {
        Ok((socket, ELSEWHERE)) => Some(socket),
        // It is gone since.
        Ok(_) | Err(_) => None,
    };
    let strangers: Vec<u64> = sockets.iter().filter_map(of_strangers).collect();
    for socket in strangers {
        let _ = sockets.remove(&socket);
    }
    Ok(())
}
