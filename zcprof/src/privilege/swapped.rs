//! An attack, for tests: somebody swaps a part of a path for a link while root works on it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

/// Does something a thousand times, while two names are exchanged again and again.
pub(super) fn while_swapped(one: &Path, other: &Path, mut work: impl FnMut()) {
    const TRIES: usize = 1000;
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let flags = RenameFlags::RENAME_EXCHANGE;
                let _ = renameat2(AT_FDCWD, one, AT_FDCWD, other, flags);
            }
        });
        for _ in 0..TRIES {
            work();
        }
        stop.store(true, Ordering::Relaxed);
    });
}
