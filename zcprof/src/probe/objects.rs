//! What system calls moved, by file and by peer.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use aya::maps::{HashMap, MapError};
use aya::{Ebpf, EbpfLoader};
use zcprof_common::layout::{CallSum, Config, StrangerKey};
use zcprof_common::objects::{FileId, FileKey, FileName, PeerKey};

use super::maps::{differences, summed, text};

/// Calls and their bytes.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// By file.
    pub files: BTreeMap<FileKey, CallSum>,
    /// By peer.
    pub peers: BTreeMap<PeerKey, CallSum>,
    /// By stranger who sends by somebody's socket.
    pub strangers: BTreeMap<StrangerKey, CallSum>,
}

/// Gives the maps no room where nothing is told apart.
pub(super) fn size(loader: &mut EbpfLoader<'_>, config: &Config) {
    if config.by_port == 0 {
        for map in ["FILES", "FILE_NAMES", "PEERS"] {
            loader.map_max_entries(map, 1);
        }
    }
}

impl Objects {
    /// All that was counted since the programs were loaded.
    pub(super) fn read(ebpf: &Ebpf) -> Result<Self> {
        Ok(Self {
            files: summed(ebpf, "FILES", CallSum::plus)?,
            peers: summed(ebpf, "PEERS", CallSum::plus)?,
            strangers: summed(ebpf, "STRANGERS", CallSum::plus)?,
        })
    }

    /// What was counted since `before`.
    pub(super) fn since(&self, before: &Self) -> Self {
        Self {
            files: differences(&self.files, &before.files),
            peers: differences(&self.peers, &before.peers),
            strangers: differences(&self.strangers, &before.strangers),
        }
    }
}

/// The end of each file's path, as far as it was read.
pub(super) fn paths(ebpf: &Ebpf) -> Result<BTreeMap<FileId, String>> {
    let names = ebpf.map("FILE_NAMES").context("the programs have no map FILE_NAMES")?;
    let names: HashMap<_, FileId, FileName> = HashMap::try_from(names)?;
    let of_file = |entry: Result<(FileId, FileName), MapError>| {
        let (file, name) = entry.context("reading the map FILE_NAMES")?;
        Ok((file, path(&name)))
    };
    names.iter().map(of_file).collect()
}

/// The names that there are, joined; `…/` stands for what is not known of the beginning.
fn path(name: &FileName) -> String {
    let all = [text(&name.grandparent), text(&name.parent), text(&name.own)];
    let [grandparent, parent, own] = all;
    match (grandparent.as_str(), parent.as_str()) {
        // An unlinked temporary file, or one that never had a folder.
        (_, "") => own,
        ("", "/") => format!("/{own}"),
        ("", _) => format!("…/{parent}/{own}"),
        ("/", _) => format!("/{parent}/{own}"),
        _ => format!("…/{grandparent}/{parent}/{own}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(own: &str, parent: &str, grandparent: &str) -> FileName {
        fn padded<const N: usize>(text: &str) -> [u8; N] {
            std::array::from_fn(|at| text.as_bytes().get(at).copied().unwrap_or(0))
        }
        FileName { own: padded(own), parent: padded(parent), grandparent: padded(grandparent) }
    }

    #[test]
    fn a_path_says_what_it_lacks() {
        assert_eq!(path(&name("a", "www", "srv")), "…/srv/www/a");
        assert_eq!(path(&name("a", "srv", "/")), "/srv/a");
        assert_eq!(path(&name("a", "/", "")), "/a");
        assert_eq!(path(&name("memfd:stage", "", "")), "memfd:stage");
    }

    #[test]
    fn only_what_is_new_is_told() {
        let key = |inode| FileKey {
            file: FileId { inode, device: 1, unused: 0 },
            subject: 7,
            syscall: 40,
        };
        let sums = |all: &[(u64, u64, u64)]| Objects {
            files: all
                .iter()
                .map(|(inode, calls, bytes)| {
                    (key(*inode), CallSum { calls: *calls, bytes: *bytes })
                })
                .collect(),
            ..Objects::default()
        };
        let new = sums(&[(1, 3, 30), (2, 2, 5), (3, 1, 9)]).since(&sums(&[(1, 1, 10), (2, 2, 5)]));
        assert_eq!(new.files, sums(&[(1, 2, 20), (3, 1, 9)]).files);
    }
}
